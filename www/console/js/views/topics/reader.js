/**
 * Reads what a topic holds from any place on, in both directions.
 *
 * The server reads forwards alone, after an id. But the ids that the journal makes,
 * #EPOCH-POSITION, are valid for each of its positions, whether or not an update of this topic
 * is there. So what lies before a position is read from a place further back, which
 * is estimated from how far apart the updates of the topic have been: too far back, and the
 * response ends (its limit) before it has come to the position; not far enough, and there are
 * too few. Both are seen, and the estimate is put right.
 */
import { isGap, readUpdates, topicPath, toRow } from './updates.js';

const ATTEMPTS = 40; // of which each at least halves or doubles the estimate
const MOST = 10_000; // updates of one request; the server's maximum

export class Reader {
  #api;
  #topic;
  #signal;
  #epoch = '';
  #spacing = 1; // the estimate: positions for each update of the topic

  /** @param {AbortSignal} signal  ends all that it reads */
  constructor(api, topic, signal) {
    this.#api = api;
    this.#topic = topic;
    this.#signal = signal;
  }

  /**
   * Reads the newest rows. This must come first.
   *
   * @returns {Promise<{items: import('./updates.js').Row[], complete: boolean}>} newest first, as
   *          from all functions here; complete: whether these are all
   */
  async newest(number) {
    const { items: rows, lines } = await this.#read({ since: number }, number);
    const complete = lines < number;
    if (!rows.length) return { items: rows, complete };
    const made = rows.map(({ id, position }) => (id.endsWith(`-${position}`) ? /^#(.+)-\d+$/.exec(id)?.[1] : '')).find(Boolean);
    this.#epoch = made ?? await this.#askEpoch();
    this.#spacing = Math.max(1, (rows[0].position - rows.at(-1).position) / rows.length);
    return { items: rows, complete };
  }

  /** Reads the oldest rows held. */
  async oldest(number) {
    return (await this.#read({ since: 'all' }, number)).items;
  }

  /** Reads the rows from the N-th newest on. */
  async last(n, number) {
    return (await this.#read({ since: n }, number)).items;
  }

  /**
   * Reads the rows next after a position.
   *
   * @returns {Promise<{items: import('./updates.js').Row[], gap: boolean}>} gap: whether
   *          updates that were there have expired
   */
  async after(position, number) {
    return this.#read({ lastEventID: this.#idOf(position) }, number);
  }

  /**
   * Reads about NUMBER updates next before a position; none has been left out.
   *
   * @template T
   * @param {(update: object) => T} [convert]  called for each update
   * @returns {Promise<{items: T[], lowest: number, length: number, complete: boolean}>}
   *          `lowest` is the position of the oldest one of these `length` updates, and
   *          complete is whether nothing older is held
   */
  async before(position, number, convert = toRow) {
    const limit = Math.min(2 * number, MOST);
    let step = Math.ceil(number * this.#spacing);
    let few = 0; // a step that was not enough
    let far = Infinity; // a step that was too much
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const from = Math.max(0, position - 1 - step);
      const part = await this.#read({ lastEventID: this.#idOf(from) }, limit, convert, position);
      if (!part.reached && part.lines === limit && step > 1) {
        far = step;
        step = few ? Math.ceil((few + far) / 2) : Math.ceil(step / 4);
        if (step < far) continue;
      }
      if (from === 0) return { ...part, complete: true };
      if (part.length >= number / 4 || far - few <= 1) {
        this.#spacing = Math.max(1, step / Math.max(1, part.length));
        if (part.length) return { ...part, complete: false };
      }
      few = step;
      step = far < Infinity ? Math.floor((few + far) / 2) : step * 4;
    }
    throw new Error('The updates of this topic could not be found.');
  }

  /** Reads the whole update at a position. @returns {Promise<object|null>} null when it is not held any more */
  async whole(position) {
    const { items } = await this.#read({ lastEventID: this.#idOf(position - 1) }, 1, (update) => update);
    return items.find((update) => update.position === position) ?? null;
  }

  /** The id of a position, whether or not there is an update. */
  #idOf(position) {
    return `#${this.#epoch}-${position}`;
  }

  /** The epoch, where no update has an id of the journal: a new stream begins after such a one. */
  async #askEpoch() {
    const end = new AbortController();
    const response = await this.#api.request('GET', topicPath(this.#topic), { headers: { Accept: 'text/event-stream' }, signal: end.signal });
    end.abort();
    return /^#(.+)-\d+$/.exec(response.headers.get('Last-Event-ID') ?? '')?.[1] ?? '';
  }

  /**
   * Reads updates, and returns those below a position, newest first. `reached` is whether the
   * response has come to that position. (Where the name of the topic is a template, too, there
   * are those of other topics among the `lines`.)
   */
  async #read(query, limit, convert = toRow, below = Infinity) {
    const part = { items: [], length: 0, lines: 0, lowest: below, gap: false, reached: below === Infinity };
    await readUpdates(this.#api, this.#topic, query, { limit, signal: this.#signal }, (update) => {
      if (isGap(update)) {
        part.gap = true;
        return true;
      }
      part.lines += 1;
      if (update.position >= below) part.reached = true;
      else if (update.topics.includes(this.#topic)) {
        if (part.length === 0) part.lowest = update.position;
        part.length += 1;
        const item = convert(update);
        if (item !== null) part.items.push(item);
      }
      return !part.reached || below === Infinity;
    });
    part.items.reverse();
    return part;
  }
}
