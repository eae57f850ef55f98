/**
 * Buttons that copy a text.
 *
 * The clipboard's interface exists in secure contexts alone. Elsewhere (plain http to another
 * machine) the text is copied from a field, as browsers have always done it.
 */
import { make, setText } from './dom.js';

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
 * Puts each word of a command into an element of its own: crier.css keeps these whole, where
 * the browser would break a line after the hyphens of an option.
 *
 * @param {HTMLElement} code
 */
export function keepWords(code) {
  const pieces = [...code.childNodes].flatMap((node) => (node instanceof Text ? node.data.split(/(\s+)/).filter(Boolean) : node));
  const nodes = [];
  let word = null;
  for (const piece of pieces) {
    if (typeof piece === 'string' && !piece.trim()) {
      nodes.push(piece);
      word = null;
    } else {
      if (!word) nodes.push(word = make('span'));
      word.append(...(typeof piece === 'string' ? breakable(piece) : [piece]));
    }
  }
  code.replaceChildren(...nodes);
}

/** A text that may be broken behind the separators of a URL, where it is too long for a line. */
const breakable = (text) => text.split(/(?<=\w[/?&,])(?=\w)/).flatMap((part, index) => (index ? [make('wbr'), part] : [part]));

/**
 * Puts a button into each block that is marked with `data-copy`, whose value is "command" for
 * a command of a shell; the button copies the block as it is at that time, since pages write
 * their own address into their commands.
 */
export function addCopyButtons() {
  for (const block of document.querySelectorAll('pre[data-copy]')) {
    const code = block.querySelector('code');
    const kind = block.dataset.copy;
    if (kind === 'command') keepWords(code);
    block.prepend(copyButton(() => code.textContent.trimEnd(), `the ${kind || 'code'}`));
  }
}
