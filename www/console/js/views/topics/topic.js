/**
 * One topic: what it is now, and the updates that it holds.
 *
 * The list shows either its history (History) or what a search has found in it (Search);
 * the search is part of the route, so that it can be linked to.
 */
import { make, setText } from '../../../../js/dom.js';
import { bytes, count, date, number, roughly, time as clock } from '../../parts/format.js';
import { hasPresence } from '../../parts/presence.js';
import { VirtualList } from '../../parts/virtual_list.js';
import { confirmDelete } from './delete_dialog.js';
import { History } from './history.js';
import { repeat } from './repeat.js';
import { Search } from './search.js';
import { drawRates, Rates, sparkline } from './sparkline.js';
import { UpdatePanel } from './update.js';
import { topicPath } from './updates.js';

const PAUSE = 2_000; // ms between two looks at the description
const COLUMNS = [
  { name: 'time', title: 'Time', class: 'mono' },
  { name: 'type', title: 'Type' },
  { name: 'data', title: 'Data', class: 'mono' },
  { name: 'marks', title: 'Flags' },
  { name: 'size', title: 'Size', class: 'number' },
];

const days = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hour12: false });

/** What is known of a topic that holds nothing. */
const nothing = (topic) => ({
  topic, updates: 0, bytes: 0, subscribers: 0, first: null, last: null, first_time: null, time: null, ended: false,
});

export class TopicView {
  #app;
  #topic;
  #query; // of the route
  #about; // its description
  #rates = new Rates();
  /** @type {History|null} */
  #history = null;
  /** @type {Search|null} */
  #search = null;
  #list;
  #panel;
  #stop = () => {};
  #closed = false;
  #left = new AbortController(); // of the route as it is
  #types = new Set();
  #parts = {};

  /** @param {HTMLElement} element @param {string} topic @param {URLSearchParams} query */
  constructor(element, app, topic, query) {
    this.#app = app;
    this.#topic = topic;
    this.#about = nothing(topic);
    this.#panel = new UpdatePanel(() => this.#closePanel());
    this.#list = new VirtualList({
      label: `Updates of ${topic}, newest first`,
      columns: COLUMNS,
      fill: (cells, index, row) => this.#fill(cells, index, row),
      open: (index) => this.#open(index),
      range: (first, end) => !this.#search && this.#history?.want(first, end),
    });
    this.#query = query;
    element.append(...this.#build());
    this.#stop = repeat(PAUSE, () => this.#look());
  }

  /** The route has another query. */
  update(query) {
    this.#left.abort();
    this.#left = new AbortController();
    this.#query = query;
    if (this.#history?.opened) this.#seek();
  }

  close() {
    this.#closed = true;
    this.#left.abort();
    this.#stop();
    this.#search?.stop();
    this.#history?.close();
    this.#list.close();
    this.#panel.hide();
  }

  /* ---- What it consists of ---- */

  #build() {
    const parts = this.#parts;
    parts.figures = make('dl', { class: 'figures' });
    parts.spark = sparkline();
    parts.trouble = make('p', { class: 'trouble', role: 'alert' });
    parts.tally = make('p', { class: 'hint tally', role: 'status' });
    parts.progress = make('progress', { 'aria-label': 'Search', hidden: '' });
    parts.newer = make('button', { type: 'button', class: 'small primary', hidden: '' });
    parts.newer.addEventListener('click', () => this.#reopen());
    parts.browse = make('div', { class: 'browse' }, this.#list.element, this.#panel.element);
    parts.empty = make('p', { class: 'card empty', hidden: '' });
    return [this.#buildHead(), parts.figures, parts.trouble, this.#buildSearch(),
      make('div', { class: 'row' }, parts.tally, parts.progress, parts.newer), parts.empty, parts.browse];
  }

  #buildHead() {
    const name = encodeURIComponent(this.#topic);
    const reserved = this.#topic.startsWith('$');
    const { may } = this.#app.identity;
    const head = make('div', { class: 'row actions' },
      make('a', { href: '#/topics' }, '← All topics'),
      make('a', { class: 'small button', href: `#/watch?topics=${name}` }, 'Watch'));
    if (may.publish && !reserved) head.append(make('a', { class: 'small button', href: `#/publish?topic=${name}` }, 'Publish'));
    if (may.admin && !reserved) {
      const button = this.#parts.remove = make('button', { type: 'button', class: 'small danger', disabled: '' }, 'Delete…');
      button.addEventListener('click', () => this.#delete());
      head.append(button);
    }
    return head;
  }

  #buildSearch() {
    const parts = this.#parts;
    parts.types = make('datalist', { id: 'known-types' });
    parts.type = make('input', { type: 'text', id: 'filter-type', list: 'known-types', placeholder: 'any type', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' });
    parts.text = make('input', { type: 'search', id: 'filter-text', placeholder: 'in data or id', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' });
    parts.stop = make('button', { type: 'button', hidden: '' }, 'Stop');
    parts.clear = make('button', { type: 'button', hidden: '' }, 'Clear');
    parts.stop.addEventListener('click', () => this.#search?.stop());
    parts.clear.addEventListener('click', () => this.#go('', ''));
    const form = make('form', { class: 'row filter', role: 'search' },
      make('label', { for: 'filter-type' }, 'Type'), parts.type,
      make('label', { for: 'filter-text' }, 'Text'), parts.text,
      make('button', { class: 'primary' }, 'Search'), parts.stop, parts.clear, parts.types);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#go(parts.type.value.trim(), parts.text.value);
    });
    return form;
  }

  /** Goes to the route of a search. */
  #go(type, text) {
    const query = new URLSearchParams({ ...(type && { type }), ...(text && { text }) });
    const hash = `#/topics/${encodeURIComponent(this.#topic)}${query.size ? `?${query}` : ''}`;
    if (hash === location.hash) this.update(query);
    else this.#app.navigate(hash);
  }

  /* ---- The topic as it is now ---- */

  get #hasPresence() {
    return hasPresence(this.#app.identity.presence, this.#topic);
  }

  /** Reads the description; opens the history, or tells it, or has it read on after a failure. */
  async #look() {
    try {
      const about = await this.#describe();
      if (this.#closed) return;
      this.#about = about;
      this.#rates.add(this.#about.published);
      this.#showFigures();
      if (!this.#history?.opened) await this.#openHistory();
      else this.#history.note(this.#about);
      if (this.#history.opened && this.#search?.state !== 'failed') setText(this.#parts.trouble, '');
      this.#history.retry();
    } catch (problem) {
      this.#complain(problem);
    }
  }

  /** By the list, since a name with braces is a template, too, which may match others. */
  async #describe() {
    const { topics } = await this.#app.api.get(`topics?match=${encodeURIComponent(this.#topic)}&limit=1000`);
    return topics.find(({ topic }) => topic === this.#topic) ?? nothing(this.#topic);
  }

  #showFigures() {
    const { updates, bytes: size, subscribers, first_time: oldest, time, ended } = this.#about;
    const figure = (name, ...value) => make('div', {}, make('dt', {}, name), make('dd', {}, ...value));
    const stamp = (value) => (value ? make('time', { datetime: value, title: date(value) }, roughly(value)) : '–');
    drawRates(this.#parts.spark, this.#rates.values);
    const marks = [
      ...(ended ? [make('span', { class: 'badge ended' }, 'ended')] : []),
      ...(this.#hasPresence ? [
        make('a', { class: 'badge presence', href: `#/presence?topic=${encodeURIComponent(this.#topic)}` }, 'presence')] : []),
    ];
    this.#parts.figures.replaceChildren(
      figure('Updates held', number(updates)),
      figure('Size', bytes(size)),
      figure('Subscribers', number(subscribers), ...(this.#hasPresence ? [] : [make('span', { class: 'hint' }, 'with this page')])),
      figure('Rate', this.#rates.now === null ? '–' : `${number(this.#rates.now)}/s`, this.#parts.spark),
      figure('Oldest', stamp(oldest)),
      figure('Newest', stamp(time)),
      ...(marks.length ? [figure('State', ...marks)] : []));
    if (this.#parts.remove) this.#parts.remove.disabled = !updates;
  }

  /* ---- The list ---- */

  /** Opens the history as it is now. */
  async #openHistory() {
    this.#history?.close();
    // A template gets the updates of other topics, too: these must not be counted.
    const quiet = this.#hasPresence || this.#topic.includes('{');
    const history = this.#history = new History(this.#app, this.#topic, quiet);
    history.addEventListener('change', ({ shift }) => this.#showHistory(shift));
    history.addEventListener('newer', () => this.#showNewer());
    history.addEventListener('trouble', ({ problem }) => this.#complain(problem));
    this.#showNewer();
    await history.open(this.#about);
    if (history === this.#history && history.opened) this.#seek();
  }

  async #reopen() {
    this.#history?.close();
    this.#history = null;
    await this.#look();
  }

  #toStart() {
    this.#panel.hide();
    this.#parts.browse.classList.remove('open');
    this.#list.activate(-1);
    this.#list.reveal(0);
  }

  /** Shows what the query of the route asks for. */
  #seek() {
    const [type, text] = ['type', 'text'].map((name) => this.#query.get(name) ?? '');
    this.#parts.type.value = type;
    this.#parts.text.value = text;
    this.#search?.stop();
    this.#search = null;
    this.#toStart();
    if (type || text) this.#beginSearch({ type, text });
    else this.#showHistory(0);
  }

  #beginSearch(what) {
    const search = this.#search = new Search(what);
    search.addEventListener('change', () => search === this.#search && this.#showSearch());
    this.#showSearch();
    search.run(this.#history.reader, this.#history.anchor);
  }

  #showHistory(shift) {
    const { total, expired } = this.#history;
    if (this.#search) return;
    this.#list.resize(total + (expired && total ? 1 : 0), shift);
    this.#showEmpty(total ? '' : expired ? 'The updates that were listed here have expired.' : 'This topic holds no updates.');
    setText(this.#parts.tally, total ? `${count(total, 'update')}, newest first${expired ? '; some have expired since this list was opened' : ''}` : '');
    this.#showTools(null);
  }

  #showSearch() {
    const { state, read, matches, trouble } = this.#search;
    const found = `${count(matches.length, 'match', 'matches')} in ${count(read, 'update')}`;
    const words = {
      reading: `${found} so far`,
      done: `${found}: all that are held`,
      stopped: `${found}; stopped`,
      full: `The newest ${count(matches.length, 'match', 'matches')}; narrow the search to see more`,
      failed: `${found}; the search broke off`,
    };
    setText(this.#parts.trouble, trouble);
    setText(this.#parts.tally, words[state]);
    this.#list.resize(matches.length);
    this.#showEmpty(state === 'done' && !matches.length ? 'No update matches.' : '');
    this.#showTools(state);
  }

  /** Shows what belongs to a search in this state; null for none. */
  #showTools(state) {
    const { progress, stop, clear } = this.#parts;
    progress.hidden = stop.hidden = state !== 'reading';
    clear.hidden = state === null || state === 'reading';
    progress.max = Math.max(1, this.#about.updates);
    progress.value = this.#search?.read ?? 0;
  }

  #showEmpty(text) {
    this.#parts.empty.hidden = !text;
    this.#parts.browse.hidden = Boolean(text);
    setText(this.#parts.empty, text);
  }

  #showNewer() {
    const { newer, uncertain } = this.#history;
    this.#parts.newer.hidden = newer === 0 && !uncertain;
    setText(this.#parts.newer, newer === 0 ? 'Show newer' : `Show ${number(newer)}${uncertain ? ' or more' : ''} newer`);
  }

  #rowAt(index) {
    return this.#search ? this.#search.matches[index] ?? null : this.#history?.at(index) ?? null;
  }

  #fill([time, type, data, marks, size], index, element) {
    const row = this.#rowAt(index);
    const gap = !this.#search && index === this.#history?.total;
    element.classList.toggle('gap', gap);
    element.classList.toggle('loading', !row && !gap);
    if (!row) {
      for (const cell of [time, type, marks, size]) setText(cell, '');
      const expired = this.#history?.expired ?? 0;
      setText(data, gap ? `Gap: older updates that were listed here have expired${expired > 1 ? ` (about ${number(expired)})` : ''}` : '…');
      return;
    }
    setText(time, when(row.time));
    time.title = date(row.time);
    setText(type, row.type === 'message' ? '' : row.type);
    type.title = row.type;
    type.dir = data.dir = 'auto';
    this.#noteType(row.type);
    data.replaceChildren(...highlight(row.data, this.#search?.text));
    marks.replaceChildren(...['private', 'last'].filter((name) => row[name]).map((name) =>
      make('span', { class: `badge ${name}` }, name)));
    setText(size, bytes(row.size));
  }

  /** Offers the types that have been seen for the search. */
  #noteType(type) {
    if (this.#types.size >= 100 || this.#types.has(type)) return;
    this.#types.add(type);
    this.#parts.types.append(make('option', { value: type }));
  }

  #open(index) {
    const row = this.#rowAt(index);
    if (!row) return;
    this.#parts.browse.classList.add('open');
    this.#panel.show(row, this.#history.reader);
    if (!this.#list.element.checkVisibility()) this.#panel.element.focus();
    else this.#list.reveal(index);
  }

  #closePanel() {
    this.#parts.browse.classList.remove('open');
    this.#list.element.focus();
  }

  async #delete() {
    const topic = this.#topic;
    if (!await confirmDelete(topic, this.#about.updates, this.#left.signal)) return;
    try {
      await this.#app.api.remove(topicPath(topic));
      this.#app.notify(`The updates of ${topic} are deleted.`);
      await this.#reopen();
    } catch (problem) {
      this.#complain(problem);
    }
  }

  #complain(problem) {
    setText(this.#parts.trouble, problem.message);
  }
}

/** The time of day, and the day if that is not today. */
function when(time) {
  const today = new Date(time).toDateString() === new Date().toDateString();
  return today ? clock(time) : days.format(new Date(time));
}

/** A text with what was searched for marked in it. */
function highlight(text, wanted) {
  const place = wanted ? text.toLowerCase().indexOf(wanted) : -1;
  if (place < 0) return [text];
  const end = place + wanted.length;
  return [text.slice(0, place), make('mark', {}, text.slice(place, end)), text.slice(end)];
}
