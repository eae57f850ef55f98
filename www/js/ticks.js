/**
 * Ticks: a counter, and a ring that turns once per minute.
 */
import { run } from './card.js';
import { Stream } from './stream.js';

export function startTicks(card) {
  const number = card.querySelector('.tick');
  const hand = card.querySelector('.hand');

  run(card, () => {
    const stream = new Stream('ticks', { keep: 'newest' });
    stream.addEventListener('message', ({ data }) => {
      number.textContent = data;
      hand.setAttribute('stroke-dashoffset', 60 - (Number(data) % 60 || 60));
    });
    return stream;
  });
}
