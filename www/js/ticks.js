/**
 * Ticks: a counter, and a ring that turns once per minute.
 */
import { subscribe } from '../crier.js';
import { run } from './card.js';

export function startTicks(card) {
  const number = card.querySelector('.tick');
  const hand = card.querySelector('.hand');

  run(card, () => {
    const stream = subscribe('ticks', { keep: 'newest' });
    stream.addEventListener('message', ({ data }) => {
      number.textContent = data;
      hand.setAttribute('stroke-dashoffset', 60 - (Number(data) % 60 || 60));
    });
    return stream;
  });
}
