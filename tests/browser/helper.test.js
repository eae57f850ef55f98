/**
 * crier.js in Chromium: against a crierd, and against a server that sends what a crierd
 * does not, or not at the moment that the test needs (raw.js).
 */
import assert from 'node:assert/strict';
import { sign } from './console.js';
import { scenario, until } from './harness.js';
import { begin, end, RawServer, refuse } from './raw.js';

const SECRET = 'a secret of thirty-two bytes, ok?';
const PAGE = '/chat.html'; // which opens no stream by itself

/**
 * Subscribes in a page, as `window.stream`, and remembers what is dispatched. The token
 * 'ask' means a function that calls `window.askToken`.
 */
const listen = (page, url, options = {}) => page.evaluate(async ([target, given]) => {
  const { subscribe } = await import('/crier.js');
  const token = given.token === 'ask' ? () => window.askToken() : given.token;
  const stream = subscribe(target, { ...given, token });
  const heard = [];
  const states = [];
  Object.assign(window, { stream, heard, states });
  const note = (name) => ({ kind, type, data, lastEventId, past, gap, fields }) =>
    heard.push({ name, kind, type, data, lastEventId, past, gap, fields });
  for (const name of ['any', 'message', 'alert', 'gap', 'ended']) stream.addEventListener(name, note(name));
  stream.addEventListener('statechange', () => states.push(`${stream.state}${stream.trouble && `: ${stream.trouble}`}`));
}, [url, options]);

const heard = (page, name = 'any') => page.evaluate((wanted) => window.heard.filter((e) => e.name === wanted), name);
const data = async (page) => (await heard(page)).map((event) => event.data).join();
const hears = (page, ...texts) => until(async () => await data(page) === texts.join(), `${texts} are heard`);
const is = (page, state) => until(() => page.evaluate((wanted) => window.stream.state === wanted, state), state);
/** Waits until it has been in a state, which may be over before anybody looks. */
const was = (page, state) => until(() => page.evaluate((wanted) => window.states.some((text) => text.startsWith(wanted)), state),
  `it was ${state}`);
const look = (page, member) => page.evaluate((name) => window.stream[name], member);

/** Publishes to a topic, and returns the JSON of the response. */
async function publish(server, path, body, headers = {}) {
  const response = await fetch(`${server.url}/topics/${path}`, { method: 'POST', body, headers });
  assert.equal(response.status, 200);
  return response.json();
}

/** A scenario with a raw server, whose page each `tab()` of one browser profile shows. */
function rawly(title, handle, run) {
  scenario(title, async (world) => {
    const raw = await new RawServer(handle).start();
    const profile = await world.context();
    const tab = async () => {
      const page = await profile.newPage();
      await page.goto(raw.url);
      return page;
    };
    try {
      await run({ ...world, raw, tab });
    } finally {
      raw.stop();
    }
  });
}

/** A token that grants these for so many seconds. */
const jwt = (claims, seconds) => sign(SECRET, { exp: Math.floor(Date.now() / 1000) + seconds, mercure: claims });

for (const share of [true, false]) {
  const how = share ? 'shared' : 'alone';

  scenario(`types, ids, fields and past updates, ${how}`, async ({ context, open, server }) => {
    const page = await open(await context(), PAGE);
    for (const text of ['1', '2', '3']) await publish(server, 'news', text);
    await listen(page, 'topics/news?format=full', { since: 2, share });
    await hears(page, '2', '3');
    const { id } = await publish(server, 'news?event=alert', 'rain\nagain');
    await hears(page, '2', '3', 'rain\nagain');
    const [alert] = await heard(page, 'alert');
    assert.deepEqual([alert.kind, alert.type, alert.lastEventId, alert.past], ['alert', 'alert', id, false]);
    assert.equal(alert.fields.topics, 'news');
    assert.ok(Math.abs(Date.now() - Date.parse(alert.fields.time)) < 60_000);
    const any = await heard(page);
    assert.deepEqual([any[2].kind, any[2].type, any[2].lastEventId], ['alert', 'any', id]);
    assert.equal((await heard(page, 'message')).length, 2);
    assert.equal(await look(page, 'lastEventId'), id);
    assert.deepEqual(await page.evaluate(() => window.states.slice(-1)), ['live']);
  });

  scenario(`a gap, and no update that pretends to be one, ${how}`, {
    options: ['--retain-topic', 'short:count=2'],
  }, async ({ context, open, server, lay, forgive }) => {
    forgive(/ERR_/);
    const line = await lay();
    const page = await open(await context(), PAGE);
    await listen(page, 'topics/short', { share });
    await is(page, 'live');
    const { id } = await publish(server, 'short', '1');
    await hears(page, '1');
    line.cut();
    await was(page, 'retrying');
    const ids = [];
    for (const text of ['2', '3', '4', '5']) ids.push((await publish(server, 'short', text)).id);
    line.mend();
    await until(async () => (await data(page)).endsWith('4,5'), 'it goes on');
    assert.deepEqual((await heard(page, 'gap')).map(({ gap }) => gap), [{ requested: id, oldest: ids[2] }]);
    assert.equal((await heard(page)).length, 4);

    for (const type of ['gap', 'ended', 'statechange', 'any']) await publish(server, `short?event=${type}`, type);
    await until(async () => (await data(page)).endsWith('4,5,gap,ended,statechange,any'), 'they are updates');
    assert.deepEqual((await heard(page)).slice(-4).map(({ kind, gap }) => [kind, gap]),
      [['gap', undefined], ['ended', undefined], ['statechange', undefined], ['any', undefined]]);
    assert.equal((await heard(page, 'gap')).length, 1);
    assert.equal((await heard(page, 'ended')).length, 0);
    assert.equal(await look(page, 'state'), 'live');
  });

  scenario(`topics that end, ${how}`, async ({ context, open, server }) => {
    const page = await open(await context(), PAGE);
    await listen(page, 'topics/job', { share });
    await is(page, 'live');
    await publish(server, 'job', 'half');
    await publish(server, 'job?last=1', 'done');
    await is(page, 'closed');
    assert.equal(await data(page), 'half,done');
    assert.equal((await heard(page, 'ended')).length, 1);
    assert.equal(await look(page, 'trouble'), '');
    await listen(page, 'topics/job', { since: 'all', share }); // what is held, and then the end
    await is(page, 'closed');
    assert.equal(await data(page), 'half,done');
    assert.equal((await heard(page, 'ended')).length, 1);
  });

  scenario(`nothing is lost when the line is cut, ${how}`, async ({ context, open, server, lay, forgive }) => {
    forgive(/ERR_/);
    const line = await lay();
    const page = await open(await context(), PAGE);
    await publish(server, 'news', 'before');
    await listen(page, 'topics/news', { share });
    await is(page, 'live');
    assert.match(await look(page, 'lastEventId'), /^#.+-1$/);
    line.cut(); // before its first event
    await was(page, 'retrying');
    await publish(server, 'news', '1');
    line.mend();
    await hears(page, '1');
    await page.evaluate(() => { window.states.length = 0; });
    line.cut();
    await was(page, 'lost: The server could not be reached.');
    for (const text of ['2', '3']) await publish(server, 'news', text);
    line.mend();
    await hears(page, '1', '2', '3');
    assert.equal(await look(page, 'trouble'), '');
    await publish(server, 'news', '4');
    await hears(page, '1', '2', '3', '4');
    assert.equal((await heard(page, 'gap')).length, 0);
  });

  scenario(`a token is renewed when it has expired, ${how}`, {
    options: ['--jwt-key', `HS256:${SECRET}`],
  }, async ({ context, open, server, forgive }) => {
    forgive(/status of 401/);
    const page = await open(await context(), PAGE);
    let asked = 0;
    await page.exposeFunction('askToken', () => {
      asked += 1;
      return jwt({ subscribe: ['news'] }, asked === 1 ? 8 : 600);
    });
    const headers = { Authorization: `Bearer ${jwt({ publish: ['*'] }, 600)}` };
    await listen(page, 'topics/news', { token: 'ask', share });
    await is(page, 'live');
    await publish(server, 'news', '1', headers);
    await hears(page, '1');
    await was(page, 'retrying');
    await publish(server, 'news', '2', headers);
    await hears(page, '1', '2');
    await is(page, 'live');
    assert.equal(asked, 2);
    assert.equal((await heard(page, 'gap')).length, 0);
  });

  rawly(`a token that is refused, ${how}`, (request, response) => {
    if (request.headers.authorization === 'Bearer good') begin(response).write('data: hello\n\n');
    else refuse(response, 401, 'the token has expired');
  }, async ({ tab, raw, forgive }) => {
    forgive(/status of 401/);
    const page = await tab();
    const tokens = ['old', 'good'];
    await page.exposeFunction('askToken', () => tokens.shift() ?? 'bad');
    await listen(page, 'stream', { token: 'ask', share });
    await hears(page, 'hello');
    assert.deepEqual(raw.requests.map(({ headers }) => headers.authorization), ['Bearer old', 'Bearer good']);

    // One that is refused again is not asked for without end.
    await page.evaluate(() => window.stream.close());
    await listen(page, 'stream?2', { token: 'ask', share });
    await is(page, 'closed');
    assert.equal(await look(page, 'trouble'), 'the token has expired');
    assert.equal(raw.requests.length, 4);

    // Nor is a token that cannot be renewed.
    await listen(page, 'stream?3', { token: 'bad', share });
    await is(page, 'closed');
    assert.equal(await look(page, 'trouble'), 'the token has expired');
    assert.equal(raw.requests.length, 5);
  });

  rawly(`a token that is not there yet, ${how}`, (request, response) => begin(response).write('data: hello\n\n'), async ({
    tab, raw,
  }) => {
    const page = await tab();
    let asked = 0;
    await page.exposeFunction('askToken', () => {
      asked += 1;
      if (asked === 1) throw new Error('not now');
      return 'good';
    });
    await listen(page, 'stream', { token: 'ask', share });
    await was(page, 'lost');
    await hears(page, 'hello');
    assert.deepEqual(raw.requests.map(({ headers }) => headers.authorization), ['Bearer good']);
  });

  rawly(`which responses are worth another attempt, ${how}`, (request, response, n) => {
    const status = Number(new URL(request.url, 'http://x').searchParams.get('status'));
    if (n === 0 || status < 0) refuse(response, Math.abs(status), `because of ${Math.abs(status)}`, { 'Retry-After': '0' });
    else begin(response).write('data: hello\n\n');
  }, async ({ tab, raw, forgive }) => {
    forgive(/status of/);
    const page = await tab();
    for (const status of [425, 429, 500, 502, 503]) { // Chromium itself repeats a request after 408
      raw.requests.length = 0;
      await listen(page, `stream?status=${status}`, { share });
      await hears(page, 'hello');
      assert.ok((await page.evaluate(() => window.states)).includes(`lost: because of ${status}`), `${status}`);
      await page.evaluate(() => window.stream.close());
    }
    for (const status of [400, 403, 404, 410]) {
      await listen(page, `stream?status=-${status}`, { share });
      await is(page, 'closed');
      assert.equal(await look(page, 'trouble'), `because of ${status}`);
      assert.equal((await heard(page, 'ended')).length, 0);
    }
  });

  const times = [];
  rawly(`Retry-After and retry are honoured, ${how}`, (request, response, n) => {
    times.push(Date.now());
    if (n === 0) refuse(response, 503, 'full', { 'Retry-After': '5' });
    else if (n === 1) begin(response).end('retry: 8000\n');
    else begin(response).write('data: hello\n\n');
  }, async ({ tab, forgive }) => {
    forgive(/status of 503/);
    const page = await tab();
    await listen(page, 'stream', { share });
    await was(page, 'retrying');
    await until(() => times.length === 3, 'three attempts');
    assert.ok(times[1] - times[0] >= 5_990, `${times[1] - times[0]} ms: 5 s and more than half of 2 s`);
    assert.ok(times[2] - times[1] >= 3_990, `${times[2] - times[1]} ms: at least half of 8 s`);
    await hears(page, 'hello');
  });

  const id = 'ü€ 1';
  const bytes = Buffer.from(id).toString('latin1');
  rawly(`the id after which it resumes, ${how}`, (request, response, n) => {
    if (n === 0) begin(response, { 'Last-Event-ID': bytes }).end('retry: 10\n: no event\n\n');
    else if (n === 1) begin(response).end('id: #2\ndata: a\n\nid: #3\ndata: cut o');
    else if (n === 2) begin(response).end('data: b\n\nid\ndata: c\n\n');
    else if (n === 3) begin(response).end('data: d\n\n');
    else end(response);
  }, async ({ tab, raw }) => {
    const page = await tab();
    await listen(page, 'stream', { share });
    await is(page, 'closed');
    assert.equal(await data(page), 'a,b,c,d');
    assert.deepEqual((await heard(page)).map(({ lastEventId }) => lastEventId), ['#2', '#2', '', '']);
    assert.deepEqual(raw.requests.map(({ headers }) => headers['last-event-id']), [undefined, bytes, '#2', undefined, undefined]);
    assert.ok(raw.requests.every(({ headers }) => headers.accept === 'text/event-stream'));

    raw.requests.length = 0;
    await listen(page, 'stream', { lastEventId: id, share });
    await is(page, 'closed');
    assert.equal(raw.requests[0].headers['last-event-id'], bytes);
  });

  rawly(`after close() nothing is dispatched, ${how}`, (request, response) => {
    begin(response).write('data: 1\n\ndata: 2\n\ndata: 3\n\n');
  }, async ({ tab, raw }) => {
    const page = await tab();
    await page.evaluate(async (shared) => {
      const { subscribe } = await import('/crier.js');
      window.got = [];
      const stream = subscribe('stream', { share: shared });
      for (const type of ['message', 'any', 'statechange']) {
        stream.addEventListener(type, ({ data: text }) => window.got.push(`${type} ${text ?? stream.state}`));
      }
      stream.addEventListener('message', ({ data: text }) => text === '2' && stream.close());
    }, share);
    await until(() => page.evaluate(() => window.got.includes('message 2')), 'the second event');
    await until(() => raw.requests[0].destroyed || raw.requests[0].socket.destroyed, 'the connection is closed');
    const got = await page.evaluate(() => window.got);
    assert.deepEqual(got.slice(got.indexOf('message 1')), ['message 1', 'any 1', 'message 2', 'statechange closed']);

    // One that is closed before it has begun is not opened.
    await page.evaluate(async () => (await import('/crier.js')).subscribe('never').close());
    await listen(page, 'stream', { share: false });
    await hears(page, '1', '2', '3');
    assert.ok(raw.requests.every(({ url }) => url === '/stream'));
  });

  rawly(`a page in the back/forward cache holds no stream, ${how}`, (request, response, n) => {
    begin(response).write(`id: ${n}\ndata: ${n}\n\n`);
  }, async ({ tab, raw }) => {
    const page = await tab();
    const fire = (type) => page.evaluate((name) => dispatchEvent(new PageTransitionEvent(name, { persisted: true })), type);
    await listen(page, 'stream', { share });
    await hears(page, '0');
    await fire('pagehide');
    await until(() => raw.requests[0].socket.destroyed, 'the connection is closed');
    await fire('pageshow');
    await hears(page, '0', '1');
    assert.equal(raw.requests[1].headers['last-event-id'], '0');
  });
}

rawly('a response that is no event stream', (request, response, n) => {
  if (n > 0) begin(response).write('data: hello\n\n');
  else response.writeHead(200, { 'Content-Type': 'application/x-ndjson' }).write('{}\n'); // and no end
}, async ({ tab, raw }) => {
  const page = await tab();
  await listen(page, 'stream');
  await was(page, 'lost: The server responded 200 without a stream');
  await until(() => raw.requests[0].socket.destroyed, 'the connection is closed');
  await hears(page, 'hello');
});

rawly('tabs share a stream when they ask for the same, with the same token', (request, response) => {
  begin(response).write(`data: ${request.headers.authorization}\n\n`);
}, async ({ tab, raw }) => {
  const [first, second, third] = [await tab(), await tab(), await tab()];
  await listen(first, 'stream', { token: 'a', keep: 1 });
  await hears(first, 'Bearer a');
  await listen(second, 'stream', { token: 'a', keep: 1 });
  await hears(second, 'Bearer a');
  for (const page of [first, second]) await until(async () => await look(page, 'tabs') === 2, 'two tabs share it');
  assert.deepEqual((await heard(second)).map(({ past }) => past), [true]);
  assert.equal(raw.requests.length, 1);
  await listen(third, 'stream', { token: 'b', keep: 1 });
  await hears(third, 'Bearer b');
  assert.equal(raw.requests.length, 2);
  assert.equal(await look(third, 'tabs'), 1);
  await second.close();
  await until(async () => await look(first, 'tabs') === 1, 'the second has left');
  await first.evaluate(() => window.stream.close());
  await until(() => raw.requests[0].socket.destroyed, 'the stream of the last tab is closed');
  assert.equal(await look(third, 'state'), 'live');
});

let current = 'one';
const open = new Set();
rawly('a new token replaces the old one for all tabs', (request, response) => {
  if (request.headers.authorization !== `Bearer ${current}`) return refuse(response, 401, 'the token has expired');
  open.add(begin(response));
  response.write(`retry: 10\ndata: ${current}\n\n`);
}, async ({ tab, raw }) => {
  let asked = 0;
  const tabs = [await tab(), await tab()];
  for (const page of tabs) {
    await page.exposeFunction('askToken', () => {
      asked += 1;
      return current;
    });
    await listen(page, 'stream', { token: 'ask', keep: 'all' });
    await hears(page, 'one');
  }
  assert.deepEqual([asked, raw.requests.length], [2, 1]);
  current = 'two';
  open.forEach((response) => response.end());
  for (const page of tabs) await hears(page, 'one', 'two');
  assert.deepEqual([asked, raw.requests.length], [3, 3]); // one tab was asked

  // A tab with the new token shares the stream.
  const third = await tab();
  await third.exposeFunction('askToken', () => 'two');
  await listen(third, 'stream', { token: 'ask', keep: 'all' });
  await hears(third, 'one', 'two');
  assert.equal(raw.requests.length, 3);
});

rawly('which events a tab gets that joins later', (request, response) => {
  begin(response).write(['a 1', 'b 2', 'a 3', 'c 4'].map((event) => {
    const [type, text] = event.split(' ');
    return `event: ${type}\ndata: ${text}\n\n`;
  }).join(''));
}, async ({ tab, raw }) => {
  const [first, second] = [await tab(), await tab()];
  for (const [keep, expected] of [[0, []], [undefined, []], [3, [2, 3, 4]], ['all', [1, 2, 3, 4]], ['newest', [3, 2, 4]]]) {
    await listen(first, `stream?${keep}`, { keep });
    await hears(first, '1', '2', '3', '4');
    await listen(second, `stream?${keep}`, { keep });
    await until(async () => await look(second, 'tabs') === 2 && await look(second, 'state') === 'live', 'it has joined');
    assert.equal(await data(second), expected.join(), `keep: ${keep}`);
    assert.ok((await heard(second)).every(({ past }) => past));
    for (const page of [first, second]) await page.evaluate(() => window.stream.close());
    await until(() => raw.requests.at(-1).socket.destroyed, 'it is closed');
  }
});

rawly('no more than 10,000 events are kept, however many a tab wants', (request, response) => {
  begin(response).write('data: x\n\n'.repeat(10_001));
}, async ({ tab }) => {
  const [first, second] = [await tab(), await tab()];
  const kept = async (page) => (await heard(page)).length;
  await listen(first, 'stream', { keep: 20_000 });
  await until(async () => await kept(first) === 10_001, 'the first tab gets all');
  await listen(second, 'stream', { keep: 20_000 });
  await until(async () => await look(second, 'tabs') === 2 && await look(second, 'state') === 'live', 'it has joined');
  assert.equal(await kept(second), 10_000);
});

const STREAMS = {
  lines: 'data: 1\r\rdata: 2\r\n\r\ndata: 3\n\ndata: 4\r\n\rdata: 5\n\r\n',
  ids: 'id: 1\ndata: 1\n\ndata: 2\n\nid: 3\n\ndata: 3\n\nid\ndata: 4\n\ndata: 5\n\nid: 6\0\ndata: 6\n\nid: ü\ndata: 7\n\n',
  types: 'event: a\ndata: 1\n\nevent: a\n\ndata: 2\n\nevent: a\nevent:\ndata: 3\n\nevent:a\ndata: 4\n\n',
  data: 'data\n\ndata:\ndata\n\ndata:  x\ndata: y\n\nDATA: no\n\n: no\n\ndata : no\n\ndata: z\n\n',
  mark: '\uFEFFdata: 1\n\n\uFEFFdata: no\n\ndata: 2\n\n',
  bad: Buffer.concat([Buffer.from('data: '), Buffer.from([0xff, 0xc3, 0x28]), Buffer.from('\n\ndata: 1\n\n')]),
};
rawly('an EventSource dispatches the same', (request, response) => {
  begin(response).end(STREAMS[request.url.slice(1)]);
}, async ({ tab }) => {
  const page = await tab();
  for (const name of Object.keys(STREAMS)) {
    const read = (helper) => page.evaluate(async ([url, ours]) => {
      const { subscribe } = await import('/crier.js');
      const stream = ours ? subscribe(url, { share: false }) : new EventSource(url);
      const events = [];
      for (const type of ['message', 'a']) {
        stream.addEventListener(type, ({ data: text, lastEventId }) => events.push([type, text, lastEventId]));
      }
      await new Promise((resolve) => {
        stream.onerror = resolve;
        stream.addEventListener('statechange', () => stream.state === 'retrying' && resolve());
      });
      stream.close();
      return events;
    }, [name, helper]);
    const expected = await read(false);
    assert.ok(expected.length > 1, name);
    assert.deepEqual(await read(true), expected, name);
  }
});
