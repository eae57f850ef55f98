/**
 * The presence of one topic: the count, its last five minutes as a chart, and the joins and
 * leaves as they happen.
 *
 * The past comes from the journal (a poll, with times), what happens from a stream that is
 * opened before the poll: what both deliver is recognized by its id.
 */
import { make, setText, showState } from '../../../../js/dom.js';
import { SPAN, TimeChart } from '../../parts/chart.js';
import { count, date, time } from '../../parts/format.js';

const SHOWN = 100; // joins and leaves
const STEP = 1000; // ms between the values of the chart

/** @typedef {{id: string, joined: boolean, count: number, at: number}} Change */

export class PresenceOfTopic {
  #app;
  #topic;
  #stream;
  #timer;
  #closed = false;
  /** @type {Change[]} the newest last */
  #changes = [];
  #loading = false;
  /** Changes that arrived while the past was read. @type {Change[]} */
  #waiting = [];
  #count = null;
  #skew = 0; // ms that the server's clock is ahead of this one
  #now = make('b', {}, '–');
  #noun = make('span', {}, '');
  #state = make('p', { class: 'status', role: 'status', 'data-state': 'connecting' }, 'Connecting');
  #trouble = make('p', { class: 'trouble mild', role: 'status' });
  #rows = make('tbody');
  #none = make('p', { class: 'hint', hidden: '' }, 'Nobody has joined or left in the last five minutes.');
  #chart;

  /**
   * @param {import('../../app.js').App} app
   * @param {string} topic
   */
  constructor(app, topic) {
    [this.#app, this.#topic] = [app, topic];
    this.#chart = new TimeChart({ name: `Subscribers of ${topic}`, format: (value) => count(value, 'subscriber') });
    const path = encodeURIComponent(topic);
    this.element = make('div', { class: 'presence-topic' },
      make('section', { class: 'card' },
        make('header', { class: 'row' }, make('p', { class: 'now' }, this.#now, ' ', this.#noun), this.#state),
        this.#trouble, this.#chart.element,
        make('p', { class: 'row links' }, make('a', { href: `#/topics/${path}` }, 'Its updates'),
          make('a', { href: `#/watch?topics=${path}` }, 'Watch it'),
          make('span', { class: 'hint' }, 'This page is not counted.'))),
      make('section', { class: 'card' }, make('h2', {}, 'Joined and left'), this.#none,
        make('table', { class: 'plain changes' },
          make('thead', { class: 'unseen' }, make('tr', {}, ...['Time', 'What', 'Subscribers after it'].map((name) => make('th', { scope: 'col' }, name)))),
          this.#rows)));
    this.#timer = setInterval(() => this.#sample(), STEP);
    this.#open();
  }

  close() {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#stream.close();
  }

  get #path() {
    return `topics/${encodeURIComponent(`$presence/${this.#topic}`)}`;
  }

  #open() {
    const stream = this.#stream = this.#app.subscribe(this.#path, { share: false });
    let live = false;
    for (const type of ['join', 'leave']) {
      stream.addEventListener(type, ({ data, lastEventId }) => this.#receive(readChange(type, data, lastEventId, this.#serverTime())));
    }
    stream.addEventListener('gap', () => this.#load());
    stream.addEventListener('statechange', () => {
      showState(this.#state, stream.state);
      setText(this.#trouble, explain(stream, this.#topic));
      if (stream.state === 'live' && !live) this.#load();
      live = stream.state === 'live';
    });
  }

  #serverTime() {
    return Date.now() + this.#skew;
  }

  #receive(change) {
    if (!change) return;
    if (this.#loading) this.#waiting.push(change);
    else this.#add(change);
  }

  #add(change) {
    if (this.#changes.some(({ id }) => id === change.id)) return;
    this.#changes.push(change);
    if (this.#changes.length > SHOWN) this.#changes.shift();
    this.#count = change.count;
    this.#show();
  }

  /** Reads the past, and the count of now. */
  async #load() {
    if (this.#loading) return;
    this.#loading = true;
    this.#waiting = [];
    try {
      const response = await this.#app.api.request('GET', `${this.#path}?poll=1&format=json&since=${SPAN / 1000}s`);
      this.#skew = Date.parse(response.headers.get('Date')) - Date.now() || 0;
      const past = readLines(await response.text());
      // The field Date has whole seconds, so the newest change may be ahead of it.
      if (past.length) this.#skew = Math.max(this.#skew, past.at(-1).at - Date.now());
      const now = past.at(-1)?.count ?? await this.#readCount();
      if (this.#closed) return;
      this.#changes = past.slice(-SHOWN);
      this.#count = now;
      this.#chart.set(makePoints(past, now, this.#serverTime()));
    } catch ({ message }) {
      if (!this.#closed) setText(this.#trouble, message);
    } finally {
      this.#loading = false;
    }
    this.#waiting.forEach((change) => this.#add(change));
    this.#show();
  }

  /** The count where nobody has joined or left for a while. */
  async #readCount() {
    const [last] = readLines(await this.#app.api.text(`${this.#path}?poll=1&format=json&since=1`)).slice(-1);
    if (last) return last.count;
    try {
      // A list where the name looks like a template.
      const described = [await this.#app.api.get(`topics/${encodeURIComponent(this.#topic)}`)].flat();
      return described.find(({ topic }) => topic === this.#topic)?.subscribers ?? 0;
    } catch (problem) {
      if (problem.status === 404) return 0; // nobody has used the topic yet
      throw problem;
    }
  }

  #sample() {
    if (this.#count !== null && !this.#loading && this.#stream.state === 'live') this.#chart.add(this.#serverTime(), this.#count);
  }

  #show() {
    setText(this.#now, this.#count === null ? '–' : String(this.#count));
    setText(this.#noun, this.#count === 1 ? 'subscriber' : 'subscribers');
    this.#none.hidden = this.#count === null || this.#changes.length > 0;
    this.#rows.replaceChildren(...this.#changes.toReversed().map((change) => make('tr', {},
      make('td', {}, make('time', { datetime: new Date(change.at).toISOString(), title: date(change.at) }, time(change.at))),
      make('th', { scope: 'row', class: change.joined ? 'joined' : 'left' }, change.joined ? '+ joined' : '− left'),
      make('td', { class: 'number' }, count(change.count, 'subscriber')))));
  }
}

/** Why the stream is not live, in words. */
function explain({ state, trouble }, topic) {
  if (state !== 'closed' || !trouble) return trouble;
  return `The server refuses this: ${trouble}. Presence is granted by name, as $presence/${topic} or $presence/*.`;
}

/** A change, from the data of its update; null where that is none of crierd's. */
function readChange(type, data, id, at) {
  try {
    const value = JSON.parse(data).count;
    return Number.isInteger(value) && Number.isFinite(at) ? { id, joined: type === 'join', count: value, at } : null;
  } catch {
    return null;
  }
}

/** @returns {Change[]} the changes among the lines of format=json */
function readLines(text) {
  return text.split('\n').filter(Boolean)
    .map((line) => JSON.parse(line))
    .filter(({ event }) => event === 'join' || event === 'leave')
    .map(({ event, data, id, time: at }) => readChange(event, data, id, Date.parse(at)))
    .filter(Boolean);
}

/** The count at each step of the last minutes, from the changes and the count of now. */
function makePoints(changes, now, end) {
  const points = [];
  const [first] = changes;
  let value = first ? first.count + (first.joined ? -1 : 1) : now;
  let next = 0;
  for (let at = end - SPAN; at <= end; at += STEP) {
    while (next < changes.length && changes[next].at <= at) value = changes[next++].count;
    points.push([at, value]);
  }
  return points;
}
