/**
 * The configuration in force: each option with its value and where that comes from. A search
 * field narrows the table; by default it has only what somebody has set.
 */
import { make, setText } from '../../../../js/dom.js';
import { count, date } from '../../parts/format.js';

export class Configuration {
  #api;
  #configured = null;
  /** @type {{name: string, value: string|string[]|null, origin: string, secret?: boolean}[]} */
  #options = [];
  #search = make('input', { type: 'search', id: 'option-search', placeholder: 'Name, value or origin', autocomplete: 'off', spellcheck: 'false' });
  #all = make('input', { type: 'checkbox', id: 'option-all' });
  #trouble = make('p', { class: 'trouble', role: 'alert' });
  #tally = make('p', { class: 'hint', role: 'status' });
  #rows = make('tbody');
  #when = make('p', { class: 'hint' });

  /** @param {import('../../../../js/api.js').Api} api */
  constructor(api) {
    this.#api = api;
    const table = make('table', {},
      make('thead', {}, make('tr', {}, ...['Option', 'Value', 'Origin'].map((name) => make('th', { scope: 'col' }, name)))),
      this.#rows);
    this.element = make('section', { class: 'card configuration', 'aria-labelledby': 'configuration-title' },
      make('header', {}, make('h2', { id: 'configuration-title' }, 'Configuration in force'), this.#when),
      make('div', { class: 'row' },
        make('label', { for: 'option-search', class: 'unseen' }, 'Search the options'), this.#search,
        make('label', { class: 'check' }, this.#all, make('span', {}, 'Defaults, too'))),
      this.#trouble, this.#tally,
      make('div', { class: 'table', tabindex: '0', role: 'region', 'aria-label': 'Options' }, table));
    this.#search.addEventListener('input', () => this.#show());
    this.#all.addEventListener('change', () => this.#show());
  }

  /** Reads the options again if the server has. @param {number} configured  when it did */
  async refresh(configured) {
    if (configured === this.#configured) return;
    this.#configured = configured;
    setText(this.#when, `read ${date(configured)}`);
    try {
      this.#options = (await this.#api.get('config')).options;
      setText(this.#trouble, '');
    } catch ({ message }) {
      this.#configured = null; // with the next second
      setText(this.#trouble, `The options could not be read. ${message}`);
    }
    this.#show();
  }

  #show() {
    const wanted = this.#search.value.trim().toLowerCase();
    const text = ({ name, value, origin }) => [name, value, origin].flat().join(' ').toLowerCase();
    const shown = this.#options.filter((option) => (wanted ? text(option).includes(wanted)
      : this.#all.checked || option.origin !== 'default'));
    this.#rows.replaceChildren(...shown.map(makeRow));
    setText(this.#tally, wanted || this.#all.checked ? `${count(shown.length, 'option')} of ${this.#options.length}`
      : shown.length ? `${count(shown.length, 'option')} set, ${this.#options.length - shown.length} at their defaults`
        : 'All options are at their defaults.');
  }
}

function makeRow({ name, value, origin, secret }) {
  const values = value === null ? [] : [value].flat();
  const cell = make('td', { class: 'mono' });
  if (values.length === 0) cell.append(make('span', { class: 'hint' }, 'none'));
  for (const each of values) cell.append(make('div', {}, String(each)));
  if (secret) cell.append(make('span', { class: 'badge' }, 'secret, not shown'));
  return make('tr', {}, make('th', { scope: 'row', class: 'mono' }, name), cell,
    make('td', { class: origin === 'default' ? 'hint' : '' }, origin));
}
