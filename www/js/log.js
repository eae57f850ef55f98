/**
 * The message list.
 *
 * It scrolls to each new message, unless the user has scrolled up to read: then it stays
 * where it is, and a button counts the new messages. Only the newest entries stay in the
 * document, so that a tab that is open for weeks does not grow.
 */
import { dayOf, make, setText, timeElement } from './dom.js';

const KEEP = 500;
const NEAR = 48; // pixels from the end that still count as the end
const SAME_HEADING = 120_000; // ms within which a message of the same user needs no new heading

const NAMED = 2; // how many people are named when more than one other joined or left

/** @typedef {{user: string, to?: string, text: string, time: string}} Message */

export class Log {
  #list;
  #button;
  #following = true;
  #missed = 0;
  #scrolling = 0;
  #top = 0; // of the part last in view
  #bottom = 0;
  #last = null;
  #day = ''; // that of the newest entry
  #crowd = null; // who joined and left, if that is the newest entry

  /**
   * @param {HTMLElement} list  the scrolling element with role=log
   * @param {HTMLButtonElement} button  takes the reader to the newest message
   */
  constructor(list, button) {
    this.#list = list;
    this.#button = button;
    list.addEventListener('scroll', () => this.#onscroll(), { passive: true });
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(list);
    button.addEventListener('click', () => {
      this.#follow();
      list.focus({ preventScroll: true });
    });
  }

  /**
   * Adds a notice.
   *
   * @param {string} text
   * @param {string} [time]  if that is known
   */
  notice(text, time) {
    this.#last = null;
    if (time) this.#showDay(time);
    this.#add(make('div', { class: 'notice' },
      make('span', { dir: 'auto' }, text), ...(time ? [' ', timeElement(time)] : [])));
  }

  /**
   * Adds that a user joined or left. Users who do so one after the other share one line,
   * which screen readers do not announce and which does not count as a message.
   *
   * @param {string} user
   * @param {boolean} here  whether the user is here now
   * @param {string} time
   */
  movement(user, here, time) {
    this.#showDay(time);
    this.#crowd ??= new Crowd();
    this.#crowd.add(user, here);
    if (!this.#crowd.element.isConnected) this.#append(this.#crowd.element, this.#crowd);
    if (this.#following) this.#toEndSoon();
  }

  /**
   * Adds a message.
   *
   * @param {Message} message  `to` makes it a private one
   * @param {{own: boolean, past: boolean}} how  whether the user of this page wrote it, and
   *        whether it is old: then screen readers do not announce it
   */
  message({ user, to, text, time }, { own, past }) {
    this.#showDay(time);
    const kind = `${own ? ' own' : ''}${to === undefined ? '' : ' private'}`;
    const follows = this.#continues({ user, to, time });
    const entry = make('div', { class: `message${kind}${follows ? ' follows' : ''}` },
      avatar(user),
      make('div', { class: 'bubble' },
        heading(user, to, own, time),
        make('p', { dir: 'auto' }, text)));
    if (past) entry.setAttribute('aria-live', 'off');
    this.#add(entry);
  }

  clear() {
    this.#list.replaceChildren();
    this.#last = null;
    this.#crowd = null;
    this.#day = '';
    this.#follow();
  }

  #continues(message) {
    const last = this.#last;
    this.#last = message;
    return last !== null && last.user === message.user && last.to === message.to &&
      Date.parse(message.time) - Date.parse(last.time) < SAME_HEADING;
  }

  /** Adds the day, if it is not that of the entry before, or today. */
  #showDay(time) {
    const day = dayOf(time);
    const before = this.#day || dayOf(Date.now());
    this.#day = day;
    if (day === before) return;
    this.#last = null;
    this.#append(make('div', { class: 'notice day' }, make('time', { datetime: time }, day)));
  }

  /** Appends an entry. If it is a crowd, users who join or leave next are added to it. */
  #append(entry, crowd = null) {
    this.#crowd = crowd;
    if (crowd) this.#last = null;
    this.#list.append(entry);
    while (this.#list.childElementCount > KEEP) this.#list.firstElementChild.remove();
  }

  #add(entry) {
    this.#append(entry);
    if (this.#following) return this.#toEndSoon();
    this.#missed += 1;
    this.#showMissed();
  }

  /**
   * Only scrolling up stops following the end, and it moves both the top and the bottom of
   * the part in view. The end may also move by itself: when a message arrives or the window
   * shrinks, the top stays; when the list grows because the text field below it shrinks,
   * the browser moves the top alone. The browser's scroll anchoring, which keeps the text in
   * place when entries above it are removed, would look like scrolling up: so it is on only
   * while the user reads.
   */
  #onscroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    const bottom = scrollTop + clientHeight;
    if (scrollHeight - bottom < NEAR) this.#following = true;
    else if (scrollTop < this.#top && bottom < this.#bottom) this.#following = false;
    this.#top = scrollTop;
    this.#bottom = bottom;
    this.#list.classList.toggle('reading', !this.#following);
    if (this.#following && this.#missed > 0) this.#follow();
  }

  #follow() {
    this.#following = true;
    this.#list.classList.remove('reading');
    this.#missed = 0;
    this.#showMissed();
    this.#toEnd();
  }

  /** At most once per frame, however many messages arrive. */
  #toEndSoon() {
    this.#scrolling ||= requestAnimationFrame(() => {
      this.#scrolling = 0;
      if (this.#following) this.#toEnd();
    });
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#top = this.#list.scrollTop;
    this.#bottom = this.#top + this.#list.clientHeight;
  }

  #showMissed() {
    const n = this.#missed;
    this.#button.hidden = n === 0;
    setText(this.#button, n === 1 ? '1 new message' : `${n} new messages`);
  }
}

/** People who joined or left one after the other, in one line. */
class Crowd {
  element = make('div', { class: 'notice', 'aria-live': 'off' });
  #here = new Map(); // by name, in the order in which they last joined or left

  add(user, here) {
    this.#here.delete(user);
    this.#here.set(user, here);
    const names = (wanted) => [...this.#here].filter(([, now]) => now === wanted).map(([name]) => name);
    const parts = [[names(true), 'joined'], [names(false), 'left']].filter(([{ length }]) => length);
    this.element.replaceChildren(...parts.flatMap(([list, verb], index) =>
      [index ? ' · ' : '', ...enumerate(list), ` ${verb}`]));
  }
}

/** A list of names: "ada", "ada and bob", "ada, bob and cyd", "ada, bob and 3 more". */
function enumerate(names) {
  const shown = names.length > NAMED + 1 ? names.slice(0, NAMED) : names;
  const words = shown.map((name) => make('bdi', {}, name));
  if (shown.length < names.length) words.push(`${names.length - shown.length} more`);
  return words.flatMap((word, index) =>
    [index === 0 ? '' : index === words.length - 1 ? ' and ' : ', ', word]);
}

function heading(user, to, own, time) {
  const line = make('div', { class: 'heading' },
    make('bdi', { class: 'who' }, user), own ? make('span', { class: 'you' }, ' (you)') : '');
  if (to !== undefined) {
    line.append(' ', make('span', { class: 'tag' }, 'private',
      ...(own ? [' to ', make('bdi', {}, to)] : [])));
  }
  line.append(' ', timeElement(time));
  return line;
}

/** The first letter of a name on a colour that the name determines. */
export function avatar(user) {
  const [letter = '?'] = user;
  const element = make('span', { class: 'avatar', 'aria-hidden': 'true' }, letter.toUpperCase());
  let hue = 0;
  for (const char of user) hue = (hue * 31 + char.codePointAt(0)) % 360;
  element.style.setProperty('--hue', hue);
  return element;
}
