/**
 * Tokens: a text that arrives word by word and ends.
 *
 * The events have ids, so a broken stream resumes where it stopped. Should a word arrive
 * twice all the same (a new connection starts from the beginning), its index shows that,
 * and it is skipped.
 */
import { setText, showState } from './dom.js';
import { Stream } from './stream.js';

export function startTokens(card) {
  const find = (selector) => card.querySelector(selector);
  const [status, trouble, answer, tally] = ['.status', '.trouble', '.answer', '.tally'].map(find);
  const [form, prompt, stop] = ['form', 'input', '.stop'].map(find);
  let stream = null;

  /** Shows the prompt in the curl command, where it stands in single quotes. */
  function showPrompt() {
    const encoded = encodeURIComponent(prompt.value || 'Why').replaceAll("'", '%27');
    setText(find('[data-prompt]'), encoded);
  }

  function ask() {
    end();
    const current = stream = new Stream(`tokens?prompt=${encodeURIComponent(prompt.value)}`, { keep: 'all' });
    const began = performance.now();
    let words = 0;
    answer.replaceChildren();
    answer.setAttribute('aria-busy', 'true'); // screen readers wait for the end
    setText(tally, '');
    setText(trouble, '');
    stop.disabled = false;

    current.addEventListener('token', ({ data }) => {
      const { index, text } = JSON.parse(data);
      if (index <= words) return;
      words = index;
      answer.append(text);
      answer.scrollTop = answer.scrollHeight;
      const seconds = (performance.now() - began) / 1000;
      setText(tally, `${words} words in ${seconds.toFixed(1)} s`);
    });
    current.addEventListener('done', () => end('Done'));
    current.addEventListener('statechange', () => {
      if (current !== stream) return;
      if (current.state === 'closed') end('Ended');
      else showState(status, current.state);
      setText(trouble, current.trouble);
    });
  }

  function end(word) {
    const current = stream;
    stream = null;
    current?.close();
    if (word) showState(status, 'closed', word);
    if (document.activeElement === stop) prompt.focus();
    stop.disabled = true;
    answer.setAttribute('aria-busy', 'false');
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    ask();
  });
  prompt.addEventListener('input', showPrompt);
  stop.addEventListener('click', () => end('Stopped'));
  showPrompt();
}
