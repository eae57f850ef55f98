/**
 * A rate over the last minute, as a line in a row of a table. It says nothing to screen
 * readers: the number beside it does.
 */
import { makeDrawing, makePath } from '../../../../js/svg.js';

const [WIDTH, HEIGHT] = [60, 20];
const KEEP = 30; // values

/** The rates of one topic. */
export class Rates {
  /** In updates a second; null before it is known. */
  now = null;
  /** The last ones. @type {number[]} */
  values = [];
  #published = null;
  #time = 0;

  /** Takes how many were published since the server started. */
  add(published) {
    const time = performance.now();
    const seconds = (time - this.#time) / 1000;
    if (this.#published !== null && published !== undefined) {
      this.now = Math.max(0, published - this.#published) / seconds; // less after a restart
      this.values.push(this.now);
      if (this.values.length > KEEP) this.values.shift();
    }
    this.#published = published ?? null;
    this.#time = time;
  }
}

/** @returns {SVGElement} an empty line; drawRates() fills it */
export const sparkline = () => makeDrawing('spark', WIDTH, HEIGHT, { 'aria-hidden': 'true' }, makePath());

/** Draws rates, the newest at the right. @param {SVGElement} drawing @param {number[]} values */
export function drawRates(drawing, values) {
  const highest = Math.max(1, ...values);
  const step = WIDTH / (KEEP - 1);
  const points = values.map((value, index) => {
    const x = WIDTH - (values.length - 1 - index) * step;
    return `${x.toFixed(1)},${(HEIGHT - 1 - value / highest * (HEIGHT - 2)).toFixed(1)}`;
  });
  drawing.firstChild.setAttribute('d', points.length > 1 ? `M${points.join('L')}` : '');
}
