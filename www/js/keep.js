/**
 * Which events the worker keeps for tabs that join a stream later.
 *
 * Tabs share one connection per URL (see worker.js), so the second tab has missed the
 * events that came before. The worker therefore keeps a few events per stream, and
 * delivers them to each new tab as if they had just arrived. Which ones depends on the
 * stream, so the page names one of the rules below.
 *
 * A rule is a pure function from (events kept so far, new event) to the events to keep
 * from now on.
 *
 * @typedef {{type: string, data: string, lastEventId: string}} Event
 */

/**
 * Whether a user is on the list after a `join` or `leave`. The server says so: a user who was
 * added by an operator stays on the list when the last stream ends.
 *
 * @param {string} type
 * @param {{present?: boolean}} data
 */
export const isHere = (type, { present = type === 'join' }) => present;

const MESSAGES = new Set(['message', 'private', 'gap']);
const CHAT_HISTORY = 50; // events, as many as the server sends to a user who joins
const TOPIC_HISTORY = 10; // events, as topics.js asks for

/**
 * Whether an event is kept already. A gap has no id of its own: it carries the id of the
 * event before it.
 */
const isKnown = (kept, { type, lastEventId }) => type !== 'gap' && lastEventId !== '' &&
  kept.some((old) => old.type !== 'gap' && old.lastEventId === lastEventId);

/**
 * Who is here: the last `users` event with every join and leave since then applied.
 */
function people(kept, event) {
  if (event.type === 'users') return [event];
  if (kept.length === 0 || !['join', 'leave'].includes(event.type)) return kept;
  const users = new Set(JSON.parse(kept[0].data).users);
  const change = JSON.parse(event.data);
  if (isHere(event.type, change)) users.add(change.user);
  else users.delete(change.user);
  return [{ ...kept[0], data: JSON.stringify({ users: [...users] }) }];
}

/**
 * @type {Record<string, (kept: Event[], event: Event) => Event[]>}
 */
export const rules = {
  /** Nothing: a new tab gets only new events. */
  nothing: () => [],

  /** Everything: for a stream that has a beginning and an end. */
  all: (kept, event) => [...kept, event],

  /** The newest of each type: for measurements, prices, counters. */
  newest: (kept, event) => [...kept.filter(({ type }) => type !== event.type), event],

  /** The last few: for a topic. */
  topic: (kept, event) => [...kept, event].slice(-TOPIC_HISTORY),

  /** Who is here, then the last messages and the gaps between them. */
  chat(kept, event) {
    const messages = kept.filter(({ type }) => MESSAGES.has(type));
    if (MESSAGES.has(event.type) && !isKnown(messages, event)) messages.push(event);
    return [
      ...people(kept.filter(({ type }) => type === 'users'), event),
      ...messages.slice(-CHAT_HISTORY),
    ];
  },
};
