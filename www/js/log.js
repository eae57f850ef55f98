/**
 * The message list.
 *
 * It follows the newest message, unless the reader has scrolled up to read:
 * then it stays where it is and a button tells of what has come meanwhile.
 * Only the newest entries stay in the document, so that a tab left open for
 * weeks does not grow.
 */
import { dayOf, make, setText, timeElement } from './dom.js';

const KEEP = 500;
const NEAR = 48; // pixels from the end that still count as the end
const SAME_BREATH = 120_000; // ms within which a message needs no new heading

/** @typedef {{user: string, to?: string, text: string, time: string}} Message */

export class Log {
  #list;
  #button;
  #following = true;
  #missed = 0;
  #scrolling = 0;
  #top = 0;
  #last = null;
  #day = ''; // that of the newest entry

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
   * Something that happened, like somebody coming or going.
   *
   * @param {string} text
   * @param {string} [time]  if that is known
   */
  notice(text, time) {
    this.#last = null;
    if (time) this.#turnTo(time);
    this.#add(make('div', { class: 'notice' },
      make('span', { dir: 'auto' }, text), ...(time ? [' ', timeElement(time)] : [])));
  }

  /**
   * Something that somebody said.
   *
   * @param {Message} message  `to` makes it a private one
   * @param {{own: boolean, past: boolean}} how  whether the reader wrote it, and
   *        whether it was said before the reader came: then it is not read out
   */
  message({ user, to, text, time }, { own, past }) {
    this.#turnTo(time);
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
    this.#day = '';
    this.#follow();
  }

  #continues(message) {
    const last = this.#last;
    this.#last = message;
    return last !== null && last.user === message.user && last.to === message.to &&
      Date.parse(message.time) - Date.parse(last.time) < SAME_BREATH;
  }

  /** Says which day it is, where that is not the day of the entry before, or today. */
  #turnTo(time) {
    const day = dayOf(time);
    const before = this.#day || dayOf(Date.now());
    this.#day = day;
    if (day === before) return;
    this.#last = null;
    this.#append(make('div', { class: 'notice day' }, make('time', { datetime: time }, day)));
  }

  #append(entry) {
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
   * Only moving up ends the following: the end may also get away from us by
   * itself, when a message comes in or the window shrinks. The browser's
   * scroll anchoring, which holds the text in place when entries above it
   * go, would look like moving up: so it is for those who read only.
   */
  #onscroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    if (scrollHeight - scrollTop - clientHeight < NEAR) this.#following = true;
    else if (scrollTop < this.#top) this.#following = false;
    this.#top = scrollTop;
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

  /** Once per frame at most, however many messages arrive. */
  #toEndSoon() {
    this.#scrolling ||= requestAnimationFrame(() => {
      this.#scrolling = 0;
      if (this.#following) this.#toEnd();
    });
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#top = this.#list.scrollTop;
  }

  #showMissed() {
    const n = this.#missed;
    this.#button.hidden = n === 0;
    setText(this.#button, n === 1 ? '1 new message' : `${n} new messages`);
  }
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

/** The first letter of a name on a colour that goes with the name. */
export function avatar(user) {
  const [letter = '?'] = user;
  const element = make('span', { class: 'avatar', 'aria-hidden': 'true' }, letter.toUpperCase());
  let hue = 0;
  for (const char of user) hue = (hue * 31 + char.codePointAt(0)) % 360;
  element.style.setProperty('--hue', hue);
  return element;
}
