/**
 * A table of which only the rows in view are in the document: a million rows cost as
 * much as fifty.
 *
 *   const list = new VirtualList({
 *     label: 'Updates',
 *     columns: [{ name: 'time', title: 'Time' }, { name: 'data', title: 'Data', class: 'wide' }],
 *     fill: ([time, data], index) => { setText(time, ...); setText(data, ...); },
 *     open: (index) => ...,             // a click, or Enter
 *     range: (first, end) => ...,       // these rows are in view, or close to it
 *   });
 *   parent.append(list.element);        // its height is the parent's business
 *   list.resize(1_000_000);
 *
 * All rows have the same height, which the style sheet says (.vrow), so that a row's place is
 * known without its content. For screen readers it is a grid that says how many rows there
 * are (aria-rowcount) and which ones these are (aria-rowindex). The grid has the focus
 * all the time and names its active row (aria-activedescendant), so that the focus is not
 * lost with a row that leaves the document.
 *
 * Browsers limit an element's height, Firefox to 17 million pixels. A list that would be
 * higher has a body of MAX_HEIGHT, on which a large move of the scroll bar goes in
 * proportion, while small ones (wheel, finger, keys) still move the rows by as many
 * pixels; where the two differ then, the scroll bar is put right when the scrolling rests.
 */
import { make } from '../../../js/dom.js';

const MAX_HEIGHT = 8_000_000; // px
const EDGE = 100_000; // px at both ends of such a body that are never scaled
const SPARE = 6; // rows above and below those in view
const REST = 150; // ms without scrolling

let lists = 0; // for ids

/** @typedef {{name: string, title: string, class?: string, sort?: boolean}} Column */

export class VirtualList {
  /** The index of the active row, or -1. */
  active = -1;
  #id = `vlist-${(lists += 1)}`;
  #how;
  #count = 0;
  #rows = new Map(); // by index: { element, cells }
  #free = [];
  #dirty = false; // all rows are to be filled again
  #frame = 0;
  #rest = 0;
  #height = 0; // of a row
  #view = 0; // the height of what is in view, without the head
  #top = 0; // what is at the top of the view, in px from the first row
  #physical = 0; // scrollTop when #top was set
  #head;
  #body = make('div', { class: 'vbody', role: 'rowgroup' });
  #probe = make('div', { class: 'vrow probe', 'aria-hidden': 'true' }, ' ');
  #observer = new ResizeObserver(() => this.#measure());

  /**
   * @param {{label: string, columns: Column[],
   *          fill: (cells: HTMLElement[], index: number, row: HTMLElement) => void,
   *          open?: (index: number) => void, range?: (first: number, end: number) => void,
   *          sort?: (name: string) => void}} how
   */
  constructor(how) {
    this.#how = how;
    this.#head = this.#makeHead(how.columns);
    this.#body.append(this.#probe);
    const element = this.element = make('div', { class: 'vlist', role: 'grid', tabindex: '0', 'aria-label': how.label },
      make('div', { class: 'vhead', role: 'rowgroup' }, this.#head), this.#body);
    element.addEventListener('scroll', () => this.#onscroll(), { passive: true });
    element.addEventListener('keydown', (event) => this.#onkey(event));
    this.#body.addEventListener('click', (event) => this.#onclick(event));
    for (const part of [element, this.#probe, this.#head]) this.#observer.observe(part);
  }

  get count() {
    return this.#count;
  }

  /** Whether the last row is in view. */
  get atEnd() {
    return this.#top + this.#view >= this.#total - 2;
  }

  /**
   * There are so many rows now, and what was row i is row i + SHIFT: the rows in view stay
   * where they are. All rows are filled again.
   */
  resize(count, shift = 0) {
    this.#count = count;
    if (this.active >= 0) this.active = Math.min(Math.max(this.active + shift, -1), count - 1);
    this.element.setAttribute('aria-rowcount', count + 1);
    if (shift) this.#top = Math.max(0, this.#top + shift * this.#height);
    this.#fit(shift !== 0);
    this.refresh();
  }

  /** Fills all rows again, in the next frame. */
  refresh() {
    this.#dirty = true;
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** Scrolls a row into view: by as little as possible, or to the MIDDLE of the view. */
  reveal(index, middle = false) {
    const [start, end] = [index * this.#height, (index + 1) * this.#height];
    if (middle) this.#go(start - (this.#view - this.#height) / 2);
    else if (start < this.#top) this.#go(start);
    else if (end > this.#top + this.#view) this.#go(end - this.#view);
  }

  toEnd() {
    this.#go(this.#total - this.#view);
  }

  /** Makes a row the active one; -1 for none. */
  activate(index) {
    this.active = index;
    for (const [at, row] of this.#rows) this.#mark(row, at);
    this.#point();
  }

  /** Shows by which column the rows are sorted. @param {'ascending'|'descending'} direction */
  showSort(name, direction) {
    for (const cell of this.#head.children) {
      if (cell.dataset.column === name) cell.setAttribute('aria-sort', direction);
      else cell.removeAttribute('aria-sort');
    }
  }

  /** The list is not used any more. */
  close() {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#rest);
  }

  /** The height of all rows. */
  get #total() {
    return this.#count * this.#height;
  }

  #makeHead(columns) {
    const cell = ({ name, title, sort, class: kind = '' }) => {
      const label = sort ? make('button', { type: 'button' }, title) : title;
      if (sort) label.addEventListener('click', () => this.#how.sort(name));
      return make('div', { role: 'columnheader', class: kind, 'data-column': name }, label);
    };
    return make('div', { class: 'vrow', role: 'row', 'aria-rowindex': '1' }, ...columns.map(cell));
  }

  #measure() {
    const height = this.#probe.offsetHeight;
    if (!height) return; // it is hidden
    const first = this.#height ? this.#top / this.#height : 0;
    this.#view = this.element.clientHeight - this.#head.offsetHeight;
    if (height !== this.#height) this.#top = first * height;
    this.#height = height;
    this.#fit(true);
    this.#draw();
  }

  /** Gives the body its height, and keeps the view within it. */
  #fit(moved) {
    this.#body.style.height = `${Math.min(this.#total, MAX_HEIGHT)}px`;
    const last = Math.max(0, this.#total - this.#view);
    if (moved || this.#top > last) this.#go(Math.min(this.#top, last));
  }

  /** The place in the rows for a place of the scroll bar. */
  #toRows(physical) {
    const extra = this.#total - MAX_HEIGHT;
    const middle = MAX_HEIGHT - 2 * EDGE - this.#view;
    if (extra <= 0 || physical <= EDGE) return physical;
    if (physical >= EDGE + middle) return physical + extra;
    return EDGE + (physical - EDGE) * (1 + extra / middle);
  }

  /** The place of the scroll bar for a place in the rows. */
  #toBar(top) {
    const extra = this.#total - MAX_HEIGHT;
    const middle = MAX_HEIGHT - 2 * EDGE - this.#view;
    if (extra <= 0 || top <= EDGE) return top;
    if (top >= EDGE + middle + extra) return top - extra;
    return EDGE + (top - EDGE) / (1 + extra / middle);
  }

  #go(top) {
    this.#top = Math.max(0, Math.min(top, this.#total - this.#view));
    this.element.scrollTop = this.#toBar(this.#top);
    this.#physical = this.element.scrollTop;
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #onscroll() {
    const { scrollTop } = this.element;
    const moved = scrollTop - this.#physical;
    if (this.#total <= MAX_HEIGHT || Math.abs(moved) > this.#view) this.#top = this.#toRows(scrollTop);
    else this.#top = Math.max(0, Math.min(this.#top + moved, this.#total - this.#view));
    this.#physical = scrollTop;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#settle(), REST);
    this.#draw();
  }

  /** Puts the scroll bar where it belongs. */
  #settle() {
    if (Math.abs(this.#toBar(this.#top) - this.element.scrollTop) > 1) this.#go(this.#top);
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (!this.#height) return; // it is not in the document
    const first = Math.max(0, Math.floor(this.#top / this.#height) - SPARE);
    const end = Math.min(this.#count, Math.ceil((this.#top + this.#view) / this.#height) + SPARE);
    for (const [index, row] of this.#rows) {
      if (index >= first && index < end) continue;
      this.#rows.delete(index);
      this.#free.push(row);
    }
    const offset = this.#physical - this.#top;
    let before = this.#probe;
    for (let index = first; index < end; index += 1) {
      const { element } = this.#place(index);
      element.style.transform = `translateY(${index * this.#height + offset}px)`;
      if (before.nextSibling !== element) before.after(element); // in order, for screen readers
      before = element;
    }
    for (const { element } of this.#free.splice(0)) element.remove();
    this.#dirty = false;
    this.#point();
    this.#how.range?.(first, end);
  }

  /** The row with this index, filled. */
  #place(index) {
    const known = this.#rows.get(index);
    const row = known ?? this.#free.pop() ?? this.#makeRow();
    if (known && !this.#dirty) return row;
    this.#rows.set(index, row);
    row.element.id = `${this.#id}-${index}`;
    row.element.setAttribute('aria-rowindex', index + 2);
    row.element.dataset.index = index;
    this.#mark(row, index);
    this.#how.fill(row.cells, index, row.element);
    return row;
  }

  #makeRow() {
    const cells = this.#how.columns.map(({ name, class: kind = '' }) =>
      make('div', { role: 'gridcell', class: kind, 'data-column': name }));
    return { cells, element: make('div', { class: 'vrow', role: 'row' }, ...cells) };
  }

  #mark({ element }, index) {
    element.setAttribute('aria-selected', index === this.active);
  }

  /** Tells assistive software the active row, while that is in the document. */
  #point() {
    if (this.#rows.has(this.active)) this.element.setAttribute('aria-activedescendant', `${this.#id}-${this.active}`);
    else this.element.removeAttribute('aria-activedescendant');
  }

  #onkey(event) {
    if (event.target !== this.element || event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.#view / this.#height) - 1);
    const to = {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: this.#count - 1,
    }[event.key];
    if (to !== undefined) this.#step(to);
    else if (event.key === 'Enter' && this.active >= 0) this.#how.open?.(this.active);
    else return;
    event.preventDefault();
  }

  #step(to) {
    if (!this.#count) return;
    const index = Math.max(0, Math.min(to, this.#count - 1));
    this.reveal(index);
    this.#draw();
    this.activate(index);
  }

  #onclick({ target }) {
    const row = target.closest('.vrow');
    if (!row || target.closest('a, button') || !getSelection().isCollapsed) return;
    const index = Number(row.dataset.index);
    this.activate(index);
    this.#how.open?.(index);
  }
}
