/**
 * A publication, as the form has it, and the request that it is.
 *
 * @typedef {object} Publication
 * @property {string} topics   as typed, with commas
 * @property {string} type     of the event; '' for none, and so on
 * @property {string} id
 * @property {string} retry    ms
 * @property {boolean} json    whether the data is checked and sent as JSON
 * @property {boolean} private
 * @property {boolean} last
 * @property {boolean} dedupe
 * @property {string} data
 */
import { mistakeInList, readSelectors, topicsPath } from '../watch/selectors.js';
import { findMistake } from './json_mistake.js';

const LONGEST_RETRY = 2 ** 31 - 1; // ms
const MAX_ID = 255; // bytes
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

const length = (text) => new TextEncoder().encode(text).length;

/** What is wrong with the topics; '' when nothing is. @param {string} text */
export function mistakeInTopics(text) {
  const topics = readSelectors(text);
  const wide = topics.find(({ kind }) => kind === 'prefix' || kind === 'all');
  if (wide) return `${wide.text}: an update is published to topics by name; an asterisk is for subscribers.`;
  return mistakeInList(topics);
}

/** What is wrong with an id. */
export function mistakeInId(id) {
  if (id.startsWith('#')) return 'Ids that begin with # are made by the journal.';
  if (CONTROL.test(id) || id !== id.trim()) return 'An id has no control characters, and no space at its beginning or end.';
  return length(id) > MAX_ID ? `An id has ${MAX_ID} bytes at most.` : '';
}

export function mistakeInType(type) {
  if (type === 'mercure') return 'The type mercure is reserved.';
  return CONTROL.test(type) ? 'A type has no control characters.' : '';
}

export function mistakeInRetry(retry) {
  return retry === '' || (/^\d+$/.test(retry) && Number(retry) <= LONGEST_RETRY)
    ? '' : `Retry is a whole number of milliseconds, ${LONGEST_RETRY} at most.`;
}

/**
 * What is wrong with the data.
 *
 * @param {string} data
 * @param {boolean} json
 * @param {number} most  how many bytes an update may have; 0 when unknown
 */
export function mistakeInData(data, json, most) {
  if (most && length(data) > most) return `An update has ${most.toLocaleString('en')} bytes at most here.`;
  const mistake = json ? findMistake(data) : null;
  return mistake ? `Line ${mistake.line}, column ${mistake.column}: ${mistake.message}.` : '';
}

/**
 * The request for a publication without mistakes.
 *
 * @param {Publication} publication
 * @returns {{path: string, headers: Record<string, string>, body: string}}
 */
export function toRequest({ topics, type, id, retry, json, data, ...flags }) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ event: type, id, retry })) if (value) query.set(name, value);
  for (const name of ['private', 'last', 'dedupe']) if (flags[name]) query.set(name, '1');
  const names = readSelectors(topics).map(({ text }) => text);
  return {
    path: topicsPath(names) + (query.size ? `?${query}` : ''),
    headers: json ? { 'Content-Type': 'application/json' } : {},
    body: data,
  };
}
