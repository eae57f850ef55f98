/**
 * Buttons that copy a text, and commands with such a button.
 *
 * The clipboard's interface exists in secure contexts alone. Elsewhere (plain http to another
 * machine) the text is copied from a field, as browsers have always done it.
 */
import { make, setText } from '../../../js/dom.js';

const SHOWN = 1500; // ms that the button says what it did

/** Copies a text. @returns {Promise<boolean>} whether it worked */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // no clipboard here, or the browser does not allow it
    return copyFromField(text);
  }
}

function copyFromField(text) {
  const before = document.activeElement;
  const field = make('textarea', { class: 'unseen', 'aria-hidden': 'true', tabindex: '-1', readonly: '' });
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  before?.focus({ preventScroll: true });
  return copied;
}

/**
 * A button that copies.
 *
 * @param {() => string} text  called when it is pressed
 * @param {string} [label]  what is copied, for screen readers: "the command"
 */
export function copyButton(text, label = 'the text') {
  const button = make('button', { type: 'button', class: 'small copier' });
  const say = (word) => {
    setText(button, word);
    button.setAttribute('aria-label', `${word} ${label}`); // begins with what is seen
  };
  let timer;
  say('Copy');
  button.addEventListener('click', async () => {
    say(await copyText(text()) ? 'Copied' : 'Not copied');
    clearTimeout(timer);
    timer = setTimeout(say, SHOWN, 'Copy');
  });
  return button;
}

/**
 * A command or a piece of code with a button that copies it.
 *
 * @param {string} label  what it is: "the curl command"
 * @param {string} [text]
 * @returns {{element: HTMLElement, set: (text: string) => void}}
 */
export function commandBox(label, text = '') {
  const code = make('code', {}, text);
  const element = make('div', { class: 'command' }, make('pre', {}, code), copyButton(() => code.textContent, label));
  return { element, set: (next) => setText(code, next) };
}
