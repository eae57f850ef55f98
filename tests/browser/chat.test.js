/**
 * The chat, as two or three people live through it.
 */
import assert from 'node:assert/strict';
import { broken, entry, knock, listed, say, scenario, sees, state, until } from './harness.js';

scenario('two people see each other come, write and go', async ({ enter }) => {
  const ada = await enter('ada');
  await listed(ada, 'ada');
  await sees(ada, 'ada joined');

  const bob = await enter('bob');
  await listed(bob, 'ada', 'bob');
  await listed(ada, 'ada', 'bob');
  await sees(ada, 'ada and bob joined');

  await say(ada, 'Hello, Bob');
  await sees(bob, 'Hello, Bob');
  await sees(ada, 'Hello, Bob');
  assert.match(await entry(ada, 'Hello, Bob').getAttribute('class'), /own/);
  assert.doesNotMatch(await entry(bob, 'Hello, Bob').getAttribute('class'), /own/);
  assert.match(await entry(bob, 'Hello, Bob').textContent(), /ada/);
  const time = await entry(bob, 'Hello, Bob').locator('time').getAttribute('datetime');
  assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000, time);

  await say(bob, 'Zażółć gęślą jaźń 🎺\nsecond line');
  await sees(ada, 'Zażółć gęślą jaźń 🎺\nsecond line');

  await bob.getByRole('button', { name: 'Leave' }).click();
  await state(bob, 'closed');
  await sees(ada, 'bob left');
  await listed(ada, 'ada');
});

scenario('a private message reaches one person only', async ({ enter }) => {
  const ada = await enter('ada');
  const bob = await enter('bob');
  const eve = await enter('eve');
  await listed(ada, 'ada', 'bob', 'eve');

  await ada.getByRole('button', { name: 'bob' }).click();
  assert.equal(await ada.getByLabel('To', { exact: true }).inputValue(), 'bob');
  await say(ada, 'for Bob alone');
  await sees(bob, 'for Bob alone');
  assert.match(await entry(bob, 'for Bob alone').textContent(), /private/);
  await sees(ada, 'for Bob alone');
  assert.match(await entry(ada, 'for Bob alone').textContent(), /private to bob/);

  await ada.getByLabel('To', { exact: true }).selectOption('Everybody');
  await say(ada, 'for everybody');
  await sees(eve, 'for everybody'); // so anything before it has arrived, too
  assert.equal(await entry(eve, 'for Bob alone').count(), 0);
  await sees(bob, 'for everybody');
  assert.equal(await entry(bob, 'for everybody').count(), 1);
});

scenario('a private message to somebody who left is kept, and never made public', async ({ enter, forgive }) => {
  forgive(/status of 404/);
  const ada = await enter('ada');
  const bob = await enter('bob');
  await listed(ada, 'ada', 'bob');
  await ada.getByLabel('To', { exact: true }).selectOption('bob');
  await bob.close();
  await sees(ada, 'bob left');

  const field = ada.getByLabel('Message', { exact: true });
  await field.fill('too late');
  await field.press('Enter');
  await ada.getByRole('alert').filter({ hasText: 'Not sent' }).waitFor();
  assert.equal(await field.inputValue(), 'too late');
  assert.equal(await entry(ada, 'too late').count(), 0);
});

scenario('text is never taken for HTML', async ({ enter, server }) => {
  const markup = '<img src=x onerror="document.title=\'broken\'"><script>document.title="broken"</script>';
  const ada = await enter('ada');
  const bob = await enter('<b>bob</b>');
  await listed(ada, '<b>bob</b>', 'ada');
  await say(bob, markup);
  await sees(ada, markup);
  assert.equal(await ada.locator('#log :is(img, script, b), #people b').count(), 0);
  assert.equal(await ada.title(), 'Crier chat');
  await server.say('mallory', '&lt;i&gt;');
  await sees(ada, '&lt;i&gt;');
});

scenario('a restart of the server is survived', async ({ enter, server }) => {
  const ada = await enter('ada');
  const bob = await enter('bob');
  await listed(bob, 'ada', 'bob');
  await server.stop();
  await broken(ada);
  await broken(bob);
  await ada.getByText('The connection is lost.').waitFor();

  await server.start();
  await state(ada, 'live');
  await state(bob, 'live');
  await ada.getByText('The connection is lost.').waitFor({ state: 'hidden' });
  await sees(ada, 'Some messages may be missing here.'); // they were in memory
  await listed(ada, 'ada', 'bob');
  await listed(bob, 'ada', 'bob');
  await say(ada, 'still here');
  await sees(bob, 'still here');
});

scenario('a message that cannot be sent is kept', async ({ enter, server, forgive }) => {
  forgive(/ERR_CONNECTION_REFUSED/);
  const ada = await enter('ada');
  await server.stop();
  const field = ada.getByLabel('Message', { exact: true });
  await field.fill('hold on');
  await field.press('Enter');
  await ada.getByRole('alert').filter({ hasText: 'could not be reached' }).waitFor();
  assert.equal(await field.inputValue(), 'hold on');

  await server.start();
  await state(ada, 'live');
  await field.press('Enter');
  await sees(ada, 'hold on');
  await until(async () => await field.inputValue() === '', 'the field is empty');
});

scenario('who was put on the list by hand stays on it', async ({ enter, server }) => {
  const ada = await enter('ada');
  const bob = `${server.url}/users/bob`;
  assert.equal((await fetch(bob, { method: 'POST' })).status, 201);
  await listed(ada, 'ada', 'bob');
  const page = await enter('bob');
  await page.close();
  await sees(ada, 'bob left');
  await enter('cyd');
  await listed(ada, 'ada', 'bob', 'cyd');
  await fetch(bob, { method: 'DELETE' });
  await listed(ada, 'ada', 'cyd');
});

scenario('who is removed stays out', async ({ enter, server }) => {
  const ada = await enter('ada');
  const bob = await enter('bob');
  await fetch(`${server.url}/users/bob`, { method: 'DELETE' });
  await bob.getByRole('alert').filter({ hasText: 'removed' }).waitFor();
  await state(bob, 'closed');
  await listed(ada, 'ada');

  await bob.reload();
  await bob.getByRole('button', { name: 'Join' }).waitFor();
  await until(async () => await server.clients() === 1, 'only ada is connected');
});

scenario('a reload leads back into the room', async ({ enter }) => {
  const ada = await enter('ada');
  await ada.reload();
  await state(ada, 'live');
  await listed(ada, 'ada');
  await say(ada, 'back again');
  await sees(ada, 'back again');
});

scenario('a name the server refuses is refused with its reason', async ({ context, open, forgive }) => {
  forgive(/status of 400/);
  const page = await open(await context());
  await knock(page, 'x'.repeat(65));
  await page.getByRole('alert').filter({ hasText: '64' }).waitFor();
  await state(page, 'closed');
});

scenario('joins and leaves fold into one quiet line', async ({ enter, server, people }) => {
  const ada = await enter('ada');
  const log = ada.getByRole('log');
  for (let n = 1; n <= 60; n += 1) await server.say('bob', `number ${n}.`);
  await sees(ada, 'number 60.');
  await log.hover();
  await ada.mouse.wheel(0, -600);
  await log.and(ada.locator('.reading')).waitFor();

  const leave = await people('bob', 'cyd', 'dan', 'eve', 'fay');
  await sees(ada, 'bob, cyd and 3 more joined');
  leave('cyd');
  await sees(ada, 'bob, dan and 2 more joined · cyd left');
  assert.equal(await ada.locator('#log > .notice').count(), 2);
  assert.equal(await ada.locator('#log > .notice').last().getAttribute('aria-live'), 'off');
  assert.ok(await ada.locator('#newer').isHidden(), 'they are no new messages');
  await server.say('bob', 'one more');
  await ada.getByRole('button', { name: '1 new message' }).waitFor();
  leave('dan');
  await sees(ada, /^dan left$/);
});

scenario('the list follows a message of the reader\'s own that makes the field shrink', async ({ enter, server }) => {
  const ada = await enter('ada');
  const log = ada.getByRole('log');
  for (let n = 1; n <= 30; n += 1) await server.say('bob', `number ${n}.`);
  await sees(ada, 'number 30.');
  const field = ada.getByLabel('Message', { exact: true });
  for (let n = 1; n <= 5; n += 1) {
    await field.fill('');
    await field.pressSequentially(`first ${n}`);
    for (let line = 2; line <= 5; line += 1) {
      await field.press('Shift+Enter');
      await field.pressSequentially(`line ${line}`);
    }
    const height = await field.evaluate((e) => e.clientHeight);
    assert.ok(height > 100, `the field has grown: ${height}`);
    await field.press('Enter');
    await sees(ada, `first ${n}`);
    await until(async () => await field.inputValue() === '', 'the field is empty');
    await until(() => log.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight < 2), `message ${n} is in view`);
  }
});

scenario('a message whose answer is lost is not said twice', async ({ enter, forgive }) => {
  forgive(/ERR_FAILED/);
  const ada = await enter('ada');
  const field = ada.getByLabel('Message', { exact: true });
  const bodies = [];
  await ada.route('**/chat', async (route) => {
    bodies.push(route.request().postDataJSON());
    const answer = await route.fetch();
    if (bodies.length === 1) await route.abort('failed');
    else await route.fulfill({ response: answer });
  });
  await field.fill('once');
  await field.press('Enter');
  await sees(ada, 'once');
  await until(async () => await field.inputValue() === '', 'the stream has brought it back, so it was taken');
  assert.equal(await ada.locator('#unsent').textContent(), '');

  // The same words once more are another message.
  await field.fill('once');
  await field.press('Enter');
  await until(async () => await entry(ada, 'once').count() === 2, 'it is said again');
  assert.notEqual(bodies[0].id, bodies[1].id);
});

scenario('a message that the stream has brought back does not hold up the next one', async ({ enter }) => {
  const ada = await enter('ada');
  const field = ada.getByLabel('Message', { exact: true });
  let respond;
  const responded = new Promise((resolve) => { respond = resolve; });
  await ada.route('**/chat', async (route) => {
    const response = await route.fetch();
    await responded;
    await route.fulfill({ response });
  }, { times: 1 });
  for (const text of ['first', 'second']) {
    await say(ada, text);
    await sees(ada, text);
  }
  await field.fill('a third one');
  const answered = ada.waitForResponse('**/chat');
  respond();
  await (await answered).finished();
  await sees(ada, 'second');
  assert.equal(await field.inputValue(), 'a third one');
});

scenario('a message is sent again under the same id', async ({ enter, forgive }) => {
  forgive(/ERR_FAILED/);
  const ada = await enter('ada');
  const field = ada.getByLabel('Message', { exact: true });
  const ids = [];
  await ada.route('**/chat', async (route) => {
    ids.push(route.request().postDataJSON().id);
    if (ids.length < 3) await route.abort('failed');
    else await route.continue();
  });
  await field.fill('try');
  for (let n = 1; n <= 2; n += 1) {
    await ada.locator('#unsent').evaluate((trouble) => { trouble.textContent = ''; }); // of the attempt before
    await field.press('Enter');
    await until(() => ids.length === n, `attempt ${n}`);
    await ada.getByRole('alert').filter({ hasText: 'could not be reached' }).waitFor();
  }
  await field.press('Enter');
  await sees(ada, 'try');
  assert.ok(ids[0] && ids[0] === ids[1] && ids[1] === ids[2], ids.join());
});

scenario('storage that is full or forbidden keeps nobody out', async ({ context, enter }) => {
  const full = await context();
  await full.addInitScript(() => {
    Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };
  });
  await listed(await enter('ada', full), 'ada');
  const forbidden = await context();
  await forbidden.addInitScript(() => {
    for (const area of ['localStorage', 'sessionStorage']) {
      Object.defineProperty(globalThis, area, { get() { throw new DOMException('no', 'SecurityError'); } });
    }
  });
  await listed(await enter('bob', forbidden), 'ada', 'bob');
});

scenario('the list follows the newest message, but not away from the reader', async ({ enter, server }) => {
  const ada = await enter('ada');
  const log = ada.getByRole('log');
  const atEnd = () => log.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight < 2);
  for (let n = 1; n <= 520; n += 1) await server.say('bob', `number ${n}.`);
  await sees(ada, 'number 520.');
  await until(atEnd, 'the newest message is in view');
  assert.equal(await log.locator('> *').count(), 500);

  await log.hover();
  await ada.mouse.wheel(0, -600);
  await log.and(ada.locator('.reading')).waitFor();
  const top = await log.evaluate((e) => e.scrollTop);
  await server.say('bob', 'one more');
  const button = ada.getByRole('button', { name: '1 new message' });
  await button.waitFor();
  assert.ok(!await atEnd());
  assert.ok(await log.evaluate((e) => e.scrollTop) <= top);

  await button.click();
  await until(atEnd, 'the newest message is in view again');
  await button.waitFor({ state: 'hidden' });
});
