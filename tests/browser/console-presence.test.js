/**
 * The Presence view of the console.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get } from 'node:http';
import { WITH_KEY, enterToken, grants, heading, mint } from './console.js';
import { scenario, until } from './harness.js';

/** A subscriber of a topic. @returns {Promise<() => void>} makes it leave */
async function subscribe(server, topic) {
  const request = get(`${server.url}/topics/${encodeURIComponent(topic)}`);
  request.on('error', () => {}); // it is destroyed in the end
  const [response] = await once(request, 'response');
  response.on('error', () => {}).resume();
  return () => request.destroy();
}

scenario('joins and leaves are counted and listed', { options: ['--presence', 'lobby,room/*'] }, async ({ context, open, server }) => {
  const leave = [await subscribe(server, 'room/1'), await subscribe(server, 'room/1')];
  const page = await open(await context(), '/console/#/presence');
  await page.getByLabel('Topic').waitFor();
  assert.deepEqual(await page.locator('form code').allTextContents(), ['lobby', 'room/*']);
  await page.getByLabel('Topic').fill('room/1');
  await page.getByRole('button', { name: 'Show' }).click();
  await heading(page, 'Presence of room/1').waitFor();
  const [now, rows] = [page.locator('.now b'), page.locator('.changes tbody tr')];
  const shows = (count) => until(async () => await now.textContent() === count, `the count is ${count}`);
  await shows('2');
  assert.equal(await rows.count(), 2, 'the past is listed');
  await until(async () => (await page.getByRole('slider').getAttribute('aria-valuetext'))?.endsWith('2 subscribers'), 'the chart, too');

  leave.push(await subscribe(server, 'room/1'));
  await shows('3');
  assert.match(await rows.first().textContent(), /\+ joined3 subscribers$/);
  leave.pop()();
  await shows('2');
  assert.match(await rows.first().textContent(), /− left2 subscribers$/);
  assert.equal(await rows.count(), 4);
  leave.forEach((each) => each());
  await shows('0');
});

scenario('a topic that nobody has used has a count of 0', { options: ['--presence', '*'] }, async ({ context, open }) => {
  const page = await open(await context(), `/console/#/presence?topic=${encodeURIComponent('a <b>/{x}?#%')}`);
  await heading(page, 'Presence of a <b>/{x}?#%').waitFor();
  await page.getByText('Nobody has joined or left').waitFor();
  await until(async () => await page.locator('.now b').textContent() === '0', 'the count is 0');
  await page.getByLabel('Topic').fill('$presence/a'); // which no prefix stands for
  await page.keyboard.press('Enter');
  await page.getByText('$presence/a has no presence').waitFor();
});

scenario('topics without presence are said to have none', { options: ['--presence', 'lobby'] }, async ({ context, open }) => {
  const page = await open(await context(), '/console/#/presence?topic=lobby2');
  await page.getByText('lobby2 has no presence').waitFor();
  await page.getByLabel('Topic').fill('a,b');
  await page.keyboard.press('Enter');
  await page.getByText('no comma and no asterisk').waitFor();
});

scenario('presence that the token does not grant is explained', {
  options: [...WITH_KEY, '--presence', 'lobby'],
}, async ({ context, open, forgive }) => {
  forgive(/status of 403/);
  const page = await open(await context(), '/console/#/presence?topic=lobby');
  await enterToken(page, mint(grants({ subscribe: ['*'] })));
  await page.getByText('Presence is granted by name, as $presence/lobby').waitFor();
  await page.getByText('Nobody has joined').waitFor({ state: 'hidden' });
});

scenario('where presence is off, the view says how to switch it on', async ({ context, open }) => {
  const page = await open(await context(), '/console/#/presence');
  await page.getByText('Presence is off on this server').waitFor();
  await page.getByText("crierd --presence 'lobby,room/*'").waitFor();
});
