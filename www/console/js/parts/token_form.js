/**
 * The form that takes a token, wherever the console asks for one.
 */
import { make, setText } from '../../../js/dom.js';

let forms = 0;

const strip = (text) => text.trim().replace(/^Bearer\s+/i, '');

/**
 * @param {(token: string) => Promise<void>} use  called with a token that looks like one
 * @param {{preview?: (token: string) => void}} [options]  called with what is in the field
 *        whenever that changes
 */
export function tokenForm(use, { preview } = {}) {
  const id = `token-${++forms}`;
  const field = make('textarea', {
    id, rows: '3', required: '', maxlength: '8192', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
    class: 'mono', 'aria-describedby': `${id}-hint`, placeholder: 'eyJhbGciOi…',
  });
  const trouble = make('p', { class: 'trouble', role: 'alert' });
  const form = make('form', { class: 'token-form' },
    make('label', { for: id }, 'Token'),
    field,
    make('p', { class: 'hint', id: `${id}-hint` },
      'A JWT or a static token. This tab keeps it until it is closed, and sends it to this server alone.'),
    trouble,
    make('button', { class: 'primary' }, 'Use this token'));
  field.addEventListener('input', () => preview?.(strip(field.value)));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const token = strip(field.value);
    const valid = /^[\w.~+/=-]+$/.test(token);
    setText(trouble, valid ? '' : 'This is no token: it has characters that a token cannot have.');
    if (!valid) return field.focus();
    field.value = '';
    preview?.('');
    use(token);
  });
  return form;
}
