/**
 * The example of doc/examples/answer: a language model's answer survives a reload, a lost
 * connection and another window, word for word.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scenario, until } from './harness.js';

const example = (name) => fileURLToPath(new URL(`../../doc/examples/answer/${name}`, import.meta.url));
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
test.after(() => children.forEach((child) => child.kill('SIGKILL')));

/** Starts one of the example's programs at a free port. @returns {Promise<string>} its URL */
async function start(program, env = {}, args = []) {
  const child = spawn(process.execPath, [example(program), '0', ...args], {
    env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  for await (const line of createInterface(child.stdout)) {
    const url = /https?:\S+/.exec(line);
    if (url) return url[0];
  }
  throw new Error(`${program} has ended`);
}

/** A model that takes so long for its answer that a test can interrupt it. */
const slowModel = () => start('model.mjs', {}, ['120']);

const text = (page) => page.locator('#answer').textContent();
const words = async (page, count) => until(async () => (await text(page)).split(' ').length > count, `${count} words`);
const status = (page, wanted) => page.locator('#status', { hasText: wanted }).waitFor();
const END = 'Not one word is missing, and none comes twice.';

async function ask(page, url, prompt) {
  await page.goto(url);
  await page.getByLabel('Your question').fill(prompt);
  await page.getByRole('button', { name: 'Ask' }).click();
  await words(page, 10);
}

const OPTIONS = { options: ['--cors-origin', '*', '--demo', 'off'] };

scenario('an answer goes on after a reload, and in another window', OPTIONS, async ({ context, server }) => {
  const MODEL_URL = await start('model.mjs');
  const url = await start('relay.mjs', { CRIER_SERVER: server.url, MODEL_URL });
  const one = await context();
  const page = await one.newPage();
  await ask(page, url, 'why?');
  const before = await text(page);
  await page.reload();
  await until(async () => (await text(page)).startsWith(before), 'what was there before');
  const other = await (await context()).newPage();
  await other.goto(page.url());
  for (const reader of [page, other]) {
    await status(reader, 'complete');
    const whole = await text(reader);
    assert.match(whole, /^You asked: "why\?"\. I am no language model/);
    assert.equal(whole.split('Reload this page').length, 2, 'no word comes twice');
    assert.ok(whole.endsWith(END), whole);
  }
  await page.reload(); // of an answer that has ended: all of it is there
  await status(page, 'complete');
  assert.ok((await text(page)).endsWith(END));
});

scenario('an answer goes on after crierd was away', { ...OPTIONS, journal: true }, async ({ context, forgive, server }) => {
  forgive(/ERR_|Failed to load/);
  const MODEL_URL = await slowModel();
  const url = await start('relay.mjs', { CRIER_SERVER: server.url, MODEL_URL });
  const page = await (await context()).newPage();
  await ask(page, url, 'why?');
  await server.stop();
  await status(page, 'lost');
  await server.start();
  await status(page, 'complete');
  const whole = await text(page);
  assert.ok(whole.endsWith(END), whole);
  assert.equal(whole.split('Reload this page').length, 2);
});

scenario('an answer can be stopped, and a failure is shown', OPTIONS, async ({ context, server }) => {
  const MODEL_URL = await slowModel();
  const page = await (await context()).newPage();
  await ask(page, await start('relay.mjs', { CRIER_SERVER: server.url, MODEL_URL }), 'why?');
  await page.getByRole('button', { name: 'Stop' }).click();
  await status(page, 'stopped');
  assert.ok(!(await text(page)).endsWith(END));

  await page.goto(await start('relay.mjs', { CRIER_SERVER: server.url, MODEL_URL: `${MODEL_URL}/nothing` }));
  await page.getByLabel('Your question').fill('why?');
  await page.getByRole('button', { name: 'Ask' }).click();
  await status(page, 'failed: the model answers 404');
});
