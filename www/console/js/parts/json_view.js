/**
 * Shows JSON as a tree that folds, highlighted; any other text as it is.
 *
 *   parent.append(jsonView(update.data));
 *
 * The tree shows the text itself, cut into its tokens, and not the values that JSON.parse()
 * makes of it: those would have lost the digits of long numbers and the members whose
 * key is there twice.
 *
 * The text comes from anybody. So it enters the document as text nodes only, and is bounded:
 * longer than MAX_TEXT it is not taken apart, deeper than MAX_DEPTH a value is shown
 * as text, the members of a value become elements when it is unfolded, PAGE of them at a
 * time, and of a long string there is the beginning first.
 */
import { make } from '../../../js/dom.js';

const MAX_TEXT = 512 * 1024; // characters
const MAX_DEPTH = 40;
const PAGE = 100; // members
const LONG = 2_000; // characters of a string, or of a text that is no JSON
const GLIMPSE = 80; // characters of a folded value
const UNFOLDED = { depth: 3, members: 50, all: 500 }; // what is unfolded at first

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * One value: its place in the text; `members` of an object or an array, each with the
 * text of its key, if it has one.
 *
 * @typedef {{start: number, end: number, members?: {key: string, value: Value}[]}} Value
 */

/** @param {string} text @returns {HTMLElement} */
export function jsonView(text) {
  const value = readJson(text);
  if (!value) return make('div', { class: 'json' }, ...longText(text));
  return make('div', { class: 'json' }, show(text, '', value, 0, { left: UNFOLDED.all }));
}

/** Reads JSON. @param {string} text @returns {Value|null}  null when it is none */
export function readJson(text) {
  if (text.length > MAX_TEXT) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return takeApart(text);
}

/** Takes valid JSON apart; by a stack of its own, since a text may nest deeper than calls may. */
function takeApart(text) {
  const root = { start: 0, end: text.length, members: [] };
  const stack = [root];
  let key = '';
  let pending = null; // a scalar that is a key if a colon follows
  const add = (value) => stack.at(-1).members.push({ key, value });
  const flush = () => {
    if (pending) add(pending);
    pending = null;
  };
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const end = index + token.length;
    if (token === ':') {
      key = text.slice(pending.start, pending.end);
      pending = null;
    } else if (token === '{' || token === '[') {
      const value = { start: index, end, members: [] };
      add(value);
      key = '';
      stack.push(value);
    } else if (token === '}' || token === ']') {
      flush();
      key = '';
      stack.pop().end = end;
    } else if (token === ',') {
      flush();
      key = '';
    } else {
      pending = { start: index, end };
    }
  }
  flush();
  return root.members[0].value;
}

/** The element for a value. ROOM: how many members may still be unfolded. */
function show(text, key, value, depth, room) {
  const name = key ? [make('span', { class: 'key' }, ...longText(key)), make('span', { class: 'quiet' }, ': ')] : [];
  if (!value.members?.length || depth >= MAX_DEPTH) {
    return make('div', { class: 'line' }, ...name, scalar(text.slice(value.start, value.end)));
  }
  return branch(text, name, value, depth, room);
}

/** An object or an array with members. */
function branch(text, name, value, depth, room) {
  const { start, end, members } = value;
  const count = text[start] === '{' ? `{${members.length}}` : `[${members.length}]`;
  const glimpse = text.slice(start, Math.min(end, start + GLIMPSE)) + (end - start > GLIMPSE ? '…' : '');
  const inside = make('div', { class: 'inside' });
  const element = make('details', {},
    make('summary', {}, ...name, make('span', { class: 'quiet' }, `${count} `),
      make('span', { class: 'glimpse quiet', dir: 'auto' }, glimpse)),
    inside);
  const fill = () => {
    if (element.open && !inside.hasChildNodes()) addMembers(text, inside, members, 0, depth + 1, room);
  };
  element.addEventListener('toggle', fill);
  element.open = depth < UNFOLDED.depth && members.length <= Math.min(UNFOLDED.members, room.left);
  if (element.open) room.left -= members.length;
  fill(); // the event comes later
  return element;
}

/** Adds a page of members, and a button for the others. */
function addMembers(text, inside, members, from, depth, room) {
  const page = members.slice(from, from + PAGE);
  inside.append(...page.map(({ key, value }) => show(text, key, value, depth, room)));
  const left = members.length - from - page.length;
  if (left <= 0) return;
  const more = make('button', { type: 'button' }, `Show ${Math.min(left, PAGE)} more of ${left}`);
  more.addEventListener('click', () => {
    more.remove();
    addMembers(text, inside, members, from + PAGE, depth, room);
  });
  inside.append(more);
}

function scalar(text) {
  const kind = text[0] === '"' ? 'string' : /[-\d]/.test(text[0]) ? 'number' : 'word';
  return make('span', { class: kind, dir: 'auto' }, ...longText(text));
}

/** A text, or its beginning and a button for the rest. */
function longText(text) {
  if (text.length <= LONG) return [text];
  const more = make('button', { type: 'button' }, `Show all ${text.length} characters`);
  const part = document.createTextNode(`${text.slice(0, LONG)}…`);
  more.addEventListener('click', () => {
    part.data = text;
    more.remove();
  });
  return [part, more];
}
