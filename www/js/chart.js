/**
 * A small line chart in SVG: the newest values of one series.
 *
 * It stretches to any size without distorting its strokes, shows the highest and lowest
 * price of its scale and the time that it spans, and has a description in words for
 * screen readers.
 */
import { make, setText } from './dom.js';
import { makeDrawing, makePath, makeSvg } from './svg.js';

const [WIDTH, HEIGHT, MARGIN] = [240, 80, 8];
const END = WIDTH - MARGIN;
const KEEP = 90; // values
const SPARSE = 24; // fewer values do not fill the width
const CALM = 0.01; // the scale spans at least this share of the value

export class Chart {
  #values = [];
  #times = []; // when each arrived, in ms
  #opening = 0;
  #name;
  #title = makeSvg('title');
  #base = makePath('base');
  #area = makePath('area');
  #line = makePath('line');
  #dot = makePath('dot');
  #highest = make('span', { class: 'top-price' });
  #lowest = make('span', { class: 'bottom-price' });
  #span = make('span', { class: 'time-span' });

  /** @param {string} name  what the values are, for the description */
  constructor(name) {
    this.#name = name;
    const drawing = makeDrawing('chart', WIDTH, HEIGHT, { role: 'img' },
      this.#title, this.#area, this.#base, this.#line, this.#dot);
    const scale = [this.#highest, this.#lowest, this.#span];
    for (const label of scale) label.setAttribute('aria-hidden', 'true'); // the title has them
    this.element = make('div', { class: 'plot' }, drawing, ...scale);
  }

  /**
   * @param {number} value
   * @param {number} opening  the value from which changes are counted; the base line
   */
  add(value, opening) {
    this.#opening = opening;
    this.#values.push(value);
    this.#times.push(performance.now());
    if (this.#values.length > KEEP) {
      this.#values.shift();
      this.#times.shift();
    }
    this.#draw();
  }

  #draw() {
    const values = this.#values;
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const [bottom, top] = [Math.min(low, this.#opening), Math.max(high, this.#opening)];
    const range = Math.max(top - bottom, top * CALM) || 1;
    const middle = (bottom + top) / 2;
    const step = END / (Math.max(values.length, SPARSE) - 1);
    const scale = (HEIGHT - 2 * MARGIN) / range;
    const seconds = (this.#times.at(-1) - this.#times[0]) / 1000;
    const x = (index) => (END - (values.length - 1 - index) * step).toFixed(1);
    const y = (value) => (HEIGHT / 2 - (value - middle) * scale).toFixed(1);

    const line = values.map((value, index) => `${x(index)},${y(value)}`).join('L');
    const end = `${END},${y(values.at(-1))}`;
    this.#base.setAttribute('d', `M0,${y(this.#opening)}H${WIDTH}`);
    this.#line.setAttribute('d', `M${line}`);
    this.#area.setAttribute('d', `M${line}H${WIDTH}V${HEIGHT}H${x(0)}Z`);
    this.#dot.setAttribute('d', `M${end}L${end}`); // no length, but round ends

    setText(this.#highest, (middle + range / 2).toFixed(2));
    setText(this.#lowest, (middle - range / 2).toFixed(2));
    setText(this.#span, values.length > 1 ? `last ${duration(seconds)}` : '');
    const [lowest, highest, newest] = [low, high, values.at(-1)].map((value) => value.toFixed(2));
    this.#title.textContent = `${this.#name}: ${values.length} prices, ` +
      `in ${duration(seconds)}, lowest ${lowest}, highest ${highest}, newest ${newest}`;
  }
}

/** A time span in words: "45 s", "1 min 30 s". */
function duration(seconds) {
  const [minutes, rest] = [Math.floor(seconds / 60), Math.round(seconds % 60)];
  return minutes ? `${minutes} min${rest ? ` ${rest} s` : ''}` : `${rest} s`;
}
