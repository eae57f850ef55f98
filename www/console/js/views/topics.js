/**
 * Topics: a stub.
 */
import { make } from '../../../js/dom.js';

/** @type {import('../app.js').View} */
export default {
  name: 'topics',
  title: 'Topics',
  needs: 'subscribe',
  mount(element) {
    element.append(make('p', { class: 'hint' }, 'Topics is not here yet.'));
    return { unmount() {} };
  },
};
