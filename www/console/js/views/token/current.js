/**
 * The token of this tab as the server sees it (GET /identity): whose it is, what it grants,
 * and when it ends.
 */
import { copyButton } from '../../../../js/copy.js';
import { make, setText } from '../../../../js/dom.js';
import { factList } from '../../parts/facts.js';
import { ago, date } from '../../parts/format.js';
import { showContents } from './contents.js';

/** What --anonymous allows, for servers that have keys or tokens. */
const ANONYMOUS = {
  all: 'Without a token, everybody may publish and subscribe; what an admin may needs a token.',
  publish: 'Without a token, everybody may publish; all else needs a token.',
  subscribe: 'Without a token, everybody may subscribe; all else needs a token.',
  none: 'Without a token, nobody may do anything here.',
};

export class CurrentToken {
  #session;
  #body = make('div', { class: 'current' });
  #left = make('span');
  #timer;
  element = make('section', { class: 'card' }, make('h2', {}, 'The token of this tab'), this.#body);

  /** @param {import('../../../../js/session.js').Session} session */
  constructor(session) {
    this.#session = session;
    this.#timer = setInterval(() => this.#count(), 1000);
  }

  stop() {
    clearInterval(this.#timer);
  }

  show() {
    const { state, token, identity, trouble } = this.#session;
    if (state === 'asking' || state === 'away') return; // what is shown was true when the server was there
    this.#body.replaceChildren(...(!token ? this.#withoutToken(identity)
      : state === 'refused' ? [make('p', { class: 'trouble' }, `The server refuses it: ${trouble}`), ...showContents(token), this.#actions()]
        : this.#withToken(identity, token)));
  }

  #withoutToken(identity) {
    return [
      make('p', {}, 'There is none.'),
      identity.tokens ? make('p', {}, ANONYMOUS[identity.anonymous])
        : make('p', {}, 'This server has no keys and no tokens (', make('code', {}, '--jwt-key'), ', ', make('code', {}, '--jwks'),
          '): everybody has what ', make('code', {}, '--anonymous'), ` allows, which is “${identity.anonymous}”.`),
    ];
  }

  #withToken(identity, token) {
    const who = identity.identity;
    if (!who) return [make('p', {}, 'This server does not look at tokens.'), ...showContents(token), this.#actions()];
    this.#count();
    return [
      make('p', { class: 'hint' }, `As the server sees it. ${ANONYMOUS[identity.anonymous]}`),
      factList(
        ['Subject', who.subject ?? 'none'],
        ['Publishes to', selectors(who.publish)],
        ['Subscribes to', selectors(who.subscribe)],
        ['Admin', who.admin ? 'yes' : 'no'],
        ['Expires', this.#left]),
      this.#actions(),
      make('details', {}, make('summary', {}, 'Contents'), ...showContents(token)),
    ];
  }

  #count() {
    const expires = this.#session.identity.identity?.expires;
    setText(this.#left, expires ? `${ago(expires)} (${date(expires)})` : 'never');
  }

  #actions() {
    const forget = make('button', { type: 'button', class: 'small' }, 'Forget it');
    forget.addEventListener('click', () => this.#session.use(''));
    return make('p', { class: 'row' }, copyButton(() => this.#session.token, 'the token'), forget);
  }
}

function selectors(list) {
  if (list.length === 0) return 'nothing';
  return make('ul', { class: 'chips' }, ...list.map((selector) => make('li', {}, make('code', {}, selector))));
}
