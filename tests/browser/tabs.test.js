/**
 * Many tabs of one browser: they share connections, because a browser has
 * only six of them per server.
 */
import assert from 'node:assert/strict';
import { entry, join, knock, listed, say, scenario, sees, state, until } from './harness.js';

const NAMES = ['ada', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gus', 'hal'];
const clients = (server, n) => until(async () => await server.clients() === n, `${n} streams are open`);

scenario('eight tabs under one name share one connection', async ({ context, enter, open, server }) => {
  const profile = await context();
  const tabs = [await enter('ada', profile)];
  while (tabs.length < 8) {
    const tab = await open(profile);
    assert.equal(await tab.getByLabel('Your name').inputValue(), 'ada'); // offered
    await tab.getByRole('button', { name: 'Join' }).click();
    await state(tab, 'live');
    tabs.push(tab);
  }
  assert.equal(await server.clients(), 1);
  for (const tab of tabs) await listed(tab, 'ada');
  await tabs[0].getByText('8 tabs share one connection').waitFor();

  const bob = await enter('bob');
  await say(bob, 'hello to all tabs');
  for (const tab of tabs) {
    await sees(tab, 'hello to all tabs');
    await listed(tab, 'ada', 'bob');
  }
  for (const [n, tab] of tabs.entries()) await say(tab, `from tab ${n}.`);
  for (const [n] of tabs.entries()) await sees(bob, `from tab ${n}.`);
  for (const tab of tabs) {
    await sees(tab, 'from tab 7.');
    assert.equal(await entry(tab, 'from tab 7.').count(), 1);
  }
  assert.equal(await server.clients(), 2);
});

scenario('a closed tab leaves the others alone; the last one leaves the chat', async ({ context, enter, server }) => {
  const watcher = await enter('watcher');
  const profile = await context();
  const first = await enter('ada', profile);
  const second = await enter('ada', profile);
  await clients(server, 2);

  await first.close();
  await say(watcher, 'anybody?');
  await sees(second, 'anybody?');
  await say(second, 'me');
  await sees(watcher, 'me');
  assert.equal(await entry(watcher, 'ada left').count(), 0);

  await second.close();
  await sees(watcher, 'ada left');
  await listed(watcher, 'watcher');
  await clients(server, 1);
});

scenario('a tab that crashes is noticed', async ({ context, enter, open, server }) => {
  const profile = await context();
  const watcher = await enter('watcher');
  const live = await open(profile, '/live.html'); // keeps the worker alive
  await state(live, 'live', '#ticks .status');
  const ada = await enter('ada', profile);
  await listed(watcher, 'ada', 'watcher');
  const crash = ada.waitForEvent('crash');
  ada.goto('chrome://crash').catch(() => {});
  await crash;
  await sees(watcher, 'ada left');
  await clients(server, 3);
});

scenario('different names: five at once, the sixth waits for its turn', async ({ context, enter, open, server }) => {
  const profile = await context();
  const tabs = [];
  for (const name of NAMES.slice(0, 5)) tabs.push(await enter(name, profile));

  const sixth = await open(profile);
  await knock(sixth, 'fay');
  await sixth.getByText('as many streams to this server as it can').waitFor();
  await state(sixth, 'connecting');
  await say(sixth, 'I can write already'); // a connection is left for that
  await sees(tabs[0], 'I can write already');
  assert.equal(await server.clients(), 5);

  await tabs[2].getByRole('button', { name: 'Leave' }).click();
  await state(sixth, 'live');
  await listed(sixth, 'ada', 'bob', 'dan', 'eve', 'fay');
  await join(tabs[2], 'ada'); // shares a stream, so it need not wait
  assert.equal(await server.clients(), 5);
});

scenario('a private message shows in all tabs of its sender', async ({ context, enter }) => {
  const profile = await context();
  const first = await enter('ada', profile);
  const second = await enter('ada', profile);
  const bob = await enter('bob');
  await first.getByLabel('To', { exact: true }).selectOption('bob');
  await say(first, 'psst');
  await sees(bob, 'psst');
  await sees(second, 'psst');
  assert.equal(await entry(first, 'psst').count(), 1);
  assert.match(await entry(second, 'psst').textContent(), /private to bob/);
});

scenario('without shared workers, each tab has its own connection', async ({ context, enter, server }) => {
  const profile = await context();
  await profile.addInitScript(() => { delete globalThis.SharedWorker; });
  const first = await enter('ada', profile);
  const second = await enter('ada', profile);
  await clients(server, 2);
  await listed(second, 'ada');
  await say(first, 'both of me');
  await sees(first, 'both of me');
  await sees(second, 'both of me');
  await second.close();
  await clients(server, 1);
  await say(first, 'one of me');
  await sees(first, 'one of me');
});

scenario('without locks, a page that is left says farewell', async ({ context, enter, server }) => {
  const watcher = await enter('watcher');
  const profile = await context();
  await profile.addInitScript(() => { delete Navigator.prototype.locks; });
  const first = await enter('ada', profile);
  const second = await enter('ada', profile);
  await clients(server, 2);
  await first.getByText('2 tabs share one connection').waitFor();
  await second.goto(`${server.url}/docs/`); // a browser that closes a tab does not wait long for what its page has to do
  await first.getByText('2 tabs share one connection').waitFor({ state: 'hidden' });
  await first.reload();
  await state(first, 'live');
  await clients(server, 2);
  await listed(watcher, 'ada', 'watcher');
});

scenario('a full server is tried again', { options: ['--max-clients', '1'] }, async ({ enter, context, open }) => {
  const ada = await enter('ada');
  const bob = await open(await context());
  await knock(bob, 'bob');
  await state(bob, 'lost');
  await bob.getByText('as many clients as it takes').waitFor();
  await ada.close();
  await state(bob, 'live');
  await bob.getByText('as many clients as it takes').waitFor({ state: 'hidden' });
  await listed(bob, 'bob');
});
