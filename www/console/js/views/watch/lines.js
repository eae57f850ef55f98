/**
 * What one would write to receive the same stream elsewhere: a command and pieces of code.
 */

const MAX_TYPES = 6; // that an EventSource is shown to listen to

/** A text as a JavaScript string in single quotes. */
const literal = (text) => `'${JSON.stringify(text).slice(1, -1).replaceAll(String.raw`\"`, '"').replaceAll("'", String.raw`\'`)}'`;

/**
 * The lines for an EventSource, which delivers the types for which it has a listener.
 *
 * @param {string} url
 * @param {string[]} types  those that were seen, other than 'message'
 * @param {boolean} token   whether the server wants one: an EventSource cannot send it
 */
export function eventSourceLines(url, types, token) {
  const listeners = types.slice(0, MAX_TYPES).map((type) => `source.addEventListener(${literal(type)}, show);`);
  return [
    ...(token ? ['// The token comes from a cookie: an EventSource sends no Authorization field.'] : []),
    `const source = new EventSource(${literal(url)});`,
    'const show = ({ type, data, lastEventId }) => console.log(type, lastEventId, data);',
    'source.onmessage = show;',
    ...listeners,
  ].join('\n');
}

/**
 * The lines for crier.js.
 *
 * @param {string} helper  the URL of crier.js
 * @param {string} url
 * @param {boolean} token
 */
export function crierLines(helper, url, token) {
  return [
    `import { subscribe } from ${literal(helper)};`,
    `const stream = subscribe(${literal(url)}${token ? ', { token: TOKEN }' : ''});`,
    "stream.addEventListener('any', ({ kind, data, lastEventId }) => console.log(kind, lastEventId, data));",
    "stream.addEventListener('gap', ({ gap }) => console.warn('Updates are missing after', gap.requested));",
  ].join('\n');
}
