/**
 * crier.js and the npm package eventsource read the same bytes, in Node, and dispatch the same
 * events, however the bytes are cut into parts. And what the file itself promises: its size,
 * its types, that it ends.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { EventSource } from 'eventsource';
import { importHelper, source } from './raw.js';
import { within } from './server.js';

const { subscribe } = await importHelper();
const MAX_SIZE = 4096;
const TYPES = ['message', 'a', 'b c', 'ü', '__proto__', 'constructor'];
const ADDRESS = 'http://server.example/stream';

/** Streams of all kinds. Where an event has no id, the package forgets the last one. */
const STREAMS = {
  plain: 'data: 1\n\ndata: 2\n\n',
  'CR, LF and CRLF': 'data: 1\r\rdata: 2\r\n\r\ndata: 3\n\ndata: 4\r\n\rdata: 5\n\r\n',
  'several lines of data': 'data: 1\ndata: 2\r\ndata:\rdata: 4\n\n',
  'empty data': 'data\n\ndata:\n\ndata: \n\n',
  'blanks after the colon': 'data:1\n\ndata:  2\n\ndata:\t3\n\n',
  types: 'event: a\ndata: 1\n\nevent:b c\ndata: 2\n\nevent: ü\ndata: 3\n\nevent\ndata: 4\n\nevent: a\nevent\ndata: 5\n\n',
  'types that objects have': 'event: __proto__\ndata: 1\n\nevent: constructor\ndata: 2\n\n',
  'the type of an event without data': 'event: a\n\ndata: 1\n\n',
  ids: 'id: 1\ndata: 1\n\nid: ü€😀\ndata: 2\n\nid:3\nid:4\ndata: 3\n\n',
  'an id with a NUL': 'id: 1\ndata: 1\n\nid: 2\0\ndata: 2\n\n',
  comments: ': hello\n:\ndata: 1\n: between\ndata: 2\n\n:\n\n',
  'other fields': 'topics: a,b\ntime: now\ndata: 1\n\nDATA: 2\n\n data: 3\n\ndata : 4\n\n__proto__: x\ndata: 5\n\n',
  'a byte order mark': '\uFEFFdata: 1\n\n\uFEFFdata: 2\n\ndata: \uFEFF\n\n',
  'no end': 'data: 1\n\ndata: 2\n',
  'no end of the line': 'data: 1\n\ndata: 2',
  'bad UTF-8': Buffer.concat([Buffer.from('data: '), Buffer.from([0xff, 0xc3, 0x28, 0xf0, 0x9f]), Buffer.from('\n\ndata: 2\n\n')]),
  'retry that is no number': 'retry: soon\nretry: -1\nretry: 1e9\nretry:\ndata: 1\n\n',
};

/** What fetch() is to return: the stream in these parts, and then the end of the subscription. */
function serve(parts) {
  let calls = 0;
  return async () => {
    calls += 1;
    if (calls > 1) return new Response(null, { status: 204 });
    const rest = [...parts];
    const body = new ReadableStream({
      pull(controller) {
        if (rest.length) controller.enqueue(rest.shift());
        else controller.close();
      },
    });
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  };
}

/** What crier.js makes of it. */
async function ours(parts) {
  const { fetch, setTimeout } = globalThis;
  globalThis.fetch = serve(parts);
  globalThis.setTimeout = (run, ms) => setTimeout(run, ms > 1_000 ? ms : 0); // the pause before it reconnects
  try {
    const events = [];
    const stream = subscribe(ADDRESS);
    stream.addEventListener('any', ({ kind, data, lastEventId }) => events.push({ type: kind, data, lastEventId }));
    await within(new Promise((resolve) => stream.addEventListener('ended', resolve)), 'the end');
    assert.equal(stream.state, 'closed');
    return events;
  } finally {
    Object.assign(globalThis, { fetch, setTimeout });
  }
}

/** What the package makes of it. */
async function theirs(parts) {
  const events = [];
  const stream = new EventSource(ADDRESS, { fetch: serve(parts) });
  for (const type of TYPES) {
    stream.addEventListener(type, ({ data, lastEventId }) => events.push({ type, data, lastEventId }));
  }
  await within(new Promise((resolve) => {
    stream.onerror = () => stream.readyState === EventSource.CLOSED && resolve();
  }), 'the end');
  return events;
}

/** Events whose last id stays until the next one, as HTML 9.2.6 says. */
function carryIds(events) {
  let last = '';
  return events.map((event) => ({ ...event, lastEventId: last = event.lastEventId || last }));
}

/** Cuts bytes into parts of this length. */
const cut = (bytes, length) =>
  Array.from({ length: Math.ceil(bytes.length / length) }, (_, n) => bytes.subarray(n * length, (n + 1) * length));

for (const [title, stream] of Object.entries(STREAMS)) {
  test(`as the package: ${title}`, async () => {
    const bytes = Buffer.from(stream);
    const mark = bytes.subarray(0, 3).equals(Buffer.from('\uFEFF')) ? 3 : 0;
    const quick = Buffer.concat([bytes.subarray(0, mark), Buffer.from('retry: 1\n'), bytes.subarray(mark)]);
    const expected = carryIds(await theirs([quick]));
    assert.ok(expected.length > 0);
    for (const length of [1, 2, 3, 7, quick.length]) {
      assert.deepEqual(await ours(cut(quick, length)), expected, `in parts of ${length}`);
    }
    for (let n = 0; n <= quick.length; n += 1) {
      assert.deepEqual(await ours([quick.subarray(0, n), quick.subarray(n)]), expected, `cut at ${n}`);
    }
  });
}

test('an event of 15 MB in small parts takes little time', async () => {
  const data = 'x'.repeat(15 << 20);
  const [event] = await ours(cut(Buffer.from(`retry: 1\ndata: ${data}\n\n`), 1 << 14));
  assert.equal(event.data.length, data.length);
});

test('the event with the id after which a stream begins is not reported', async () => {
  const stream = Buffer.from('id: 7\nevent: crier-start\ndata\n\nevent: a\ndata: 1\n\nevent: crier-start\ndata: 2\n\n');
  assert.deepEqual(await ours([stream]), [
    { type: 'a', data: '1', lastEventId: '7' }, { type: 'crier-start', data: '2', lastEventId: '7' }, // a publisher's
  ]);
});

test('a publisher cannot have clients reconnect without a pause', async () => {
  const real = globalThis.fetch;
  const times = [];
  globalThis.fetch = async () => {
    times.push(performance.now());
    if (times.length === 1) return new Response('retry: 0\ndata: 1\n\n', { headers: { 'Content-Type': 'text/event-stream' } });
    if (times.length === 2) return new Response(null, { status: 429, headers: { 'Retry-After': '-100' } });
    return new Response(null, { status: 204 });
  };
  try {
    const stream = subscribe(ADDRESS);
    await within(new Promise((resolve) => stream.addEventListener('ended', resolve)), 'the end');
    const pauses = times.slice(1).map((time, n) => time - times[n]);
    assert.ok(pauses.every((ms) => ms >= 490), `${pauses} ms`);
  } finally {
    globalThis.fetch = real;
  }
});

test('408 is worth another attempt', async () => {
  const real = globalThis.fetch;
  const responses = [new Response(null, { status: 408 }), new Response(null, { status: 204 })];
  globalThis.fetch = async () => responses.shift();
  try {
    const stream = subscribe(ADDRESS);
    await within(new Promise((resolve) => stream.addEventListener('ended', resolve)), 'the end');
  } finally {
    globalThis.fetch = real;
  }
});

test('what is not read to its end is aborted, since cancel() does not close it in a worker of Firefox', async () => {
  const real = globalThis.fetch;
  const signals = [];
  let aborted;
  globalThis.fetch = async (_, { signal }) => {
    signals.push(signal);
    aborted = signals[0].aborted;
    if (signals.length > 1) return new Response(null, { status: 204 });
    return new Response(new ReadableStream(), { headers: { 'Content-Type': 'application/x-ndjson' } });
  };
  try {
    const stream = subscribe(ADDRESS);
    await within(new Promise((resolve) => stream.addEventListener('ended', resolve)), 'the end');
    assert.equal(aborted, true, 'before the next attempt');
  } finally {
    globalThis.fetch = real;
  }
});

test('a stream that is closed while it waits for a token asks for nothing more', async () => {
  const real = globalThis.fetch;
  let requests = 0;
  globalThis.fetch = async () => {
    requests += 1;
    return new Response(null, { status: 401 });
  };
  try {
    const tokens = ['old'];
    const renewal = new Promise((renew) => {
      const stream = subscribe(ADDRESS, { token: () => tokens.shift() ?? new Promise((give) => renew({ stream, give })) });
    });
    const { stream, give } = await within(renewal, 'it asks for another token');
    stream.close();
    give('new');
    await new Promise(setImmediate);
    assert.equal(requests, 1);
  } finally {
    globalThis.fetch = real;
  }
});

/** Why a stream is closed that goes on for ever like this. */
async function endless(part) {
  const real = globalThis.fetch;
  globalThis.fetch = async (_, { signal }) => new Response(new ReadableStream({
    pull: (controller) => (signal.aborted ? controller.close() : controller.enqueue(part)),
  }), { headers: { 'Content-Type': 'text/event-stream' } });
  try {
    const stream = subscribe(ADDRESS);
    await within(new Promise((resolve) => {
      stream.addEventListener('statechange', () => stream.state === 'closed' && resolve());
    }), 'it is closed');
    return stream.trouble;
  } finally {
    globalThis.fetch = real;
  }
}

const megabyte = 'x'.repeat(1 << 20);
for (const [title, part] of Object.entries({
  'a line': megabyte,
  'lines of data': `data: ${megabyte}\n`,
  'other fields': `x: ${megabyte}\n`,
  'a comment': `:${megabyte}`,
})) {
  test(`what never ends is given up: ${title}`, async () => {
    assert.match(await endless(Buffer.from(part)), /too long/);
  });
}

test('it is less than 4 kB compressed', async () => {
  const size = gzipSync(await source(), { level: 9 }).length;
  assert.ok(size < MAX_SIZE, `${size} bytes`);
});

test('its types hold for a program that uses it', { timeout: 180_000 }, async () => {
  const here = (path) => fileURLToPath(new URL(path, import.meta.url));
  await promisify(execFile)(process.execPath, [here('node_modules/typescript/bin/tsc'), '--noEmit', '--strict',
    '--target', 'es2022', '--module', 'es2022', '--moduleResolution', 'bundler', '--lib', 'es2022,dom',
    here('helper_types.ts')]).catch(({ stdout }) => assert.fail(stdout));
});
