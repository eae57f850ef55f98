/**
 * What the Watch view holds: the newest records, and those of them that a filter lets
 * through, in the same order.
 *
 * Ten thousand updates fill any screen many times over and stay within 16 MB. They are kept
 * while the browser draws nothing, too (a hidden tab), so both bounds are here and not in
 * the list on screen.
 */
import { Ring } from './ring.js';

const MAX_COUNT = 10_000;
const MAX_SIZE = 16 * 1024 * 1024; // bytes
const MAX_TYPES = 100;

export class Held {
  /** All that is held. */
  all = new Ring(MAX_COUNT, MAX_SIZE);
  /** What is shown of it. */
  shown = new Ring(MAX_COUNT);
  /** The types of updates that were there, in the order of their first one. */
  types = new Set();
  /** How many updates and gaps there were. */
  updates = 0;
  gaps = 0;
  #serial = 0;
  #matches = () => true;

  /** @param {import('./record.js').Entry} record */
  add(record) {
    record.serial = this.#serial;
    this.#serial += 1;
    if (record.kind === 'gap') this.gaps += 1;
    if (record.kind === 'update') {
      this.updates += 1;
      if (this.types.size < MAX_TYPES) this.types.add(record.type);
    }
    this.all.push(record);
    if (this.#matches(record)) this.shown.push(record);
    const { serial } = this.all.at(0);
    while (this.shown.length && this.shown.at(0).serial < serial) this.shown.shift();
  }

  /** @param {(record: import('./record.js').Entry) => boolean} matches */
  filter(matches) {
    this.#matches = matches;
    this.shown.clear();
    for (const record of this.all) if (matches(record)) this.shown.push(record);
  }

  clear() {
    this.all.clear();
    this.shown.clear();
  }

  /** Begins anew, for another stream. */
  reset() {
    this.clear();
    this.types.clear();
    this.updates = 0;
    this.gaps = 0;
  }
}
