/**
 * The page of live streams.
 */
import assert from 'node:assert/strict';
import { broken, scenario, state, until } from './harness.js';

const number = async (page) => Number(await page.locator('.tick').textContent());

scenario('ticks move, pause and go on', async ({ context, open, server }) => {
  const page = await open(await context(), '/live.html');
  await state(page, 'live', '#ticks .status');
  await state(page, 'live', '#quotes .status'); // so that it is counted, too
  const first = await until(() => number(page), 'a tick');
  const ring = () => page.locator('.hand').getAttribute('stroke-dashoffset');
  const before = await ring();
  await until(async () => await number(page) > first, 'the next tick');
  await until(async () => await ring() !== before, 'the ring turns');

  const open2 = await server.clients();
  await page.getByRole('button', { name: 'Pause ticks' }).click();
  await state(page, 'closed', '#ticks .status');
  await until(async () => await server.clients() === open2 - 1, 'the stream is closed');
  await page.locator('.tick').evaluate((tick) => {
    window.ticks = [];
    new MutationObserver(() => window.ticks.push(tick.textContent)).observe(tick, { childList: true });
  });
  await page.getByRole('button', { name: 'Resume ticks' }).click();
  await state(page, 'live', '#ticks .status');
  assert.equal(await until(() => page.evaluate(() => window.ticks[0]), 'a tick'), '1', 'a new stream begins');
});

scenario('quotes are drawn', async ({ context, open }) => {
  const page = await open(await context(), '/live.html');
  await state(page, 'live', '#quotes .status');
  for (const symbol of ['ACME', 'GLBX', 'HOOL', 'INIT', 'UMBR']) {
    const tile = page.locator(`[data-symbol="${symbol}"]`);
    const points = async () => (await tile.locator('.line').getAttribute('d') ?? '').split('L').length;
    await until(async () => await points() >= 2, `${symbol} has a line`);
    const [, prices, newest] = /: (\d+) prices, .* newest ([\d.]+)$/.exec(await tile.getByRole('img').textContent());
    assert.ok(Number(prices) >= 2);
    assert.ok(Number(newest) > 0);
    assert.match(await tile.locator('.price').textContent(), /^\d+\.\d\d$/);
    assert.match(await tile.locator('.change').textContent(), /^[▲▼■] [+−]\d+\.\d\d$/);
    const price = async (where) => Number(await tile.locator(where).textContent());
    assert.ok(await price('.top-price') >= Number(newest), 'the top of the scale');
    assert.ok(await price('.bottom-price') <= Number(newest), 'the bottom of the scale');
    assert.match(await tile.locator('.time-span').textContent(), /^last \d+ s$/);
    const box = await tile.locator('.line').boundingBox();
    assert.ok(box.width > 0, `${symbol} is drawn`);
  }
  await page.getByText('prices are invented').waitFor();
});

scenario('tokens arrive one by one, to the end', async ({ context, open, server }) => {
  const page = await open(await context(), '/live.html');
  const streams = await until(async () => (await server.clients()) === 2 && 2, 'ticks and quotes run');
  const answer = page.getByRole('log', { name: 'Answer' });
  await page.getByLabel('Your prompt').fill('Why?');
  await page.getByRole('button', { name: 'Ask' }).click();
  const length = async () => (await answer.textContent()).length;
  const some = await until(length, 'the first word');
  assert.equal(await answer.getAttribute('aria-busy'), 'true');
  await until(async () => await length() > some, 'further words');
  await page.locator('#tokens .status', { hasText: 'Done' }).waitFor({ timeout: 45_000 });
  assert.equal(await answer.getAttribute('aria-busy'), 'false');
  assert.ok(await page.getByRole('button', { name: 'Stop' }).isDisabled());
  await until(async () => await server.clients() === streams, 'the stream is closed');

  const whole = await length();
  await page.getByRole('button', { name: 'Ask' }).click(); // and once more
  await until(async () => await length() < whole, 'a new answer');
  await until(length, 'its first word');
});

scenario('an answer that breaks off goes on where it stopped', async ({ context, open, server }) => {
  const page = await open(await context(), '/live.html');
  const answer = page.getByRole('log', { name: 'Answer' });
  const ask = () => page.getByRole('button', { name: 'Ask' }).click();
  const done = () => page.locator('#tokens .status', { hasText: 'Done' }).waitFor({ timeout: 45_000 });
  await ask();
  await done();
  const whole = await answer.textContent();

  await ask();
  await until(async () => (await answer.textContent()).length < whole.length, 'the answer begins again');
  await until(async () => (await answer.textContent()).length > whole.length / 4, 'some of the answer');
  await server.stop();
  await broken(page, '#tokens .status');
  assert.ok((await answer.textContent()).length < whole.length);
  await server.start();
  await done();
  assert.equal(await answer.textContent(), whole);
});

scenario('an answer can be asked for before the page knows whether there is a demo', async ({ context, open }) => {
  const profile = await context();
  await profile.route('**/users', () => {}); // no response
  const page = await open(profile, '/live.html');
  await page.getByRole('button', { name: 'Ask' }).click();
  await until(async () => await page.getByRole('log', { name: 'Answer' }).textContent(), 'the first word');
});

scenario('an answer goes on after a reload and in a second tab', async ({ context, open, server }) => {
  const ada = await context();
  const page = await open(ada, '/live.html');
  const answer = (tab) => tab.getByRole('log', { name: 'Answer' });
  const length = async (tab) => (await answer(tab).textContent()).length;
  const done = (tab) => tab.locator('#tokens .status', { hasText: 'Done' }).waitFor({ timeout: 45_000 });
  const name = (tab) => tab.evaluate(() => JSON.parse(localStorage.getItem('crier-answer')).name);
  await page.getByLabel('Your prompt').fill('Why?');
  await page.getByRole('button', { name: 'Ask' }).click();
  const some = await until(async () => await length(page) > 60 && length(page), 'some of the answer');
  const asked = await name(page);

  await page.reload();
  await until(async () => await length(page) >= some, 'what was there before');
  assert.equal(await page.getByLabel('Your prompt').inputValue(), 'Why?');
  const tab = await open(ada, '/live.html');
  await until(async () => await length(tab) >= some, 'the same in a second tab');
  await page.locator('#tokens .tally', { hasText: 'without asking again' }).waitFor();
  await page.locator('#tokens .seam').waitFor();
  await Promise.all([done(page), done(tab)]);
  assert.equal(await answer(tab).textContent(), await answer(page).textContent());
  assert.deepEqual([await name(page), await name(tab)], [asked, asked]);

  // It is the whole answer, as one that nobody has left has it.
  const whole = await answer(page).textContent();
  await page.reload();
  await done(page);
  assert.equal(await answer(page).textContent(), whole);
  await page.locator('#tokens .tally', { hasText: 'Still here' }).waitFor();

  // Another browser does not see it; and one that has been stopped is not there again.
  const bob = await open(await context(), '/live.html');
  await page.locator('#tokens .answer').evaluate((text) => { // at once, since the answer may end before the test looks
    new MutationObserver(() => text.textContent && document.querySelector('#tokens .stop').click()).observe(text, { childList: true });
  });
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.locator('#tokens .status', { hasText: 'Stopped' }).waitFor();
  await page.reload();
  await state(page, 'live', '#ticks .status');
  assert.equal(await length(page), 0);
  assert.equal(await length(bob), 0);
});

scenario('tokens can be stopped', async ({ context, open, server }) => {
  const page = await open(await context(), '/live.html');
  await until(async () => await server.clients() === 2, 'ticks and quotes run');
  await page.getByRole('button', { name: 'Ask' }).click();
  await until(async () => await server.clients() === 3, 'the answer runs');
  await page.getByRole('button', { name: 'Stop' }).click();
  await until(async () => await server.clients() === 2, 'the answer is stopped');
  await page.locator('#tokens .status', { hasText: 'Stopped' }).waitFor();
});

scenario('a topic is published to and followed', async ({ context, open, server, forgive }) => {
  forgive(/status of 403/);
  const page = await open(await context(), '/live.html');
  const [topic, news] = [page.getByLabel('Topic', { exact: true }), page.getByLabel('Update', { exact: true })];
  const heard = (tab) => tab.locator('#topics .updates li span').allTextContents();
  const hears = (tab, ...texts) => until(async () => (await heard(tab)).join() === texts.join(), `${texts} are heard`);
  const follow = (tab) => tab.getByRole('button', { name: 'Subscribe', exact: true }).click();
  const post = async (name, text) => {
    const answer = await fetch(`${server.url}/topics/${name}`, { method: 'POST', body: text });
    assert.equal(answer.status, 200);
  };

  // What was there before comes first, ten of it.
  const name = 'town & "Zażółć"/?#%';
  const path = encodeURIComponent(name);
  for (let n = 1; n <= 12; n += 1) await post(path, `${n}`);
  await topic.fill(name);
  assert.equal(await page.locator('[data-topic]').first().textContent(), path);
  await follow(page);
  await state(page, 'live', '#topics .status');
  await hears(page, '3', '4', '5', '6', '7', '8', '9', '10', '11', '12');

  await news.fill('<b>from the page</b>');
  await page.getByRole('button', { name: 'Publish' }).click();
  await hears(page, '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '<b>from the page</b>');
  await page.getByText(': 1 subscriber').waitFor();
  assert.equal(await news.inputValue(), '');
  await post('another', 'not for this page');
  await post(path, 'last');

  // A second tab shares the stream, and is told the last ten all the same.
  const second = await open(page.context(), '/live.html');
  await second.getByLabel('Topic', { exact: true }).fill(name);
  await follow(second);
  await hears(second, '5', '6', '7', '8', '9', '10', '11', '12', '<b>from the page</b>', 'last');
  await hears(page, '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '<b>from the page</b>', 'last');
  assert.equal(await server.clients(), 3);
  await second.close();

  // Another topic takes its place; then none.
  await topic.fill('another');
  await follow(page);
  await hears(page, 'not for this page');
  assert.equal(await server.clients(), 3);
  await page.getByRole('button', { name: 'Unsubscribe' }).click();
  await until(async () => await server.clients() === 2, 'the stream is closed');

  for (const [bad, why] of [['a,b', 'no comma'], ['*', 'no asterisk'], ['ü'.repeat(128), '255 bytes'], ['..', 'step']]) {
    await topic.fill(bad);
    await follow(page);
    await page.locator('#topics').getByRole('alert').filter({ hasText: why }).waitFor();
  }
  await topic.fill('$chat');
  await news.fill('forged');
  await page.getByRole('button', { name: 'Publish' }).click();
  await page.locator('#topics').getByRole('alert').filter({ hasText: "are reserved" }).waitFor();
  assert.equal(await news.inputValue(), 'forged');
});

scenario('a topic shows updates of every type', async ({ context, open, server, lay }) => {
  const line = await lay();
  const page = await open(await context(), '/live.html');
  const heard = () => page.locator('#topics .updates li > div').allTextContents();
  const hears = (...texts) => until(async () => (await heard()).join() === texts.join(), `${texts} are heard`);
  const post = (text, type) => fetch(`${server.url}/topics/t${type ? `?event=${type}` : ''}`, { method: 'POST', body: text });
  await post('plain');
  await post('rain', 'alert');
  await page.getByLabel('Topic', { exact: true }).fill('t');
  await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await state(page, 'live', '#topics .status');
  await hears('plain', 'alert rain');
  await post('two\nlines', 'statechange'); // a type that the page has a use of its own for
  await hears('plain', 'alert rain', 'statechange two\nlines');

  line.cut();
  await broken(page, '#topics .status');
  await post('meanwhile', 'alert');
  line.mend();
  await hears('plain', 'alert rain', 'statechange two\nlines', 'alert meanwhile');
});

scenario('values of a lost stream are dimmed', async ({ context, open, server }) => {
  const page = await open(await context(), '/live.html');
  const opacity = (what) => page.locator(what).evaluate((e) => Number(getComputedStyle(e).opacity));
  await state(page, 'live', '#ticks .status');
  await state(page, 'live', '#quotes .status');
  await until(async () => await opacity('.dial') === 1, 'they are not dim');
  await server.stop();
  await until(async () => await opacity('.dial') < .6 && await opacity('.charts') < .6, 'they are dim');
  await server.start();
  await until(async () => await opacity('.dial') === 1 && await opacity('.charts') === 1, 'they are not');
});

scenario('a topic goes on after a break, and tells of a gap', {
  options: ['--retain-topic', 'short:count=2'],
}, async ({ context, open, server, lay }) => {
  const line = await lay();
  const page = await open(await context(), '/live.html');
  const heard = () => page.locator('#topics .updates li span').allTextContents();
  const hears = (...texts) => until(async () => (await heard()).join() === texts.join(), `${texts} are heard`);
  const post = (name, text) => fetch(`${server.url}/topics/${name}`, { method: 'POST', body: text });
  const follow = async (name) => {
    await page.getByLabel('Topic', { exact: true }).fill(name);
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
    await state(page, 'live', '#topics .status');
  };
  await post('news', '1');
  await follow('news');
  await hears('1');
  line.cut();
  await broken(page, '#topics .status');
  for (const text of ['2', '3']) await post('news', text);
  line.mend();
  await hears('1', '2', '3');

  await post('short', '1');
  await follow('short');
  await hears('1');
  line.cut();
  await broken(page, '#topics .status');
  for (const text of ['2', '3', '4', '5']) await post('short', text);
  line.mend();
  await hears('1', 'Some updates may be missing here.', '4', '5');
});

scenario('a second tab joins the running streams', async ({ context, open, server }) => {
  const profile = await context();
  const first = await open(profile, '/live.html');
  await until(async () => await number(first) >= 2, 'the second tick');
  const second = await open(profile, '/live.html');
  await until(async () => await number(second) >= 2, 'the same ticks');
  await second.locator('[data-symbol="UMBR"] .price', { hasText: /\d/ }).waitFor();
  assert.equal(await server.clients(), 2);
});
