/**
 * Tokens: an answer that arrives word by word and ends.
 *
 * An answer has a name, which this page chooses. Whoever asks for that name gets the same
 * answer from its first word on, and the server goes on writing it while nobody listens. So
 * the page remembers the answer that is on show: after a reload, or in another tab, it is
 * there up to where it was, and goes on, without being asked again.
 *
 * The events have ids, so a broken stream resumes where it stopped. Should a word arrive
 * twice all the same (a new connection starts from the beginning), its index shows that,
 * and it is skipped.
 */
import { subscribe } from '../crier.js';
import { setText, showState } from './dom.js';

const KEY = 'crier-answer';
const KEPT = 4 * 60_000; // ms; the server holds an answer for five minutes

/** @typedef {{name: string, prompt: string, words: number, at: number}} Answer */

/** @returns {Answer|null} the answer that is on show, or was before a reload */
function recall() {
  try {
    const answer = JSON.parse(localStorage.getItem(KEY));
    return answer && Date.now() - answer.at < KEPT ? answer : null;
  } catch { // no storage for this page, or nothing of ours in it
    return null;
  }
}

/** @param {Answer|null} answer */
function remember(answer) {
  try {
    if (answer) localStorage.setItem(KEY, JSON.stringify(answer));
    else localStorage.removeItem(KEY);
  } catch {
    // The answer is not there after a reload.
  }
}

/** A new name: letters and digits, not to be guessed. */
const makeName = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');

export function startTokens(card) {
  const find = (selector) => card.querySelector(selector);
  const [status, trouble, text, tally] = ['.status', '.trouble', '.answer', '.tally'].map(find);
  const [form, prompt, stop] = ['form', 'input', '.stop'].map(find);
  let stream = null;

  /** Shows the prompt in the curl command, where it stands in single quotes. */
  function showPrompt() {
    const encoded = encodeURIComponent(prompt.value || 'Why').replaceAll("'", '%27');
    setText(find('[data-prompt]'), encoded);
  }

  /** @param {Answer} answer  a new one, or one that was on show before */
  function show(answer) {
    end();
    const query = `prompt=${encodeURIComponent(answer.prompt)}&answer=${encodeURIComponent(answer.name)}`;
    const current = stream = subscribe(`tokens?${query}`, { keep: 'all' });
    const began = performance.now();
    const before = answer.words;
    let words = 0;
    text.replaceChildren();
    text.setAttribute('aria-busy', 'true'); // screen readers wait for the end
    setText(tally, '');
    setText(trouble, '');
    stop.disabled = false;

    function count() {
      if (before && words > before) {
        setText(tally, `Went on after word ${before}, without asking again: ${words} words`);
      } else if (before) {
        setText(tally, `Still here, without asking again: ${words} words`);
      } else {
        const seconds = (performance.now() - began) / 1000;
        setText(tally, `${words} words in ${seconds.toFixed(1)} s`);
      }
    }
    current.addEventListener('token', ({ data }) => {
      const token = JSON.parse(data);
      if (token.index <= words) return;
      words = token.index;
      if (words === before + 1 && before) markSeam();
      text.append(token.text);
      text.scrollTop = text.scrollHeight;
      if (words > before) remember({ ...answer, words, at: Date.now() });
      count();
    });
    current.addEventListener('done', () => end('Done'));
    current.addEventListener('statechange', () => {
      if (current !== stream) return;
      if (current.state === 'closed') end('Ended');
      else showState(status, current.state);
      setText(trouble, current.trouble);
    });
  }

  /** Marks where the answer went on. */
  function markSeam() {
    const seam = document.createElement('span');
    seam.className = 'seam';
    seam.title = 'Here the answer went on, without being asked for again';
    text.append(seam);
  }

  function end(word) {
    const current = stream;
    stream = null;
    current?.close();
    if (word) showState(status, 'closed', word);
    if (document.activeElement === stop) prompt.focus();
    stop.disabled = true;
    text.setAttribute('aria-busy', 'false');
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const answer = { name: makeName(), prompt: prompt.value, words: 0, at: Date.now() };
    remember(answer);
    show(answer);
  });
  prompt.addEventListener('input', showPrompt);
  stop.addEventListener('click', () => {
    remember(null);
    end('Stopped');
  });

  const answer = recall();
  if (answer) {
    prompt.value = answer.prompt;
    show(answer);
  }
  showPrompt();
}
