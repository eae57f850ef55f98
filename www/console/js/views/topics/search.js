/**
 * Looks for updates in all that a topic holds: reads it newest first, part by part, and keeps
 * only what matches, and of that no more than MOST.
 */
import { cut, toRow } from './updates.js';

const PART = 8_000; // updates
const MOST = 5_000; // matches
const BEFORE = 40; // characters of the data that are shown before the text that was found

/** Reports progress as an event "change". */
export class Search extends EventTarget {
  /** @type {import('./updates.js').Row[]}  newest first */
  matches = [];
  /** How many updates have been read. */
  read = 0;
  /** @type {'reading'|'done'|'full'|'stopped'|'failed'} */
  state = 'reading';
  /** Why it failed. */
  trouble = '';
  /** The text in lower case. */
  text;
  #type;

  /** @param {{type: string, text: string}} what  '' for any */
  constructor({ type, text }) {
    super();
    this.#type = type;
    this.text = text.toLowerCase();
  }

  /**
   * Searches.
   *
   * @param {import('./reader.js').Reader} reader
   * @param {number} newest  the position of the newest update to look at
   */
  async run(reader, newest) {
    let position = newest + 1;
    try {
      while (this.state === 'reading') {
        const part = await reader.before(position, PART, (update) => this.#take(update));
        if (this.state !== 'reading') return;
        this.matches.push(...part.items.slice(0, MOST - this.matches.length));
        this.read += part.length;
        position = part.lowest;
        this.#become(part.complete ? 'done' : this.matches.length >= MOST ? 'full' : 'reading');
      }
    } catch (problem) {
      if (this.state !== 'reading') return;
      this.trouble = problem.message;
      this.#become('failed');
    }
  }

  stop() {
    if (this.state === 'reading') this.#become('stopped');
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event('change'));
  }

  /** The row of an update, if it matches, with the data around the text; null otherwise. */
  #take(update) {
    if (this.#type && (update.event ?? 'message') !== this.#type) return null;
    const place = update.data.toLowerCase().indexOf(this.text);
    if (place < 0 && !update.id.toLowerCase().includes(this.text)) return null;
    const row = toRow(update);
    if (place > BEFORE) row.data = `…${cut(update.data, place - BEFORE)}`;
    return row;
  }
}
