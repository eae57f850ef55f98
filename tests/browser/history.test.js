/**
 * What the chat keeps: who comes late, comes again, or was away for a while sees
 * what was said, once.
 */
import assert from 'node:assert/strict';
import { broken, entry, join, listed, reads, say, scenario, sees, state, until } from './harness.js';

const GAP = 'Some messages may be missing here.';
const to = (page, name) => page.getByLabel('To', { exact: true }).selectOption(name);

scenario('a newcomer is shown the last fifty messages', async ({ enter, server }) => {
  const texts = Array.from({ length: 53 }, (_, n) => `number ${n}.`);
  for (const text of texts) await server.say('bob', text);
  const ada = await enter('ada');
  await reads(ada, ...texts.slice(3));
  assert.equal(await entry(ada, 'bob joined').count(), 0);
  const message = entry(ada, 'number 52.');
  assert.match(await message.locator('time').textContent(), /\d/);
  assert.equal(await message.getAttribute('aria-live'), 'off');
  await until(() => ada.getByRole('log').evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight < 2),
    'the newest message is in view');
  assert.equal(await ada.evaluate(() => document.activeElement.id), 'text');

  await server.say('bob', 'now');
  await reads(ada, ...texts.slice(3), 'now');
  assert.equal(await entry(ada, 'now').getAttribute('aria-live'), null);
});

scenario('a reload shows everything again, and private messages to both', async ({ enter }) => {
  const [ada, bob, eve] = [await enter('ada'), await enter('bob'), await enter('eve')];
  await listed(ada, 'ada', 'bob', 'eve');
  await say(ada, 'to all');
  await to(ada, 'bob');
  await say(ada, 'to Bob');
  await reads(bob, 'to all', 'to Bob');
  await to(bob, 'ada');
  await say(bob, 'to Ada');
  await reads(ada, 'to all', 'to Bob', 'to Ada');

  for (const page of [ada, bob, eve]) {
    await page.reload();
    await state(page, 'live');
  }
  await reads(ada, 'to all', 'to Bob', 'to Ada');
  await reads(bob, 'to all', 'to Bob', 'to Ada');
  await reads(eve, 'to all');
  assert.match(await entry(ada, 'to Bob').getAttribute('class'), /own private/);
  assert.match(await entry(ada, 'to Bob').textContent(), /private to bob/);
  assert.doesNotMatch(await entry(ada, 'to Ada').getAttribute('class'), /own/);
  assert.match(await entry(ada, 'to Ada').textContent(), /private/);

  await say(ada, 'and on'); // to everybody: a reload forgets whom one wrote to
  for (const page of [ada, bob]) await reads(page, 'to all', 'to Bob', 'to Ada', 'and on');
  await reads(eve, 'to all', 'and on');
});

scenario('who leaves and comes back as somebody else sees nothing private', async ({ enter }) => {
  const ada = await enter('ada');
  const bob = await enter('bob');
  await listed(ada, 'ada', 'bob');
  await to(ada, 'bob');
  await say(ada, 'secret');
  await reads(bob, 'secret');
  await ada.getByRole('button', { name: 'Leave' }).click();
  await join(ada, 'eve');
  await say(bob, 'hello');
  await reads(ada, 'hello');
  await ada.getByRole('button', { name: 'Leave' }).click();
  await join(ada, 'ada');
  await reads(ada, 'secret', 'hello');
});

for (const [way, title] of [
  ['dead', 'the browser goes on where a connection broke'],
  ['busy', 'so does the page when the browser has given up'],
]) {
  scenario(title, async ({ enter, lay, server, forgive }) => {
    forgive(/status of 503/);
    const line = await lay();
    const ada = await enter('ada');
    await server.say('bob', 'before');
    await reads(ada, 'before');
    line.cut(way);
    await (way === 'busy' ? state(ada, 'lost') : broken(ada));
    await until(async () => await server.clients() === 0, 'the stream is closed');
    const meanwhile = Array.from({ length: 70 }, (_, n) => `meanwhile ${n}.`);
    for (const text of meanwhile) await server.say('bob', text);
    line.mend();
    await state(ada, 'live');
    await server.say('bob', 'after');
    await reads(ada, 'before', ...meanwhile, 'after');
    assert.equal(await entry(ada, GAP).count(), 0);

    // The one way after the other: the newest id counts.
    line.cut();
    await until(async () => await server.clients() === 0, 'the stream is closed again');
    await server.say('bob', 'once more');
    line.mend();
    await reads(ada, 'before', ...meanwhile, 'after', 'once more');
    assert.equal(await entry(ada, GAP).count(), 0);
  });
}

scenario('with a journal, a restart of the server loses nothing', { journal: true }, async ({ enter, server }) => {
  const ada = await enter('ada');
  const bob = await enter('bob');
  await listed(ada, 'ada', 'bob');
  await say(ada, 'one');
  await to(ada, 'bob');
  await say(ada, 'two');
  for (const page of [ada, bob]) await reads(page, 'one', 'two');
  await server.stop();
  await broken(ada);
  await broken(bob);
  await server.start();
  await server.say('cyd', 'three');
  for (const page of [ada, bob]) await reads(page, 'one', 'two', 'three');
  await listed(ada, 'ada', 'bob');
  await say(bob, 'four');
  for (const page of [ada, bob]) await reads(page, 'one', 'two', 'three', 'four');
  for (const page of [ada, bob]) assert.equal(await entry(page, GAP).count(), 0);
  await reads(await enter('cyd'), 'one', 'three', 'four');
});

scenario('a gap is told of', { options: ['--retain-count', '5'] }, async ({ context, enter, lay, server }) => {
  const line = await lay();
  const profile = await context();
  const ada = await enter('ada', profile);
  await server.say('bob', 'before');
  await reads(ada, 'before');
  line.cut();
  await until(async () => await server.clients() === 0, 'the stream is closed');
  for (let n = 1; n <= 20; n += 1) await server.say('bob', `meanwhile ${n}.`);
  line.mend();
  await sees(ada, 'meanwhile 20.');
  assert.equal(await entry(ada, GAP).count(), 1);
  assert.equal(await entry(ada, 'meanwhile 3.').count(), 0);
  assert.equal(await entry(ada, 'before').count(), 1);
  const texts = (page) => page.locator('#log > :has(.bubble), #log > .notice').allTextContents();
  const at = (await texts(ada)).indexOf(GAP);
  assert.ok(at > 0 && (await texts(ada)).findIndex((text) => text.includes('meanwhile')) === at + 1, 'it is in its place');

  const late = await enter('ada', profile); // shares the stream, and what is known of it
  await sees(late, 'meanwhile 20.');
  assert.equal(await entry(late, GAP).count(), 1);
});

scenario('a late tab is shown what was said, too', async ({ context, enter, server }) => {
  await server.say('bob', 'before');
  const profile = await context();
  const first = await enter('ada', profile);
  const bob = await enter('bob');
  await listed(first, 'ada', 'bob');
  await to(first, 'bob');
  await say(first, 'psst');
  await reads(bob, 'before', 'psst');
  const second = await enter('ada', profile);
  assert.equal(await server.clients(), 2);
  await reads(second, 'before', 'psst');
  await listed(second, 'ada', 'bob');
  const time = (page) => entry(page, 'psst').locator('time').getAttribute('datetime');
  assert.equal(await time(second), await time(first));
  await say(second, 'now');
  for (const page of [first, second]) await reads(page, 'before', 'psst', 'now');
});

scenario('a server that sends something twice is heard once', async ({ context, open, server }) => {
  await server.say('bob', 'Hello');
  const profile = await context();
  await profile.addInitScript(() => { // every event comes twice
    delete globalThis.SharedWorker;
    const { addEventListener } = EventSource.prototype;
    EventSource.prototype.addEventListener = function (type, listener) {
      addEventListener.call(this, type, (event) => { listener(event); listener(event); });
    };
  });
  const ada = await open(profile);
  await join(ada, 'ada');
  await server.say('bob', 'again');
  await reads(ada, 'Hello', 'again');
  assert.equal(await entry(ada, 'ada joined').count(), 1);
});

scenario('what was said before is not unread', async ({ context, enter, server }) => {
  for (const text of ['one', 'two']) await server.say('bob', text);
  const profile = await context();
  await profile.addInitScript(() => Object.defineProperty(Document.prototype, 'hidden', { get: () => true }));
  const ada = await enter('ada', profile);
  await reads(ada, 'one', 'two');
  assert.equal(await ada.title(), 'Crier chat');
  await server.say('bob', 'three');
  await reads(ada, 'one', 'two', 'three');
  assert.equal(await ada.title(), '(1) Crier chat');
});

scenario('what is unread does not depend on the clock of the reader', async ({ context, open, server }) => {
  await server.say('bob', 'before');
  for (const hours of [-3, 3]) {
    const profile = await context();
    await profile.addInitScript(() => Object.defineProperty(Document.prototype, 'hidden', { get: () => true }));
    const page = await open(profile);
    await page.clock.setFixedTime(Date.now() + hours * 3_600_000);
    await join(page, `ada${hours}`);
    await sees(page, 'before');
    assert.equal(await page.title(), 'Crier chat');
    await server.say('bob', `after ${hours}.`);
    await sees(page, `after ${hours}.`);
    assert.equal(await page.title(), '(1) Crier chat');
  }
});

scenario('messages of another day are told apart', async ({ context, open, server }) => {
  await server.say('bob', 'yesterday');
  const profile = await context({ locale: 'en-GB', timezoneId: 'UTC' });
  const ada = await open(profile);
  await ada.clock.setFixedTime(Date.now() + 86_400_000);
  await join(ada, 'ada');
  await server.say('bob', 'and another');
  await reads(ada, 'yesterday', 'and another');
  assert.equal(await ada.locator('#log .day').count(), 1);
  const date = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeZone: 'UTC' });
  assert.equal(await ada.locator('#log > .day:first-child').textContent(), date.format(Date.now()));
});
