/**
 * The site: the front page, the navigation that all pages share, the page for what does not
 * exist, and the documentation.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { startProxy } from './console.js';
import { scenario, state, until } from './harness.js';
import { Server } from './server.js';

const NAVIGATION = ['Console', 'Chat', 'Streams', 'Docs'];
const PAGES = ['/', '/console/', '/chat.html', '/live.html', '/docs/'];

const publish = async (server, text, topic = 'hello') => {
  const { status } = await fetch(`${server.url}/topics/${topic}`, { method: 'POST', body: text });
  assert.equal(status, 200);
};
const shown = (page, text) => page.locator('#hello .updates li', { hasText: text }).waitFor();

/** The names of the pages of the documentation, in their order. */
async function listPages() {
  const index = await readFile(new URL('../../doc/site/index.txt', import.meta.url), 'utf8');
  return index.split('\n').filter((line) => /^[a-z]/.test(line)).map((line) => line.split(/\s/)[0]);
}

const TOKEN = 'a token of the tests of the site'.replaceAll(' ', '-');
const configurations = await mkdtemp(join(tmpdir(), 'crier-site-'));
after(() => rm(configurations, { recursive: true }));

/** The setting of a server that knows a token, and allows others this much. */
async function tokens(anonymous) {
  const hash = createHash('sha256').update(TOKEN).digest('hex');
  const path = join(configurations, `${anonymous}.conf`);
  await writeFile(path, `anonymous = ${anonymous}\n[token test]\nhash = sha256:${hash}\npublish = *\nsubscribe = *\n`);
  return { options: ['--config', path, '--demo', 'on'] };
}

scenario('what anybody publishes appears on the front page', async ({ context, open, server }) => {
  await publish(server, 'before the page was opened');
  const page = await open(await context(), '/');
  await state(page, 'live', '#hello .status');
  await shown(page, 'before the page was opened');

  // As the page's own command does it.
  const command = await page.locator('.steps code').first().textContent();
  assert.equal(command, `curl -d 'Hello from a shell' ${server.url}/topics/hello`);
  await publish(server, 'Hello from a shell');
  await shown(page, 'Hello from a shell');

  await page.getByLabel('Publish an update').fill('Hello from the page');
  await page.getByRole('button', { name: 'Publish' }).click();
  await shown(page, 'Hello from the page');
  await page.getByText('Published. 1 stream got it.').waitFor();
  assert.equal(await page.getByLabel('Publish an update').inputValue(), '');

  await page.reload();
  await shown(page, 'Hello from the page');
  assert.equal(await page.locator('#hello .updates li').count(), 3);
});

scenario('the front page shows a stream that moves, and can be paused', async ({ context, open, server }) => {
  const page = await open(await context(), '/');
  await page.locator('#pulse').waitFor();
  assert.ok(await page.getByText('The demo is off').isHidden());
  const tick = async () => Number(await page.locator('.tick').textContent());
  await until(async () => await tick() > 0, 'it ticks');
  await page.getByRole('button', { name: 'Pause' }).click();
  await until(async () => await server.clients() === 1, 'the stream is closed');
  await page.getByRole('button', { name: 'Resume' }).click();
  await until(async () => await server.clients() === 2, 'the stream is open again');
});

scenario('the front page works without the demo', { options: ['--demo', 'off'] }, async ({ context, open, server }) => {
  const page = await open(await context(), '/');
  await state(page, 'live', '#hello .status');
  await publish(server, 'no demo');
  await shown(page, 'no demo');
  assert.ok(await page.locator('#pulse').isHidden());
  await page.getByText('The demo is off on this server').waitFor();
});

scenario('updates are text, whatever they contain', async ({ context, open, server }) => {
  const page = await open(await context(), '/');
  await publish(server, '<img src=x onerror=alert(1)><b>bold</b>');
  await shown(page, '<img src=x onerror=alert(1)><b>bold</b>');
  assert.equal(await page.locator('#hello .updates img, #hello .updates li b').count(), 0);
});

scenario('the front page says what takes a token', await tokens('subscribe'), async ({ context, open }) => {
  const page = await open(await context(), '/');
  await state(page, 'live', '#hello .status');
  await page.getByText('asks for a token before anybody publishes').waitFor();
  assert.ok(await page.getByLabel('Publish an update').isHidden());
});

scenario('the front page uses the token of the tab', await tokens('none'), async ({ context, open, server }) => {
  const page = await open(await context(), '/');
  await page.getByText('asks for a token before anybody subscribes or publishes').waitFor();
  await state(page, 'closed', '#hello .status');
  assert.ok(await page.locator('#pulse').isHidden());
  assert.equal(await server.clients(), 0);

  await page.getByRole('link', { name: 'Enter a token in the console' }).click();
  await page.waitForURL(`${server.url}/console/**`);
  await page.evaluate((token) => sessionStorage.setItem('crier-console-token', token), TOKEN);
  await page.goto(`${server.url}/`);
  await state(page, 'live', '#hello .status');
  assert.ok(await page.locator('#locked').isHidden());
  await until(async () => Number(await page.locator('.tick').textContent()) > 0, 'it ticks');
  await page.getByRole('button', { name: 'Publish' }).click();
  await shown(page, 'Hear ye, hear ye');
});

scenario('commands are copied as they are shown', async ({ context, open, server }) => {
  const page = await open(await context({ permissions: ['clipboard-read', 'clipboard-write'] }), '/');
  const command = `curl -d 'Hello from a shell' ${server.url}/topics/hello`;
  const button = page.getByRole('button', { name: 'Copy the command' }).first();
  const copied = button.evaluate((element) => new Promise((resolve) => { // it says so for a moment
    new MutationObserver(() => resolve(element.getAttribute('aria-label'))).observe(element, { attributes: true });
  }));
  await button.click();
  assert.equal(await copied, 'Copied the command');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), command);
  await page.locator('.steps code').first().selectText();
  assert.equal(await page.evaluate(() => String(getSelection())), command);
});

/**
 * What is broken at the end of a line: each option, and each word of a command that is
 * short enough for a line. And boxes that are wider than the page.
 */
const findBroken = (page) => page.evaluate(() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const ranges = [];
  const range = (node, from, to) => {
    ranges.push(new Range());
    ranges.at(-1).setStart(node, from);
    ranges.at(-1).setEnd(node, to);
  };
  for (let node; (node = texts.nextNode());) {
    const inCommand = node.parentElement.closest('pre[data-copy="command"] code');
    if (node.parentElement.closest('code > span')?.textContent.length > 30) continue;
    for (const { 0: word, index } of node.data.matchAll(inCommand ? /\S+/g : /(?<![\w-])--?[a-z][\w-]*/gi)) range(node, index, index + word.length);
  }
  const lines = (each) => new Set([...each.getClientRects()].filter(({ width }) => width > 0).map(({ top }) => Math.round(top))).size;
  return [...ranges.filter((each) => lines(each) > 1).map(String),
    ...[...document.querySelectorAll('pre')].filter((box) => box.getBoundingClientRect().right > innerWidth).map((box) => box.textContent)];
});

scenario('lines end between the words of commands and options', { options: ['--jwt-key', `HS256:${'k'.repeat(32)}`, '--anonymous', 'all'] }, async ({ context, open }) => {
  const page = await open(await context({ viewport: { width: 390, height: 844 } }), '/');
  const check = async (path) => assert.deepEqual(await findBroken(page), [], path);
  const go = (path) => page.goto(new URL(path, page.url()).href);
  for (const path of ['/', '/chat.html', '/live.html']) {
    await go(path);
    await page.locator('.copier').first().waitFor();
    await check(path);
  }
  for (const path of ['README', 'start', 'crierd.8', 'crier.1', 'libcrier.3'].map((name) => `/docs/${name}.html`)) {
    await go(path);
    await check(path);
  }
  await go('/console/#/watch?topics=a-rather-long-name,another-rather-long-name');
  await page.locator('.elsewhere summary').click();
  await check('watch');
  await go('/console/#/publish?topic=news');
  await page.getByLabel('Data', { exact: true }).fill('all kinds of-words --with-hyphens -and "quotes" that-do --not fit-into one-line');
  await page.locator('.command').getByText('fit-into').waitFor();
  await check('publish');
  await go('/console/#/token');
  await page.getByLabel('May publish to').fill('some-topic\nanother-topic\nnews/*');
  await page.locator('.command').getByText('another-topic').waitFor();
  await check('token');
});

scenario('the commands of the front page make a page', async ({ context, open, forgive }) => {
  forgive(/status of 404/); // the page has no icon
  const front = await open(await context(), '/');
  const directory = await mkdtemp(join(configurations, 'page-'));
  const [make, curl] = await front.locator('.steps li:last-child pre code').allTextContents();
  const [, files, start] = /^(.*\n)(crierd .*)$/s.exec(make.trimEnd());
  assert.equal(start, 'crierd --www mypage --listen 127.0.0.1:8099');
  execFileSync('sh', ['-e'], { cwd: directory, input: files });
  const own = new Server(['--www', join(directory, 'mypage')]);
  await own.start();
  try {
    const page = await (await context()).newPage();
    await page.goto(own.url);
    execFileSync('sh', ['-e'], { input: curl.replace('http://127.0.0.1:8099', own.url), stdio: ['pipe', 'ignore', 'ignore'] });
    await page.getByText('Hello, my page').waitFor();
    await page.context().close();
  } finally {
    await own.stop();
  }
});

scenario('the site works below a prefix', async ({ behind, context, open, server, forgive }) => {
  forgive(/status of 404/); // of the page that does not exist
  const proxy = await startProxy('/events', () => server.url);
  behind(proxy);
  const root = `${proxy.url}/events`;
  const page = await open(await context(), '/events/');
  await state(page, 'live', '#hello .status');
  await until(async () => Number(await page.locator('.tick').textContent()) > 0, 'it ticks');
  await page.getByRole('button', { name: 'Publish' }).click();
  await shown(page, 'Hear ye, hear ye');
  assert.equal(await page.locator('.steps code').first().textContent(), `curl -d 'Hello from a shell' ${root}/topics/hello`);
  assert.match(await page.locator('.steps code').nth(1).textContent(), /EventSource\('\/events\/topics\/hello\?since=10'\)/);
  for (const name of NAVIGATION) {
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
    await page.getByRole('link', { name, exact: true }).and(page.locator('[aria-current]')).first().waitFor();
    assert.ok(page.url().startsWith(`${root}/`), page.url());
  }
  await page.goto(`${root}/no/such/page`);
  await page.getByRole('link', { name: 'To the front page' }).click();
  await page.waitForURL(`${root}/`);
});

scenario('all pages have one navigation', async ({ context, open, server }) => {
  const browser = await context();
  for (const path of PAGES) {
    const page = await open(browser, path);
    const links = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
    assert.deepEqual((await links.allTextContents()), NAVIGATION, path);
    const targets = await links.evaluateAll((all) => all.map((link) => new URL(link.href).pathname));
    assert.deepEqual(targets, PAGES.slice(1), path);
    const current = await links.evaluateAll((all) => all.findIndex((link) => link.hasAttribute('aria-current')));
    assert.equal(current, PAGES.indexOf(path) - 1 < 0 ? -1 : PAGES.indexOf(path) - 1, path);
    const home = await page.locator('.brand').evaluate((link) => link.href);
    assert.equal(home, `${server.url}/`, path);
    await page.keyboard.press('Tab');
    if (path !== '/chat.html') assert.match(await page.evaluate(() => document.activeElement.className), /skip/, path);
    await page.close();
  }
});

scenario('what does not exist has a page that leads on', async ({ context, open, server, forgive }) => {
  forgive(/status of 404/);
  const page = await open(await context(), '/no/such/page');
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
  assert.ok(await page.evaluate(() => getComputedStyle(document.querySelector('.top')).display === 'flex'), 'it has styles');
  await page.getByRole('link', { name: 'To the front page' }).click();
  await page.waitForURL(`${server.url}/`);
});

/** The links of a page of this server, and its ids. */
function readHtml(html) {
  const values = (pattern) => [...html.matchAll(pattern)].map(([, value]) => value.replaceAll('&amp;', '&'));
  return { links: values(/<(?:a|link)\b[^>]* href="([^"]*)"/g), ids: new Set(values(/ id="([^"]*)"/g)) };
}

/** Reads all pages that the front page leads to: what is wrong, and the pages. */
async function crawl(server) {
  const pages = new Map();
  const wrong = [];
  const queue = [{ from: '', url: new URL('/', server.url) }];
  const anchors = [];
  while (queue.length > 0) {
    const { from, url } = queue.shift();
    if (url.hash && !url.hash.startsWith('#/')) anchors.push({ from, url }); // #/... are the console's routes
    if (pages.has(url.pathname)) continue;
    const response = await fetch(url, { headers: { Accept: 'text/html, */*' } });
    if (response.status !== 200) wrong.push(`${from}: ${url} is ${response.status}`);
    const html = response.headers.get('content-type')?.startsWith('text/html');
    const page = html ? readHtml(await response.text()) : { links: [], ids: null };
    pages.set(url.pathname, page);
    for (const link of page.links) {
      const next = new URL(link, url);
      if (next.origin === new URL(server.url).origin) queue.push({ from: url.pathname, url: next });
    }
  }
  for (const { from, url } of anchors) {
    const { ids } = pages.get(url.pathname);
    if (ids && !ids.has(decodeURIComponent(url.hash.slice(1)))) wrong.push(`${from}: ${url} has no such heading`);
  }
  return { wrong, pages: [...pages].filter(([, { ids }]) => ids).map(([path]) => path) };
}

scenario('all links of all pages lead somewhere', async ({ server }) => {
  const { wrong, pages } = await crawl(server);
  assert.deepEqual(wrong, []);
  for (const name of await listPages()) assert.ok(pages.includes(`/docs/${name}.html`), `${name} is a page`);
});

scenario('every page opens without complaint, and fits a phone', async ({ context, open, server }) => {
  const phone = await context({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const page = await open(phone, '/');
  const { pages } = await crawl(server);
  const [one] = pages.filter((path) => path.endsWith('.3.html')); // the functions' pages are alike
  for (const path of pages.filter((each) => each === one || !each.endsWith('.3.html'))) {
    await page.goto(server.url + path);
    await page.locator('h1').first().waitFor({ state: 'attached' });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, `${path} scrolls sideways`);
  }
});

scenario('the first column of a table leaves room for the others on a phone', async ({ context, open }) => {
  const page = await open(await context({ viewport: { width: 390, height: 844 } }), '/docs/protocol.html');
  for (const name of ['protocol', 'from-mercure', 'operating', 'compare']) {
    await page.goto(new URL(`${name}.html`, page.url()).href);
    const wide = await page.locator('.table').evaluateAll((tables) => tables.filter((table) =>
      table.querySelector('th').getBoundingClientRect().width > table.getBoundingClientRect().width * 0.75)
      .map((table) => table.textContent.slice(0, 40)));
    assert.deepEqual(wide, [], name);
  }
});

scenario('the search finds sections, by keyboard', async ({ context, open }) => {
  const page = await open(await context(), '/docs/');
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'page-query');
  await page.keyboard.type('retain-age');
  const results = page.getByRole('list', { name: 'Results' }).getByRole('link');
  await results.first().waitFor();
  assert.match(await page.locator('#page-count').textContent(), /^\d+ sections?$/);
  assert.equal((await page.locator('#page-results mark').first().textContent()).toLowerCase(), 'retain-age');

  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  const first = await results.first().getAttribute('href');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), first);
  await page.keyboard.press('Escape');
  assert.ok(await results.first().isHidden());
  await page.locator('#page-query').fill('nosuchwordanywhere');
  await page.getByText('Nothing found').waitFor();
  await page.locator('#page-query').fill('retain-age');
  await results.first().waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(new RegExp(`${first.replace(/[.]/g, '\\.')}$`));
});

/** What is typed, and the section that is found first. */
const FIRST = [
  ['nginx', 'operating#proxies-caddy-nginx-haproxy-apache'], ['Caddy', 'operating#proxies-caddy-nginx-haproxy-apache'],
  ['haproxy', 'operating#proxies-caddy-nginx-haproxy-apache'], ['reverse proxy', 'operating#proxies-caddy-nginx-haproxy-apache'],
  ['TLS', 'operating#tls'], ['CORS', 'tokens#pages-of-other-origins-cors'], ['token', 'tokens#make-a-token'],
  ['JWT', 'tokens#make-a-token'], ['private', 'tokens#private-updates'], ['reconnect', 'reconnecting#when-clients-reconnect'],
  ['gap', 'reconnecting#gaps'], ['Last-Event-ID', 'reconnecting#resuming'], ['slow client', 'reconnecting#slow-clients'],
  ['history', 'README#history-retention-and-durability'], ['retention', 'README#history-retention-and-durability'],
  ['presence', 'presence#presence-who-is-there'], ['redis', 'redis#a-journal-in-redis-or-valkey-for-operators'],
  ['sentinel', 'redis#failover'], ['backup', 'operating#backup'], ['metrics', 'operating#metrics-and-alerts'],
  ['prometheus', 'operating#metrics-and-alerts'], ['systemd', 'operating#the-systemd-units'], ['docker', 'operating#start'],
  ['install', 'README#build-and-install'], ['python', 'start#python'], ['php', 'start#php'], ['go', 'start#go'],
  ['mercure', 'from-mercure#from-mercure-to-crier'], ['nchan', 'from-nchan#from-nchan-to-crier'], ['limits', 'protocol#limits'],
  ['crier pub', 'crier.1#CRIER_PUB'], ['crier_stream_new', 'crier_stream.3#crier_stream3'], ['crier_hub_new', 'crier_hub.3#crier_hub3'],
  ['crier_hub', 'crier_hub.3#crier_hub3'], ['crierd', 'crierd.8#crierd8'], ['--listen', 'crierd.8#LISTENERS'],
];

scenario('the search has first what one looks for', async ({ context, open }) => {
  const page = await open(await context(), '/docs/');
  const first = page.getByRole('list', { name: 'Results' }).getByRole('link').first();
  const wrong = [];
  for (const [query, target] of FIRST) {
    await page.locator('#page-query').fill(query);
    await until(async () => (await page.locator('#page-results mark').first().textContent().catch(() => '')).toLowerCase() === query.toLowerCase(), `${query} is found`);
    const found = await first.getAttribute('href');
    if (found !== target.replace('#', '.html#')) wrong.push(`${query}: ${found}`);
  }
  assert.deepEqual(wrong, []);
});

scenario('a section can be linked to, and the list of sections follows', async ({ context, open }) => {
  const page = await open(await context({ viewport: { width: 1280, height: 800 } }), '/docs/crierd.8.html');
  await page.locator('.contents').getByRole('link', { name: 'Gaps', exact: true }).click();
  await page.waitForURL(/#Gaps$/);
  await page.locator('.contents a[aria-current]', { hasText: 'Gaps' }).waitFor();
});
