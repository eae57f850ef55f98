/**
 * A Connection is an EventSource that does not give up.
 *
 * The browser's EventSource reconnects by itself when a stream breaks, but
 * any answer other than 200 ends it for good, and it never says which answer
 * that was. So when it gives up, we ask the server with a HEAD request:
 *
 *   - 204, or a 4xx that will stay one: stop, with the server's reason;
 *   - anything else (503 from a full server, 502 from a proxy, no answer):
 *     try again, later and later, with jitter so that a thousand browsers
 *     do not come back in the same instant.
 *
 * A new EventSource knows nothing of what the last one has received, so it is
 * told in the URL, by lastEventID=. (When the browser reconnects by itself, it
 * sends the header Last-Event-ID besides, which is then the newer word.) Streams
 * without ids, and servers that do not know the parameter, start afresh.
 *
 * States: connecting -> live -> retrying (an attempt is on its way) or lost
 * (waiting before the next attempt) -> live ... -> closed.
 */
import { reason } from './problem.js';
import { Reader } from './reader.js';

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;
const MAY_PASS = new Set([408, 425, 429]); // 4xx that are worth another try

/**
 * @typedef {'connecting'|'live'|'lost'|'retrying'|'closed'} State
 * @typedef {{type: string, data: string, lastEventId: string}} Event
 */
export class Connection {
  #url;
  #types;
  #onevent;
  #onstate;
  #source = null;
  #timer = 0;
  #failures = 0;
  #lastEventId = '';
  #gone = new AbortController();

  /**
   * @param {string} url
   * @param {Iterable<string>|null} types  the event types to listen for; null: all
   * @param {(event: Event) => void} onevent
   * @param {(state: State, trouble: string) => void} onstate
   */
  constructor(url, types, onevent, onstate) {
    this.#url = url;
    this.#types = types && new Set(types);
    this.#onevent = onevent;
    this.#onstate = onstate;
    this.#connect('connecting');
  }

  /** Listens for one more type of event. */
  listen(type) {
    if (!this.#types || this.#types.has(type)) return;
    this.#types.add(type);
    this.#source?.addEventListener(type, this.#pass);
  }

  close() {
    this.#gone.abort();
    this.#source?.close();
    clearTimeout(this.#timer);
  }

  #pass = ({ type, data, lastEventId }) => {
    this.#lastEventId = lastEventId || this.#lastEventId;
    this.#onevent({ type, data, lastEventId });
  };

  /** Where to go on: after what was received last. */
  get #next() {
    if (!this.#lastEventId) return this.#url;
    const separator = this.#url.includes('?') ? '&' : '?';
    return `${this.#url}${separator}lastEventID=${encodeURIComponent(this.#lastEventId)}`;
  }

  #connect(state) {
    this.#onstate(state, '');
    const source = this.#source = this.#types ? new EventSource(this.#next) : new Reader(this.#next);
    for (const type of this.#types ?? []) source.addEventListener(type, this.#pass);
    source.onevent = this.#pass; // of a Reader
    source.onopen = () => {
      this.#failures = 0;
      this.#onstate('live', '');
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.#ask();
      else this.#onstate('retrying', ''); // the browser does it by itself
    };
  }

  /** Finds out why the EventSource gave up, and decides what to do. */
  async #ask() {
    const { signal } = this.#gone;
    let trouble = 'The server could not be reached.';
    let wait = 0;
    try {
      const { status, headers } = await fetch(this.#url, { method: 'HEAD', cache: 'no-store', signal });
      if (status === 204) return this.#onstate('closed', '');
      if (status >= 400 && status < 500 && !MAY_PASS.has(status)) {
        return this.#onstate('closed', await this.#refusal());
      }
      trouble = status === 503 ? 'The server is full just now.' : 'The server cannot open the stream just now.';
      wait = 1_000 * (Number(headers.get('Retry-After')) || 0);
    } catch {
      // No answer at all: try again like after a 503.
    }
    if (signal.aborted) return;
    const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
    wait = Math.min(LONGEST_WAIT, wait) + ceiling * (0.5 + Math.random() / 2);
    this.#onstate('lost', trouble);
    this.#timer = setTimeout(() => this.#connect('retrying'), wait);
  }

  /** A HEAD answer has no body, so the reason takes a GET. */
  async #refusal() {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#gone.signal]);
    const answer = await fetch(this.#url, { cache: 'no-store', signal });
    if (!answer.ok) return reason(answer);
    stop.abort(); // it turned into a stream: never read that to its end
    return 'The server refused the stream.';
  }
}
