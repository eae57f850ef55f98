/**
 * Asks before the updates of a topic are deleted; for many, the user has to type the name
 * of the topic.
 */
import { make } from '../../../../js/dom.js';
import { count } from '../../parts/format.js';

const MANY = 1_000; // updates

let dialogs = 0; // for ids

/**
 * @param {string} topic
 * @param {number} updates  how many it holds
 * @param {AbortSignal} signal  closes the dialog, as Cancel does
 * @returns {Promise<boolean>} whether to delete them
 */
export function confirmDelete(topic, updates, signal) {
  const id = `delete-${(dialogs += 1)}`;
  const name = make('input', { type: 'text', id: `${id}-name`, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off' });
  const remove = make('button', { value: 'delete', class: 'danger' }, 'Delete');
  const typed = updates <= MANY ? [] : [
    make('label', { for: name.id }, 'Type the name of the topic to delete so many'), name];
  const form = make('form', { method: 'dialog' },
    make('h2', { id }, 'Delete ', count(updates, 'update'), ' of ', make('bdi', {}, topic), '?'),
    make('p', {}, 'Nobody can read them then, and this cannot be undone. Updates that have other topics, too, stay there.'),
    ...typed,
    make('div', { class: 'row end' }, make('button', { value: '', autofocus: '' }, 'Cancel'), remove));
  const dialog = make('dialog', { class: 'card', 'aria-labelledby': id }, form);
  if (typed.length) {
    remove.disabled = true;
    name.addEventListener('input', () => { remove.disabled = name.value !== topic; });
    name.addEventListener('keydown', (event) => { // which would press the first button
      if (event.key !== 'Enter') return;
      event.preventDefault();
      remove.click();
    });
  }
  document.body.append(dialog);
  dialog.showModal();
  signal.addEventListener('abort', () => dialog.close());
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'delete');
    });
  });
}
