/**
 * A chart of one value over the last minutes, in SVG, for the eye, the keyboard and the ear.
 *
 * It has a value axis from 0 to a round number, a time axis that ends with the newest value,
 * and a cursor: the pointer or the arrow keys move it, and the value there is shown and, as
 * the text of a slider, read aloud. Its description says in words what the curve shows.
 *
 * It is drawn anew for each value and never animated: a curve that moves once a second is
 * read more easily than one that slides.
 */
import { make, setText } from '../../../js/dom.js';
import { makeDrawing, makePath } from '../../../js/svg.js';
import { duration, number, short, time } from './format.js';

/** How many ms a chart shows. */
export const SPAN = 300_000;
const [WIDTH, HEIGHT] = [300, 100];
const HOLE = 3000; // ms without a value that interrupt the curve
const LEAP = 30; // values that Page Up and Page Down move the cursor

let charts = 0;

/** @typedef {[time: number, value: number]} Point  the time in ms since 1970 */

export class TimeChart {
  #format;
  #axis;
  #base;
  #name;
  /** @type {Point[]} */
  #points = [];
  #cursor = null; // a time, or null
  #grid = makePath('grid');
  #area = makePath('area');
  #line = makePath('line');
  #mark = makePath('mark');
  #top = make('span', { class: 'tick top-tick', 'aria-hidden': 'true' });
  #middle = make('span', { class: 'tick middle-tick', 'aria-hidden': 'true' });
  #tip = make('p', { class: 'tip', 'aria-hidden': 'true', hidden: '' });
  #summary = make('p', { class: 'unseen', id: `chart-${++charts}` });
  #plot;

  /**
   * @param {object} options
   * @param {string} options.name  what the values are, with their unit
   * @param {(value: number) => string} [options.format]  a value with its unit
   * @param {(value: number) => string} [options.axis]  the same for the axis, where it must be short
   * @param {number} [options.base]  1024 for bytes: which numbers are round
   */
  constructor({ name, format = number, axis = short, base = 10 }) {
    this.#name = name;
    this.#format = format;
    this.#axis = axis;
    this.#base = base;
    const drawing = makeDrawing('drawing', WIDTH, HEIGHT, { 'aria-hidden': 'true' },
      this.#grid, this.#area, this.#line, this.#mark);
    this.#grid.setAttribute('d', [0, HEIGHT / 2, HEIGHT].map((y) => `M0,${y}H${WIDTH}`).join(''));

    const minutes = SPAN / 60_000;
    this.#plot = make('div', {
      class: 'plot', tabindex: '0', role: 'slider', 'aria-readonly': 'true', 'aria-roledescription': 'chart',
      'aria-label': `${name}, last ${minutes} minutes`, 'aria-describedby': this.#summary.id,
      'aria-orientation': 'horizontal', 'aria-valuemin': String(-SPAN / 1000), 'aria-valuemax': '0', 'aria-valuenow': '0',
    }, drawing, this.#top, this.#middle, make('span', { class: 'tick bottom-tick', 'aria-hidden': 'true' }, '0'), this.#tip);
    this.element = make('div', { class: 'time-chart' },
      this.#plot,
      make('p', { class: 'times', 'aria-hidden': 'true' }, make('span', {}, `−${minutes} min`), make('span', {}, 'now')),
      this.#summary);
    this.#plot.addEventListener('pointermove', (event) => this.#point(event));
    this.#plot.addEventListener('pointerleave', () => this.#moveTo(null));
    this.#plot.addEventListener('keydown', (event) => this.#press(event));
    this.#plot.addEventListener('blur', () => this.#moveTo(null));
    this.#draw();
  }

  /** Shows these values and no others. @param {Point[]} points  the oldest first */
  set(points) {
    this.#points = points.slice();
    this.#trim();
    this.#draw();
  }

  /** Adds the newest value; one that is not newer than the last one is left out. */
  add(at, value) {
    if (at <= (this.#points.at(-1)?.[0] ?? 0)) return;
    this.#points.push([at, value]);
    this.#trim();
    this.#draw();
  }

  #trim() {
    const oldest = (this.#points.at(-1)?.[0] ?? 0) - SPAN;
    const keep = this.#points.findIndex(([at]) => at >= oldest);
    if (keep > 0) this.#points.splice(0, keep);
  }

  #x(at) {
    return WIDTH - ((this.#points.at(-1)[0] - at) / SPAN) * WIDTH;
  }

  #draw() {
    const values = this.#points.map(([, value]) => value);
    const highest = values.reduce((one, other) => Math.max(one, other), 0);
    const ceiling = roundUp(highest, this.#base);
    const y = (value) => HEIGHT - (value / ceiling) * HEIGHT;
    let [line, area, last] = ['', '', null];
    for (const [at, value] of this.#points) {
      const x = this.#x(at).toFixed(1);
      const here = `${x},${y(value).toFixed(1)}`;
      const apart = last === null || at - last.at > HOLE;
      if (apart && last) area += `V${HEIGHT}Z`;
      line += `${apart ? 'M' : 'L'}${here}`;
      area += apart ? `M${x},${HEIGHT}L${here}` : `L${here}`;
      last = { at };
    }
    this.#line.setAttribute('d', line);
    this.#area.setAttribute('d', last ? `${area}V${HEIGHT}Z` : '');
    setText(this.#top, values.length ? this.#axis(ceiling) : '');
    setText(this.#middle, values.length && ceiling > 1 ? this.#axis(ceiling / 2) : '');
    this.#describe(values, highest);
    this.#drawCursor(y);
  }

  #describe(values, highest) {
    if (values.length === 0) return setText(this.#summary, 'No values yet.');
    const lowest = values.reduce((one, other) => Math.min(one, other), Infinity);
    const seconds = (this.#points.at(-1)[0] - this.#points[0][0]) / 1000;
    setText(this.#summary, `${this.#name} in ${duration(seconds)}: lowest ${this.#format(lowest)}, ` +
      `highest ${this.#format(highest)}, newest ${this.#format(values.at(-1))}.`);
  }

  /** The index of the value that is nearest to a time. */
  #indexAt(at) {
    let best = 0;
    this.#points.forEach(([when], index) => {
      if (Math.abs(when - at) < Math.abs(this.#points[best][0] - at)) best = index;
    });
    return best;
  }

  #drawCursor(y) {
    const newest = this.#points.at(-1);
    const chosen = this.#cursor === null ? newest : this.#points[this.#indexAt(this.#cursor)];
    this.#tip.hidden = this.#cursor === null || !chosen;
    if (!chosen) return this.#mark.setAttribute('d', '');
    const text = `${time(chosen[0])}, ${this.#format(chosen[1])}`;
    this.#plot.setAttribute('aria-valuenow', String(Math.round((chosen[0] - newest[0]) / 1000)));
    this.#plot.setAttribute('aria-valuetext', text);
    if (this.#tip.hidden) return this.#mark.setAttribute('d', '');
    const x = this.#x(chosen[0]);
    const point = `${x.toFixed(1)},${y(chosen[1]).toFixed(1)}`;
    this.#mark.setAttribute('d', `M${x.toFixed(1)},0V${HEIGHT}M${point}L${point}`);
    setText(this.#tip, text);
    this.#tip.classList.toggle('left', x > WIDTH / 2);
    this.#tip.style.insetInlineStart = `${(x / WIDTH) * 100}%`;
  }

  #moveTo(at) {
    if (this.#cursor === at) return;
    this.#cursor = at;
    this.#draw();
  }

  #point({ clientX }) {
    if (this.#points.length === 0) return;
    const { left, width } = this.#plot.getBoundingClientRect();
    const share = Math.min(Math.max((clientX - left) / width, 0), 1);
    this.#moveTo(this.#points.at(-1)[0] - (1 - share) * SPAN);
  }

  #press(event) {
    const moves = {
      ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -LEAP, PageUp: LEAP, Home: -Infinity, End: Infinity,
    };
    if (event.key === 'Escape') return this.#moveTo(null);
    if (!(event.key in moves) || this.#points.length === 0) return;
    event.preventDefault();
    const last = this.#points.length - 1;
    const from = this.#cursor === null ? last : this.#indexAt(this.#cursor);
    this.#moveTo(this.#points[Math.min(Math.max(from + moves[event.key], 0), last)][0]);
  }
}

/** The next round number: 1, 2, 4 or 6 times a power of ten; for bytes, a power of two. */
function roundUp(value, base) {
  if (base === 1024) return 2 ** Math.ceil(Math.log2(Math.max(value, 1024)));
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 4, 6, 10].find((step) => step * power >= value);
}
