/**
 * Stands between pages, a language model and crierd: asks the model, and publishes its answer
 * while it is written, to a topic of its own. A page subscribes to that topic at crierd. So
 * the answer does not depend on any connection of a page: it survives a reload, and several
 * pages can show it.
 *
 *     node relay.mjs [PORT]
 *
 *     GET /                the page
 *     POST /answers        {"prompt": ...} begins an answer: {"answer": ID}
 *     GET /answers/ID      leads to its stream at crierd, from the first word on
 *     DELETE /answers/ID   stops it
 *
 * Updates of an answer: `text` with {"text": ...}, as often as there is more of it; then, as
 * the last one, `done` with {"reason": ...}, or `failed` with {"detail": ...}.
 *
 * Environment: CRIER_SERVER, crierd's URL for publishing; CRIER_TOKEN, a token that may publish
 * to answers/*; EVENTS_URL, crierd's URL for pages; MODEL_URL, the API; MODEL, the model's
 * name; MODEL_KEY, the key of the API.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const { env } = process;
const CRIERD = env.CRIER_SERVER ?? 'http://127.0.0.1:8080';
const EVENTS = env.EVENTS_URL ?? CRIERD;
const MODEL_URL = env.MODEL_URL ?? 'http://127.0.0.1:8082/v1/chat/completions';
const LONGEST_PROMPT = 20_000; // characters of the request
const MOST_ANSWERS = 100; // at a time
const LONGEST_ANSWER = 600_000; // ms

/** The answers that are being written: what stops each. @type {Map<string, AbortController>} */
const answers = new Map();

/** Publishes an update of an answer; tries again while crierd is away, which its id makes safe. */
async function publish(answer, number, type, data, last = false) {
  const query = new URLSearchParams({ event: type, id: `${answer}-${number}`, dedupe: '1' });
  if (last) query.set('last', '1');
  const headers = { 'Content-Type': 'application/json' };
  if (env.CRIER_TOKEN) headers.Authorization = `Bearer ${env.CRIER_TOKEN}`;
  for (let wait = 100; ; wait = Math.min(2 * wait, 5_000)) {
    const response = await fetch(`${CRIERD}/topics/answers/${answer}?${query}`, {
      method: 'POST', headers, body: JSON.stringify(data),
    }).catch(() => null);
    if (response?.ok) return;
    if (response && response.status < 500 && response.status !== 429) {
      throw new Error(`crierd refuses: ${await response.text()}`);
    }
    await sleep(wait);
  }
}

/** Yields what the model says, a piece of text at a time. */
async function* ask(prompt, signal) {
  const headers = { 'Content-Type': 'application/json' };
  if (env.MODEL_KEY) headers.Authorization = `Bearer ${env.MODEL_KEY}`;
  const response = await fetch(MODEL_URL, {
    method: 'POST',
    headers,
    signal,
    body: JSON.stringify({ model: env.MODEL ?? 'fake', stream: true, messages: [{ role: 'user', content: prompt }] }),
  });
  if (!response.ok) throw new Error(`the model answers ${response.status}`);
  let rest = '';
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split('\n');
    rest = lines.pop();
    const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trim());
    // All that one read has brought is one update.
    const text = data.filter((json) => json !== '[DONE]')
      .map((json) => JSON.parse(json).choices[0]?.delta?.content ?? '').join('');
    if (text) yield text;
    if (data.includes('[DONE]')) return;
  }
  throw new Error('the model ended in the middle of its answer');
}

/** Has an answer written, and ends its topic whatever happens. */
async function write(answer, prompt) {
  const stop = new AbortController();
  const deadline = setTimeout(() => stop.abort(), LONGEST_ANSWER);
  let number = 0;
  answers.set(answer, stop);
  try {
    for await (const text of ask(prompt, stop.signal)) {
      await publish(answer, number += 1, 'text', { text });
    }
    await publish(answer, 'end', 'done', { reason: 'complete' }, true);
  } catch (error) {
    if (stop.signal.aborted) await publish(answer, 'end', 'done', { reason: 'stopped' }, true);
    else await publish(answer, 'end', 'failed', { detail: error.message }, true);
  } finally {
    clearTimeout(deadline);
    answers.delete(answer);
  }
}

/** Reads the prompt of a request; undefined when there is none, or it is too long. */
async function readPrompt(request) {
  let body = '';
  for await (const part of request.setEncoding('utf8')) {
    body += part;
    if (body.length > LONGEST_PROMPT) return undefined;
  }
  try {
    const { prompt } = JSON.parse(body);
    return typeof prompt === 'string' && prompt.trim() ? prompt : undefined;
  } catch {
    return undefined;
  }
}

async function begin(request, response) {
  const prompt = await readPrompt(request);
  if (prompt === undefined) {
    response.writeHead(400).end();
  } else if (answers.size >= MOST_ANSWERS) {
    response.writeHead(503, { 'Retry-After': '10' }).end();
  } else {
    // Nobody can guess it, so everybody who has the link to an answer may read it.
    const answer = randomUUID();
    write(answer, prompt).catch((error) => console.error('relay:', error.message));
    response.writeHead(201, { 'Content-Type': 'application/json' });
    response.end(`${JSON.stringify({ answer })}\n`);
  }
}

const FILES = { '/': ['page.html', 'text/html'], '/page.js': ['page.js', 'text/javascript'] };

async function handle(request, response) {
  const { method, url } = request;
  const path = new URL(url, 'http://relay').pathname;
  const [, answer] = /^\/answers\/([\w-]{1,64})$/.exec(path) ?? [];
  if (method === 'GET' && FILES[path]) {
    const [file, type] = FILES[path];
    response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8`, 'Cache-Control': 'no-cache' });
    response.end(await readFile(new URL(file, import.meta.url)));
  } else if (method === 'POST' && path === '/answers') {
    await begin(request, response);
  } else if (method === 'GET' && answer) {
    response.writeHead(307, { Location: `${EVENTS}/topics/answers/${answer}?since=all` }).end();
  } else if (method === 'DELETE' && answer) {
    answers.get(answer)?.abort();
    response.writeHead(204).end();
  } else {
    response.writeHead(404).end();
  }
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => {
    console.error('relay:', error.message);
    response.destroy();
  });
});
server.listen(Number(process.argv[2] ?? 8081), '127.0.0.1', () => {
  console.log(`relay: http://127.0.0.1:${server.address().port}/`);
});
