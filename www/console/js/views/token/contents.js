/**
 * What is written in a token, as the page reads it without a key: that is no proof of
 * anything, and the page says so.
 */
import { make } from '../../../../js/dom.js';
import { factList } from '../../parts/facts.js';
import { ago, date } from '../../parts/format.js';
import { readToken } from '../../parts/jwt.js';

/** Claims that are times, in seconds since 1970, and what they mean. */
const TIMES = { iat: 'Issued', nbf: 'Valid from', exp: 'Expires' };
const LAST_TIME = 8.64e12; // s, beyond which a Date is none

/** @returns {Node[]} nothing for an empty text */
export function showContents(token) {
  if (!token) return [];
  const contents = readToken(token);
  if (!contents) {
    return [make('p', { class: 'hint' }, 'This is no JWT. It may be a static token, which only the server can read.')];
  }
  const { header, claims } = contents;
  const times = Object.entries(TIMES).map(([claim, name]) => [name, claims[claim]])
    .filter(([, seconds]) => typeof seconds === 'number' && Math.abs(seconds) <= LAST_TIME)
    .map(([name, seconds]) => [name, `${date(seconds * 1000)} (${ago(seconds * 1000)})`]);
  const expired = claims.exp * 1000 <= Date.now();
  return [
    make('h3', {}, 'What is written in it'),
    ...(expired ? [make('p', { class: 'trouble mild' }, 'It has expired.')] : []),
    factList(...times),
    make('pre', { tabindex: '0', 'aria-label': 'Header and claims' }, make('code', {}, `${JSON.stringify(header)}\n${JSON.stringify(claims, null, 2)}`)),
    make('p', { class: 'hint' }, 'Read in this page, without checking the signature. The server decides whether it is valid.'),
  ];
}
