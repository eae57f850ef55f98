/**
 * Which topics have presence, as GET /identity reports it.
 */

/**
 * Whether one of the selectors of --presence, which are names and prefixes, stands for a
 * topic. As for crierd, a prefix stands for no reserved name.
 *
 * @param {string[]} selectors
 * @param {string} topic
 */
export const hasPresence = (selectors, topic) => selectors.some((selector) =>
  (selector.endsWith('*') ? topic.startsWith(selector.slice(0, -1)) && !topic.startsWith('$') : topic === selector));
