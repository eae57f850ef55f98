/**
 * Records: what the Watch view shows, one a row.
 *
 * An update is one, and so is everything else that happens to the stream: a gap, a broken
 * connection, the end of the topics. They stand in one sequence, so that a reader sees what
 * happened between which updates.
 *
 * @typedef {object} Update
 * @property {'update'} kind
 * @property {number} size      what it takes in memory, roughly
 * @property {string} id
 * @property {string} type      of the event; 'message' where its publisher named none
 * @property {string[]} topics
 * @property {string} time      when it was published (RFC 3339), or when it arrived
 * @property {string} data
 *
 * @typedef {object} Gap
 * @property {'gap'} kind
 * @property {number} size
 * @property {string} time      when it arrived
 * @property {string} requested the id after which the stream was to continue
 * @property {string|null} oldest  the first id that is held after it
 * @property {{how: 'start'|'reconnect'|'pause'|'open', ms: number}} before  what the stream
 *           did before: it began, was cut off or paused for so long, or was open all the time
 *
 * @typedef {object} Notice
 * @property {'notice'} kind
 * @property {number} size
 * @property {string} time
 * @property {'good'|'bad'|'calm'} mood
 * @property {string} text
 *
 * @typedef {Update|Gap|Notice} Entry
 */
const OVERHEAD = 300; // bytes of a record beside its texts

/**
 * @param {MessageEvent & {kind: string, fields: Record<string, string>}} event  of crier.js,
 *        from a stream in format=full
 * @returns {Update}
 */
export function readUpdate({ kind, data, lastEventId, fields }) {
  const topics = readTopics(fields.topics);
  const texts = data.length + lastEventId.length + kind.length + fields.topics.length;
  return {
    kind: 'update',
    size: OVERHEAD + 2 * texts,
    id: lastEventId,
    type: kind,
    topics,
    time: fields.time ?? now(),
    data,
  };
}

/** @returns {Gap} */
export const makeGap = (requested, oldest, before) => ({
  kind: 'gap', size: OVERHEAD, time: now(), requested: String(requested), oldest: oldest === null ? null : String(oldest), before,
});

/** @returns {Notice} */
export const makeNotice = (mood, text) => ({ kind: 'notice', size: OVERHEAD, time: now(), mood, text });

/** One line of an export: an update or a gap, with the words of format=json. */
export function toLine(record) {
  if (record.kind === 'gap') {
    return JSON.stringify({ event: 'gap', data: { requested: record.requested, oldest: record.oldest } });
  }
  const { id, time, topics, type, data } = record;
  return JSON.stringify({ id, time, topics, ...(type !== 'message' && { event: type }), data });
}

/** In a list, a comma that belongs to a name is written %2C. */
const readTopics = (list) => list.split(',').map((name) => name.replaceAll('%2C', ','));

const now = () => new Date().toISOString();
