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

  /**
   * Who is here: the last `users` snapshot, with every join and leave since
   * worked into it.
   */
  people(kept, event) {
    if (event.type === 'users') return [event];
    if (kept.length === 0 || !['join', 'leave'].includes(event.type)) return kept;
    const users = new Set(JSON.parse(kept[0].data).users);
    const change = JSON.parse(event.data);
    if (isHere(event.type, change)) users.add(change.user);
    else users.delete(change.user);
    return [{ ...kept[0], data: JSON.stringify({ users: [...users] }) }];
  },
};
