/**
 * What a late tab must be told.
 *
 * Tabs share one connection per URL (see worker.js), so a tab that comes
 * second has missed whatever the server said when the connection opened. The
 * worker makes up for it: it keeps a few events per stream, and hands them to
 * each new tab as if they had just arrived. Which ones is a matter of the
 * stream, so the page names one of the rules below.
 *
 * A rule is a pure function from (events kept so far, new event) to the
 * events to keep from now on.
 *
 * @typedef {{type: string, data: string, lastEventId: string}} Event
 */

/**
 * Whether somebody is on the list after a `join` or `leave`. The server says
 * so: who was put on the list by hand stays there when the last stream goes.
 *
 * @param {string} type
 * @param {{present?: boolean}} data
 */
export const isHere = (type, { present = type === 'join' }) => present;

const SAID = new Set(['message', 'private', 'gap']);
const CHAT_HISTORY = 50; // events, as many as the server has for who comes first
const TOPIC_HISTORY = 10; // events, as topics.js asks for

/**
 * Whether an event is there already. A gap has no id of its own: it bears that
 * of the event before it.
 */
const isKnown = (kept, { type, lastEventId }) => type !== 'gap' && lastEventId !== '' &&
  kept.some((old) => old.type !== 'gap' && old.lastEventId === lastEventId);

/**
 * Who is here: the last `users` snapshot, with every join and leave since
 * worked into it.
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
  /** Only what comes from now on. */
  nothing: () => [],

  /** Everything: for a stream that has a beginning and an end. */
  all: (kept, event) => [...kept, event],

  /** The newest of each type: for measurements, rates, counters. */
  newest: (kept, event) => [...kept.filter(({ type }) => type !== event.type), event],

  /** The last few: for a topic. */
  topic: (kept, event) => [...kept, event].slice(-TOPIC_HISTORY),

  /** Who is here, then the last things said, with the gaps between them. */
  chat(kept, event) {
    const said = kept.filter(({ type }) => SAID.has(type));
    if (SAID.has(event.type) && !isKnown(said, event)) said.push(event);
    return [
      ...people(kept.filter(({ type }) => type === 'users'), event),
      ...said.slice(-CHAT_HISTORY),
    ];
  },
};
