/**
 * Copy buttons: puts one into each block of code that is marked with `data-copy`.
 *
 * The text is read when the button is pressed, since pages write their own address into
 * their commands. Browsers offer the clipboard to secure contexts only (HTTPS, or this
 * machine); elsewhere the button selects the text, and the user copies it.
 */
import { make } from './dom.js';

const SHOWN = 2000; // ms

/** Selects the text of an element. */
function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

/** @returns {Promise<string>} what has been done, in a word or two */
async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent.trimEnd());
    return 'Copied';
  } catch {
    select(code);
    return 'Selected';
  }
}

/** @param {ParentNode} [root]  where to look for blocks */
export function addCopyButtons(root = document) {
  for (const block of root.querySelectorAll('pre[data-copy]')) {
    const code = block.querySelector('code');
    const button = make('button', { type: 'button', class: 'copy' }, 'Copy');
    const report = make('span', { class: 'unseen', role: 'status' });
    let timer;
    button.addEventListener('click', async () => {
      button.textContent = report.textContent = await copy(code);
      clearTimeout(timer);
      timer = setTimeout(() => {
        button.textContent = 'Copy';
        report.textContent = '';
      }, SHOWN);
    });
    block.prepend(button, report);
  }
}
