/**
 * Reads updates that a topic holds, one after the other as they arrive: GET /topics/TOPIC
 * with poll=1 and format=json, of which each line is an update.
 *
 * What is kept of an update (a Row) is bounded: of long data only the beginning. The whole
 * update can be read again (readWhole), by the id of the one before it, or by its rank.
 */
import { Problem } from '../../api.js';

const LONGEST_LINE = 64 * 1024 * 1024; // characters
const KEPT = 1_000; // characters of the data
const NEARBY = 20; // updates among which one is looked for by its rank

const encoder = new TextEncoder();

/**
 * An update as a list holds it.
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
 * @property {string|null} after  the id of the update of this topic before it, if known
 */

/** The path of a topic with a query. @param {Record<string, string|number>} [query] */
export function topicPath(topic, query = {}) {
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `topics/${encodeURIComponent(topic)}${pairs.length ? '?' : ''}${pairs.join('&')}`;
}

/**
 * Reads updates, oldest first, and gives them to TAKE; no more than LIMIT.
 *
 * @param {import('../../api.js').Api} api
 * @param {string} topic
 * @param {Record<string, string|number>} query  where to begin: since or lastEventID
 * @param {{limit: number, signal?: AbortSignal}} options
 * @param {(update: object) => void} take  called with each line's JSON
 */
export async function readUpdates(api, topic, query, { limit, signal }, take) {
  const path = topicPath(topic, { poll: 1, format: 'json', ...query, limit });
  const end = new AbortController();
  signal?.addEventListener('abort', () => end.abort(), { once: true });
  if (signal?.aborted) end.abort();
  const response = await api.request('GET', path, { signal: end.signal });
  try {
    await readLines(response.body.getReader(), (line) => line && take(JSON.parse(line)));
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof Problem) throw error;
    throw new Problem(0, error instanceof SyntaxError ? 'The server sent a line that is no JSON.'
      : 'The connection broke before all updates had arrived.');
  } finally {
    end.abort();
  }
}

/** Calls TAKE with each line; the last one must have its end. */
async function readLines(reader, take) {
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = lines.pop();
    if (rest.length > LONGEST_LINE) throw new Problem(0, 'The server sent a line that is too long.');
    lines.forEach(take);
  }
}

/**
 * Reads rows, newest first.
 *
 * @returns {Promise<{rows: Row[], gap: boolean}>}  gap: whether updates after the one
 *          that the query names have expired
 */
export async function readRows(api, topic, query, options) {
  const rows = [];
  let gap = false;
  await readUpdates(api, topic, query, options, (update) => {
    if (isGap(update)) gap = true;
    else rows.push(toRow(update, rows.at(-1)?.id ?? null));
  });
  return { rows: rows.reverse(), gap };
}

/** Whether a line is the report of a gap: such a one has no id. */
export const isGap = (update) => update.event === 'gap' && update.id === undefined;

/** @returns {Row} */
export function toRow({ id, position, time, event, data, topics, private: secret, last }, after) {
  return {
    id,
    position,
    time,
    type: event ?? 'message',
    data: data.length > KEPT ? data.slice(0, KEPT) : data,
    size: encoder.encode(data).length,
    topics,
    private: secret === true,
    last: last === true,
    after,
  };
}

/**
 * Reads a whole update.
 *
 * @param {Row} row
 * @param {number} rank  of the row, counted from the newest update now
 * @returns {Promise<object|null>}  null when it is not held any more
 */
export async function readWhole(api, topic, row, rank, signal) {
  const [query, limit] = row.after === null
    ? [{ since: rank + NEARBY }, 2 * NEARBY]
    : [{ lastEventID: row.after }, 1];
  let found = null;
  await readUpdates(api, topic, query, { limit, signal }, (update) => {
    if (update.position === row.position) found = update;
  });
  return found;
}
