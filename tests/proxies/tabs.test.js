/**
 * The chat page over HTTP/2: all streams share one connection, so each tab has an
 * EventSource of its own, and neither the browser's six connections nor the worker's five
 * streams limit how many there are.
 */
import assert from 'node:assert/strict';
import { join, listed, reads, say, scenario, sees, state, until } from '../browser/harness.js';
import { Proxy } from './programs.js';

const NAMES = ['ada', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gus', 'hal', 'ida', 'joe'];

scenario('twenty tabs have a stream each, and receive every message', async ({ behind, context, forgive, open, server }) => {
  forgive(/net::ERR_|status of 502/); // while crierd restarts
  const proxy = new Proxy();
  behind(proxy);
  await proxy.start('nginx', new URL(server.url).host);
  const profile = await context({ ignoreHTTPSErrors: true });
  const tabs = await Promise.all(Array.from({ length: 20 }, () => open(profile)));
  await Promise.all(tabs.map((tab, n) => join(tab, NAMES[n % NAMES.length])));
  assert.equal(await server.clients(), 20); // two under each name, which share nothing
  await Promise.all(tabs.map((tab) => listed(tab, ...NAMES)));

  const texts = ['from the first tab', 'from the second', 'from the last'];
  for (const [n, text] of texts.entries()) await say(tabs.at([0, 1, -1][n]), text);
  await Promise.all(tabs.map((tab) => reads(tab, ...texts)));

  await tabs.pop().close();
  await until(async () => await server.clients() === 19, 'the closed tab has left');
  await server.stop();
  await server.start();
  await Promise.all(tabs.map((tab) => state(tab, 'live')));
  await server.say('eve', 'after the restart');
  await Promise.all(tabs.map((tab) => sees(tab, 'after the restart')));
});
