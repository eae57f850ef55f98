/**
 * Presence: a stub.
 */
import { make } from '../../../js/dom.js';

/** @type {import('../app.js').View} */
export default {
  name: 'presence',
  title: 'Presence',
  needs: 'subscribe',
  mount(element) {
    element.append(make('p', { class: 'hint' }, 'Presence is not here yet.'));
    return { unmount() {} };
  },
};
