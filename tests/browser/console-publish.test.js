/**
 * The Publish view of the console: what it sends, and what it says of mistakes.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { WITH_KEY, enterToken, fits, grants, mint } from './console.js';
import { scenario, until } from './harness.js';

const open = async (world, query = '', context = undefined) => {
  const page = await world.open(context ?? await world.context(), `/console/#/publish${query}`);
  await page.getByRole('button', { name: 'Publish', exact: true }).waitFor();
  return page;
};

const field = (page, name) => page.locator('.publish').getByLabel(name, { exact: true });
const outcome = (page) => page.locator('.publish .outcome');
const press = (page) => page.getByRole('button', { name: 'Publish', exact: true }).click();
const line = (page) => page.locator('.publish .command code').textContent();

/** Everything that is held of some topics. */
async function held(server, topics = '*') {
  const text = await (await fetch(`${server.url}/topics/${topics}?poll=1&since=all&format=json`)).text();
  return text.split('\n').filter(Boolean).map((each) => JSON.parse(each));
}

scenario('every field of the form reaches the journal', async (world) => {
  world.forgive(/status of 409/);
  const { server } = world;
  const page = await open(world);
  await field(page, 'Topics').fill('news, log/a');
  await field(page, 'Type').fill('alert');
  await field(page, 'Id').fill('own 1');
  await field(page, 'Retry').fill('2500');
  await field(page, 'Data').fill('two\nlines & <b>more</b>');
  await page.getByLabel('Last').check();
  await press(page);
  await outcome(page).getByText('Published to 0 subscribers').waitFor();
  const [{ time, position, ...update }, ...others] = await held(server);
  assert.deepEqual(update, {
    id: 'own 1', topics: ['news', 'log/a'], event: 'alert', retry: 2500, last: true, data: 'two\nlines & <b>more</b>',
  });
  assert.deepEqual(others, []);
  const text = await outcome(page).textContent();
  assert.ok(text.includes('own 1') && text.includes(`Position${position}`), text);

  await field(page, 'Id').fill('');
  await press(page);
  await outcome(page).getByText('Not published (409)').waitFor();
  await outcome(page).getByText('the topic has ended').waitFor();
});

scenario('an id that was used is refused, and is no error when asked once', async (world) => {
  world.forgive(/status of 409/);
  const page = await open(world, '?topic=news');
  await field(page, 'Id').fill('one');
  await field(page, 'Data').fill('x');
  await press(page);
  await outcome(page).getByText('Published to').waitFor();
  await press(page);
  await outcome(page).getByText('Not published (409)').waitFor();
  await outcome(page).getByText('already exists').waitFor();
  await page.getByLabel('Once').check();
  await press(page);
  await outcome(page).getByText('Already published').waitFor();
  assert.equal((await held(world.server)).length, 1);
});

scenario('JSON is checked as one types', async (world) => {
  const page = await open(world, '?topic=news');
  const mistakes = page.locator('.publish .data .mistake');
  await page.getByLabel('What the data is').selectOption('json');
  for (const [data, where] of [
    ['{"a": 1,\n "b": nul}', 'Line 2, column 7: a value is expected.'],
    ['{"a": 1', 'Line 1, column 8: the text ends where a comma or } is expected.'],
    ['{a: 1}', 'Line 1, column 2: a name in double quotes or } is expected.'],
    ['["\\x"]', 'Line 1, column 3: there is no such escape in JSON.'],
  ]) {
    await field(page, 'Data').fill(data);
    await mistakes.getByText(where, { exact: true }).waitFor();
  }
  await press(page);
  assert.equal(await page.evaluate(() => document.activeElement.name), 'data');
  assert.deepEqual(await held(world.server), []);

  await field(page, 'Data').fill('{ "a": [1, 2.50] }');
  await until(async () => await mistakes.textContent() === '', 'there is no mistake');
  await field(page, 'Data').press('Control+Enter');
  await outcome(page).getByText('Published to').waitFor();
  assert.deepEqual((await held(world.server)).map(({ data }) => data), ['{"a":[1,2.50]}']);
});

scenario('mistakes are shown at their field, and nothing is sent', async (world) => {
  const page = await open(world);
  const shows = async (name, value, why) => {
    const before = await field(page, name).inputValue();
    await field(page, name).fill(value);
    await press(page);
    const mistake = page.locator('.publish .field', { has: page.getByLabel(name, { exact: true }) }).locator('.mistake');
    await mistake.filter({ hasText: why }).waitFor();
    assert.equal(await field(page, name).getAttribute('aria-invalid'), 'true');
    await field(page, name).fill(before);
  };
  await field(page, 'Data').fill('x');
  await shows('Topics', '', 'at least one topic');
  await shows('Topics', 'log/*', 'asterisk');
  await shows('Topics', '$chat', 'reserved');
  await field(page, 'Topics').fill('news');
  await shows('Id', '#a-1', 'made by the journal');
  await shows('Id', ' x', 'no space');
  await shows('Id', 'ü'.repeat(128), '255 bytes');
  await shows('Retry', '1.5', 'whole number');
  await shows('Retry', '2147483648', 'whole number');
  await shows('Type', 'mercure', 'reserved');
  assert.deepEqual(await held(world.server), []);
});

scenario('the curl line publishes the same from a shell', async (world) => {
  const { server } = world;
  const page = await open(world);
  const data = `it's "quoted" $HOME \`id\` \\ !!\n@second line\n`;
  await field(page, 'Topics').fill("it's,log/a b");
  await field(page, 'Type').fill("o'clock");
  await field(page, 'Data').fill(data);
  await until(async () => (await line(page)).includes('second'), 'the line has the data');
  const { stdout } = await promisify(execFile)('sh', ['-c', `${await line(page)} --silent`]);
  const { id } = JSON.parse(stdout);
  await press(page);
  await outcome(page).getByText('Published to').waitFor();
  const [first, second] = (await held(server)).map(({ topics, event, data: text }) => ({ topics, event, data: text }));
  assert.deepEqual(first, { topics: ["it's", 'log/a b'], event: "o'clock", data });
  assert.deepEqual(second, first);
  assert.equal((await held(server))[0].id, id);

  await page.getByLabel('What the data is').selectOption('json');
  await field(page, 'Data').fill('{"a": "it\'s"}');
  await until(async () => (await line(page)).includes('application/json'), 'the line says that it is JSON');
  await promisify(execFile)('sh', ['-c', `${await line(page)} --silent`]);
  assert.equal((await held(server))[2].data, '{"a":"it\'s"}');
  await field(page, 'Data').fill(`"${'x'.repeat(20_000)}"`);
  await page.getByText('too long for a line').waitFor();
});

scenario('the last publications can be taken up again, after a reload, too', async (world) => {
  const { server } = world;
  const context = await world.context();
  const page = await open(world, '?topic=news', context);
  for (let n = 1; n <= 22; n += 1) {
    await field(page, 'Data').fill(`update ${n}`);
    await press(page);
    await page.locator('.publish .past code').first().getByText(`update ${n}`, { exact: true }).waitFor();
  }
  assert.equal(await page.locator('.publish .past li').count(), 20);
  await page.reload();
  await page.locator('.publish .past li', { hasText: 'update 21' }).getByRole('button').click();
  assert.equal(await field(page, 'Data').inputValue(), 'update 21');
  assert.equal(await field(page, 'Topics').inputValue(), 'news');
  await page.keyboard.press('Control+Enter');
  await outcome(page).getByText('Published to').waitFor();
  assert.deepEqual((await held(server)).slice(-2).map(({ data }) => data), ['update 22', 'update 21']);

  const other = await open(world, '', context); // another tab has its own
  assert.equal(await other.locator('.publish .past li').count(), 0);
  await page.evaluate(() => sessionStorage.setItem('crier-console-published', '[{"at": "x"}, 1, null]'));
  await page.reload();
  await page.getByRole('button', { name: 'Publish', exact: true }).waitFor();
  assert.equal(await page.locator('.publish .past li').count(), 0);
});

scenario('a topic that was published to can be watched', async (world) => {
  const page = await open(world, '?topic=news');
  await field(page, 'Data').fill('first');
  await press(page);
  await page.getByRole('link', { name: 'Watch this topic' }).click();
  await page.locator('.watch .vrow', { hasText: 'first' }).click();
  await page.getByRole('link', { name: 'Publish to the same topics' }).click();
  await page.locator('.publish').waitFor();
  assert.equal(await field(page, 'Topics').inputValue(), 'news');
});

scenario('a token publishes what it may, privately, too', { options: WITH_KEY }, async (world) => {
  const { server } = world;
  world.forgive(/status of 403/);
  const page = await world.open(await world.context(), '/console/#/publish?topic=user/1');
  const token = mint(grants({ publish: ['user/*'], subscribe: ['user/*'] }));
  await enterToken(page, token);
  await page.getByText('This token may publish to: user/*').waitFor();
  await field(page, 'Data').fill('psst');
  await page.getByLabel('Private').check();
  await press(page);
  await outcome(page).getByText('Published to').waitFor();
  const line = await (await fetch(`${server.url}/topics/user/1?poll=1&since=all&format=json`,
    { headers: { Authorization: `Bearer ${token}` } })).json();
  assert.equal(line.private, true);
  await field(page, 'Topics').fill('news');
  await press(page);
  await outcome(page).getByText('Not published (403)').waitFor();
});

scenario('without keys nothing can be private; a narrow screen shows all of it', async (world) => {
  const page = await open(world, '?topic=news', await world.context({ viewport: { width: 390, height: 844 } }));
  assert.ok(await page.getByLabel('Private').isDisabled());
  await field(page, 'Data').fill('x'.repeat(300));
  await press(page);
  await outcome(page).getByText('Published to').waitFor();
  assert.ok(await fits(page));
});

// www/ has no package.json that would make Node take its files for modules.
const source = await readFile(new URL('../../www/console/js/views/publish/json_mistake.js', import.meta.url), 'base64');
const { findMistake } = await import(`data:text/javascript;base64,${source}`);

test('a mistake in JSON is found wherever it is', () => {
  const at = (text) => {
    const mistake = findMistake(text);
    return mistake && `${mistake.line}:${mistake.column}`;
  };
  for (const text of ['null', '-0.5e+3', '"\\u00e9\\n"', '[[],{},[{"a":[]}]]', ' {"a" : 1 , "b":[ 2,\n3 ]} ', '"']) {
    assert.equal(at(text), text === '"' ? '1:1' : null, text);
  }
  assert.equal(at(''), '1:1');
  assert.equal(at('01'), '1:2');
  assert.equal(at('[1 2]'), '1:4');
  assert.equal(at('[1,]'), '1:4');
  assert.equal(at('{"a":1,}'), '1:8');
  assert.equal(at('{"a"\n 1}'), '2:2');
  assert.equal(at('{} {}'), '1:4');
  assert.equal(at('"a\tb"'), '1:3');
  assert.equal(at('{"😀": nul}'), '1:7');
  assert.equal(at('['.repeat(1_000_000)), '1:1000001');
  assert.equal(at(`"${'a'.repeat(5_000_000)}`), '1:1');
});
