/**
 * Lists of names and values, which say what something is.
 */
import { make } from '../../../js/dom.js';

/**
 * @param {...[name: string, ...value: (Node|string)[]]} entries  in their order
 * @returns {HTMLElement}
 */
export const factList = (...entries) => make('dl', { class: 'facts' }, ...entries.flatMap(([name, ...value]) =>
  [make('dt', {}, name), make('dd', {}, ...value)]));
