/**
 * The form that says what to watch: selectors, and where the stream begins.
 *
 * What one has typed is read at each key, and shown as crierd will take it: "log/*" is a
 * prefix, "books/{id}" a template.
 */
import { make, setText } from '../../../../js/dom.js';
import { mistakeInList, readSelectors, writeSelectors } from './selectors.js';

const KINDS = { topic: 'topic', prefix: 'prefix', template: 'URI template', all: 'all topics' };

/** Where a stream can begin: the words, and what has to be typed for it. */
const BEGINNINGS = {
  now: { words: 'now' },
  last: { words: 'with the last …', hint: '10', valid: /^\d{1,9}$/, rule: 'Type a number of updates, such as 10.' },
  age: { words: 'not older than …', hint: '1h', valid: /^\d+(ms|s|m|h|d|w)$/, rule: 'Type a time, such as 90s, 15m, 2h or 1d.' },
  id: { words: 'after the id …', hint: '#abc-17', valid: /^.+$/, rule: 'Type the id of an update.',
    note: 'With the last id that a client had, the stream shows what the client gets, and why it has a gap.' },
  all: { words: 'with all that is held' },
};

/**
 * Where a stream begins, as the parameter of the request that says so: since=10, since=2h,
 * since=all, lastEventID=ID, or none.
 *
 * @typedef {{since?: string, lastEventID?: string}} Beginning
 */

/** The choice and the value for some parameters. @param {URLSearchParams} query */
function readBeginning(query) {
  const [since, id] = [query.get('since') ?? '', query.get('lastEventID')];
  if (id !== null) return ['id', id];
  if (since === '' || since === 'all') return [since || 'now', ''];
  return [BEGINNINGS.last.valid.test(since) ? 'last' : 'age', since];
}

export class WatchForm {
  #topics = make('input', {
    id: 'watch-topics', name: 'topics', required: '', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
    placeholder: 'news, log/*, books/{id}', 'aria-describedby': 'watch-hint watch-kinds',
  });
  #beginning = make('select', { id: 'watch-since' }, ...Object.entries(BEGINNINGS).map(([value, { words }]) =>
    make('option', { value }, words)));
  #value = make('input', {
    'aria-label': 'Where the stream begins', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
  });
  #kinds = make('ul', { id: 'watch-kinds', class: 'kinds' });
  #hint = make('p', { class: 'hint', id: 'watch-hint' }, 'Several with commas between them: names, prefixes such as log/*, ' +
    'templates such as books/{id}, and * for all.');
  #note = make('p', { class: 'hint' });
  #trouble = make('p', { class: 'trouble', role: 'alert' });
  #stop = make('button', { type: 'button' }, 'Stop');

  /**
   * @param {{start: (topics: string[], beginning: Beginning) => void, stop: () => void}} act
   */
  constructor({ start, stop }) {
    this.element = make('form', { class: 'card watch-form', novalidate: '' },
      make('div', { class: 'field topics' }, make('label', { for: 'watch-topics' }, 'Topics'), this.#topics),
      make('div', { class: 'field since' }, make('label', { for: 'watch-since' }, 'Begin'),
        make('div', { class: 'pair' }, this.#beginning, this.#value)),
      make('div', { class: 'actions' }, make('button', { class: 'primary' }, 'Watch'), this.#stop),
      make('div', { class: 'under' }, this.#kinds, this.#hint, this.#note),
      this.#trouble);
    this.#topics.addEventListener('input', () => this.#show());
    this.#beginning.addEventListener('input', () => this.#show());
    this.#stop.addEventListener('click', stop);
    this.showRunning(false);
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#check()) start(this.#selectors().map(({ text }) => text), this.#read());
    });
    this.#show();
  }

  /**
   * Shows what is to be watched.
   *
   * @param {URLSearchParams} query  with `topics`, and where the stream begins
   * @returns {{topics: string[], beginning: Beginning}|null}  null if it cannot be watched
   */
  set(query) {
    const [beginning, value] = readBeginning(query);
    this.#topics.value = writeSelectors(query.get('topics') ?? '');
    this.#beginning.value = beginning;
    this.#value.value = value;
    this.#show();
    if (!this.#topics.value || !this.#check()) return null;
    return { topics: this.#selectors().map(({ text }) => text), beginning: this.#read() };
  }

  /** Shows whether there is a stream to stop. */
  showRunning(running) {
    this.#stop.disabled = !running;
  }

  #selectors() {
    return readSelectors(this.#topics.value);
  }

  /** @returns {Beginning} */
  #read() {
    const value = this.#value.value.trim();
    return { now: {}, all: { since: 'all' }, id: { lastEventID: value } }[this.#beginning.value] ?? { since: value };
  }

  #show() {
    const { hint, note = '' } = BEGINNINGS[this.#beginning.value];
    setText(this.#note, note);
    this.#value.hidden = hint === undefined;
    this.#value.placeholder = hint ?? '';
    const selectors = this.#selectors();
    this.#hint.hidden = selectors.length > 0;
    this.#kinds.replaceChildren(...selectors.slice(0, 20).map(({ text, kind, mistake }) =>
      make('li', { class: mistake ? 'wrong' : kind },
        make('bdi', {}, text), ' ', make('span', {}, mistake || KINDS[kind]))));
    setText(this.#trouble, '');
  }

  #check() {
    const { valid, rule = '' } = BEGINNINGS[this.#beginning.value];
    const mistake = mistakeInList(this.#selectors());
    setText(this.#trouble, mistake || (valid && !valid.test(this.#value.value.trim()) ? rule : ''));
    if (!this.#trouble.textContent) return true;
    (mistake ? this.#topics : this.#value).focus();
    return false;
  }
}
