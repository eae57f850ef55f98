/**
 * crierd behind nginx, HAProxy, Caddy and Apache: what must hold behind each of them, over
 * HTTP/1.1 and HTTP/2. The four run at once, each in front of a crierd of its own.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Server, until } from '../browser/server.js';
import { Http1, Http2 } from './client.js';
import { HOST, NAMES, Proxy } from './programs.js';

const run = promisify(execFile);
const PROMPT = 900; // ms in which an event arrives at once: a ping would follow it after 1 s
const TIMEOUT = 120_000; // ms
const MEBIBYTE = 1024 * 1024;
const STREAMS = 8; // of one address
const KEY = 'a secret of the tests, which is long enough';

/**
 * What comes of a body that is too large. Over HTTP/1.1 a proxy closes the connection behind
 * its response, and a client that still sends may notice that before it reads the response.
 */
const REFUSED = new Set([413, 'EPIPE', 'ECONNRESET']);

const base64 = (value) => Buffer.from(value).toString('base64url');

/** A token that may publish to these topics. */
function token(...topics) {
  const head = base64(JSON.stringify({ alg: 'HS256', typ: 'JWT' }));
  const claims = base64(JSON.stringify({ sub: 'tester', mercure: { publish: topics } }));
  return `${head}.${claims}.${createHmac('sha256', KEY).update(`${head}.${claims}`).digest('base64url')}`;
}

const bearer = { Authorization: `Bearer ${token('*')}` };
const post = (body, headers = bearer) => ({
  method: 'POST',
  body,
  headers: typeof body === 'string' ? { 'Content-Length': Buffer.byteLength(body), ...headers } : headers,
});

/** Publishes straight to crierd, so that the proxy has nothing else to do. */
async function publish(server, topic, data) {
  const { status } = await fetch(`${server.url}/topics/${topic}`, { method: 'POST', body: data, headers: bearer });
  assert.equal(status, 200);
}

/** The versions of HTTP that a file offers (apache.conf says why it does not offer both). */
const versionsOf = (name) => (name === 'apache' ? [Http1] : [Http1, Http2]);

/** What a check has: crierd, the proxy before it, and a client of each version of HTTP. */
async function begin(name, scratch) {
  const server = new Server(['--ping-interval', '1s', '--jwt-key', `HS256:${KEY}`, '--anonymous', 'subscribe',
    '--journal', `sqlite:${join(scratch, 'journal')}`, '--trusted-proxy', '127.0.0.1',
    '--max-clients-per-address', String(STREAMS)]);
  await server.start();
  const proxy = new Proxy();
  await proxy.start(name, new URL(server.url).host);
  const versions = versionsOf(name);
  return { server, proxy, versions, clients: versions.map((Version) => new Version(proxy)) };
}

const checks = {
  async 'each event arrives at once'({ server, clients }) {
    for (const client of clients) {
      const stream = await client.stream('/topics/news?start=id');
      assert.equal(stream.status, 200);
      assert.match(stream.headers['content-type'], /^text\/event-stream/);
      assert.equal(stream.headers['content-encoding'], undefined);
      const times = []; // one of them may be long, on a busy machine
      for (const data of ['one', 'two', 'three']) {
        const begun = performance.now();
        await publish(server, 'news', data);
        assert.equal((await stream.event()).data, data);
        times.push(performance.now() - begun);
      }
      assert.ok(Math.min(...times) < PROMPT, `${times} ms`);
      stream.close();
    }
  },

  async 'curl reads it, too'({ server, proxy, versions }) {
    await publish(server, 'curl', 'for curl');
    const { stdout } = await run('curl', ['-sS', '--http2', '--noproxy', '*', '--cacert', proxy.caFile,
      '--resolve', `${HOST}:${proxy.https}:127.0.0.1`, '-w', '%{http_version}',
      `${proxy.url}/topics/curl?since=all&poll=1`]);
    const [, data, version] = /^data: (.*)\n\n(.*)$/m.exec(stdout);
    assert.deepEqual([data, version], ['for curl', versions.includes(Http2) ? '2' : '1.1']);
  },

  async 'an idle stream lives on'({ server, clients }) {
    const streams = await Promise.all(clients.map((client) => client.stream('/topics/idle')));
    await Promise.all(streams.map((stream) => stream.pings(3)));
    await publish(server, 'idle', 'still there?');
    for (const stream of streams) {
      assert.equal((await stream.event()).data, 'still there?');
      stream.close();
    }
  },

  async 'Last-Event-ID resumes'({ server, clients }) {
    for (const [n, client] of clients.entries()) {
      for (const data of ['one', 'two']) await publish(server, `past${n}?id=${n}-${data}`, data);
      const stream = await client.stream(`/topics/past${n}`, { 'Last-Event-ID': `${n}-one` });
      assert.equal((await stream.event()).data, 'two');
      stream.close();
    }
  },

  async 'POST publishes one update, many, and a body without a length'({ clients }) {
    for (const client of clients) {
      const stream = await client.stream('/topics/posted');
      const bulk = { ...bearer, 'Content-Type': 'text/event-stream' };
      for (const options of [post('one'), post('data: two\n\ndata: three\n\n', bulk), post(['fo', 'ur'])]) {
        const { status, text } = await client.request('/topics/posted', options);
        assert.equal(status, 200, text);
      }
      for (const data of ['one', 'two', 'three', 'four']) assert.equal((await stream.event()).data, data);
      stream.close();
    }
  },

  async 'a body of 1 MiB passes; larger ones are 413'({ clients }) {
    for (const client of clients) {
      const size = async (bytes) => (await client.request('/topics/large', post('x'.repeat(bytes)))).status;
      assert.equal(await size(MEBIBYTE), 200);
      for (const bytes of [MEBIBYTE + 1, 16 * MEBIBYTE]) { // refused by crierd, and by most proxies
        assert.ok(REFUSED.has(await size(bytes).catch(({ code }) => code)));
      }
    }
  },

  async 'the path reaches crierd as the client sent it'({ clients }) {
    for (const client of clients) {
      for (const topic of ['https://example.com/a b?c', 'a//b', 'ü/%2F', '100%']) {
        const { status, text } = await client.request(`/topics/${encodeURIComponent(topic)}`, post('x'));
        assert.equal(status, 200, text);
        assert.deepEqual(JSON.parse(text).topics, [topic]);
      }
      const { text } = await client.request('/topics/a//b', post('x'));
      assert.deepEqual(JSON.parse(text).topics, ['a//b']);
      const stream = await client.stream('/topics/%7Bany%7D/reviews,log/*');
      assert.equal((await client.request('/topics/books/reviews', post('good'))).status, 200);
      assert.equal((await stream.event()).data, 'good');
      stream.close();
    }
  },

  async 'refusals pass unchanged'({ clients }) {
    for (const client of clients) {
      const refused = await client.request('/topics/news', post('x', {}));
      assert.equal(refused.status, 401);
      assert.match(refused.headers['www-authenticate'], /^Bearer/);
      assert.equal(JSON.parse(refused.text).status, 401);
      const forbidden = await client.request('/topics/news', post('x', { Authorization: `Bearer ${token('sport')}` }));
      assert.equal(forbidden.status, 403);
      assert.match(forbidden.headers['content-type'], /^application\/problem\+json/);
    }
  },

  async 'crierd knows the client by its own address'({ server, proxy, versions }) {
    for (const [n, Version] of versions.entries()) {
      const [client, other] = [2, 3].map((last) => new Version(proxy, `127.0.${n}.${last}`));
      const liar = new Version(proxy, `127.0.${n}.2`);
      const open = [];
      while (open.length < STREAMS) open.push(await client.stream('/topics/crowd'));
      for (const stream of open) assert.equal(stream.status, 200);
      for (const lie of [{}, { 'X-Forwarded-For': '192.0.2.1' }, { Forwarded: 'for=192.0.2.1' }, { 'X-Real-IP': '192.0.2.1' }]) {
        const { status, headers, text } = await liar.request('/topics/crowd', { headers: lie });
        assert.equal(status, 429, `${JSON.stringify(lie)}: ${text}`);
        assert.ok(Number(headers['retry-after']) > 0);
      }
      open.push(await other.stream('/topics/crowd'));
      assert.equal(open.at(-1).status, 200);
      open.forEach((stream) => stream.close());
      [client, other, liar].forEach((each) => each.close());
    }
    await until(async () => await server.clients() === 0, 'they have left');
    await until(() => server.log.some((line) => /GET \/topics\/crowd 429 .* 127\.0\.0\.2( |$)/.test(line)), 'the log has the address');
    assert.ok(!server.log.some((line) => line.includes('192.0.2.1')), 'the log has what the client claims');
  },

  async 'pages of this origin may publish with the cookie, others not'({ clients }) {
    for (const client of clients) {
      const from = async (origin) => (await client.request('/topics/news', post('x', {
        Cookie: `mercureAuthorization=${token('*')}`, Origin: origin,
      }))).status;
      assert.equal(await from(`https://${client.authority}`), 200);
      assert.equal(await from('https://other.example'), 403);
    }
  },

  async 'metrics and health are not public'({ clients }) {
    for (const client of clients) {
      for (const path of ['/metrics', '/healthz', '/readyz', '/%6detrics', '//metrics', '/metrics?x']) {
        assert.notEqual((await client.request(path)).status, 200, path);
      }
      assert.equal((await client.request('/metrics')).status, 404);
    }
  },

  async 'plain HTTP is redirected'({ proxy }) {
    const sent = request({ host: '127.0.0.1', port: proxy.http, path: '/topics/a', headers: { Host: HOST } }).end();
    const [response] = await once(sent, 'response');
    response.resume();
    assert.ok([301, 308].includes(response.statusCode), `${response.statusCode}`);
    assert.match(response.headers.location, new RegExp(`^https://${HOST}(:${proxy.https})?/topics/a$`));
  },

  async 'a client that leaves is noticed'({ server, clients }) {
    await until(async () => await server.clients() === 0, 'no streams are open');
    for (const client of clients) {
      const stream = await client.stream('/topics/left');
      assert.equal(await server.clients(), 1);
      stream.close();
      await until(async () => await server.clients() === 0, 'the client has left');
    }
  },

  async 'after a restart, clients resume'({ server, clients }) {
    const streams = await Promise.all(clients.map((client) => client.stream('/topics/restart')));
    await publish(server, 'restart', 'before');
    const ids = [];
    for (const stream of streams) ids.push((await stream.event()).id);
    await server.stop();
    for (const stream of streams) await stream.end();
    for (const { status } of await Promise.all(clients.map((client) => client.request('/topics/restart')))) {
      assert.ok([502, 503].includes(status), `${status}`);
    }
    await server.start();
    await publish(server, 'restart', 'after');
    for (const [n, client] of clients.entries()) {
      const stream = await client.stream('/topics/restart', { 'Last-Event-ID': ids[n] });
      assert.equal((await stream.event()).data, 'after');
      stream.close();
    }
  },
};

/** Whether crierd knows its clients by their own addresses where it is reached in another way. */
async function checkAddresses(name, way, scratch) {
  const socket = join(scratch, 'crierd.sock');
  const server = new Server(['--anonymous', 'all', '--max-clients-per-address', '1',
    ...(way === 'unix' ? ['--listen', `unix:${socket},mode=0666`, '--trusted-proxy', 'unix'] : [])]);
  const proxy = new Proxy();
  try {
    await server.start(way === 'proxied' ? ',proxy' : '');
    await proxy.start(name, way === 'unix' ? socket : new URL(server.url).host, way);
    const open = async (last) => new (versionsOf(name).at(-1))(proxy, `127.0.0.${last}`).stream('/topics/a');
    const streams = [];
    for (const [last, status] of [[2, 200], [3, 200], [2, 429]]) {
      streams.push(await open(last));
      assert.equal(streams.at(-1).status, status);
    }
    assert.equal((await new Http1(proxy).request('/topics/a', post('hello', {}))).status, 200);
    assert.equal((await streams[0].event()).data, 'hello');
  } finally {
    await proxy.stop();
    await server.stop();
  }
}

test('proxies', { concurrency: true }, (t) => Promise.all(NAMES.map((name) => t.test(name, async (t) => {
  const scratch = await mkdtemp(join(tmpdir(), 'crier-'));
  await chmod(scratch, 0o755); // the proxies run as other users
  const world = await begin(name, scratch);
  t.after(async () => {
    world.clients.forEach((client) => client.close());
    await world.proxy.stop();
    await world.server.stop();
    await rm(scratch, { recursive: true });
  });
  for (const [title, check] of Object.entries(checks)) {
    await t.test(title, { timeout: TIMEOUT }, () => check(world));
  }
  await t.test('by a unix socket', { timeout: TIMEOUT }, () => checkAddresses(name, 'unix', scratch));
  if (name === 'haproxy') {
    await t.test('by the PROXY protocol', { timeout: TIMEOUT }, () => checkAddresses(name, 'proxied', scratch));
  }
}))));
