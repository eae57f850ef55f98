/**
 * Token: a stub.
 */
import { tokenForm } from '../parts/token_form.js';

/** @type {import('../app.js').View} */
export default {
  name: 'token',
  title: 'Token',
  needs: null,
  mount(element, app) {
    element.append(tokenForm((token) => app.session.use(token)));
    return { unmount() {} };
  },
};
