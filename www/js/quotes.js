/**
 * Quotes: one event type per symbol, and a chart for each.
 *
 * The first event has the list of symbols, and the latest quote of each follows at once.
 */
import { subscribe } from '../crier.js';
import { run } from './card.js';
import { Chart } from './chart.js';
import { make, setText } from './dom.js';

export function startQuotes(card) {
  const list = card.querySelector('.charts');
  const tiles = new Map();
  const tile = (symbol, name) => {
    if (!tiles.has(symbol)) tiles.set(symbol, new Tile(list, symbol, name));
    return tiles.get(symbol);
  };

  run(card, () => {
    const stream = subscribe('quotes', { keep: 'newest' });
    stream.addEventListener('any', ({ kind, data }) => {
      const event = JSON.parse(data);
      if (kind === 'symbols') event.symbols.forEach(({ symbol, name }) => tile(symbol, name));
      else tile(kind, event.name).show(event);
    });
    return stream;
  });
}

/** The price and the chart of one symbol. */
class Tile {
  #price = make('output', { class: 'price', 'aria-live': 'off' }, '–');
  #change = make('span', { class: 'change' });
  #chart;

  constructor(list, symbol, name) {
    this.#chart = new Chart(name);
    list.append(make('li', { 'data-symbol': symbol },
      make('h3', {}, symbol, ' ', make('span', {}, name)),
      make('p', {}, this.#price, ' ', this.#change),
      this.#chart.element));
  }

  show({ price, change }) {
    const way = Math.sign(change);
    setText(this.#price, price.toFixed(2));
    setText(this.#change, `${['▼', '■', '▲'][way + 1]} ${way < 0 ? '−' : '+'}${Math.abs(change).toFixed(2)}`);
    this.#change.dataset.way = way;
    this.#chart.add(price, price - change);
  }
}
