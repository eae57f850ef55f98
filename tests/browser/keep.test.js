/**
 * The rules for what a late tab is told; they need no browser.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

// www/ has no package.json that would make Node take its files for modules.
const source = await readFile(new URL('../../www/js/keep.js', import.meta.url), 'base64');
const { rules } = await import(`data:text/javascript;base64,${source}`);

const event = (type, data, lastEventId = '') => ({ type, data: JSON.stringify(data), lastEventId });
const keep = (rule, events) => events.reduce(rules[rule], []);

const first = event('a', 1);
const other = event('b', 2);
const again = event('a', 3);

test('nothing keeps nothing', () => {
  assert.deepEqual(keep('nothing', [first, other]), []);
});

test('all keeps everything in order', () => {
  assert.deepEqual(keep('all', [first, other, again]), [first, other, again]);
});

test('newest keeps the last event of each type', () => {
  assert.deepEqual(keep('newest', [first, other, again]), [other, again]);
});

test('people works joins and leaves into the snapshot', () => {
  const users = (events) => keep('people', events).map(({ type, data }) => [type, JSON.parse(data)]);
  const snapshot = event('users', { users: ['ada', 'bob'] });
  assert.deepEqual(users([event('join', { user: 'ada' })]), []); // no snapshot yet
  assert.deepEqual(users([
    snapshot,
    event('join', { user: 'bob' }), // the newcomer's own: already in
    event('join', { user: 'cyd' }),
    event('message', { user: 'cyd', text: 'hi' }),
    event('leave', { user: 'ada' }),
  ]), [['users', { users: ['bob', 'cyd'] }]]);
  assert.deepEqual(users([snapshot, event('leave', { user: 'ada', present: true })]),
    [['users', { users: ['ada', 'bob'] }]]); // on the list by hand
  assert.deepEqual(users([snapshot, event('users', { users: ['eve'] })]), [['users', { users: ['eve'] }]]);
});
