/**
 * A language model that is none: it answers each prompt with the same text, a word each
 * 50 ms, or MS, over the streaming API that OpenAI, Ollama, vLLM, llama.cpp and others have.
 *
 *     node model.mjs [PORT [MS]]
 */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const ANSWER = `You asked: "%". I am no language model, but I answer like one: word by word, \
as slowly as you read. Reload this page while I write. The answer goes on where it was, \
for the words are kept by crierd, and not by the connection. Open the same address in \
another window, and both show the same. Then end the server, if you like, and start it \
again. Not one word is missing, and none comes twice.`;

const PAUSE = Number(process.argv[3] ?? 50); // ms

async function answer(request, response) {
  let body = '';
  for await (const part of request) body += part;
  if (request.method !== 'POST' || request.url !== '/v1/chat/completions') {
    response.writeHead(404).end();
    return;
  }
  const prompt = JSON.parse(body).messages.at(-1).content;
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const send = (choice) => response.write(`data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`);
  for (const content of ANSWER.replace('%', () => prompt).split(/(?<= )/)) {
    if (response.destroyed) return; // the relay has stopped it
    send({ delta: { content }, finish_reason: null });
    await sleep(PAUSE);
  }
  send({ delta: {}, finish_reason: 'stop' });
  response.end('data: [DONE]\n\n');
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy()); // not what the API demands
});
server.listen(Number(process.argv[2] ?? 8082), '127.0.0.1', () => {
  console.log(`model: http://127.0.0.1:${server.address().port}/v1/chat/completions`);
});
