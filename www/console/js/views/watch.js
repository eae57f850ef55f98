/**
 * Watch: any topics, live, as they are.
 *
 * Updates, gaps, broken connections and ended topics stand in one list, in the order in
 * which they came. The stream is read in format=full, which says for each update its topics
 * and its time.
 *
 * Records are taken in as they arrive, and drawn at most once per frame: a thousand updates
 * a second cost the same few rows per frame as ten do.
 */
import { make, setText, showState } from '../../../js/dom.js';
import { codeBox, commandBox } from '../parts/command.js';
import { bytes, count, number } from '../parts/format.js';
import { VirtualList } from '../parts/virtual_list.js';
import { Details } from './watch/details.js';
import { Feed } from './watch/feed.js';
import { makeFilter } from './watch/filter.js';
import { WatchForm } from './watch/form.js';
import { Held } from './watch/held.js';
import { crierLines, eventSourceLines } from './watch/lines.js';
import { toLine } from './watch/record.js';
import { readRetention } from './watch/retention.js';
import { COLUMNS, fillRow } from './watch/rows.js';
import { kindOf, topicsPath } from './watch/selectors.js';

const TICK = 1000; // ms, over which the rate is measured
const UP = ['ArrowUp', 'PageUp', 'Home'];

class WatchView {
  #app;
  #held = new Held();
  /** @type {Feed|null} */
  #feed = null;
  #topics = [];
  #beginning = {};
  #following = true;
  #unseen = 0; // the number of the first record that has come since
  #drawn = 0; // how many had left when the list was last drawn
  #frame = 0;
  #tick;
  #counted = Infinity; // updates at the last tick; what comes before the first one is no rate
  #rate = 0;
  #form = new WatchForm({
    start: (topics, beginning) => this.#go(topics, beginning),
    stop: () => this.#feed?.stop(),
  });
  #status = make('p', { class: 'status', role: 'status', 'data-state': 'closed' }, 'Not watching');
  #tally = make('p', { class: 'tally' });
  #pause = make('button', { type: 'button', class: 'small', disabled: '' }, 'Pause');
  #clear = make('button', { type: 'button', class: 'small' }, 'Clear');
  #export = make('button', { type: 'button', class: 'small', title: 'The updates shown, as NDJSON' }, 'Export');
  #text = make('input', {
    type: 'search', 'aria-label': 'Show only updates that contain', placeholder: 'Filter: text, id or topic', spellcheck: 'false',
  });
  #type = make('select', { 'aria-label': 'Show only updates of the type' }, make('option', { value: '' }, 'all types'));
  #newest = make('button', { type: 'button', class: 'newest primary small', hidden: '' });
  #news = make('p', { class: 'unseen', role: 'status' }); // gaps and breaks, for screen readers
  #empty = make('p', { class: 'empty' }); // in the place of rows
  #details;
  #list;
  #curl = commandBox('the curl command');
  #source = codeBox('the EventSource lines');
  #helper = codeBox('the crier.js lines');
  #elsewhere;

  constructor(element, app) {
    this.#app = app;
    this.#details = new Details((topics) => readRetention(app, topics), () => this.#list.element.focus());
    this.#list = new VirtualList({
      label: 'What the stream has sent',
      columns: COLUMNS,
      fill: (cells, index, row) => this.#fill(cells, index, row),
      open: (index) => this.#open(index),
    });
    element.append(this.#form.element, this.#build());
    this.#listen();
    this.#showEmpty();
    this.#tick = setInterval(() => this.#measure(), TICK);
  }

  /** Watches what the route names. @param {import('../app.js').Args} args */
  update({ query }) {
    const wanted = this.#form.set(query.has('topics') ? query : new URLSearchParams({ since: '10' }));
    if (wanted) this.#start(wanted.topics, wanted.beginning);
  }

  unmount() {
    clearInterval(this.#tick);
    this.#feed?.stop();
    cancelAnimationFrame(this.#frame);
    this.#list.close();
  }

  #build() {
    const summary = make('summary', {}, 'The same stream elsewhere');
    this.#elsewhere = make('details', { class: 'card elsewhere', hidden: '' }, summary,
      make('h3', {}, 'In a shell'), this.#curl.element,
      make('h3', {}, 'In a page, without any library'), this.#source.element,
      make('h3', {}, 'In a page or in Node, with crier.js'), this.#helper.element);
    return make('div', { class: 'watching' },
      make('div', { class: 'bar' }, this.#status, this.#tally, this.#news,
        make('div', { class: 'buttons' }, this.#pause, this.#clear, this.#export)),
      make('div', { class: 'bar' }, this.#text, this.#type),
      make('div', { class: 'sheet' }, make('div', { class: 'list' }, this.#list.element, this.#empty, this.#newest), this.#details.element),
      this.#elsewhere);
  }

  #listen() {
    const { element } = this.#list;
    element.addEventListener('scroll', () => this.#follow(this.#list.atEnd), { passive: true });
    element.addEventListener('keydown', ({ key }) => this.#onkey(key), { capture: true });
    element.addEventListener('keydown', ({ key }) => this.#afterKey(key)); // after the list's own
    this.#newest.addEventListener('click', () => {
      this.#follow(true);
      this.#list.toEnd();
      element.focus({ preventScroll: true });
    });
    this.#pause.addEventListener('click', () => (this.#feed.paused ? this.#feed.resume() : this.#feed.pause()));
    this.#clear.addEventListener('click', () => this.#forget());
    this.#export.addEventListener('click', () => this.#save());
    for (const field of [this.#text, this.#type]) field.addEventListener('input', () => this.#filter());
  }

  /** Watches something else: by the route, so that it can be linked to. */
  #go(topics, beginning) {
    const hash = `#/watch?${new URLSearchParams({ topics: topics.join(','), ...beginning })}`;
    if (location.hash === hash) this.#start(topics, beginning);
    else this.#app.navigate(hash);
  }

  #start(topics, beginning) {
    this.#feed?.stop();
    this.#held.reset();
    this.#forget();
    this.#showTypes();
    [this.#topics, this.#beginning, this.#counted] = [topics, beginning, Infinity];
    const path = this.#path({ format: 'full' });
    this.#feed = new Feed((lastEventId) => this.#app.subscribe(path, { share: false, lastEventId }),
      (record) => this.#take(record), () => this.#showState());
    this.#showLines();
    this.#showState();
  }

  #path(more = {}) {
    const query = new URLSearchParams({ ...this.#beginning, ...more });
    return topicsPath(this.#topics) + (query.size ? `?${query}` : '');
  }

  #take(record) {
    const { types } = this.#held;
    const known = types.size;
    this.#held.add(record);
    if (types.size !== known) this.#showTypes();
    if (record.kind !== 'update') setText(this.#news, record.kind === 'gap' ? 'Gap: updates are missing.' : record.text);
    this.#draw();
  }

  #draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const { shown } = this.#held;
      this.#list.resize(shown.length, this.#drawn - shown.first);
      this.#drawn = shown.first;
      if (this.#following) this.#list.toEnd();
      this.#showEmpty();
      this.#showUnseen();
      this.#showTally();
    });
  }

  /** Fills a row, unless its record has left: scrolling may draw before the next resize(). */
  #fill(cells, index, row) {
    const record = this.#held.shown.at(index);
    if (record) fillRow(record, cells, row);
  }

  #follow(following) {
    const { shown } = this.#held;
    if (this.#following && !following) this.#unseen = shown.first + shown.length;
    this.#following = following;
    this.#showUnseen();
  }

  #onkey(key) {
    if (UP.includes(key)) {
      if (this.#list.active < 0) this.#list.activate(this.#held.shown.length);
      this.#follow(false);
    } else if (key === 'End') {
      this.#follow(true);
    }
  }

  /** Enter goes on to the details; while they are there, they are those of the active row. */
  #afterKey(key) {
    if (!this.#details.shown) return;
    if (key === 'Enter') this.#details.focus();
    else if (key === 'Escape') this.#details.hide();
    else if (this.#list.active >= 0) this.#open(this.#list.active);
  }

  #open(index) {
    const record = this.#held.shown.at(index);
    this.#follow(false);
    this.#details.show(record, this.#topics.filter((text) => kindOf(text) === 'topic'));
  }

  #filter() {
    this.#held.filter(makeFilter(this.#text.value.trim(), this.#type.value));
    this.#begin();
  }

  #forget() {
    this.#held.clear();
    this.#details.hide();
    this.#begin();
  }

  /** Shows other records than before. */
  #begin() {
    this.#drawn = this.#held.shown.first;
    this.#following = true;
    this.#list.activate(-1);
    this.#draw();
  }

  #save() {
    const lines = [...this.#held.shown].filter(({ kind }) => kind !== 'notice').map((record) => `${toLine(record)}\n`);
    const url = URL.createObjectURL(new Blob(lines, { type: 'application/x-ndjson' }));
    const moment = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
    make('a', { href: url, download: `crier-${moment}.ndjson` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  #measure() {
    const { updates } = this.#held;
    this.#rate = Math.max(0, updates - this.#counted);
    this.#counted = updates;
    this.#showTally();
  }

  #showTally() {
    const { all, updates, gaps } = this.#held;
    const parts = [
      count(updates, 'update'),
      `${number(this.#rate)} a second`,
      ...(gaps ? [count(gaps, 'gap')] : []),
      ...(all.length ? [`${number(all.length)} held (${bytes(all.size)})`] : []),
    ];
    setText(this.#tally, this.#feed ? parts.join(' · ') : '');
  }

  /** Says why there is nothing, and what to do. */
  #showEmpty() {
    const { all, shown } = this.#held;
    this.#empty.hidden = shown.length > 0;
    if (shown.length > 0) return;
    setText(this.#empty, all.length > 0 ? 'Nothing that is held passes the filter.'
      : !this.#feed ? 'Name some topics above, or * for all of them.'
        : this.#feed.ending ? 'The stream brought nothing.'
          : 'Nothing yet. The next update appears here.');
  }

  #showUnseen() {
    const { shown } = this.#held;
    const unseen = shown.first + shown.length - this.#unseen;
    this.#newest.hidden = this.#following || shown.length === 0;
    setText(this.#newest, unseen > 0 ? `${number(unseen)} newer ↓` : 'To the newest ↓');
  }

  #showState() {
    const feed = this.#feed;
    if (!feed) return;
    const { state, waiting, paused, ending } = feed;
    if (state === 'paused') showState(this.#status, 'closed', 'Paused');
    else showState(this.#status, state, ending || undefined);
    setText(this.#pause, !paused ? 'Pause' : waiting ? `Resume (${number(waiting)} waiting)` : 'Resume');
    this.#pause.disabled = ending !== '' && !paused;
    this.#showEmpty();
    this.#form.showRunning(ending === '');
  }

  #showTypes() {
    const { value } = this.#type;
    const types = [...this.#held.types];
    this.#type.replaceChildren(make('option', { value: '' }, 'all types'),
      ...types.map((type) => make('option', { value: type }, type.slice(0, 60))));
    this.#type.value = types.includes(value) ? value : '';
    this.#showLines();
  }

  #showLines() {
    if (this.#topics.length === 0) return;
    const { api, token } = this.#app;
    const path = this.#path();
    const types = [...this.#held.types].filter((type) => type !== 'message');
    this.#elsewhere.hidden = false;
    this.#curl.set(api.curl('GET', path, { stream: true }));
    this.#source.set(eventSourceLines(api.url(path), types, token !== ''));
    this.#helper.set(crierLines(api.url('crier.js'), api.url(path), token !== ''));
  }
}

/** @type {import('../app.js').View} */
export default {
  name: 'watch',
  title: 'Watch',
  needs: 'subscribe',
  keeps: true,
  mount(element, app, args) {
    const view = new WatchView(element, app);
    view.update(args);
    return view;
  },
};
