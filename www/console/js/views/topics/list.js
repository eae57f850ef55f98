/**
 * The list of topics: searched, sorted, and alive as far as it is in view.
 */
import { make, setText } from '../../../../js/dom.js';
import { commandBox } from '../../parts/command.js';
import { bytes, count, date, number, roughly } from '../../parts/format.js';
import { hasPresence } from '../../parts/presence.js';
import { VirtualList } from '../../parts/virtual_list.js';
import { Catalogue } from './catalogue.js';
import { repeat } from './repeat.js';
import { drawRates, sparkline } from './sparkline.js';

const PAUSE = 2_000; // ms between two looks at the topics in view
const RELOAD = 30_000; // ms between two looks at all
const TYPING = 250; // ms without a key before the server is asked
const RESERVED = '$presence/'; // the reserved names that can be listed

const COLUMNS = [
  { name: 'topic', title: 'Topic', sort: true },
  { name: 'subscribers', title: 'Subscribers', class: 'number', sort: true },
  { name: 'updates', title: 'Updates', class: 'number', sort: true },
  { name: 'bytes', title: 'Size', class: 'number', sort: true },
  { name: 'oldest', title: 'Oldest', class: 'number', sort: true },
  { name: 'newest', title: 'Newest', class: 'number', sort: true },
  { name: 'rate', title: 'Updates/s', class: 'number', sort: true },
  { name: 'spark', title: 'Last minute' },
];

/** What the columns are sorted by, from the entry of a topic. */
const KEYS = {
  topic: ({ about }) => about.topic,
  subscribers: ({ about }) => about.subscribers,
  updates: ({ about }) => about.updates,
  bytes: ({ about }) => about.bytes,
  oldest: ({ about }) => about.first_time ?? '',
  newest: ({ about }) => about.time ?? '',
  rate: ({ rates }) => rates.now ?? -1,
};

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

export class TopicList {
  #app;
  #catalogue;
  #list;
  #shown = []; // the entries in the order of the list
  #inView = { first: 0, end: 0 };
  #turn = 0; // of the topics in view, where one request cannot name all
  #search;
  #sort;
  #match = '*';
  #many = false; // there are more topics than are loaded
  #loaded = 0; // when all were loaded
  #timer;
  #stop;
  #parts = {};

  /** @param {HTMLElement} element @param {URLSearchParams} query */
  constructor(element, app, query) {
    this.#app = app;
    this.#catalogue = new Catalogue(app.api);
    this.#list = new VirtualList({
      label: 'Topics',
      columns: COLUMNS,
      fill: (cells, index) => this.#fill(cells, this.#shown[index]),
      open: (index) => app.navigate(routeOf(this.#shown[index].about.topic)),
      range: (first, end) => { this.#inView = { first, end }; },
      sort: (name) => this.#sortBy(name),
    });
    this.#list.element.classList.add('topics');
    this.#readQuery(query);
    element.append(...this.#build());
    this.#showSort();
    this.#catalogue.addEventListener('change', () => this.#show());
    this.#stop = repeat(PAUSE, () => this.#look());
  }

  update(query) {
    this.#readQuery(query);
    this.#parts.search.value = this.#search;
    this.#showSort();
    this.#seek();
  }

  close() {
    this.#stop();
    clearTimeout(this.#timer);
    this.#catalogue.close();
    this.#list.close();
  }

  #build() {
    const parts = this.#parts;
    parts.search = make('input', { type: 'search', id: 'topic-search', placeholder: 'part of a name', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' });
    parts.search.value = this.#search;
    parts.search.addEventListener('input', () => {
      this.#search = parts.search.value;
      this.#writeQuery();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#seek(), TYPING);
      this.#show(true);
    });
    parts.sort = make('select', { id: 'topic-sort' }, ...COLUMNS.filter(({ sort }) => sort).map(({ name, title }) =>
      make('option', { value: name }, title)));
    parts.sort.addEventListener('change', () => this.#sortBy(parts.sort.value));
    parts.tally = make('p', { class: 'hint tally', role: 'status' });
    parts.more = make('p', { class: 'trouble mild', role: 'status' });
    parts.trouble = make('p', { class: 'trouble', role: 'alert' });
    parts.empty = make('div', { class: 'card empty', hidden: '' });
    const form = make('form', { class: 'row filter', role: 'search' },
      make('label', { for: 'topic-search' }, 'Search'), parts.search,
      make('span', { class: 'row sort' }, make('label', { for: 'topic-sort' }, 'Sort by'), parts.sort), parts.tally);
    form.addEventListener('submit', (event) => event.preventDefault());
    return [form, parts.more, parts.trouble, parts.empty, this.#list.element];
  }

  /* ---- The route ---- */

  #readQuery(query) {
    const [, sign, name] = /^(-?)(\w+)$/.exec(query.get('sort') ?? '') ?? [];
    this.#search = query.get('search') ?? '';
    this.#sort = Object.hasOwn(KEYS, name ?? '') ? { name, down: sign === '-' } : { name: 'topic', down: false };
  }

  /** Puts search and order into the route, without a new entry in the browser's history. */
  #writeQuery() {
    const { name, down } = this.#sort;
    const query = new URLSearchParams({
      ...(this.#search && { search: this.#search }),
      ...((name !== 'topic' || down) && { sort: `${down ? '-' : ''}${name}` }),
    });
    history.replaceState(history.state, '', `#/topics${query.size ? `?${query}` : ''}`);
  }

  /* ---- What is loaded ---- */

  /** What to ask the server for. */
  #wanted() {
    const search = this.#search;
    if (search.startsWith('$')) return search.startsWith(RESERVED) && !/[,*{]/.test(search) ? `${search}*` : `${RESERVED}*`;
    return !this.#many || !search || /[,*{]/.test(search) ? '*' : `${search}*`;
  }

  #seek() {
    const match = this.#wanted();
    if (match !== this.#match) this.#load(match);
  }

  async #load(match) {
    this.#match = match;
    this.#loaded = performance.now();
    if (!await this.#attempt(() => this.#catalogue.load(match))) {
      this.#loaded = 0; // so it is loaded at the next look
      return;
    }
    if (match === '*' && !this.#catalogue.loading) this.#many = !this.#catalogue.complete;
    this.#seek();
  }

  /** Looks at the topics in view, and at all from time to time. */
  async #look() {
    const first = this.#loaded === 0;
    if (first || this.#catalogue.small) await this.#load(this.#wanted());
    else await this.#lookAtView();
  }

  async #lookAtView() {
    const names = this.#namesInView();
    const turn = this.#turn < names.length ? this.#turn : 0;
    await this.#attempt(async () => {
      const read = await this.#catalogue.refresh(names.slice(turn));
      this.#turn = read && turn + read < names.length ? turn + read : 0;
    });
    const old = performance.now() - this.#loaded > RELOAD;
    if (old && !this.#catalogue.loading) this.#load(this.#match);
  }

  #namesInView() {
    const { first, end } = this.#inView;
    return this.#shown.slice(first, end).map(({ about }) => about.topic);
  }

  /** @returns {Promise<boolean>} whether it worked; else the reason is shown */
  async #attempt(act) {
    try {
      await act();
      setText(this.#parts.trouble, '');
      return true;
    } catch (problem) {
      setText(this.#parts.trouble, problem.message);
      return false;
    }
  }

  /* ---- What is shown ---- */

  /**
   * Shows what is loaded. While the user is at the list, its order stays, so that no row
   * moves away under the pointer; only AFRESH it is sorted in any case.
   */
  #show(afresh = false) {
    const { element } = this.#list;
    const wanted = this.#search.toLowerCase();
    const { entries } = this.#catalogue;
    const found = [...entries.values()].filter(({ about }) => about.topic.toLowerCase().includes(wanted));
    const stays = !afresh && (element.matches(':hover') || element.contains(document.activeElement));
    this.#shown = stays ? this.#inOrder(found) : this.#sorted(found);
    this.#list.resize(this.#shown.length);
    this.#showTally();
    this.#showEmpty();
  }

  #sorted(found) {
    const { name, down } = this.#sort;
    const key = KEYS[name];
    return found.sort((a, b) => (down ? -1 : 1) * compare(key(a), key(b)) || compare(a.about.topic, b.about.topic));
  }

  /** These in the order of the list as it is, and then those that are new. */
  #inOrder(found) {
    const left = new Set(found);
    const kept = this.#shown.map(({ about }) => this.#catalogue.entries.get(about.topic)).filter((entry) => left.delete(entry));
    return [...kept, ...this.#sorted([...left])];
  }

  #showTally() {
    const { entries, complete, loading } = this.#catalogue;
    const all = count(entries.size, 'topic');
    const found = this.#shown.length === entries.size ? all : `${number(this.#shown.length)} of ${all}`;
    const begins = this.#many && this.#match !== '*' ? ' whose names begin so' : '';
    const partial = !complete && !loading && entries.size > 0;
    setText(this.#parts.tally, found + (loading && !complete ? '; loading…' : begins));
    setText(this.#parts.more, partial ? `There are more: these are the first ${all}${begins} in the order of names, and only these are sorted. ` +
      'A search asks the server for all names that begin with it.' : '');
  }

  #showEmpty() {
    const none = !this.#shown.length && !this.#catalogue.loading;
    const { empty } = this.#parts;
    this.#list.element.hidden = none;
    empty.hidden = !none;
    if (!none) return;
    if (this.#search) empty.replaceChildren(make('p', {}, 'No topic matches.'));
    else if (!empty.querySelector('.command')) {
      const command = commandBox('the command', this.#app.api.curl('POST', 'topics/news', { body: 'Hello' }));
      empty.replaceChildren(make('h2', {}, 'There are no topics yet'),
        make('p', {}, 'A topic begins with its first update, or its first subscriber. Publish one from a shell:'),
        command.element, make('p', {}, 'or on the page ', make('a', { href: '#/publish?topic=news' }, 'Publish'), '.'));
    }
  }

  #sortBy(name) {
    const { name: before, down } = this.#sort;
    this.#sort = { name, down: name === before ? !down : name !== 'topic' };
    this.#writeQuery();
    this.#showSort();
    this.#show(true);
    this.#list.reveal(0);
  }

  #showSort() {
    const { name, down } = this.#sort;
    this.#parts.sort.value = name;
    this.#list.showSort(name, down ? 'descending' : 'ascending');
  }

  #fill([topic, subscribers, updates, size, oldest, newest, rate, spark], { about, rates }) {
    if (!topic.firstChild) {
      topic.append(make('a', { tabindex: '-1', dir: 'auto' }), make('span', { class: 'marks' }));
      spark.append(sparkline());
    }
    const [link, marks] = topic.children;
    setText(link, about.topic);
    link.title = about.topic;
    link.href = routeOf(about.topic);
    const names = [...(about.ended ? ['ended'] : []), ...(hasPresence(this.#app.identity.presence, about.topic) ? ['presence'] : [])];
    if (marks.textContent !== names.join('')) {
      marks.replaceChildren(...names.map((name) => make('span', { class: `badge ${name}` }, name)));
    }
    showCount(subscribers, about.subscribers);
    showCount(updates, about.updates);
    setText(size, bytes(about.bytes));
    showTime(oldest, about.first_time);
    showTime(newest, about.time);
    setText(rate, rates.now === null ? '–' : number(rates.now));
    drawRates(spark.firstChild, rates.values);
  }
}

/** The route of a topic's page. */
const routeOf = (topic) => `#/topics/${encodeURIComponent(topic)}`;

/** A count, after which a phone has the noun. */
function showCount(cell, value) {
  setText(cell, number(value));
  cell.toggleAttribute('data-one', value === 1);
}

function showTime(cell, time) {
  setText(cell, roughly(time));
  cell.title = time ? date(time) : '';
}
