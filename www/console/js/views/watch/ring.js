/**
 * Ring: the newest items of a sequence, within a number and a size.
 *
 * The view must stay as small after a week as after a minute. So the oldest items leave as
 * soon as there are more than `maxCount`, or as their sizes add up to more than `maxSize`;
 * the newest item stays, however large it is. Adding costs the same with one item held and
 * with ten thousand.
 */
export class Ring {
  /** How many items are held. */
  length = 0;
  /** The sum of their sizes. */
  size = 0;
  /** How many have left: the number, from 0, of the oldest one held. */
  first = 0;
  #slots;
  #maxSize;

  /**
   * @param {number} maxCount
   * @param {number} [maxSize]
   */
  constructor(maxCount, maxSize = Infinity) {
    this.#slots = new Array(maxCount);
    this.#maxSize = maxSize;
  }

  /** Adds an item. @param {{size: number}} item */
  push(item) {
    if (this.length === this.#slots.length) this.shift();
    this.#slots[(this.first + this.length) % this.#slots.length] = item;
    this.length += 1;
    this.size += item.size;
    while (this.size > this.#maxSize && this.length > 1) this.shift();
  }

  /** The item at an index from 0, the oldest; undefined beyond the newest. */
  at(index) {
    if (index < 0 || index >= this.length) return undefined;
    return this.#slots[(this.first + index) % this.#slots.length];
  }

  /** Removes the oldest item. */
  shift() {
    const slot = this.first % this.#slots.length;
    this.size -= this.#slots[slot].size;
    this.#slots[slot] = undefined;
    this.first += 1;
    this.length -= 1;
  }

  clear() {
    while (this.length > 0) this.shift();
  }

  * [Symbol.iterator]() {
    for (let index = 0; index < this.length; index += 1) yield this.at(index);
  }
}
