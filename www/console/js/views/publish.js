/**
 * Publish: a stub.
 */
import { make } from '../../../js/dom.js';

/** @type {import('../app.js').View} */
export default {
  name: 'publish',
  title: 'Publish',
  needs: 'publish',
  mount(element) {
    element.append(make('p', { class: 'hint' }, 'Publish is not here yet.'));
    return { unmount() {} };
  },
};
