/**
 * Commands and pieces of code, as all views of the console show them.
 */
import { copyButton } from '../../../js/copy.js';
import { make, setText } from '../../../js/dom.js';

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
