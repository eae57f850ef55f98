/**
 * What waits for each shard, as a row of bars, and in words.
 *
 * The bars compare the shards with each other, so that one which falls behind stands out: the
 * highest is the shard for which most waits, unless that is next to nothing.
 */
import { make, setText } from '../../../../js/dom.js';
import { makeDrawing, makeSvg } from '../../../../js/svg.js';
import { bytes, count } from '../../parts/format.js';

const LEAST = 65_536; // bytes that a bar of full height stands for, or more
const [STEP, WIDTH, HEIGHT] = [10, 8, 100]; // of a bar

export class Shards {
  #ground = makeSvg('path', { class: 'ground' });
  #bars = makeSvg('path', { class: 'bars' });
  #drawing = makeDrawing('shards', STEP, HEIGHT, { role: 'img' }, this.#ground, this.#bars);
  #words = make('p', { class: 'hint' }, ' ');
  element = make('div', { class: 'per-shard' }, this.#drawing, this.#words);

  /** @param {number[]} waiting  bytes, for each shard */
  show(waiting) {
    const most = Math.max(...waiting);
    const draw = (height) => waiting.map((value, index) => {
      const top = height(value);
      return top > 0 ? `M${index * STEP},${HEIGHT}h${WIDTH}v${-top}h${-WIDTH}Z` : '';
    }).join('');
    this.#drawing.style.width = `${waiting.length}rem`; // at most: where there are many, they are narrow
    this.#drawing.setAttribute('viewBox', `0 0 ${waiting.length * STEP - (STEP - WIDTH)} ${HEIGHT}`);
    this.#drawing.setAttribute('aria-label', `What waits for each shard: ${waiting.map(bytes).join(', ')}`);
    this.#ground.setAttribute('d', draw(() => HEIGHT));
    this.#bars.setAttribute('d', draw((value) => Math.round((value / Math.max(most, LEAST)) * HEIGHT)));
    setText(this.#words, most === 0 ? `${count(waiting.length, 'shard')}, nothing waits`
      : `shard ${waiting.indexOf(most) + 1} of ${waiting.length}: ${bytes(most)}`);
  }
}
