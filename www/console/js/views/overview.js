/**
 * Overview: a stub.
 */
import { make } from '../../../js/dom.js';

/** @type {import('../app.js').View} */
export default {
  name: 'overview',
  title: 'Overview',
  needs: 'admin',
  mount(element) {
    element.append(make('p', { class: 'hint' }, 'Overview is not here yet.'));
    return { unmount() {} };
  },
};
