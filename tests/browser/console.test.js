/**
 * The frame of the console: its routes and navigation, what the token opens, a proxy's
 * prefix, and a server that goes away.
 */
import assert from 'node:assert/strict';
import { WITH_KEY, banner, enterToken, fits, goTo, grants, heading, holdToken, mint, startProxy, viewLink } from './console.js';
import { scenario, state, until } from './harness.js';

const VIEWS = ['Overview', 'Topics', 'Watch', 'Publish', 'Presence', 'Token'];

scenario('each view has a link, a title and the focus', async ({ context, open }) => {
  const page = await open(await context(), '/console/');
  await heading(page, 'Overview').waitFor();
  for (const name of VIEWS.slice(1)) {
    await goTo(page, name);
    assert.equal(await viewLink(page, name).getAttribute('aria-current'), 'page');
    assert.equal(await page.locator('.views [aria-current]').count(), 1);
    assert.equal(await page.title(), `${name} – Crier console`);
    assert.ok(await heading(page, name).evaluate((title) => title === document.activeElement), `${name} has the focus`);
    assert.equal(new URL(page.url()).hash, `#/${name.toLowerCase()}`);
  }
  await page.goBack();
  await heading(page, 'Presence').waitFor();
});

scenario('a link opens a view, and an unknown one the first', async ({ context, open }) => {
  const profile = await context();
  const page = await open(profile, '/console/#/token');
  await heading(page, 'Token').waitFor();
  assert.notEqual(await page.evaluate(() => document.activeElement.tagName), 'H1', 'the focus is not taken at the start');
  await heading(await open(profile, '/console/#/nowhere/%/x?y'), 'Overview').waitFor();
});

scenario('white space at the ends of a topic\'s name stays in all views', { options: ['--presence', '*'] }, async ({ context, open, server }) => {
  const [topic, path] = [' news ', '%20news%20'];
  const publish = (name) => fetch(`${server.url}/topics/${name}`, { method: 'POST', body: `of ${name}` });
  await publish(path);
  await publish('news');
  const page = await open(await context(), '/console/#/topics');
  const follow = (name) => page.locator('.view').getByRole('link', { name, exact: true }).click();
  const title = async (text) => {
    const h1 = page.locator('h1');
    await until(async () => await h1.textContent() === text, `the title is ${text}`);
  };
  await page.locator('[data-column="topic"] a').filter({ hasText: /^ news $/ }).click();
  await title(topic);
  await page.getByText(`of ${path}`, { exact: true }).waitFor();

  await follow('Watch');
  await state(page, 'live', '.watch .status');
  await publish('news');
  await publish(path);
  await page.locator('.watch .vbody').getByText(`of ${path}`).waitFor();
  assert.equal(await page.locator('.watch .vbody').getByText('of news').count(), 0);
  assert.equal(await page.locator('.watch .kinds bdi').textContent(), topic);

  await page.locator('.watch .vbody').getByText(`of ${path}`).click();
  await follow('Publish to the same topics');
  await page.getByLabel('Data', { exact: true }).fill('of the page');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await follow('Watch this topic');
  await page.locator('.watch .vbody').getByText('of the page').waitFor();

  await page.locator('.watch .vbody').getByText('of the page').click();
  await page.locator('.watch-details').getByRole('link', { name: 'news', exact: true }).click();
  await title(topic);
  await follow('presence');
  await title(`Presence of ${topic}`);
  await follow('Its updates');
  await title(topic);
  await page.getByText('of the page', { exact: true }).waitFor();
});

scenario('a phone shows all views', async ({ context, open }) => {
  const page = await open(await context({ viewport: { width: 390, height: 844 } }), '/console/');
  await heading(page, 'Overview').waitFor();
  for (const name of VIEWS) {
    const { x, width, height } = await viewLink(page, name).boundingBox();
    assert.ok(x >= 0 && x + width <= 390, `${name} is on the screen`);
    assert.ok(height >= 44, `${name} is large enough for a finger`);
    await goTo(page, name);
    assert.ok(await fits(page), `${name} fits`);
  }
});

scenario('without a token the console asks for one', { options: WITH_KEY }, async ({ context, open }) => {
  const page = await open(await context(), '/console/');
  await page.getByText('Overview needs the token of an admin').waitFor();
  for (const [name, needs] of [['Topics', /subscribe/], ['Publish', /publish/]]) {
    await goTo(page, name);
    await page.getByRole('heading', { name: needs }).waitFor();
    assert.ok(await viewLink(page, name).evaluate((link) => link.classList.contains('closed')));
  }
  const token = mint(grants({ subscribe: ['news/*'], sub: 'reader' }));
  await enterToken(page, token);
  await page.getByText('Publish needs').waitFor();
  await page.getByText('does not allow that').waitFor();
  await page.getByText('reader', { exact: true }).waitFor();
  await goTo(page, 'Topics');
  await until(async () => await page.locator('.gate').count() === 0, 'the topics are open');
  assert.equal(await viewLink(page, 'Topics').evaluate((link) => link.classList.contains('closed')), false);

  assert.ok(!page.url().includes(token), 'the token is not in the URL');
  assert.ok(!await page.evaluate((text) => JSON.stringify({ ...localStorage }).includes(text) || document.cookie.includes(text), token),
    'the token is in no storage that outlives the tab');
  await page.reload();
  await page.getByText('reader', { exact: true }).waitFor();
});

scenario('the first view that the token opens is shown', { options: WITH_KEY }, async ({ context, open }) => {
  const profile = await context();
  await holdToken(profile, mint(grants({ subscribe: ['*'] })));
  await heading(await open(profile, '/console/'), 'Topics').waitFor();
});

scenario('an admin may do all', { options: WITH_KEY }, async ({ context, open }) => {
  const page = await open(await context(), '/console/#/token');
  await enterToken(page, `Bearer ${mint(grants({ publish: ['*'], subscribe: ['*'], admin: true }))}`);
  await until(async () => await page.locator('.views .closed').count() === 0, 'all views are open');
  await goTo(page, 'Overview');
  await page.locator('.panels').waitFor();
});

scenario('a token that the server refuses is shown as that', { options: WITH_KEY }, async ({ context, open, forgive }) => {
  forgive(/status of 401/);
  const page = await open(await context(), '/console/#/topics');
  const [head, claims] = mint(grants({ subscribe: ['*'] })).split('.');
  await enterToken(page, `${head}.${claims}.AAAA`);
  await banner(page, 'The server refuses the token of this tab').waitFor();
  await page.locator('#server[data-state="lost"]').waitFor();
  await page.getByRole('button', { name: 'Go on without a token' }).click();
  await until(async () => await page.locator('#banner *').count() === 0, 'the banner is gone');
  await page.getByText('There is no token in this tab yet.').waitFor();
});

scenario('a token that expires closes what it opened', { options: WITH_KEY }, async ({ context, open, forgive }) => {
  forgive(/status of 401/);
  const page = await open(await context(), '/console/#/topics');
  await enterToken(page, mint(grants({ subscribe: ['*'], exp: Math.ceil(Date.now() / 1000) + 8 })));
  await until(async () => await page.locator('.gate').count() === 0, 'the topics are open');
  await banner(page, /refuses the token.*expired/).waitFor();
  await page.locator('.gate').getByText('The server refuses the token of this tab.').waitFor();
});

scenario('the console works behind a prefix', async ({ context, open, behind, server }) => {
  const proxy = await startProxy('/live/events', () => server.url);
  behind(proxy);
  const profile = await context();
  const foreign = [];
  profile.on('request', (request) => {
    if (!request.url().startsWith(`${proxy.url}/live/events/`)) foreign.push(request.url());
  });
  const page = await open(profile, '/live/events/console/');
  await page.locator('#server[data-state="live"]').waitFor();
  for (const name of VIEWS) await goTo(page, name);
  assert.deepEqual(foreign, []);
});

scenario('the server goes away and comes back', async ({ context, open, server, forgive }) => {
  forgive(/ERR_|status of 50\d/);
  const page = await open(await context(), '/console/');
  await page.locator('#server[data-state="live"]').waitFor();
  await server.stop();
  await banner(page, 'The server cannot be reached.').waitFor();
  await page.locator('#server[data-state="retrying"]').waitFor();
  await heading(page, 'Overview').waitFor();
  await server.start();
  await page.locator('#server[data-state="live"]').waitFor();
  await until(async () => await page.locator('#banner *').count() === 0, 'the banner is gone');
});
