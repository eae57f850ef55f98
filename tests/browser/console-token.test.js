/**
 * The Token view of the console: what a token grants, and making one.
 */
import assert from 'node:assert/strict';
import { SECRET, WITH_KEY, enterToken, fits, goTo, grants, heading, mint } from './console.js';
import { scenario, until } from './harness.js';

const fact = (page, name) => page.locator('.current > dl dt', { hasText: name }).locator('xpath=following-sibling::dd[1]');

scenario('a token is shown as the server sees it', { options: WITH_KEY }, async ({ context, open }) => {
  const page = await open(await context(), '/console/#/token');
  await page.getByText('There is none.').waitFor();
  const exp = Math.floor(Date.now() / 1000) + 5400;
  await enterToken(page, mint(grants({ sub: 'ada', publish: ['news/*'], subscribe: ['user/{id}', 'log'], admin: true, exp })));
  await fact(page, 'Subject').getByText('ada').waitFor();
  assert.deepEqual(await fact(page, 'Publishes to').locator('code').allTextContents(), ['news/*']);
  assert.deepEqual(await fact(page, 'Subscribes to').locator('code').allTextContents(), ['user/{id}', 'log']);
  assert.equal(await fact(page, 'Admin').textContent(), 'yes');
  assert.match(await fact(page, 'Expires').textContent(), /^in 1 h (29|30) min /);
  assert.ok(await heading(page, 'Token').evaluate((title) => title === document.activeElement), 'the focus is not lost');

  await page.getByRole('button', { name: 'Forget it' }).click();
  await page.getByText('There is none.').waitFor();
});

scenario('a pasted token is read before it is used', { options: WITH_KEY }, async ({ context, open }) => {
  const page = await open(await context(), '/console/#/token');
  const [field, preview] = [page.getByLabel('Token', { exact: true }), page.locator('.preview')];
  await field.fill(mint(grants({ sub: '<b>é</b>', subscribe: ['*'], exp: 1000000000 })));
  await preview.getByText('It has expired.').waitFor();
  assert.ok((await preview.locator('pre').textContent()).includes('"sub": "<b>é</b>"'));
  await field.fill('a-static-token-of-some-length');
  await preview.getByText('This is no JWT.').waitFor();
  await field.fill('no token');
  await page.getByRole('button', { name: 'Use this token' }).click();
  await page.getByText('This is no token').waitFor();
  await page.getByText('There is none.').waitFor();
});

scenario('a token is made in the page, and the secret stays there', { options: WITH_KEY }, async ({ context, open, server }) => {
  const profile = await context();
  const sent = [];
  const page = await open(profile, '/console/#/token');
  profile.on('request', (request) => sent.push(request.url() + JSON.stringify(request.headers()) + (request.postData() ?? '')));

  await page.getByLabel('Secret').fill('short');
  await page.getByLabel('May publish to').fill('news/*\n\n orders ');
  const make = page.getByRole('button', { name: 'Make the token' });
  await make.click();
  await page.getByText('The secret has 5 bytes; HS256 needs at least 32.').waitFor();
  await page.getByLabel('Secret').fill(SECRET);
  await page.getByLabel('May subscribe to').fill('user/{id}');
  await page.getByLabel('Subject').fill('ada');
  await page.getByLabel('Expires after').selectOption('1 day');
  await make.click();
  const shown = page.locator('.minted .token');
  const token = await shown.textContent();

  const response = await fetch(`${server.url}/identity`, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal(response.status, 200, 'the server accepts it');
  const { identity } = await response.json();
  assert.deepEqual([identity.subject, identity.publish, identity.subscribe, identity.admin], ['ada', ['news/*', 'orders'], ['user/{id}'], false]);
  const left = (Date.parse(identity.expires) - Date.now()) / 1000;
  assert.ok(left > 86_300 && left <= 86_400, 'it expires after a day');
  assert.equal(await page.locator('.mint .command code').textContent(),
    "crier token --key HS256:@secret.key --publish 'news/*' --publish orders --subscribe 'user/{id}' --subject ada --expires 1d");

  await page.getByRole('button', { name: 'Use it in this tab' }).click();
  await fact(page, 'Subject').getByText('ada').waitFor();
  const isKept = () => page.evaluate((secret) => [...document.querySelectorAll('input, textarea')].some(({ value }) => value.includes(secret)) ||
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, location.href, document.cookie]).includes(secret), SECRET);
  assert.equal(await isKept(), false, 'the secret is nowhere once the view is built again');

  await page.getByLabel('Secret').fill(SECRET);
  await goTo(page, 'Topics');
  await goTo(page, 'Token');
  assert.equal(await isKept(), false, 'nor when the view was left');
  assert.ok(sent.length > 0);
  assert.ok(!sent.some((text) => text.includes(SECRET)), 'the secret is in no request');
});

for (const [algorithm, bits] of [['HS384', 384], ['HS512', 512]]) {
  scenario(`${algorithm} makes tokens, too`, { options: ['--jwt-key', `${algorithm}:${SECRET}`] }, async ({ context, open, server }) => {
    const page = await open(await context(), '/console/#/token');
    await page.getByLabel('Algorithm').selectOption(algorithm);
    await page.getByText(`At least ${bits / 8} bytes`).waitFor();
    await page.getByLabel('Secret').fill(SECRET);
    const make = page.getByRole('button', { name: 'Make the token' });
    await make.click();
    await page.getByText('It grants nothing yet').waitFor();
    await page.getByLabel(/Admin/).check();
    await page.getByLabel('Expires after').selectOption('Never');
    await make.click();
    const token = await page.locator('.minted .token').textContent();
    const { may, identity } = await (await fetch(`${server.url}/identity`, { headers: { Authorization: `Bearer ${token}` } })).json();
    assert.equal(may.admin, true);
    assert.equal(identity.expires, null);
  });
}

scenario('a page that is not secure says how to make a token', { options: WITH_KEY }, async ({ context, server, forgive }) => {
  forgive(/Cross-Origin-Opener-Policy/); // which a browser ignores there, too
  const page = await (await context()).newPage();
  await page.goto(`http://events.example.com:${new URL(server.url).port}/console/#/token`);
  await page.getByText('signs only on pages that come by https').waitFor();
  assert.equal(await page.getByLabel('Secret').count(), 0);
  await page.locator('.mint .command').getByText('crier token --key').waitFor();
  await until(() => fits(page), 'it fits');
});
