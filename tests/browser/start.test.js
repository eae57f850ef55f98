/**
 * A browser's own EventSource on a topic: what the server tells it at the beginning of
 * a stream, so that nothing is lost.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { scenario, until } from './harness.js';

/** Opens an EventSource in the page, which remembers what it dispatches. */
const subscribe = (page, path) => page.evaluate((url) => {
  window.opened = 0;
  window.heard = [];
  const source = new EventSource(url);
  source.onopen = () => { window.opened += 1; };
  source.onmessage = ({ data, lastEventId }) => window.heard.push({ data, lastEventId });
}, path);

/** Waits until another stream of the topic has had this many pings. */
async function pings(server, count) {
  const stream = await fetch(`${server.url}/topics/news`);
  let text = '';
  for await (const bytes of stream.body) {
    text += new TextDecoder().decode(bytes);
    if (text.split('\n').length > count + 1) return; // leaves the loop, and the stream
  }
  assert.fail(`the stream ended: ${text}`);
}

const opened = (page) => page.evaluate(() => window.opened);
const heard = (page) => page.evaluate(() => window.heard.map(({ data }) => data));

scenario('an EventSource that is cut off before its first event gets what came in between', async ({
  context, forgive, open, server, lay,
}) => {
  forgive(/ERR_/); // of an attempt before the line is mended
  const post = async (text) => {
    const answer = await fetch(`${server.url}/topics/quiet`, { method: 'POST', body: text });
    assert.equal(answer.status, 200);
  };
  const hears = (...texts) =>
    until(async () => (await heard(page)).join() === texts.join(), `${texts} are heard`);

  const line = await lay();
  const page = await open(await context());
  await post('before');
  await subscribe(page, '/topics/quiet');
  await until(async () => await opened(page) === 1, 'the stream is open');
  line.cut();
  await post('between');
  line.mend();
  await hears('between');
  assert.equal(await opened(page), 2);
  await post('after');
  await hears('between', 'after'); // and the ids alone were no events
});

/** Publishes on a new connection. */
async function publish(url, text) {
  const post = request(url, { method: 'POST', agent: false });
  post.end(text);
  const [answer] = await once(post, 'response');
  answer.resume();
  assert.equal(answer.statusCode, 200);
}

scenario('pings and goodbyes are no events', { options: ['--ping-interval', '50ms'] }, async ({
  context, forgive, open, server,
}) => {
  forgive(/ERR_/); // of an attempt before crierd is there again
  const page = await open(await context());
  await subscribe(page, '/topics/news');
  await until(async () => await opened(page) === 1, 'the stream is open');
  await fetch(`${server.url}/topics/news`, { method: 'POST', body: 'one' });
  await until(async () => (await heard(page)).length === 1, 'an event');
  await pings(server, 3); // so the page has had some, too
  await server.stop();
  await server.start();
  await until(async () => await opened(page) === 2, 'the stream is open again');
  // On a connection of its own: fetch() might use the one to the crierd that has ended.
  await publish(`${server.url}/topics/news`, 'two');
  await until(async () => (await heard(page)).at(-1) === 'two', 'the next event');
  assert.deepEqual(await heard(page), ['one', 'two']);
});
