/**
 * The Overview of the console: live numbers, charts that are full at once, and the
 * configuration in force.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { WITH_KEY, banner, fits, goTo, grants, heading, holdToken, mint } from './console.js';
import { scenario, until } from './harness.js';
import { Redis } from './redis.js';
import { Server } from './server.js';

const panel = (page, name) => page.locator(`[data-panel="${name}"]`);

/** The number that a panel shows. */
const shownBy = async (page, name) => Number((await panel(page, name).locator('.now b').textContent()).replaceAll(',', ''));

/** How many values a chart has. */
const points = async (page, name) => (await panel(page, name).locator('.line').getAttribute('d') ?? '').split(/[ML]/).length - 1;

const publish = (server, topic, events) => fetch(`${server.url}/topics/${topic}`, {
  method: 'POST', headers: { 'Content-Type': 'text/event-stream' }, body: 'data: x\n\n'.repeat(events),
});

scenario('the numbers follow what happens', async ({ context, open, server }) => {
  const page = await open(await context(), '/console/');
  await page.getByText(/^crierd .* up \d+ s .* all is well$/).waitFor();
  const clients = await shownBy(page, 'clients');
  const request = get(`${server.url}/topics/news`);
  request.on('error', () => {}); // it is destroyed in the end
  (await once(request, 'response'))[0].on('error', () => {}).resume();
  await until(async () => await shownBy(page, 'clients') === clients + 1, 'one client more');
  assert.equal((await publish(server, 'news', 500)).status, 200);
  await panel(page, 'publishes').getByText('500 in total').waitFor();
  const highest = (name) => panel(page, name).locator('.unseen').textContent();
  await until(async () => / highest [1-9]/.test(await highest('publishes')), 'the publishes are in the chart');
  await until(async () => / highest [1-9]/.test(await highest('deliveries')), 'so are the deliveries');
  const journal = page.locator('.journal');
  await journal.getByText('500 of 100 k').waitFor();
  await journal.getByText('memory', { exact: true }).waitFor();
  request.destroy();
  await until(async () => await shownBy(page, 'clients') === clients, 'the client has left');
  await page.getByRole('rowheader', { name: 'The client left', exact: true }).waitFor();
});

scenario('the backlog of each shard is shown', async ({ context, open }) => {
  const page = await open(await context(), '/console/');
  const shards = panel(page, 'backlog').getByRole('img', { name: /^What waits for each shard: 0 B/ });
  await shards.waitFor();
  const count = (await shards.getAttribute('aria-label')).split(', ').length;
  await panel(page, 'backlog').getByText(`${count} shard${count === 1 ? '' : 's'}, nothing waits`).waitFor();
  assert.equal((await shards.locator('.ground').getAttribute('d')).split('M').length - 1, count);
  assert.equal(await page.getByRole('region', { name: 'Nodes' }).count(), 0, 'the journal is not shared');
});

/** Has the page get one event after the history instead of the server's, changed by a function. */
const forge = (page, server, change) => page.route('**/topics/$stats', async (route) => {
  const response = await fetch(`${server.url}/topics/$stats`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!/event: stats\ndata: .*\n\n/.test(text)) text += (await reader.read()).value;
  await reader.cancel();
  const body = text.replace(/(event: stats\ndata: )(.*)/, (_, name, data) => name + JSON.stringify(change(JSON.parse(data))));
  await route.fulfill({ contentType: 'text/event-stream', body });
});

scenario('64 shards fit, and the one that is behind stands out', async ({ context, server }) => {
  const page = await (await context({ viewport: { width: 390, height: 844 } })).newPage();
  const shards = Array.from({ length: 64 }, (_, index) => (index === 40 ? 3 * 2 ** 20 : index * 1024));
  await forge(page, server, (stats) => ({ ...stats, backlog: { ...stats.backlog, shards } }));
  await page.goto(`${server.url}/console/`);
  await panel(page, 'backlog').getByText('shard 41 of 64: 3 MiB').waitFor();
  const label = await panel(page, 'backlog').getByRole('img').getAttribute('aria-label');
  assert.match(label, /^What waits for each shard: 0 B, 1 KiB, .*, 39 KiB, 3 MiB, 41 KiB, .*, 63 KiB$/);
  const bars = await panel(page, 'backlog').locator('.bars').getAttribute('d');
  assert.match(bars, /M400,100h8v-100h-8Z/, 'the highest bar');
  assert.match(bars, /M630,100h8v-2h-8Z/, 'another one, in proportion');
  assert.ok(await fits(page));
});

scenario('the nodes of a shared journal are listed', async ({ context }) => {
  const redis = new Redis();
  await redis.start();
  const servers = [1, 2].map(() => new Server(['--anonymous', 'all', '--journal', redis.journal]));
  try {
    for (const server of servers) await server.start();
    const request = get(`${servers[1].url}/topics/news`);
    request.on('error', () => {}); // it is destroyed in the end
    (await once(request, 'response'))[0].on('error', () => {}).resume();
    const page = await (await context({ viewport: { width: 390, height: 844 } })).newPage();
    await page.goto(`${servers[0].url}/console/`);
    const table = page.getByRole('region', { name: 'Nodes' });
    await page.locator('.nodes').getByText('2 crierds share the journal').waitFor();
    const [self, other] = [table.getByRole('row').filter({ hasText: 'this node' }), table.getByRole('row').filter({ hasNotText: /this node|Host/ })];
    await self.getByRole('rowheader', { name: hostname() }).waitFor();
    const cells = (row) => row.locator('td').allTextContents();
    await until(async () => (await cells(self))[1] === '1', 'this page is its client');
    await until(async () => (await cells(other))[1] === '1', 'so is the stream of the other');
    assert.notEqual((await cells(self))[0], (await cells(other))[0], 'two processes');
    assert.match((await cells(other))[2], /^(now|\d+ s ago)$/);
    assert.ok(await fits(page));
    request.destroy();
    await servers[1].stop();
    await page.locator('.nodes').getByText('1 crierd shares the journal').waitFor();
    await until(async () => await table.getByRole('row').count() === 2, 'it has left the list');
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await redis.stop();
  }
});

scenario('a node that is late, one that says nothing of itself, and more than fit', async ({ context, server }) => {
  const page = await (await context()).newPage();
  const node = (id, more) => ({ id, host: 'web', pid: 7, clients: 12345, seen: 2000, self: false, ...more });
  await forge(page, server, (stats) => ({
    ...stats,
    nodes: { count: 70, list: [
      node('b', { host: 'web2', self: true }), node('z', { host: null, pid: null, clients: null }), node('a', { seen: 9000 }),
    ] },
  }));
  await page.goto(`${server.url}/console/`);
  await page.locator('.nodes').getByText('70 crierds share the journal, 67 of them not shown').waitFor();
  const rows = await page.locator('.nodes tbody tr').evaluateAll((all) => all.map((row) =>
    [...row.querySelectorAll('th > :first-child, td')].map((cell) => cell.textContent)));
  assert.deepEqual(rows, [['z', '–', '–', '2 s ago'], ['web', '7', '12,345', '9 s ago, late'], ['web2', '7', '12,345', '2 s ago']]);
  await page.locator('.server-line').getByText('70 nodes').waitFor();
});

scenario('a gap leads to why there was one', async ({ context, open, server }) => {
  const page = await open(await context(), '/console/');
  await panel(page, 'gaps').getByText('0 in total').waitFor();
  assert.equal(await panel(page, 'gaps').getByRole('link').isVisible(), false);
  assert.equal((await publish(server, 'news', 1)).status, 200);
  const response = await fetch(`${server.url}/topics/news?poll=1`, { headers: { 'Last-Event-ID': 'unknown' } });
  assert.match(await response.text(), /event: gap/);
  await panel(page, 'gaps').getByText('1 in total').waitFor();
  await panel(page, 'gaps').getByRole('link', { name: 'watch' }).click();
  await heading(page, 'Watch').waitFor();
});

scenario('the charts have the history at once', async ({ context, open, server }) => {
  const profile = await context();
  const first = await open(profile, '/console/');
  await until(() => points(first, 'publishes').then((count) => count >= 4), 'some seconds have passed');
  assert.equal((await publish(server, 'news', 100)).status, 200);
  await until(async () => / highest [1-9]/.test(await panel(first, 'publishes').locator('.unseen').textContent()), 'a peak');
  const page = await open(profile, '/console/');
  await until(() => points(page, 'publishes'), 'the chart is drawn');
  assert.ok(await points(page, 'publishes') >= 4, 'from before the page was opened');
  assert.match(await panel(page, 'publishes').locator('.unseen').textContent(), / highest [1-9]/);
});

scenario('a chart is read with the keys and the pointer', async ({ context, open }) => {
  const page = await open(await context(), '/console/');
  await until(() => points(page, 'clients').then((count) => count >= 4), 'some values');
  const chart = panel(page, 'clients').getByRole('slider');
  const tip = chart.locator('.tip');
  assert.match(await chart.getAttribute('aria-label'), /^Open streams, last 5 minutes$/);
  await chart.focus();
  await page.keyboard.press('Home');
  await tip.waitFor();
  assert.ok(Number(await chart.getAttribute('aria-valuenow')) <= -3); // s, which grows while the cursor rests
  const oldest = await chart.getAttribute('aria-valuetext');
  await page.keyboard.press('ArrowRight');
  await until(async () => await chart.getAttribute('aria-valuetext') !== oldest, 'the cursor moves');
  assert.match(await chart.getAttribute('aria-valuetext'), /^\d\d:\d\d:\d\d, \d+$/);
  assert.equal(await tip.textContent(), await chart.getAttribute('aria-valuetext'));
  await page.keyboard.press('Escape');
  await tip.waitFor({ state: 'hidden' });
  await chart.hover();
  await tip.waitFor();
});

scenario('the configuration in force is searched', {
  options: [...WITH_KEY, '--retain-age', '30d', '--presence', 'a', '--presence', 'b/*'],
}, async ({ context, open }) => {
  const profile = await context();
  await holdToken(profile, mint(grants({ admin: true })));
  const page = await open(profile, '/console/');
  const table = page.locator('.configuration');
  const row = (name) => table.locator('tr', { has: page.getByRole('rowheader', { name, exact: true }) });
  await row('retain-age').waitFor();
  assert.deepEqual((await row('retain-age').locator('td').allTextContents()), ['30d', 'command line']);
  await row('jwt-key').getByText('secret, not shown').waitFor();
  assert.ok(!(await page.content()).includes('0123456789abcdef'), 'no secret is in the page');
  assert.equal(await row('max-update').count(), 0, 'defaults are left out');
  await table.getByRole('searchbox').fill('MAX-UPD');
  await row('max-update').waitFor();
  assert.equal(await table.locator('tbody tr').count(), 1);
  await table.getByRole('searchbox').fill('');
  await table.getByLabel('Defaults, too').check();
  await row('ping-interval').waitFor();
  assert.ok(await table.locator('tbody tr').count() > 30);
});

scenario('a reload is seen', async ({ context }) => {
  // A second server of the scenario, which has a file that can change.
  const directory = await mkdtemp(resolve(tmpdir(), 'crier-'));
  const file = resolve(directory, 'crierd.conf');
  const write = (lines) => writeFile(file, ['anonymous = all', ...lines, ''].join('\n'));
  await write(['max-update = 2M']);
  const other = new Server(['--config', file]);
  try {
    await other.start();
    const page = await (await context()).newPage();
    await page.goto(`${other.url}/console/`);
    const row = page.locator('.configuration tr', { has: page.getByRole('rowheader', { name: 'max-update', exact: true }) });
    await row.getByText('2M', { exact: true }).waitFor();
    await row.getByText(`${file}:2`, { exact: true }).waitFor();
    await write(['', 'max-update = 3M']);
    other.reload();
    await row.getByText('3M', { exact: true }).waitFor();
    await row.getByText(`${file}:3`, { exact: true }).waitFor();
    await write(['max-update = nonsense']);
    other.reload();
    await page.getByText('The last reload failed').waitFor();
    await page.getByText(/all is well/).waitFor({ state: 'hidden' });
    await row.getByText('3M', { exact: true }).waitFor();
    await page.context().close(); // or the page complains that the server is away
  } finally {
    await other.stop();
    await rm(directory, { recursive: true });
  }
});

scenario('the overview holds one stream, and only while it is shown', async ({ context, open, server }) => {
  const page = await open(await context(), '/console/');
  await until(() => points(page, 'clients'), 'it is live');
  assert.equal(await server.clients(), 1);
  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await hide(true);
  await until(async () => await server.clients() === 0, 'a page that is hidden has none');
  await hide(false);
  await until(async () => await server.clients() === 1, 'it has one again');
  await goTo(page, 'Token');
  await until(async () => await server.clients() === 0, 'the stream is closed');
});

scenario('the overview goes on after a break', async ({ context, open, lay, forgive }) => {
  forgive(/ERR_/);
  const line = await lay();
  const page = await open(await context(), '/console/');
  await until(() => points(page, 'clients'), 'it is live');
  line.cut();
  await banner(page, 'The server cannot be reached.').waitFor();
  await page.getByText(/all is well/).waitFor({ state: 'hidden' });
  line.mend();
  await until(async () => await page.locator('.overview').getAttribute('data-state') === 'live', 'it is live again');
  await until(async () => await page.locator('#banner *').count() === 0, 'the banner is gone');
  await page.getByText(/all is well/).waitFor();
});

scenario('the overview fits a phone', async ({ context, open }) => {
  const page = await open(await context({ viewport: { width: 390, height: 844 } }), '/console/');
  await heading(page, 'Overview').waitFor();
  await until(() => points(page, 'clients'), 'it is live');
  assert.ok(await fits(page));
});
