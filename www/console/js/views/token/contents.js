/**
 * What is written in a token, as the page reads it without a key: that is no proof of
 * anything, and the page says so.
 */
import { make } from '../../../../js/dom.js';
import { ago, date } from '../../parts/format.js';
import { readToken } from '../../parts/jwt.js';

/** Claims that are times, in seconds since 1970, and what they mean. */
const TIMES = { iat: 'Issued', nbf: 'Valid from', exp: 'Expires' };

/** @returns {Node[]} nothing for an empty text */
export function showContents(token) {
  if (!token) return [];
  const contents = readToken(token);
  if (!contents) {
    return [make('p', { class: 'hint' }, 'This is no JWT. It may be a static token, which only the server can read.')];
  }
  const { header, claims } = contents;
  const times = make('dl', { class: 'facts' });
  for (const [claim, name] of Object.entries(TIMES)) {
    const at = claims[claim] * 1000;
    if (typeof claims[claim] !== 'number' || Math.abs(at) > 8.64e15) continue;
    times.append(make('dt', {}, name), make('dd', {}, `${date(at)} (${ago(at)})`));
  }
  const expired = claims.exp * 1000 <= Date.now();
  return [
    make('h3', {}, 'What is written in it'),
    ...(expired ? [make('p', { class: 'trouble mild' }, 'It has expired.')] : []),
    times,
    make('pre', { tabindex: '0', 'aria-label': 'Header and claims' }, make('code', {}, `${JSON.stringify(header)}\n${JSON.stringify(claims, null, 2)}`)),
    make('p', { class: 'hint' }, 'Read in this page, without checking the signature. The server decides whether it is valid.'),
  ];
}
