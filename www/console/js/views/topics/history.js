/**
 * The updates that a topic holds, newest first, of which only those near the part in view
 * are in memory.
 *
 * A row's place is its rank in the list as it was when it was opened: rank 0 is the update
 * that was the newest then (the anchor). What is published later does not move the list; a
 * stream counts it (`newer`). But where a subscription is announced to others (presence), a
 * page that only looks must not subscribe: there it is only known that there are newer ones.
 *
 * In memory is one run of rows without a hole, which grows at both ends by reading what is
 * next to it (Reader). So neighbours are always right, even while thousands are published a
 * second. A jump to a place far from the run reads a new run there: by rank among the newest
 * (since=N), and further back, where the server does not count, by a position that is
 * estimated from the ends of the list. So the rank of such a run may be wrong; when the run
 * then reaches the anchor or the oldest update, whose ranks are known, it is put right,
 * and the rows in view stay where they are.
 */
import { Reader } from './reader.js';
import { topicPath } from './updates.js';

const PAGE = { least: 10, most: 120, bytes: 4 * 1024 * 1024 }; // how much is read at once
const KEEP = 1_200; // rows in memory
const COUNTED = 90_000; // updates that the server counts for since=N, and some for what is published meanwhile

/** @typedef {import('./updates.js').Row} Row */

/**
 * Reports changes as events: "change" (its `shift`: by how many ranks the rows have moved),
 * "newer", and "trouble" (its `problem`).
 */
export class History extends EventTarget {
  /** How many rows the list has; an estimate until its end has been seen. */
  total = 0;
  /** How many updates were published since the list was opened. */
  newer = 0;
  /** Whether more may have been published than `newer` says. */
  uncertain = false;
  /** About how many of the listed updates have expired. */
  expired = 0;
  /** Whether the newest rows have been read. */
  opened = false;
  /** @type {Reader} */
  reader;
  /** The position of rank 0; -1 when there is none. */
  anchor = -1;
  #app;
  #topic;
  #end = new AbortController();
  #quiet;
  #stream = null;
  #newest = null; // the id of rank 0
  #first = null; // the id of the oldest update held, when that was last known
  #page = PAGE.most; // rows that are read at once
  #start = 0; // the rank of the first row
  /** @type {Row[]} */
  #rows = [];
  #complete = false; // the last row is the oldest update held
  #wanted = { first: 0, end: 0 };
  #busy = false;

  /** @param {boolean} quiet  not to subscribe */
  constructor(app, topic, quiet) {
    super();
    this.#quiet = quiet;
    this.#app = app;
    this.#topic = topic;
    this.reader = new Reader(app.api, topic, this.#end.signal);
  }

  /**
   * Reads the newest rows.
   *
   * @param {{updates: number, bytes: number, first: string|null}} held  what the topic holds,
   *        as its description says
   */
  async open({ updates: held, bytes, first }) {
    this.#first = first;
    this.#page = Math.max(PAGE.least, Math.min(PAGE.most, Math.floor(PAGE.bytes * held / bytes) || PAGE.most));
    await this.#attempt(async () => {
      const { items: rows, complete } = await this.reader.newest(this.#page);
      if (this.#end.signal.aborted) return;
      this.#rows = rows;
      this.anchor = rows[0]?.position ?? -1;
      this.#complete = complete;
      this.total = this.#complete ? rows.length : Math.max(held, rows.length);
      this.#newest = rows[0]?.id ?? null;
      this.opened = true;
      if (!this.#quiet) this.#follow();
    });
  }

  close() {
    this.#end.abort();
    this.#stream?.close();
  }

  /** @returns {Row|null}  null when it is not in memory */
  at(rank) {
    return this.#rows[rank - this.#start] ?? null;
  }

  /** Says which rows are in view: they are read, if they are not in memory. */
  want(first, end) {
    this.#wanted = { first, end };
    this.retry();
  }

  /** Reads on, if reading has failed. */
  retry() {
    if (!this.#busy) this.#work();
  }

  /**
   * The topic holds so many updates now, as its description says. While its FIRST one is
   * the same, none has expired.
   */
  note({ updates: held, first, last }) {
    if (!this.opened) return;
    if (this.#quiet && last !== this.#newest) {
      this.uncertain = true;
      this.dispatchEvent(new Event('newer'));
    }
    if (first === this.#first) return;
    this.#first = first;
    const left = Math.max(0, held - this.newer);
    if (this.uncertain || left >= this.total) return;
    this.expired += this.total - left;
    this.total = left;
    this.#complete = this.#tail >= left;
    if (this.#tail > left) this.#rows.length = Math.max(0, left - this.#start);
    this.#report();
  }

  /** The rank behind the last row in memory. */
  get #tail() {
    return this.#start + this.#rows.length;
  }

  async #work() {
    this.#busy = true;
    await this.#attempt(async () => {
      for (let step = this.#next(); step; step = this.#next()) await step();
    });
    this.#busy = false;
  }

  /** What to read next; null when the rows in view are in memory. */
  #next() {
    const first = Math.max(0, this.#wanted.first);
    const end = Math.min(this.total, this.#wanted.end);
    if (first >= end || this.#end.signal.aborted) return null;
    if (first > this.#tail + this.#page || end < this.#start - this.#page || !this.#rows.length) return () => this.#jump(first, end);
    if (first < this.#start) return () => this.#readNewer();
    if (end > this.#tail && !this.#complete) return () => this.#readOlder();
    return null;
  }

  /** Reads a new run around some ranks. */
  async #jump(first, end) {
    const length = this.#page + end - first;
    const start = Math.max(0, first - Math.floor(this.#page / 2));
    const last = start + length >= this.total;
    const rows = last ? await this.reader.oldest(length) : await this.#readAt(start, length);
    const known = rows.filter(({ position }) => position <= this.anchor);
    if (!known.length) return this.#empty();
    this.#rows = known;
    this.#complete = last;
    this.#start = last ? Math.max(0, this.total - known.length) : start;
    this.#align();
  }

  /** Reads a number of rows from a rank on. */
  async #readAt(start, length) {
    const end = start + length;
    if (end + this.newer < COUNTED) {
      const rows = await this.reader.last(end + this.newer, length);
      if (rows.at(-1)?.position <= this.anchor) return rows; // else the stream that counts is far behind
    }
    const [oldest] = await this.reader.oldest(1);
    if (!oldest) return [];
    const spacing = (this.anchor - oldest.position) / Math.max(1, this.total - 1);
    const { items } = await this.reader.after(Math.floor(this.anchor - end * spacing), length);
    return items;
  }

  /** Reads the rows before the first one of the run. */
  async #readNewer() {
    const { items, gap } = await this.reader.after(this.#rows[0].position, this.#page);
    const known = items.filter(({ position }) => position <= this.anchor);
    if (gap) { // the whole run has expired
      this.#rows = known;
      this.#complete = true;
      this.total = Math.max(this.#start, known.length);
      this.#start = this.total - known.length;
      this.expired += 1;
      return this.#align();
    }
    if (!known.length) this.anchor = this.#rows[0].position; // the anchor has been deleted
    this.#rows = [...known, ...this.#rows];
    this.#start -= known.length;
    if (this.#rows.length > KEEP) {
      this.#rows.length = KEEP;
      this.#complete = false;
    }
    this.#align();
  }

  /** Reads the rows behind the last one of the run. */
  async #readOlder() {
    const { items, complete } = await this.reader.before(this.#rows.at(-1).position, this.#page);
    this.#rows = [...this.#rows, ...items];
    this.#complete = complete;
    const extra = Math.max(0, this.#rows.length - KEEP);
    this.#rows.splice(0, extra);
    this.#start += extra;
    this.#align();
  }

  /** Puts the ranks right where a known place has been reached, and reports the change. */
  #align() {
    let shift = 0;
    if (this.#rows[0]?.position === this.anchor) shift = -this.#start;
    else if (this.#start <= 0) shift = this.#page - this.#start; // there are newer ones
    this.#start += shift;
    if (this.#complete || this.total < this.#tail) this.total = this.#tail;
    this.#report(shift);
  }

  #empty() {
    this.#rows = [];
    this.#start = 0;
    this.expired += this.total;
    this.total = 0;
    this.#report();
  }

  /** Counts what is published after the newest row. */
  #follow() {
    const id = this.#newest;
    const path = topicPath(this.#topic, id === null ? { since: 'all' } : {});
    const stream = this.#stream = this.#app.subscribe(path, { share: false, ...(id !== null && { lastEventId: id }) });
    stream.addEventListener('any', ({ gap }) => {
      if (gap) this.uncertain = true;
      else this.newer += 1;
      this.dispatchEvent(new Event('newer'));
    });
  }

  #report(shift = 0) {
    this.dispatchEvent(Object.assign(new Event('change'), { shift }));
  }

  async #attempt(act) {
    try {
      await act();
    } catch (problem) {
      if (this.#end.signal.aborted) return;
      this.dispatchEvent(Object.assign(new Event('trouble'), { problem }));
    }
  }
}
