/**
 * Watch: a stub.
 */
import { make } from '../../../js/dom.js';

/** @type {import('../app.js').View} */
export default {
  name: 'watch',
  title: 'Watch',
  needs: 'subscribe',
  mount(element) {
    element.append(make('p', { class: 'hint' }, 'Watch is not here yet.'));
    return { unmount() {} };
  },
};
