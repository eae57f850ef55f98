/**
 * The topics of the server, as far as they are loaded: GET /topics, page by page.
 *
 * A server may have millions. So no more than MOST are loaded, and beyond that the server
 * is asked for those whose names begin with what is searched for. What changes all the time,
 * as counts and rates, is read again for the topics in view alone, with one request.
 */
import { Rates } from './sparkline.js';

const MOST = 20_000; // topics
const PAGE = 1_000; // topics of one request; the server's maximum
const FEW = 300; // topics that are all read again, instead of those in view
const LONGEST = 6_000; // characters of a request's match=; the server takes 11 KiB of headers
const TEMPLATES = 4; // in one request; the server's maximum
const NAMES = 100; // in one request; the server's maximum

/** @typedef {{about: object, rates: Rates}} Entry  a topic's description, as the server sends it */

/** Reports what it has loaded as an event "change". */
export class Catalogue extends EventTarget {
  /** @type {Map<string, Entry>} */
  entries = new Map();
  /** Whether these are all topics that match. */
  complete = false;
  loading = false;
  #api;
  #match = '';
  #loads = 0;
  #closed = false;

  /** @param {import('../../../../js/api.js').Api} api */
  constructor(api) {
    super();
    this.#api = api;
  }

  /** Whether all topics are loaded and so few that they are read again as a whole. */
  get small() {
    return this.complete && this.entries.size <= FEW;
  }

  /**
   * Loads the topics that MATCH names (as match= of GET /topics); each page is shown when
   * it has arrived, and topics that are gone leave at the end.
   */
  async load(match) {
    if (this.#closed) return;
    const load = this.#loads += 1;
    const found = new Map();
    const another = match !== this.#match;
    this.#match = match;
    this.loading = true;
    try {
      for (let after = ''; after !== null;) {
        const page = await this.#list({ match, after, limit: PAGE });
        if (load !== this.#loads) return; // another one has begun
        for (const about of page.topics) found.set(about.topic, this.#take(about));
        after = found.size < MOST ? page.next : null;
        if (after === null) this.loading = false;
        if (another || after === null) this.#show(found, page.next === null);
      }
    } finally {
      if (load === this.#loads) this.loading = false;
    }
  }

  /** Loads nothing any more. */
  close() {
    this.#closed = true;
    this.#loads += 1;
  }

  /** Reads some topics again, as many as one request can name. @returns {Promise<number>} how many */
  async refresh(names) {
    const some = fit(names);
    if (!some.length) return 0;
    const { topics } = await this.#list({ match: some.join(','), limit: PAGE });
    const there = new Set();
    for (const about of topics) {
      if (this.entries.has(about.topic)) this.#take(about);
      there.add(about.topic);
    }
    // A name with an expression stands for other topics, too, which may fill the page.
    if (topics.length < PAGE) for (const name of some) if (!there.has(name)) this.entries.delete(name);
    this.#report();
    return some.length;
  }

  #show(entries, complete) {
    this.entries = entries;
    this.complete = complete;
    this.#report();
  }

  #list(query) {
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return this.#api.get(`topics?${pairs.join('&')}`);
  }

  #take(about) {
    const entry = this.entries.get(about.topic) ?? { about, rates: new Rates() };
    entry.about = about;
    entry.rates.add(about.published);
    return entry;
  }

  #report() {
    this.dispatchEvent(new Event('change'));
  }
}

/**
 * Whether a path or a query can name the topic. Some that were published by the Mercure protocol
 * have commas; and browsers take . and .. for a step in a path.
 */
export const isNameable = (topic) => !/[,*]|^\.\.?$/.test(topic);

/** The first of these names that fit into one request. */
function fit(names) {
  const some = [];
  let [length, templates] = [0, 0];
  for (const name of names.filter(isNameable)) {
    length += encodeURIComponent(name).length + 3;
    templates += name.includes('{');
    if (length > LONGEST || templates > TEMPLATES || some.length === NAMES) break;
    some.push(name);
  }
  return some;
}
