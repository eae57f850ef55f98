/**
 * Where a text stops being JSON.
 *
 * JSON.parse() decides whether a text is JSON, but browsers report the place of a mistake in
 * words of their own, or not at all. So where it fails, this module reads the text token by
 * token (RFC 8259) up to the first one that may not be there. It does not recurse: a text of
 * a million brackets is as harmless as any other.
 */

const TOKEN = /[{}[\]:,]|true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = ' \t\n\r';
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

/** What may come next, by the state of the reader. */
const MESSAGES = {
  value: 'a value',
  valueOrEnd: 'a value or ]',
  nameOrEnd: 'a name in double quotes or }',
  name: 'a name in double quotes',
  colon: 'a colon',
  afterElement: 'a comma or ]',
  afterMember: 'a comma or }',
  end: 'the end of the text',
};

/**
 * @param {string} text
 * @returns {{line: number, column: number, message: string}|null} null when it is JSON; both
 *          numbers count from 1, the column in characters
 */
export function findMistake(text) {
  try {
    JSON.parse(text);
    return null;
  } catch {
    return place(text, scan(text));
  }
}

/** Reads tokens as long as they are expected. @returns {{at: number, message: string}} */
function scan(text) {
  const open = []; // '{' or '[' of what is not closed yet
  let expected = 'value';
  let at = 0;
  for (;;) {
    while (at < text.length && SPACE.includes(text[at])) at += 1;
    const first = text[at] === '"' ? '"' : match(TOKEN, text, at);
    const next = first === null ? null : follow(expected, first[0], open);
    if (next === null) return { at, message: describe(text, at, expected) };
    const { end, mistake } = first === '"' ? readString(text, at) : { end: at + first.length };
    if (mistake) return { at: end, message: mistake };
    expected = next;
    at = end;
  }
}

/** The end of the string at AT, or the place of a mistake in it. */
function readString(text, at) {
  let end = at + 1;
  while (text[end] !== '"') {
    if (end >= text.length) return { end: at, mistake: 'this string does not end' };
    if (text[end] < ' ') return { end, mistake: 'a string has no line ends and control characters; write them as \\n, \\t or \\u0000' };
    const escape = text[end] === '\\' ? match(ESCAPE, text, end) : text[end];
    if (escape === null) return { end, mistake: 'there is no such escape in JSON' };
    end += escape.length;
  }
  return { end: end + 1 };
}

/** What is expected after a token that begins with FIRST; null when that itself is not. */
function follow(expected, first, open) {
  if (expected === 'colon') return first === ':' ? 'value' : null;
  if (expected === 'name' || expected === 'nameOrEnd') {
    if (first === '"') return 'colon';
    return first === '}' && expected === 'nameOrEnd' ? close(open) : null;
  }
  if (expected === 'afterElement') return first === ',' ? 'value' : first === ']' ? close(open) : null;
  if (expected === 'afterMember') return first === ',' ? 'name' : first === '}' ? close(open) : null;
  if (expected === 'end') return null;
  return followValue(expected, first, open);
}

function followValue(expected, first, open) {
  if (first === '{' || first === '[') {
    open.push(first);
    return first === '{' ? 'nameOrEnd' : 'valueOrEnd';
  }
  if (first === ']' && expected === 'valueOrEnd') return close(open);
  return /[}\]:,]/.test(first) ? null : after(open);
}

function close(open) {
  open.pop();
  return after(open);
}

/** What is expected after a value. */
function after(open) {
  return { '{': 'afterMember', '[': 'afterElement' }[open.at(-1)] ?? 'end';
}

function describe(text, at, expected) {
  const wanted = MESSAGES[expected];
  if (at >= text.length) return `the text ends where ${wanted} is expected`;
  return `${wanted} is expected`;
}

function place(text, { at, message }) {
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: [...before.at(-1)].length + 1, message };
}

function match(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}
