/**
 * Commands and pieces of code, as all views of the console show them: each with a button that
 * copies it.
 */
import { copyButton, keepWords } from '../../../js/copy.js';
import { make, setText } from '../../../js/dom.js';

/** @typedef {{element: HTMLElement, set: (text: string) => void}} Box */

/**
 * A command for a shell.
 *
 * @param {string} label  what it is: "the curl command"
 * @param {string} [text]
 * @returns {Box}
 */
export function commandBox(label, text = '') {
  const { code, element } = makeBox(label, 'command');
  const set = (next) => {
    if (code.textContent === next) return;
    setText(code, next);
    keepWords(code);
  };
  set(text);
  return { element, set };
}

/** Lines of code. @param {string} label @returns {Box} */
export function codeBox(label) {
  const { code, element } = makeBox(label, '');
  return { element, set: (next) => setText(code, next) };
}

function makeBox(label, kind) {
  const code = make('code');
  return { code, element: make('pre', { class: 'command', 'data-copy': kind }, copyButton(() => code.textContent, label), code) };
}
