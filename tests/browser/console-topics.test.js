/**
 * The console's view Topics: the list, one topic's history, and one update.
 */
import assert from 'node:assert/strict';
import { scenario, until } from './harness.js';

const PART = 10_000; // events of one request; the server's maximum
const MILLION = 1_000_000;
const ROOM = ['--retain-count', '1100000', '--retain-bytes', '1G'];
const PHONE = { viewport: { width: 390, height: 844 } };
const DESK = { viewport: { width: 1280, height: 800 } };

const pathOf = (topic) => `#/topics/${encodeURIComponent(topic)}`;

/** Publishes one update. */
async function publish({ url }, topic, data, query = '') {
  const answer = await fetch(`${url}/topics/${encodeURIComponent(topic)}${query}`, { method: 'POST', body: data });
  assert.equal(answer.status, 200, await answer.text());
}

/** Publishes many updates, whose text WRITE makes. */
async function publishMany({ url }, topic, number, write = (n) => `data: update ${n}\n\n`, from = 0) {
  for (let done = 0; done < number; done += PART) {
    let body = '';
    for (let n = done; n < Math.min(number, done + PART); n += 1) body += write(from + n);
    const answer = await fetch(`${url}/topics/${encodeURIComponent(topic)}`,
      { method: 'POST', body, headers: { 'Content-Type': 'text/event-stream' } });
    assert.equal(answer.status, 200, await answer.text());
  }
}

/** Publishes updates of many topics. */
async function load({ url }, topics) {
  const time = new Date().toISOString();
  const lines = topics.map((topic, n) => `${JSON.stringify({ id: `made-${n}`, position: n + 1, time, topics: [topic], data: 'x' })}\n`);
  for (let from = 0; from < lines.length; from += PART) {
    const body = lines.slice(from, from + PART).join('');
    const answer = await fetch(`${url}/import`, { method: 'POST', body, headers: { 'Content-Type': 'application/x-ndjson' } });
    assert.equal(answer.status, 200, await answer.text());
  }
}

const list = (page) => page.locator('.vlist');
const rows = (page) => page.locator('.vbody .vrow:not(.probe)');
const column = (page, name) => rows(page).locator(`[data-column="${name}"]`);
const row = (page, text) => rows(page).filter({ hasText: text });
const tally = (page) => page.locator('.tally');
const says = (locator, text) => until(async () => text.test(await locator.textContent()), `${text} is shown`)
  .catch(async (error) => { throw new Error(`${error.message}, but ${await locator.textContent()}`); });

/** Waits until exactly these are the texts of a column. */
async function shows(page, name, texts) {
  let last;
  await until(async () => JSON.stringify(last = await column(page, name).allTextContents()) === JSON.stringify(texts), `${texts} are listed`)
    .catch((error) => { throw new Error(`${error.message}, but ${last}`); });
}

/** The numbers in the data of the rows that are rendered, once all have been read. */
async function numbers(page) {
  let found;
  await until(async () => {
    found = await column(page, 'data').allTextContents();
    return found.length && found.every((text) => text !== '…');
  }, 'all rows are read');
  return found.map((text) => Number(/\d+/.exec(text)[0]));
}

/** Waits until the list begins with these numbers: rows are drawn a frame after the tally. */
const begins = (page, ...first) =>
  until(async () => (await numbers(page)).slice(0, first.length).join() === first.join(), `the list begins with ${first}`);

/** They are neighbours, newest first. */
function assertNeighbours(found) {
  found.forEach((n, index) => assert.equal(n, found[0] - index, `${found} are neighbours`));
}

const scrollTo = (page, share) => list(page).evaluate((element, to) => {
  element.scrollTop = to * (element.scrollHeight - element.clientHeight);
}, share);

/** Turns the wheel at the list, and waits until it has moved. */
async function wheel(page, distance) {
  const top = () => rows(page).first().getAttribute('data-index');
  const before = await top();
  await list(page).hover();
  await page.mouse.wheel(0, distance);
  await until(async () => await top() !== before, 'the list moves');
}

scenario('the list of topics is searched and sorted', { options: ['--presence', 'room/*'] }, async ({ server, context, open }) => {
  for (const [topic, number] of [['news', 3], ['orders/new', 5], ['orders/paid', 1]]) {
    for (let n = 0; n < number; n += 1) await publish(server, topic, 'x'.repeat(topic === 'news' ? 2000 : 1));
  }
  await publish(server, 'jobs/1', 'done', '?last=1');
  await publish(server, 'room/a<b>', 'x');
  const page = await open(await context(DESK), '/console/#/topics');
  await shows(page, 'updates', ['1', '3', '5', '1', '1']);
  await says(row(page, 'jobs/1'), /ended/);
  await says(row(page, 'room/a<b>'), /presence/);
  assert.equal(await list(page).getAttribute('aria-rowcount'), '6');

  await page.getByRole('button', { name: 'Updates', exact: true }).click();
  await shows(page, 'updates', ['5', '3', '1', '1', '1']);
  await page.getByRole('button', { name: 'Size' }).click();
  await says(rows(page).first(), /^news/);
  assert.equal(await page.getByRole('columnheader', { name: 'Size' }).getAttribute('aria-sort'), 'descending');
  await page.getByRole('button', { name: 'Topic' }).click();
  await page.getByRole('button', { name: 'Topic' }).click();
  await says(rows(page).first(), /^room/);

  await page.getByLabel('Search').fill('ORDERS');
  await says(tally(page), /^2 of 5 topics$/);
  await page.reload(); // the route has it all
  await shows(page, 'updates', ['1', '5']);
  await page.getByLabel('Search').fill('nothing');
  await page.getByText('No topic matches.').waitFor();
  await page.getByLabel('Search').fill('');
  await page.getByRole('link', { name: 'orders/paid' }).click();
  await page.getByRole('heading', { name: 'orders/paid' }).waitFor();
});

scenario('the list is alive', async ({ server, context, open }) => {
  await publish(server, 'busy', '0');
  await publish(server, 'calm', '0');
  const page = await open(await context(DESK), '/console/#/topics');
  const line = () => row(page, 'busy').locator('.spark path').getAttribute('d');
  await says(row(page, 'calm').locator('[data-column="rate"]'), /^0$/);
  const timer = setInterval(() => publish(server, 'busy', '1').catch(() => {}), 50);
  try {
    await until(async () => Number(await row(page, 'busy').locator('[data-column="rate"]').textContent()) > 1, 'the rate rises');
    const before = await line();
    await until(async () => await line() !== before, 'the sparkline moves');
    await publish(server, 'another', '1');
    await row(page, 'another').waitFor();
    await page.getByRole('button', { name: 'Updates/s' }).click();
    await says(rows(page).first(), /^busy/);
  } finally {
    clearInterval(timer);
  }
});

scenario('there may be more topics than are loaded', async ({ server, context, open }) => {
  await load(server, [...Array.from({ length: 21_000 }, (_, n) => `many/${String(n).padStart(5, '0')}`), 'zebra']);
  const page = await open(await context(DESK), '/console/#/topics');
  const more = page.getByText('There are more');
  await says(tally(page), /^20,000 topics$/);
  await says(more, /the first 20,000 topics in the order of names, and only these are sorted/);
  await page.getByRole('button', { name: 'Updates', exact: true }).click();
  await more.waitFor();
  assert.ok(await rows(page).count() < 60, 'only the rows in view are in the document');
  await page.getByLabel('Search').fill('zeb');
  await shows(page, 'updates', ['1']);
  await says(rows(page).first(), /^zebra/);
  await says(tally(page), /^1 topic whose names begin so$/);
  await more.waitFor({ state: 'hidden' });
  await page.getByLabel('Search').fill('many/');
  await says(more, /the first 20,000 topics whose names begin so/);
  await page.getByLabel('Search').fill('');
  await says(more, /the first 20,000 topics in the order/);
  await page.getByRole('button', { name: 'Topic', exact: true }).click();
  await list(page).focus();
  await page.keyboard.press('End');
  await row(page, 'many/19999').waitFor();
});

scenario('no topics, and reserved ones', { options: ['--presence', '*'] }, async ({ server, context, open }) => {
  const page = await open(await context(DESK), '/console/#/topics');
  await page.getByText('There are no topics yet').waitFor();
  await publish(server, 'news', 'x');
  await row(page, 'news').waitFor();
  const end = new AbortController();
  await fetch(`${server.url}/topics/news`, { signal: end.signal });
  await page.getByLabel('Search').fill('$presence/');
  await row(page, '$presence/news').getByRole('link').click();
  await says(rows(page).first(), /join.*"count":1/);
  assert.equal(await page.getByRole('button', { name: 'Delete…' }).count(), 0);
  assert.equal(await page.locator('.actions').getByRole('link', { name: 'Publish' }).count(), 0);

  // A page that shows a topic does not join it.
  await page.goto(`${server.url}/console/${pathOf('news')}`);
  await rows(page).first().waitFor();
  await publish(server, 'news', 'y');
  await page.getByRole('button', { name: 'Show newer' }).click();
  await says(rows(page).first(), /y/);
  const about = await (await fetch(`${server.url}/topics/news`, { headers: { Accept: 'application/json' } })).json();
  assert.equal(about.subscribers, 1);
  end.abort();
});

scenario('a million updates are scrolled through', { options: ROOM }, async ({ server, context, open }) => {
  await publishMany(server, 'million', MILLION, (n) => `data:${n}\n\n`);
  const page = await open(await context(DESK), `/console/${pathOf('million')}`);
  await says(tally(page), /^1,000,000 updates/);
  await begins(page, MILLION - 1);
  assert.equal(await list(page).getAttribute('aria-rowcount'), `${MILLION + 1}`);

  for (const share of [0.5, 0.83, 0.2]) {
    await scrollTo(page, share);
    await until(async () => Math.abs((await numbers(page))[0] - MILLION * (1 - share)) < MILLION / 100, `the list is at ${share}`);
    assertNeighbours(await numbers(page));
    assert.equal(Number(await rows(page).first().getAttribute('data-index')), MILLION - 1 - (await numbers(page))[0]);
    for (let n = 0; n < 3; n += 1) await wheel(page, -1500);
    assertNeighbours(await numbers(page));
  }
  await scrollTo(page, 1);
  await until(async () => (await numbers(page)).at(-1) === 0, 'the oldest update is in view');
  assertNeighbours(await numbers(page));
  assert.ok(await page.locator('*').count() < 700, 'the document stays small');

  await list(page).focus();
  await page.keyboard.press('Home');
  await until(async () => (await numbers(page))[0] === MILLION - 1, 'Home leads to the newest');
  await page.keyboard.press('PageDown');
  await page.keyboard.press('ArrowUp');
  const active = await list(page).getAttribute('aria-activedescendant');
  assert.equal(await page.locator(`#${active}`).getAttribute('aria-selected'), 'true');
});

scenario('the history stays in place while others publish', async ({ server, context, open }) => {
  await publishMany(server, 'news', 2_000, (n) => `data: update ${n}\n\n`);
  const page = await open(await context(DESK), `/console/${pathOf('news')}`);
  await says(tally(page), /^2,000 updates/);
  await publishMany(server, 'news', 17, undefined, 2_000);
  await says(page.getByRole('button', { name: 'newer' }), /^Show 17 newer$/);
  await begins(page, 1999);
  const timer = setInterval(() => publishMany(server, 'news', 20, undefined, 5_000).catch(() => {}), 20);
  try {
    await scrollTo(page, 0.5);
    // The stream that counts what is published may be late, and so a rank be wrong.
    await until(async () => Math.abs((await numbers(page))[0] - 1000) < 500, 'the middle is in view');
    for (let n = 0; n < 6; n += 1) {
      await wheel(page, n < 3 ? 900 : -900);
      assertNeighbours(await numbers(page));
    }
    await scrollTo(page, 0.15);
    await until(async () => (await numbers(page))[0] > 1500, 'the list is close to its beginning');
    await list(page).hover();
    await until(async () => { // the list may arrive between two looks, and then no wheel moves it
      await page.mouse.wheel(0, -3000);
      return await rows(page).first().getAttribute('data-index') === '0';
    }, 'the list is at its beginning');
    await until(async () => (await numbers(page))[0] === 1999, 'the first row is the one that was the newest');
    assertNeighbours(await numbers(page));
  } finally {
    clearInterval(timer);
  }
  await page.getByRole('button', { name: 'newer' }).click();
  await until(async () => (await numbers(page))[0] >= 5_000, 'the newest is shown');
});

scenario('the history stays where the stream that counts is late', async ({ server, context, open }) => {
  await publishMany(server, 'news', 2_000);
  const profile = await context(DESK);
  await profile.route('**/topics/news', () => {}); // no response
  const page = await open(profile, `/console/${pathOf('news')}`);
  await says(tally(page), /^2,000 updates/);
  await publishMany(server, 'news', 3_000, undefined, 2_000);
  await scrollTo(page, 0.5);
  await until(async () => Math.abs((await numbers(page))[0] - 1000) < 60, 'the middle is in view');
  assertNeighbours(await numbers(page));
});

scenario('updates between those of other topics are found', { options: ROOM }, async ({ server, context, open }) => {
  const others = (number) => publishMany(server, 'other', number, () => 'data:x\n\n');
  const update = (n) => `data: update ${n}\n\n`;
  await publishMany(server, 'rare', 400, update);
  await others(100_000);
  await publishMany(server, 'rare', 3_000, update, 400); // close to each other
  for (let n = 0; n < 60; n += 1) { // far from each other
    await others(400);
    await publish(server, 'rare', `update ${3_400 + n}`);
  }
  const page = await open(await context(DESK), `/console/${pathOf('rare')}`);
  await says(tally(page), /^3,460 updates/);
  for (let n = 0; n < 8; n += 1) {
    assertNeighbours(await numbers(page));
    await wheel(page, 3000);
  }
  await scrollTo(page, 0.5);
  await until(async () => Math.abs((await numbers(page))[0] - 1730) < 60, 'the middle is in view');
  for (let n = 0; n < 4; n += 1) {
    await wheel(page, 3000);
    assertNeighbours(await numbers(page));
  }
  await scrollTo(page, 1);
  await until(async () => (await numbers(page)).at(-1) === 0, 'the oldest update is in view');
  await page.getByLabel('Text').fill('update');
  await page.keyboard.press('Enter');
  await says(tally(page), /^3,460 matches in 3,460 updates: all that are held$/);
});

scenario('what expires meanwhile is shown as a gap', { options: ['--retain-count', '300'] }, async ({ server, context, open }) => {
  await publishMany(server, 'news', 300);
  const page = await open(await context(DESK), `/console/${pathOf('news')}`);
  await says(tally(page), /^300 updates/);
  await publishMany(server, 'news', 100, undefined, 300);
  await says(tally(page), /^200 updates.*expired/);
  await scrollTo(page, 1);
  await says(rows(page).last(), /Gap: older updates.*have expired \(about 100\)/);
  await says(column(page, 'data').nth(-2), /^update 100$/);
  await publishMany(server, 'news', 290, undefined, 400); // now all that are listed have
  await says(tally(page), /^$|expired/);
  await page.getByRole('button', { name: 'newer' }).click();
  await says(tally(page), /^300 updates, newest first$/);
  await begins(page, 689);
});

scenario('a topic is searched by type and text', { options: ROOM }, async ({ server, context, open }) => {
  await publishMany(server, 'log', 20_000, (n) => `event: ${n % 100 ? 'info' : 'error'}\ndata: line ${n}${n === 12_345 ? ' <b>Needle</b>' : ''}\n\n`);
  const page = await open(await context(DESK), `/console/${pathOf('log')}`);
  await says(tally(page), /^20,000 updates/);
  await page.getByLabel('Text').fill('needle');
  await page.getByRole('button', { name: 'Search' }).click();
  await says(tally(page), /^1 match in 20,000 updates: all that are held$/);
  await shows(page, 'data', ['line 12345 <b>Needle</b>']);
  assert.equal(await page.locator('.vrow mark').textContent(), 'Needle');
  await rows(page).first().click();
  await says(page.locator('.update'), /line 12345 <b>Needle<\/b>/);
  await page.locator('.update').getByRole('button', { name: 'Close' }).click();

  await page.getByLabel('Type').fill('error');
  await page.getByLabel('Text').fill('');
  await page.keyboard.press('Enter');
  await says(tally(page), /^200 matches in 20,000 updates/);
  assert.match(page.url(), /type=error/);
  await begins(page, 19_900, 19_800, 19_700);
  await page.getByLabel('Type').fill('none');
  await page.keyboard.press('Enter');
  await page.getByText('No update matches.').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await says(tally(page), /^20,000 updates/);
  await page.goBack();
  await page.getByText('No update matches.').waitFor();
});

scenario('a search can be stopped, and keeps no more than it shows', { options: ROOM }, async ({ server, context, open }) => {
  await publishMany(server, 'log', 100_000);
  const page = await open(await context(DESK), `/console/${pathOf('log')}`);
  await says(tally(page), /^100,000 updates/);
  await page.route(/limit=10000/, async (route) => { // so slow that it can be stopped
    await page.getByRole('button', { name: 'Stop' }).click();
    await route.continue();
  }, { times: 1 });
  await page.getByLabel('Text').fill('nothing like it');
  await page.keyboard.press('Enter');
  await says(tally(page), /stopped$/);
  await page.getByLabel('Text').fill('update');
  await page.keyboard.press('Enter');
  await says(tally(page), /^The newest 5,000 matches; narrow the search/);
});

scenario('an update is shown as what it is', { options: ['--jwt-key', `HS256:${'k'.repeat(32)}`, '--anonymous', 'all'] }, async ({ server, context, open }) => {
  const json = `{"long":12345678901234567890.50,"twice":1,"twice":2,"html":"<img src=x onerror=alert(1)>","list":[${Array(250).fill('{"a":null}')}],"deep":${'['.repeat(200)}1${']'.repeat(200)}}`;
  await publish(server, 'data,more', json, '?event=made&id=my%20id&retry=5000');
  await publish(server, 'data', 'no JSON: <script>alert(1)</script>\nline 2');
  const page = await open(await context(DESK), `/console/${pathOf('data')}`);
  const panel = page.locator('.update');
  await row(page, 'no JSON').click();
  assert.equal(await panel.locator('pre').textContent(), 'no JSON: <script>alert(1)</script>\nline 2');
  assert.equal(await panel.getByRole('button', { name: 'JSON' }).count(), 0);

  await row(page, 'made').click();
  const tree = panel.locator('.json');
  await says(panel, /my id/);
  await says(panel, /5,000 ms/);
  await says(tree, /"long": 12345678901234567890\.50/);
  await says(tree, /"twice": 1.*"twice": 2/);
  await says(tree, /"<img src=x onerror=alert\(1\)>"/);
  assert.equal(await page.locator('img[src="x"]').count(), 0);
  assert.ok(await tree.locator('*').count() < 200, 'what is folded is not in the document');
  await tree.getByText('[250]').click();
  await tree.getByRole('button', { name: 'Show 100 more of 150' }).click();
  await tree.getByRole('button', { name: 'Show 50 more of 50' }).click();
  await panel.getByRole('button', { name: 'Text' }).click();
  assert.equal(await panel.locator('pre').textContent(), json);
  await panel.getByRole('link', { name: 'more' }).click();
  await page.getByRole('heading', { name: 'more', exact: true }).waitFor();
});

scenario('of JSON with very many branches a few are unfolded', async ({ server, context, open }) => {
  const branches = (leaf) => Array(50).fill(leaf);
  await publish(server, 'data', JSON.stringify(branches(branches(branches([0])))));
  const page = await open(await context(DESK), `/console/${pathOf('data')}`);
  await row(page, '[[[').click();
  const tree = page.locator('.update .json');
  await says(tree, /\[50\]/);
  assert.ok(await tree.locator('*').count() < 5_000, 'what is folded is not in the document');
});

scenario('rows keep no more of long data than they show', async ({ server, context, open }) => {
  for (let n = 0; n < 10; n += 1) await publish(server, 'data', `${n} ${'x'.repeat(1_000_000)}`);
  const page = await open(await context(DESK), `/console/${pathOf('data')}`);
  await row(page, '9 xxx').waitFor();
  const devtools = await page.context().newCDPSession(page);
  let held;
  await until(async () => {
    await devtools.send('HeapProfiler.collectGarbage');
    held = (await devtools.send('Runtime.getHeapUsage')).usedSize;
    return held < 3e6;
  }, 'the data is given up').catch((error) => { throw new Error(`${error.message}; but ${held} bytes`); });
});

scenario('updates are deleted when that is confirmed', async ({ server, context, open }) => {
  await publish(server, 'small', 'x');
  await publishMany(server, 'large/one', 1_001);
  const page = await open(await context(DESK), `/console/${pathOf('small')}`);
  const held = async (topic) => (await fetch(`${server.url}/topics/${encodeURIComponent(topic)}?poll=1`)).text();
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Delete…' }).click();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  assert.notEqual(await held('small'), '');
  await page.getByRole('button', { name: 'Delete…' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('This topic holds no updates.').waitFor();
  assert.equal(await held('small'), '');

  await page.goto(`${server.url}/console/${pathOf('large/one')}`);
  await page.getByRole('button', { name: 'Delete…' }).click();
  assert.equal(await dialog.getByRole('button', { name: 'Delete' }).isDisabled(), true);
  await dialog.getByRole('textbox').fill('large/two');
  assert.equal(await dialog.getByRole('button', { name: 'Delete' }).isDisabled(), true);
  await dialog.getByRole('textbox').fill('large/one');
  await dialog.getByRole('textbox').press('Enter');
  await page.getByText('This topic holds no updates.').waitFor();
  assert.equal(await held('large/one'), '');
});

scenario('leaving the page of a topic, or its query, closes the dialog and deletes nothing', async ({ server, context, open }) => {
  await publish(server, 'news', 'x');
  const page = await open(await context(DESK), '/console/#/topics');
  const [dialog, remove] = [page.getByRole('dialog'), page.getByRole('button', { name: 'Delete…' })];
  const deleted = [];
  page.on('request', (request) => { if (request.method() === 'DELETE') deleted.push(request.url()); });
  await page.getByRole('link', { name: 'news' }).click();
  await remove.click();
  await dialog.waitFor();
  await page.goBack();
  await page.getByRole('heading', { name: 'Topics', exact: true }).waitFor();
  await dialog.waitFor({ state: 'detached' });

  await page.goForward();
  await remove.click();
  await dialog.waitFor();
  await page.evaluate((hash) => { location.hash = hash; }, `${pathOf('news')}?type=message`);
  await says(tally(page), /^1 match/);
  await dialog.waitFor({ state: 'detached' });
  assert.deepEqual(deleted, []);
});

scenario('a view that is left at once subscribes to nothing', async ({ server, context, open }) => {
  await publish(server, 'news', 'x');
  const page = await open(await context(DESK), '/console/#/token');
  await page.getByRole('heading', { name: 'Token', exact: true }).waitFor();
  let release;
  const asked = new Promise((resolve) => {
    page.route('**/topics?match=news**', (route) => {
      release = () => route.continue();
      resolve();
    });
  });
  await page.evaluate((hash) => { location.hash = hash; }, pathOf('news'));
  await asked;
  const read = [];
  page.on('request', (request) => read.push(request.url()));
  await page.evaluate(() => { location.hash = '#/token'; });
  await page.getByRole('heading', { name: 'Token', exact: true }).waitFor();
  const answered = page.waitForResponse('**/topics?match=news**');
  await release();
  await (await answered).finished();
  // What the view would ask for next is in front of this request.
  await page.evaluate(() => fetch('../healthz').then((response) => response.text()));
  assert.deepEqual(read.filter((url) => url.includes('/topics/')), []);
});

scenario('names that are more than names', async ({ server, context, open }) => {
  await publish(server, 'books/{id}', 'the name itself');
  await publish(server, 'books/1', 'what it matches');
  const page = await open(await context(DESK), `/console/${pathOf('books/{id}')}`);
  await shows(page, 'data', ['the name itself']);
  await publish(server, 'books/{id}', 'again');
  await page.getByRole('button', { name: 'Show newer' }).click();
  await shows(page, 'data', ['again', 'the name itself']);
  await page.goto(`${server.url}/console/${pathOf('a,b')}`);
  await page.getByText('no URL below /topics can name it').waitFor();
});

scenario('a server that is away comes back', { journal: true }, async ({ server, context, open, lay, forgive }) => {
  forgive(/ERR_/);
  await publishMany(server, 'news', 3_000);
  const line = await lay();
  const page = await open(await context(DESK), `/console/${pathOf('news')}`);
  await says(tally(page), /^3,000 updates/);
  line.cut();
  await scrollTo(page, 0.5);
  await says(page.locator('.view .trouble'), /cannot be reached/);
  line.mend();
  await until(async () => Math.abs((await numbers(page))[0] - 1500) < 60, 'the middle is read');
  await until(async () => await page.locator('.view .trouble').textContent() === '', 'the trouble is over');
});

scenario('without the scope admin there is no button that deletes', { options: ['--jwt-key', `HS256:${'k'.repeat(32)}`, '--anonymous', 'subscribe'] }, async ({ context, open }) => {
  const page = await open(await context(DESK), `/console/${pathOf('news')}`);
  await page.getByText('This topic holds no updates.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Delete…' }).count(), 0);
  assert.equal(await page.locator('.actions').getByRole('link', { name: 'Publish' }).count(), 0);
});

scenario('a phone and a keyboard are enough', async ({ server, context, open }) => {
  await publishMany(server, `long/${'x'.repeat(150)}`, 200, (n) => `event: tick\ndata: {"update":${n},"text":"${'word '.repeat(50)}"}\n\n`);
  const page = await open(await context(PHONE), '/console/#/topics');
  const fits = async () => assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  await rows(page).first().waitFor();
  await fits();
  await list(page).focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await says(tally(page), /^200 updates/);
  await fits();
  await list(page).focus();
  await page.keyboard.press('End');
  await row(page, '"update":0').waitFor();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await says(page.locator('.update .json'), /"update": 1\b/);
  await fits();
  assert.equal(await list(page).isVisible(), false);
  await page.keyboard.press('Escape');
  await until(() => page.evaluate(() => document.activeElement.matches('.vlist')), 'the list has the focus again');
  await row(page, '"update":0').waitFor(); // where it was
});
