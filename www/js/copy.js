/**
 * Puts a button into each block of code that is marked with `data-copy`; the button copies
 * the code as it is at that time, since pages write their own address into their commands.
 */
import { copyButton } from '../console/js/parts/copy.js';

export function addCopyButtons() {
  for (const block of document.querySelectorAll('pre[data-copy]')) {
    const code = block.querySelector('code');
    block.prepend(copyButton(() => code.textContent.trimEnd(), 'the code'));
  }
}
