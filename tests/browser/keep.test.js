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

test('topic keeps the last ten', () => {
  const events = Array.from({ length: 14 }, (_, n) => event('message', n, `#${n}`));
  assert.deepEqual(keep('topic', events), events.slice(4));
});

const shown = (events) => keep('chat', events).map(({ type, data }) => [type, JSON.parse(data)]);
const users = (...names) => event('users', { users: names });

test('chat works joins and leaves into the list of people', () => {
  assert.deepEqual(shown([event('join', { user: 'ada' })]), []); // no list yet
  assert.deepEqual(shown([
    users('ada', 'bob'),
    event('join', { user: 'bob' }, '#1'), // the newcomer's own: already in
    event('join', { user: 'cyd' }, '#2'),
    event('leave', { user: 'ada' }, '#3'),
  ]), [['users', { users: ['bob', 'cyd'] }]]);
  assert.deepEqual(shown([users('ada', 'bob'), event('leave', { user: 'ada', present: true }, '#1')]),
    [['users', { users: ['ada', 'bob'] }]]); // on the list by hand
  assert.deepEqual(shown([users('ada'), users('eve')]), [['users', { users: ['eve'] }]]);
});

test('chat keeps what was said, once, behind the list of people', () => {
  const said = [event('message', 'a', '#1'), event('private', 'b', '#3'), event('message', 'c', '#4')];
  const again = users('ada', 'bob');
  assert.deepEqual(keep('chat', [users('ada'), ...said]), [users('ada'), ...said]);
  assert.deepEqual(keep('chat', [users('ada'), ...said, again, ...said]), [again, ...said]);
  assert.deepEqual(keep('chat', [users('ada'), ...said, event('join', { user: 'bob' }, '#5')]), [again, ...said]);
  assert.deepEqual(keep('chat', [...said, users('ada'), event('removed', {})]), [users('ada'), ...said]);
});

test('chat keeps gaps in their places', () => {
  const [before, after] = [event('message', 'a', '#1'), event('message', 'b', '#9')];
  const gap = event('gap', { requested: '#1', oldest: '#8' }, '#1'); // the id is that of the event before
  assert.deepEqual(keep('chat', [users('ada'), before, gap, after]), [users('ada'), before, gap, after]);
  assert.deepEqual(keep('chat', [gap, before]), [gap, before]);
});

test('chat keeps the last fifty', () => {
  const said = Array.from({ length: 60 }, (_, n) => event('message', n, `#${n}`));
  assert.deepEqual(keep('chat', [users('ada'), ...said]), [users('ada'), ...said.slice(10)]);
});

test('the rules do not touch what they are given', () => {
  const kept = Object.freeze([users('ada'), event('message', 'a', '#1')].map(Object.freeze));
  for (const rule of Object.values(rules)) {
    for (const type of ['users', 'join', 'message', 'gap']) rule(kept, event(type, { users: [], user: 'bob' }, '#2'));
  }
});
