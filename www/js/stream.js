/**
 * Stream: what the pages use instead of EventSource.
 *
 *   const stream = new Stream('ticks', { keep: 'newest' });
 *   stream.addEventListener('message', ({ data }) => ...);
 *   stream.addEventListener('statechange', () => stream.state ...);
 *   stream.close();
 *
 * It has the interface of an EventSource, but retries where that gives up, reports its
 * state, and can deliver events of every type (`every`: as an event "any" whose `kind` is
 * the type).
 *
 * Over HTTP/2 and 3 each tab has an EventSource of its own, since all streams and requests
 * share one connection to the server. Over HTTP/1.1 each stream occupies a connection, of
 * which a browser opens six. There all tabs that listen to the same URL share its stream by
 * a SharedWorker (worker.js); in a browser without one, each tab has its own.
 */
import { Connection } from './connection.js';

/** Whether the server is reached over HTTP/2 or 3; false where the browser does not say. */
const multiplexed = /^h[23]/.test(performance.getEntriesByType('navigation')[0]?.nextHopProtocol);

/** How many streams the worker may have open at once: one connection is left for requests. */
const MAX_STREAMS = 5;

/** A page from the back/forward cache has lost its streams: reload it. */
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());

export class Stream extends EventTarget {
  /** @type {import('./connection.js').State} */
  state = 'connecting';
  /** Why the stream is not live, in words; often empty. */
  trouble = '';
  /** How many tabs share the connection. */
  tabs = 1;
  #types;
  #link = null;

  /**
   * @param {string} url  relative to the page
   * @param {{keep?: string, every?: boolean}} [options]  which events a tab gets that
   *        joins later (see keep.js); whether to deliver events of every type
   */
  constructor(url, { keep = 'nothing', every = false } = {}) {
    super();
    this.#types = every ? null : new Set(['message']);
    this.url = new URL(url, document.baseURI).href;
    // After the caller has added its listeners, which determine the types.
    queueMicrotask(() => this.#open(keep));
  }

  addEventListener(type, listener, options) {
    super.addEventListener(type, listener, options);
    if (type === 'statechange' || !this.#types || this.#types.has(type)) return;
    this.#types.add(type);
    this.#link?.listen(type);
  }

  close() {
    if (this.state === 'closed') return;
    this.#link?.close();
    this.#become({ state: 'closed' });
  }

  #open(keep) {
    if (this.state === 'closed') return;
    const { url } = this;
    const types = this.#types;
    const receive = (message) => this.#receive(message);
    const openDirect = () => {
      if (this.state !== 'closed') this.#link = direct(url, types, receive);
    };
    if (multiplexed) return openDirect();
    try {
      this.#link = shared(url, types, keep, receive, openDirect);
    } catch { // no SharedWorker, or storage is blocked for this page
      openDirect();
    }
  }

  #receive({ event, past = false, ...change }) {
    if (this.state === 'closed') return; // the event was in transit when the stream was closed
    if (!event) return this.#become(change);
    const type = this.#types ? event.type : 'any';
    this.dispatchEvent(Object.assign(new MessageEvent(type, event), { kind: event.type, past }));
  }

  #become({ state, trouble = '', tabs = 1 }) {
    Object.assign(this, { state, trouble, tabs });
    if (state === 'closed') this.#link?.close();
    this.dispatchEvent(new Event('statechange'));
  }
}

/** Opens a connection for this tab alone. */
function direct(url, types, receive) {
  return new Connection(url, types,
    (event) => receive({ event }),
    (state, trouble) => receive({ state, trouble }));
}

/** Uses the connection that the worker shares among all tabs. */
function shared(url, types, keep, receive, onfail) {
  const script = new URL('worker.js', import.meta.url);
  const worker = new SharedWorker(script, { type: 'module', name: 'crier-5' });
  const { port } = worker;
  // Locks exist in secure contexts only; elsewhere the close message must do.
  const lock = navigator.locks && `crier-${crypto.randomUUID()}`;
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  let open = true;

  const link = {
    listen: (type) => port.postMessage({ listen: type }),
    close() {
      open = false;
      port.postMessage({ close: true });
      release();
      removeEventListener('pagehide', link.close);
    },
  };
  const begin = () => {
    if (open) port.postMessage({ open: { url, types: types && [...types], keep, max: MAX_STREAMS, lock } });
    return released;
  };

  worker.onerror = () => { // the script did not load
    link.close();
    onfail();
  };
  port.onmessage = ({ data }) => {
    worker.onerror = null;
    receive(data);
  };
  addEventListener('pagehide', link.close);
  if (lock) navigator.locks.request(lock, begin);
  else begin();
  return link;
}
