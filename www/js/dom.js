/**
 * The helpers that all pages share for building and finding elements.
 *
 * Text enters the document as text only: nothing in these pages parses HTML.
 */

/** @returns {HTMLElement} the element with that id */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element: make('li', {class: 'notice'}, 'text', child, ...).
 *
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node|string)} children
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Sets text only if it differs: screen readers repeat a live region that is set again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

/** The day of a time in words. @param {string|number} time */
export const dayOf = (time) => dates.format(new Date(time));

/** @param {string} iso  a time as the server sends it */
export function timeElement(iso) {
  const date = new Date(iso);
  return make('time', { datetime: iso, title: full.format(date) }, clock.format(date));
}

const WORDS = {
  connecting: 'Connecting',
  live: 'Live',
  lost: 'Disconnected',
  retrying: 'Retrying',
  closed: 'Not connected',
};

/**
 * Shows the state of a stream.
 *
 * @param {HTMLElement} status  the element with role=status
 * @param {import('../crier.js').State} state
 * @param {string} [word]  the text for it, if not the usual one
 */
export function showState(status, state, word = WORDS[state]) {
  status.dataset.state = state;
  setText(status, word);
}

/**
 * Writes the address of this server into the commands of the page, and the path of its root
 * (which a proxy may have given a prefix) into lines of code.
 */
export function showOrigin() {
  const here = new URL('.', document.baseURI);
  for (const element of document.querySelectorAll('[data-origin]')) element.textContent = here.href.replace(/\/$/, '');
  for (const element of document.querySelectorAll('[data-prefix]')) element.textContent = here.pathname;
}
