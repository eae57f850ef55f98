// A server with better-sse and one channel: GET subscribes, POST publishes. It keeps no
// history, since better-sse has none. Usage: node better-sse.mjs PORT
import { createServer } from 'node:http';
import { createChannel, createSession } from 'better-sse';

const channel = createChannel();
createServer(async (request, response) => {
  if (request.method === 'GET') {
    channel.register(await createSession(request, response, { serializer: String }));
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  channel.broadcast(body, 'message');
  response.end();
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
