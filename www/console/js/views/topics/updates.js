/**
 * Reads updates that a topic holds, one after the other as they arrive: GET /topics/TOPIC
 * with poll=1 and format=json, of which each line is an update.
 */
import { Problem } from '../../../../js/api.js';

const LONGEST_LINE = 64 * 1024 * 1024; // characters
const KEPT = 1_000; // characters of the data

const encoder = new TextEncoder();

/**
 * An update as a list holds it: bounded, since of long data there is only the beginning.
 *
 * @typedef {object} Row
 * @property {string} id
 * @property {number} position
 * @property {string} time
 * @property {string} type  'message' where the update has none
 * @property {string} data  its beginning
 * @property {number} size  of the data, in bytes
 * @property {string[]} topics
 * @property {boolean} private
 * @property {boolean} last
 */

/** The path of a topic with a query. @param {Record<string, string|number>} [query] */
export function topicPath(topic, query = {}) {
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `topics/${encodeURIComponent(topic)}${pairs.length ? '?' : ''}${pairs.join('&')}`;
}

/**
 * Reads updates, oldest first, and gives them to TAKE until that returns false; no more than LIMIT.
 *
 * @param {import('../../../../js/api.js').Api} api
 * @param {string} topic
 * @param {Record<string, string|number>} query  where to begin: since or lastEventID
 * @param {{limit: number, signal: AbortSignal}} options
 * @param {(update: object) => boolean|void} take  called with each line's JSON
 */
export async function readUpdates(api, topic, query, { limit, signal }, take) {
  const path = topicPath(topic, { poll: 1, format: 'json', ...query, limit });
  const end = new AbortController();
  const stop = () => end.abort();
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    const response = await api.request('GET', path, { signal: end.signal });
    await readLines(response.body.getReader(), (line) => !line || take(JSON.parse(line)) !== false);
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof Problem) throw error;
    throw new Problem(0, error instanceof SyntaxError ? 'The server sent a line that is no JSON.'
      : 'The connection broke before all updates had arrived.');
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** Calls TAKE with each line until it returns false. What follows the last line end is no line. */
async function readLines(reader, take) {
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = lines.pop();
    if (rest.length > LONGEST_LINE) throw new Problem(0, 'The server sent a line that is too long.');
    if (!lines.every(take)) return;
  }
}

/** Whether a line is the report of a gap: such a one has no id. */
export const isGap = (update) => update.event === 'gap' && update.id === undefined;

/** The part of a text that a row keeps: a copy, since a slice would keep the whole text in memory. */
export const cut = (text, from = 0) => JSON.parse(JSON.stringify(text.slice(from, from + KEPT)));

/** @returns {Row} */
export function toRow({ id, position, time, event, data, topics, private: secret, last }) {
  return {
    id,
    position,
    time,
    type: event ?? 'message',
    data: cut(data),
    size: encoder.encode(data).length,
    topics,
    private: secret === true,
    last: last === true,
  };
}
