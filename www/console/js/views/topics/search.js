/**
 * Looks for updates in all that a topic holds: reads it newest first, part by part, and keeps
 * only what matches, and of that no more than MOST.
 *
 * A part is read by rank (since=N), which counts from the newest update now, while others
 * publish. So each part overlaps with the one before, and that one's oldest update must
 * be found in it: then nothing has been left out.
 */
import { isGap, readUpdates, toRow } from './updates.js';
import { Problem } from '../../api.js';

const PART = 8_000; // updates
const OVERLAP = 1_000;
const MOST = 5_000; // matches
const BEFORE = 40; // characters of the data that are shown before the text that was found

/** Reports progress as an event "change". */
export class Search extends EventTarget {
  /** @type {import('./updates.js').Row[]}  newest first */
  matches = [];
  /** The ranks of the matches, counted from the update that was the newest at the start. */
  ranks = [];
  /** How many updates have been read. */
  read = 0;
  /** @type {'reading'|'done'|'full'|'stopped'|'failed'} */
  state = 'reading';
  /** Why it failed. */
  trouble = '';
  #end = new AbortController();
  #oldest = Infinity; // the position of the oldest update that was read
  #api;
  #topic;
  #newer;
  #matches;

  /**
   * @param {import('../../api.js').Api} api
   * @param {string} topic
   * @param {{type: string, text: string}} what  '' for any
   * @param {() => number} newer  how many were published since the search began
   */
  constructor(api, topic, { type, text }, newer) {
    super();
    this.#api = api;
    this.#topic = topic;
    this.#newer = newer;
    const wanted = text.toLowerCase();
    this.#matches = (update) => (!type || (update.event ?? 'message') === type) &&
      (!wanted || update.data.toLowerCase().includes(wanted) || update.id.toLowerCase().includes(wanted));
    this.text = wanted;
  }

  async run() {
    try {
      while (this.state === 'reading') {
        if (!await this.#readPart()) this.#become('done');
        else if (this.matches.length >= MOST) this.#become('full');
        else this.#become('reading');
      }
    } catch (problem) {
      if (this.state !== 'reading') return;
      this.trouble = problem.message;
      this.#become('failed');
    }
  }

  stop() {
    if (this.state === 'reading') this.#become('stopped');
    this.#end.abort();
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event('change'));
  }

  /** Reads the next part. @returns {Promise<boolean>} whether there was one */
  async #readPart() {
    const { length, lines, overlaps, found, oldest } = await this.#scan();
    if (this.state !== 'reading') return false;
    if (lines && !overlaps) throw new Problem(0, 'Updates are deleted or published faster than they can be read.');
    for (const { row, index } of found.reverse()) {
      this.matches.push(row);
      this.ranks.push(this.read + length - 1 - index);
    }
    this.read += length;
    this.#oldest = oldest;
    return length > 0;
  }

  /** Reads the updates of a part, oldest first, and notes which ones match. */
  async #scan() {
    const since = this.read + this.#newer() + PART;
    const part = { length: 0, lines: 0, overlaps: this.#oldest === Infinity, found: [], oldest: this.#oldest };
    let before = null; // the id of the update before
    await readUpdates(this.#api, this.#topic, { since }, { limit: PART + OVERLAP, signal: this.#end.signal }, (update) => {
      if (isGap(update)) return;
      part.lines += 1;
      if (update.position >= this.#oldest) {
        part.overlaps = true;
        return;
      }
      if (part.length === 0) part.oldest = update.position;
      if (this.#matches(update)) part.found.push({ row: this.#cut(toRow(update, before), update.data), index: part.length });
      part.length += 1;
      before = update.id;
    });
    return part;
  }

  /** Has the row show the data around the text that was found. */
  #cut(row, data) {
    const place = data.toLowerCase().indexOf(this.text);
    if (place > BEFORE) row.data = `…${data.slice(place - BEFORE, place - BEFORE + row.data.length)}`;
    return row;
  }
}
