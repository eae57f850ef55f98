/**
 * A card shows an endless stream: its state, its values, and a button to pause it.
 *
 * Whatever moves by itself needs a way to stop it. Pausing closes the stream of this tab,
 * so nothing is sent in vain. While the stream is not live, the values are dimmed.
 */
import { setText, showState } from './dom.js';

/**
 * @param {HTMLElement} card
 * @param {() => import('../crier.js').Stream} open  opens the stream
 */
export function run(card, open) {
  const [status, trouble, button] = ['.status', '.trouble', '.pause'].map((s) => card.querySelector(s));
  const title = card.querySelector('h2').textContent.toLowerCase();
  let stream;

  const start = () => {
    const current = stream = open();
    current.addEventListener('statechange', () => {
      if (current !== stream) return;
      showState(status, current.state);
      setText(trouble, current.trouble);
      card.toggleAttribute('data-stale', !['live', 'connecting'].includes(current.state));
      if (current.state === 'closed') stop('Ended');
    });
    label('Pause');
  };
  const stop = (word) => {
    const current = stream;
    stream = null;
    current.close();
    showState(status, 'closed', word);
    card.toggleAttribute('data-stale', true);
    label('Resume');
  };
  const label = (verb) => {
    button.textContent = verb;
    button.setAttribute('aria-label', `${verb} ${title}`);
  };
  button.addEventListener('click', () => (stream ? stop('Paused') : start()));
  start();
}
