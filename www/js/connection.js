/**
 * A Connection is an EventSource that does not give up.
 *
 * The browser's EventSource reconnects by itself when a stream breaks. But any response
 * other than 200 ends it for good, and it does not expose the status. So when it has given
 * up, a HEAD request asks the server:
 *
 *   - 204, or a 4xx that will stay one: stop, with the server's reason;
 *   - anything else (503 from a full server, 502 from a proxy, no response): retry with
 *     growing delays, and with jitter, so that a thousand browsers do not reconnect in the
 *     same instant.
 *
 * A new EventSource does not know the last id of the old one, so the URL has it
 * (lastEventID=). When the browser reconnects by itself, it sends the header Last-Event-ID
 * as well, which is then newer and wins. Streams without ids, and servers that do not know
 * the parameter, start anew.
 *
 * States: connecting -> live -> retrying (an attempt is in progress) or lost (waiting for
 * the next attempt) -> live ... -> closed.
 */
import { reason } from './problem.js';
import { Reader } from './reader.js';

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;
const MAY_PASS = new Set([408, 425, 429]); // 4xx that are worth a retry

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

  /** The URL at which to resume after the last event received. */
  get #next() {
    if (!this.#lastEventId) return this.#url;
    const separator = this.#url.includes('?') ? '&' : '?';
    return `${this.#url}${separator}lastEventID=${encodeURIComponent(this.#lastEventId)}`;
  }

  #connect(state) {
    this.#onstate(state, '');
    const source = this.#source = this.#types ? new EventSource(this.#next) : new Reader(this.#next);
    for (const type of this.#types ?? []) source.addEventListener(type, this.#pass);
    source.onevent = this.#pass; // a Reader's
    source.onopen = () => {
      this.#failures = 0;
      this.#onstate('live', '');
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.#recover();
      else this.#onstate('retrying', ''); // the browser reconnects
    };
  }

  /** Finds out why the EventSource gave up; retries or ends. */
  async #recover() {
    const { signal } = this.#gone;
    let trouble = 'The server could not be reached.';
    let wait = 0;
    try {
      const { status, headers } = await fetch(this.#next, { method: 'HEAD', cache: 'no-store', signal });
      if (status === 204) return this.#onstate('closed', '');
      if (status >= 400 && status < 500 && !MAY_PASS.has(status)) {
        return this.#onstate('closed', await this.#refusal());
      }
      trouble = status === 503 ? 'The server is full at the moment.' : 'The server cannot open the stream at the moment.';
      wait = 1_000 * (Number(headers.get('Retry-After')) || 0);
    } catch {
      // No response: retry as after a 503.
    }
    if (signal.aborted) return;
    const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
    wait = Math.min(LONGEST_WAIT, wait) + ceiling * (0.5 + Math.random() / 2);
    this.#onstate('lost', trouble);
    this.#timer = setTimeout(() => this.#connect('retrying'), wait);
  }

  /** Returns the server's reason. It takes a GET, since the response to HEAD has no body. */
  async #refusal() {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#gone.signal]);
    const response = await fetch(this.#next, { cache: 'no-store', signal });
    if (!response.ok) return reason(response);
    stop.abort(); // it is a stream now, and must not be read to its end
    return 'The server refused the stream.';
  }
}
