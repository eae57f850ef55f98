/**
 * Token: what the token of this tab grants, another one, and making one with a secret.
 */
import { make } from '../../../js/dom.js';
import { tokenForm } from '../parts/token_form.js';
import { showContents } from './token/contents.js';
import { CurrentToken } from './token/current.js';
import { Mint } from './token/mint.js';

/** @type {import('../app.js').View} */
export default {
  name: 'token',
  title: 'Token',
  needs: null,

  mount(element, app) {
    const { session } = app;
    const current = new CurrentToken(session);
    const mint = new Mint(app);
    const preview = make('div', { class: 'preview', 'aria-live': 'polite' });
    const paste = tokenForm((token) => session.use(token), {
      preview: (token) => preview.replaceChildren(...showContents(token)),
    });
    element.append(
      make('div', { class: 'column' },
        current.element,
        make('section', { class: 'card' }, make('h2', {}, 'Use a token'), paste, preview)),
      make('div', { class: 'column' }, mint.element));
    const show = () => current.show();
    session.addEventListener('change', show);
    show();
    return {
      unmount() {
        session.removeEventListener('change', show);
        current.stop();
        mint.clear();
      },
    };
  },
};
