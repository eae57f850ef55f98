/**
 * The page of live streams.
 */
import assert from 'node:assert/strict';
import { scenario, state, until } from './harness.js';

const number = async (page) => Number(await page.locator('.tick').textContent());

scenario('ticks move, pause and go on', async ({ context, open, server }) => {
  const page = await open(await context(), '/live.html');
  await state(page, 'live', '#ticks .status');
  const first = await until(() => number(page), 'a tick');
  const ring = await page.locator('.hand').getAttribute('stroke-dashoffset');
  await until(async () => await number(page) > first, 'the next tick');
  assert.notEqual(await page.locator('.hand').getAttribute('stroke-dashoffset'), ring);

  const open2 = await server.clients();
  await page.getByRole('button', { name: 'Pause ticks' }).click();
  await state(page, 'closed', '#ticks .status');
  await until(async () => await server.clients() === open2 - 1, 'the stream is closed');
  await page.getByRole('button', { name: 'Resume ticks' }).click();
  await state(page, 'live', '#ticks .status');
  await until(async () => await number(page) === 1, 'a new stream begins');
});

scenario('quotes are drawn', async ({ context, open }) => {
  const page = await open(await context(), '/live.html');
  await state(page, 'live', '#quotes .status');
  for (const symbol of ['ACME', 'GLBX', 'HOOL', 'INIT', 'UMBR']) {
    const tile = page.locator(`[data-symbol="${symbol}"]`);
    const points = async () => (await tile.locator('.line').getAttribute('d') ?? '').split('L').length;
    await until(async () => await points() >= 2, `${symbol} has a line`);
    const [, rates, newest] = /: (\d+) rates, .* newest ([\d.]+)$/.exec(await tile.getByRole('img').textContent());
    assert.ok(Number(rates) >= 2);
    assert.ok(Number(newest) > 0);
    assert.match(await tile.locator('.price').textContent(), /^\d+\.\d\d$/);
    assert.match(await tile.locator('.change').textContent(), /^[▲▼■] [+−]\d+\.\d\d$/);
    const box = await tile.locator('.line').boundingBox();
    assert.ok(box.width > 0, `${symbol} is drawn`);
  }
  await page.getByText('rates are invented').waitFor();
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

  await page.getByRole('button', { name: 'Ask' }).click(); // and once more
  await until(async () => await length() > 0 && await length() < some + 200, 'a new answer');
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
  await until(async () => (await answer.textContent()).length < whole.length / 2, 'the answer begins again');
  await until(async () => (await answer.textContent()).length > whole.length / 4, 'some of the answer');
  await server.stop();
  await state(page, 'retrying', '#tokens .status');
  assert.ok((await answer.textContent()).length < whole.length);
  await server.start();
  await done();
  assert.equal(await answer.textContent(), whole);
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

scenario('a second tab joins the running streams', async ({ context, open, server }) => {
  const profile = await context();
  const first = await open(profile, '/live.html');
  await until(async () => await number(first) >= 2, 'the second tick');
  const second = await open(profile, '/live.html');
  await until(async () => await number(second) >= 2, 'the same ticks');
  await second.locator('[data-symbol="UMBR"] .price', { hasText: /\d/ }).waitFor();
  assert.equal(await server.clients(), 2);
});
