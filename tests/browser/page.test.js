/**
 * The pages as pages: by keyboard, on a phone, in the dark, to a screen reader.
 */
import assert from 'node:assert/strict';
import { listed, say, scenario, sees, state, until } from './harness.js';

const focused = (page) => page.evaluate(() => document.activeElement.id);

/** Presses Tab until the focus is where it should be. */
async function tabTo(page, id) {
  for (let n = 0; n < 20; n += 1) {
    if (await focused(page) === id) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not lead to ${id}`);
}

scenario('the keyboard is enough', async ({ context, enter, open }) => {
  const bob = await enter('bob');
  const ada = await open(await context());
  await tabTo(ada, 'name');
  await ada.keyboard.type('ada');
  await ada.keyboard.press('Enter');
  await state(ada, 'live');
  await until(async () => await focused(ada) === 'text', 'the message field has the focus');
  await ada.keyboard.type('by hand');
  await ada.keyboard.press('Shift+Enter');
  await ada.keyboard.type('in two lines');
  await ada.keyboard.press('Enter');
  await sees(bob, 'by hand\nin two lines');

  // Choose Bob in the list, and write to him alone.
  await listed(ada, 'ada', 'bob');
  await tabTo(ada, 'leave');
  await ada.keyboard.press('Tab');
  await until(() => ada.evaluate(() => document.activeElement.matches('button.person')), 'a person has the focus');
  await ada.keyboard.press('Enter');
  await until(async () => await focused(ada) === 'text', 'the message field has the focus again');
  await ada.keyboard.type('quietly');
  await ada.keyboard.press('Enter');
  await sees(bob, 'quietly');

  await tabTo(ada, 'leave');
  await ada.keyboard.press('Enter');
  await sees(bob, 'ada left');
  assert.equal(await focused(ada), 'name');
});

scenario('whatever has the focus shows it', async ({ enter }) => {
  const ada = await enter('ada');
  for (let n = 0; n < 8; n += 1) {
    await ada.keyboard.press('Tab');
    const outline = await ada.evaluate(() => getComputedStyle(document.activeElement).outlineWidth);
    assert.equal(outline, '3px');
  }
});

scenario('landmarks, labels and live regions are there', async ({ enter, open }) => {
  const ada = await enter('ada');
  for (const [role, name] of [
    ['banner'], ['main'], ['navigation', 'Pages'], ['complementary', /Here now/], ['region', 'Conversation'],
    ['log', 'Messages'], ['textbox', 'Message'], ['combobox', 'To'], ['button', 'Send'], ['status'],
  ]) await ada.getByRole(role, { name, exact: true }).first().waitFor();
  assert.equal(await ada.getByRole('log').getAttribute('aria-live'), 'polite');

  const live = await open(ada.context(), '/live.html');
  for (const name of ['Quotes', 'Ticks', 'Tokens', 'Topics']) await live.getByRole('region', { name }).waitFor();
  assert.equal(await live.locator('[data-origin]').first().textContent(), new URL(live.url()).origin);
  await live.getByRole('link', { name: 'Chat' }).click();
  await ada.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' });
});

/** What is to be touched, is visible, and is smaller than 44 pixels. */
const small = (page) => page.evaluate(() => [...document.querySelectorAll('a, button, input, select, textarea, summary')]
  .filter((element) => element.checkVisibility() && !element.matches('.skip'))
  .map((element) => [element, element.getBoundingClientRect()])
  .filter(([, { width, height }]) => height < 44 || width < 44)
  .map(([element, { width, height }]) => `${element.localName} "${element.textContent.trim()}": ${width} x ${height}`));

for (const width of [320, 390]) {
  scenario(`a phone ${width} pixels wide shows everything`, async ({ context, enter, open, server }) => {
    const phone = await context({ viewport: { width, height: 568 }, hasTouch: true, isMobile: true });
    const fits = async (page) => {
      const wide = await page.evaluate(() => [...document.querySelectorAll('html, #log, .side, main, .card')]
        .filter((element) => element.scrollWidth > element.clientWidth)
        .map((element) => `${element.localName}#${element.id} is ${element.scrollWidth} pixels wide`));
      assert.deepEqual(wide, []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width);
    };
    const page = await open(phone);
    await fits(page);
    assert.deepEqual(await small(page), []);
    await page.close();

    const ada = await enter('ada', phone);
    await enter('a-name-of-64-characters-'.padEnd(64, 'x'));
    await server.say('bob', 'x'.repeat(400));
    await say(ada, 'W'.repeat(300));
    await sees(ada, 'WWW');
    await fits(ada);
    for (const control of ['#text', '#say .primary', '#to', '#leave', '#status']) {
      const box = await ada.locator(control).boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= width, `${control} is within the width`);
      assert.ok(box.y >= 0 && box.y + box.height <= 568, `${control} is within the height`);
    }
    assert.ok((await ada.locator('#log').boundingBox()).height > 150, 'there is room for messages');
    assert.deepEqual(await small(ada), []);

    // The people are one row: how many they are is said, and that it goes on is seen.
    assert.ok(await ada.locator('#count').isVisible());
    await until(async () => await ada.locator('#count').textContent() === '2', 'two people are here');
    const people = ada.locator('#people');
    assert.ok(await people.evaluate((e) => e.scrollWidth > e.clientWidth), 'it scrolls');
    assert.match(await people.evaluate((e) => getComputedStyle(e).maskImage), /gradient/);

    const live = await open(phone, '/live.html');
    await live.locator('[data-symbol]').first().waitFor();
    await fits(live);
    assert.deepEqual(await small(live), []);
  });
}

scenario('light and dark follow the system', async ({ context, enter }) => {
  const brightness = (page, selector) => page.locator(selector).evaluate((element) => {
    const [r, g, b] = getComputedStyle(element).backgroundColor.match(/\d+/g).map(Number);
    return (r + g + b) / 3;
  });
  const light = await enter('ada', await context({ colorScheme: 'light' }));
  assert.ok(await brightness(light, 'html') > 200);
  const dark = await enter('bob', await context({ colorScheme: 'dark' }));
  assert.ok(await brightness(dark, 'html') < 50);
  assert.ok(await brightness(dark, '.talk') < 60);
});

scenario('nothing moves for those who asked for stillness', async ({ context, open }) => {
  const page = await open(await context({ reducedMotion: 'reduce' }), '/live.html');
  await state(page, 'live', '#ticks .status');
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.locator('.answer[aria-busy="true"]').waitFor();
  assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
});

scenario('without the demo the pages say so, and topics work', {
  options: ['--demo', 'off'],
}, async ({ context, open, server, forgive }) => {
  forgive(/status of 404/);
  const browser = await context();
  const chat = await open(browser);
  await chat.getByText('The demo is off on this server').waitFor();
  assert.ok(await chat.locator('#join').isHidden());
  const live = await open(browser, '/live.html');
  await live.getByText('The demo is off on this server').waitFor();
  for (const card of ['#quotes', '#ticks', '#tokens']) assert.ok(await live.locator(card).isHidden(), card);
  await live.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await state(live, 'live', '#topics .status');
  assert.equal(await server.clients(), 1);
  await live.getByRole('button', { name: 'Publish' }).click();
  await live.locator('#topics .updates li').waitFor();
});
