/**
 * The updates that a topic holds, newest first, of which only those near the part in view
 * are in memory.
 *
 * A row's place is its rank in the list as it was when it was opened: rank 0 is the update
 * that was the newest then (the anchor). What is published later does not move the list; a
 * stream counts it (`newer`), since the server counts ranks from the newest update now
 * (since=N).
 *
 * In memory is one run of rows without a hole. It grows at both ends by reading what is next
 * to it: on its newer side after the id of its newest row; on its older side by rank with
 * an overlap, in which its oldest row must be found. So neighbours are always right, even
 * while thousands are published a second. A jump to a place far from the run reads a new run
 * by rank alone. Its rank may be wrong by what the stream has not reported yet; when the run
 * then reaches the anchor or the oldest update, whose places are known, it is put right.
 */
import { readRows, topicPath } from './updates.js';

const PAGE = { least: 10, most: 120, bytes: 4 * 1024 * 1024 }; // how much is read at once
const KEEP = 1_200; // rows in memory
const OVERLAPS = [20, 200, 2_000]; // rows in which the run's oldest one is looked for

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
  /** How many of the listed updates have expired. */
  expired = 0;
  #app;
  #topic;
  #end = new AbortController();
  #stream = null;
  #first = null; // the id of the oldest update held, when that was last known
  #anchor = -1; // the position of rank 0
  #start = 0; // the rank of the first row
  /** @type {Row[]} */
  #rows = [];
  #page = PAGE.most; // rows that are read at once
  #complete = false; // the last row is the oldest update held
  #wanted = { first: 0, end: 0 };
  #busy = false;

  constructor(app, topic) {
    super();
    this.#app = app;
    this.#topic = topic;
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
      const { rows } = await this.#read({ since: this.#page }, this.#page);
      this.#anchor = rows[0]?.position ?? -1;
      this.#rows = rows;
      this.#complete = rows.length < this.#page;
      this.total = this.#complete ? rows.length : Math.max(held, rows.length);
      this.#follow(rows[0]?.id);
      this.#report();
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
    if (!this.#busy) this.#work();
  }

  /**
   * The topic holds so many updates now, as its description says. While its FIRST one is
   * the same, none has expired.
   */
  note({ updates: held, first }) {
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
    const start = Math.max(0, Math.floor((first + end - this.#page) / 2));
    const length = this.#page + end - first;
    const last = start + length >= this.total;
    const { rows } = last ? await this.#read({ since: 'all' }, length)
      : await this.#read({ since: start + length + this.newer }, length);
    const known = rows.filter(({ position }) => position <= this.#anchor);
    if (!known.length) return this.#empty();
    this.#rows = known;
    this.#complete = last;
    this.#start = last ? Math.max(0, this.total - known.length) : start;
    this.#align();
  }

  /** Reads the rows before the first one of the run. */
  async #readNewer() {
    const { rows, gap } = await this.#read({ lastEventID: this.#rows[0].id }, this.#page);
    const known = rows.filter(({ position }) => position <= this.#anchor);
    if (gap) { // the whole run has expired
      this.#rows = known;
      this.#complete = true;
      this.total = Math.max(this.#start, known.length);
      this.#start = this.total - known.length;
      this.expired += 1;
      return this.#align();
    }
    if (!known.length) this.#anchor = this.#rows[0].position; // the anchor has been deleted
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
    const oldest = this.#rows.at(-1);
    for (const overlap of OVERLAPS) {
      const { rows } = await this.#read({ since: this.#tail + this.newer + this.#page }, this.#page + overlap);
      const place = rows.findIndex(({ position }) => position === oldest.position);
      if (place >= 0 && place < rows.length - 1) return this.#addOlder(rows.slice(place + 1));
      if (await this.#isOldest(oldest)) {
        this.#complete = true;
        return this.#align();
      }
    }
    const rank = this.#tail; // it is wrong by far: begin again there
    this.#rows = [];
    await this.#jump(rank, rank + 1);
  }

  /** Whether nothing older than ROW is held. */
  async #isOldest({ position }) {
    const { rows } = await this.#read({ since: 'all' }, 1);
    return !rows.length || rows[0].position >= position;
  }

  #addOlder(rows) {
    this.#rows = [...this.#rows, ...rows];
    const extra = Math.max(0, this.#rows.length - KEEP);
    this.#rows.splice(0, extra);
    this.#start += extra;
    this.#align();
  }

  /** Puts the ranks right where a known place has been reached, and reports the change. */
  #align() {
    let shift = 0;
    if (this.#rows[0]?.position === this.#anchor) shift = -this.#start;
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

  #read(query, limit) {
    return readRows(this.#app.api, this.#topic, query, { limit, signal: this.#end.signal });
  }

  /** Counts what is published after the newest row. */
  #follow(id) {
    const path = topicPath(this.#topic, id === undefined ? { since: 'all' } : {});
    const stream = this.#stream = this.#app.subscribe(path, { share: false, ...(id !== undefined && { lastEventId: id }) });
    stream.addEventListener('any', ({ kind, lastEventId, gap }) => {
      if (kind === 'gap' && gap) this.uncertain = true;
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
