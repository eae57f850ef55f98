/**
 * The form that says what to watch: selectors, and where the stream begins.
 *
 * What one has typed is read at each key, and shown as crierd will take it: "log/*" is a
 * prefix, "books/{id}" a template.
 */
import { make, setText } from '../../../../js/dom.js';
import { mistakeInList, readSelectors } from './selectors.js';

const KINDS = { topic: 'topic', prefix: 'prefix', template: 'URI template', all: 'all topics' };

/** Where a stream can begin: the words, and what has to be typed for it. */
const BEGINNINGS = {
  now: { words: 'now' },
  last: { words: 'with the last …', hint: '10', valid: /^\d{1,9}$/, rule: 'Type a number of updates, such as 10.' },
  age: { words: 'not older than …', hint: '1h', valid: /^\d+(ms|s|m|h|d|w)$/, rule: 'Type a time, such as 90s, 15m, 2h or 1d.' },
  id: { words: 'after the id …', hint: '#abc-17', valid: /^.+$/, rule: 'Type the id of an update.' },
  all: { words: 'with all that is held' },
};

/** The beginning and its value for a `since` such as '10', '2h' or an id. */
function readSince(since) {
  if (since === '' || since === 'all') return [since === 'all' ? 'all' : 'now', ''];
  if (BEGINNINGS.last.valid.test(since)) return ['last', since];
  return [BEGINNINGS.age.valid.test(since) ? 'age' : 'id', since];
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
  #trouble = make('p', { class: 'trouble', role: 'alert' });
  #stop = make('button', { type: 'button' }, 'Stop');

  /**
   * @param {{start: (topics: string[], since: string) => void, stop: () => void}} act
   */
  constructor({ start, stop }) {
    this.element = make('form', { class: 'card watch-form', novalidate: '' },
      make('div', { class: 'field topics' }, make('label', { for: 'watch-topics' }, 'Topics'), this.#topics),
      make('div', { class: 'field since' }, make('label', { for: 'watch-since' }, 'Begin'),
        make('div', { class: 'pair' }, this.#beginning, this.#value)),
      make('div', { class: 'actions' }, make('button', { class: 'primary' }, 'Watch'), this.#stop),
      make('div', { class: 'under' }, this.#kinds, this.#hint),
      this.#trouble);
    this.#topics.addEventListener('input', () => this.#show());
    this.#beginning.addEventListener('input', () => this.#show());
    this.#stop.addEventListener('click', stop);
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#check()) start(this.#selectors().map(({ text }) => text), this.#since());
    });
    this.#show();
  }

  /** Shows what is to be watched, and returns whether it can be. */
  set(topics, since) {
    const [beginning, value] = readSince(since);
    this.#topics.value = topics;
    this.#beginning.value = beginning;
    this.#value.value = value;
    this.#show();
    return this.#check();
  }

  /** Shows whether there is a stream to stop. */
  showRunning(running) {
    this.#stop.disabled = !running;
  }

  #selectors() {
    return readSelectors(this.#topics.value);
  }

  #since() {
    const { value: beginning } = this.#beginning;
    if (beginning === 'now' || beginning === 'all') return beginning === 'all' ? 'all' : '';
    return this.#value.value.trim();
  }

  #show() {
    const { hint } = BEGINNINGS[this.#beginning.value];
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
