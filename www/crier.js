/**
 * crier.js subscribes to Server-Sent Events, above all to the topics of a crierd.
 *
 *   import { subscribe } from './crier.js';
 *   const news = subscribe('topics/news', { since: 10 });
 *   news.addEventListener('message', ({ data }) => console.log(data));
 *
 * crier.d.ts describes all that it can do. It reads streams with fetch(), because an
 * EventSource sends no token, drops the types that have no listener, hides the status of
 * the response, and gives up at the first response that is no stream.
 *
 * Over HTTP/1.1 a browser opens six connections to a server, and a stream occupies one. So
 * this file is also the script of a SharedWorker, which holds each stream once for all tabs.
 */
const WORKER = 'crier.js 1'; // tabs with another version of the messages have another worker
const MAX_STREAMS = 5; // in the worker: one connection is left for requests
const MAX_KEPT = 10_000; // events
const MAX_EVENT = 2 ** 26; // characters
const RETRY = 2_000; // ms
const LONGEST_RETRY = 30_000; // unless the server asks for more
const HOUR = 3_600_000;
const PATIENCE = 10_000; // ms that a tab has to return a token
const MAY_PASS = [408, 425, 429]; // 4xx that are worth a retry
const OWN = ['any', 'gap', 'ended', 'statechange']; // an update of such a type is only `any`
const WAITING = 'This browser already holds as many streams to this server as it can, ' +
  'in other tabs. This one starts as soon as another ends.';

/** A header has bytes, which fetch() takes and gives as characters: an id is UTF-8 there. */
const toHeader = (id) => Array.from(new TextEncoder().encode(id), (c) => String.fromCharCode(c)).join('');
const fromHeader = (text) => new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt()));

/** Waits about MS, so that a thousand browsers do not return in the same instant. */
const pause = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms * (0.5 + Math.random() / 2));
  signal.addEventListener('abort', () => clearTimeout(timer));
});

/** Returns a function that interprets a response as HTML 9.2.6 says: from text to events. */
function parser(stream) {
  let [rest, cr, id, type, data, hasId] = ['', false, stream.id, '', null, false];

  function field(name, value) {
    if (name === 'data') data = data === null ? value : `${data}\n${value}`;
    else if (name === 'event') type = value;
    else if (name === 'id' && !value.includes('\0')) [id, hasId] = [value, true];
    else if (name === 'retry' && /^\d+$/.test(value)) stream.retry = Math.min(value, HOUR);
  }

  return (text) => {
    const events = [];
    const lines = text.slice(cr && text[0] === '\n' ? 1 : 0).split(/\r\n|\n|\r/);
    if (text) cr = text.endsWith('\r');
    lines[0] = rest + lines[0];
    rest = lines.pop();
    for (const line of lines) {
      const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
      if (line) field(name, value);
      else {
        stream.id = id;
        // Only a gap, which crierd inserts, has no id: so an update cannot pretend to be one.
        if (data !== null) events.push({ type: type || 'message', data, lastEventId: id, gap: type === 'gap' && !hasId });
        [type, data, hasId] = ['', null, false];
      }
    }
    if (rest.length + (data ?? '').length > MAX_EVENT) throw new RangeError('The server sent an event that is too long.');
    return events;
  };
}

/** Why the server sent no stream: the detail of its problem document (RFC 9457). */
async function reason(response) {
  try {
    const { detail, title } = await response.json();
    return String(detail || title);
  } catch {
    return `The server responded ${response.status} ${response.statusText}`.trim() + '.';
  }
}

/** Holds the stream of a URL until it ends or SIGNAL aborts: connects, reads, retries. */
async function hold({ url, token, id }, renew, signal, report) {
  const stream = { id, retry: RETRY };
  let [failures, renewed] = [0, false];
  for (let state = 'connecting'; ; state = 'retrying') {
    report({ state });
    let [trouble, wait] = ['The server could not be reached.', 0];
    try {
      const headers = { Accept: 'text/event-stream' };
      if (token) headers.Authorization = `Bearer ${token}`;
      if (stream.id) headers['Last-Event-ID'] = toHeader(stream.id);
      const response = await fetch(url, { headers, cache: 'no-store', signal });
      const { status, body } = response;
      if (status === 204) return report({ state: 'closed', ended: true });
      if (status !== 200 || !/^text\/event-stream\s*(;|$)/i.test(response.headers.get('Content-Type'))) {
        trouble = await reason(response);
        if (status === 401 && renew && !renewed) {
          token = await renew();
          renewed = true;
          continue;
        }
        if (status >= 400 && status < 500 && !MAY_PASS.includes(status)) return report({ state: 'closed', trouble });
        const after = response.headers.get('Retry-After');
        wait = Math.min(HOUR, 1_000 * after || Date.parse(after) - Date.now() || 0);
      } else {
        stream.id ||= fromHeader(response.headers.get('Last-Event-ID') ?? '');
        [trouble, failures, renewed] = ['', 0, false];
        report({ state: 'live', id: stream.id });
        const [reader, decoder, parse] = [body.getReader(), new TextDecoder(), parser(stream)];
        for (let part; !(part = await reader.read()).done;) {
          const events = parse(decoder.decode(part.value, { stream: true }));
          if (events.length) report({ events });
        }
      }
    } catch (error) {
      if (error instanceof RangeError) return report({ state: 'closed', trouble: error.message });
    }
    if (signal.aborted) return;
    report(trouble ? { state: 'lost', trouble } : { state: 'retrying' });
    const { retry } = stream;
    await pause(wait * 2 + Math.max(retry, Math.min(LONGEST_RETRY, retry * 2 ** failures++)), signal);
  }
}

/** Has the worker hold the stream. A lock tells it how long this tab lives. */
function share(source, renew, signal, report, fallBack) {
  const worker = new SharedWorker(import.meta.url, { type: 'module', name: WORKER });
  const { port } = worker;
  const lock = navigator.locks && crypto.randomUUID(); // in secure contexts
  const open = () => new Promise((release) => {
    if (signal.aborted) return release();
    port.postMessage({ open: source, lock });
    signal.addEventListener('abort', () => release(port.postMessage({ close: true })));
  });
  worker.onerror = () => { // the script did not load
    port.onmessage = null;
    fallBack();
  };
  port.onmessage = async ({ data }) => {
    worker.onerror = null;
    if (data.renew) port.postMessage({ token: await renew().catch(() => null) });
    else report(data);
  };
  if (lock) navigator.locks.request(lock, open);
  else open();
}

/** The streams of this page, which has none while it is in the back/forward cache. */
const streams = new Set();
globalThis.addEventListener?.('pagehide', () => streams.forEach((stream) => stream.hide()));
globalThis.addEventListener?.('pageshow', ({ persisted }) => persisted && streams.forEach((stream) => stream.show()));

class Stream extends EventTarget {
  state = 'connecting';
  trouble = '';
  tabs = 1;
  #options;
  #gone;

  constructor(url, options) {
    super();
    const query = options.since === undefined ? '' : `${`${url}`.includes('?') ? '&' : '?'}since=${encodeURIComponent(options.since)}`;
    this.url = new URL(url + query, globalThis.document?.baseURI).href;
    this.lastEventId = options.lastEventId ?? '';
    this.#options = options;
    streams.add(this);
    queueMicrotask(() => this.show()); // the caller adds its listeners first
  }

  close() {
    if (this.state !== 'closed') this.#receive({ state: 'closed' });
  }

  hide() {
    this.#gone?.abort();
  }

  async show() {
    if (this.state === 'closed') return;
    const { signal } = this.#gone = new AbortController();
    const { share: shared = true, keep = 0 } = this.#options;
    let { token } = this.#options;
    const renew = typeof token === 'function' && (async () => await this.#options.token() ?? '');
    const report = (message) => signal.aborted || this.#receive(message);
    for (let wait = RETRY; typeof token === 'function'; wait = Math.min(LONGEST_RETRY, wait * 2)) {
      try {
        token = await renew();
      } catch {
        report({ state: 'lost', trouble: 'There is no token yet.' });
        await pause(wait, signal);
      }
    }
    const source = { url: this.url, token, id: this.lastEventId, keep, renews: !!renew };
    const alone = () => signal.aborted || hold(source, renew, signal, report);
    const multiplexed = /^h[23]/.test(performance.getEntriesByType('navigation')[0]?.nextHopProtocol);
    if (!shared || multiplexed) return alone();
    try {
      share(source, renew, signal, report, alone);
    } catch { // there are no SharedWorkers, or not for this page
      alone();
    }
  }

  #receive({ events, past = false, ended, ...change }) {
    events?.forEach((event) => this.#deliver(event, past));
    if (!change.state) return;
    const { state, trouble = '', tabs = 1, id = this.lastEventId } = change;
    const changed = [state, trouble, tabs].join() !== [this.state, this.trouble, this.tabs].join();
    Object.assign(this, { state, trouble, tabs, lastEventId: id });
    if (state === 'closed') {
      streams.delete(this);
      this.hide();
    }
    if (ended) this.dispatchEvent(new Event('ended'));
    if (changed) this.dispatchEvent(new Event('statechange'));
  }

  #deliver({ type, data, lastEventId, gap }, past) {
    const extra = { kind: type, past };
    if (gap) {
      extra.gap = { requested: null, oldest: null };
      try {
        Object.assign(extra.gap, JSON.parse(data));
      } catch { /* it is no crierd's */ }
    }
    for (const name of OWN.includes(type) && !gap ? ['any'] : [type, 'any']) {
      if (this.state === 'closed') return; // by a listener
      this.lastEventId = lastEventId;
      this.dispatchEvent(Object.assign(new MessageEvent(name, { data, lastEventId }), extra));
    }
  }
}

/** The worker's part: a stream, and the tabs that share it. */
const channels = new Set();

class Channel {
  ports = [];
  #kept = [];
  #last = { state: 'connecting' };
  #gone;
  #asked = 0;

  constructor(source) {
    this.source = source;
    channels.add(this);
  }

  join(port) {
    this.ports.push(port);
    port.postMessage({ events: this.#kept, past: true });
    this.#send(this.#last);
  }

  leave(port) {
    this.ports = this.ports.filter((other) => other !== port);
    if (this.ports.length) return this.#send(this.#last);
    this.#gone?.abort();
    channels.delete(this);
    admit();
  }

  /** Starts, if it has not, and if there is a connection FREE. Returns whether it needs one. */
  start(free) {
    if (!this.#gone && free) {
      this.#gone = new AbortController();
      hold(this.source, this.source.renews && (() => this.#renew()), this.#gone.signal, (message) => this.#report(message));
    } else if (!this.#gone) this.#report({ state: 'connecting', trouble: WAITING });
  }

  get busy() {
    return !!this.#gone;
  }

  /** A tab returns a new token; the next one does if it does not. */
  async #renew() {
    const port = this.ports[this.#asked++ % this.ports.length];
    port.postMessage({ renew: true });
    this.source.token = await new Promise((resolve, reject) => {
      this.renewed = (token) => (token === null ? reject() : resolve(token));
      setTimeout(reject, PATIENCE);
    });
    return this.source.token;
  }

  #report(message) {
    message.events?.forEach((event) => this.#keep(event));
    if (message.state) this.#last = { id: this.#last.id, ...message };
    this.#send(message.state ? this.#last : message);
    if (message.state !== 'closed') return;
    channels.delete(this); // a tab that asks for it now tries again
    admit();
  }

  #keep(event) {
    const { keep } = this.source;
    const kept = this.#kept;
    this.#last.id = event.lastEventId;
    kept.push(event);
    if (keep === 'all' || keep >= 0) return kept.splice(0, kept.length - (keep >= 0 ? keep : MAX_KEPT));
    const limit = keep === 'newest' ? 1 : Object.hasOwn(keep, event.type) && keep[event.type];
    const alike = kept.filter(({ type }) => type === event.type);
    if (alike.length > limit) kept.splice(kept.indexOf(alike[0]), 1);
    if (kept.length > MAX_KEPT) kept.shift();
  }

  #send(message) {
    for (const port of this.ports) port.postMessage({ ...message, tabs: this.ports.length });
  }
}

/** Gives the free connections to the channels that have waited longest. */
function admit() {
  let free = MAX_STREAMS - [...channels].filter(({ busy }) => busy).length;
  for (const channel of channels) {
    if (!channel.busy) channel.start(free-- > 0);
  }
}

function accept({ ports: [port] }) {
  let channel;
  const leave = () => {
    channel?.leave(port);
    channel = null;
  };
  port.onmessage = ({ data: { open, lock, close, token } }) => {
    if (open) {
      const key = JSON.stringify(open);
      channel = [...channels].find(({ source }) => JSON.stringify(source) === key) ?? new Channel(open);
      channel.join(port);
      admit();
      if (lock) navigator.locks.request(lock, leave);
    } else if (close) leave();
    else channel?.renewed(token);
  };
}

if (globalThis.name === WORKER && globalThis.SharedWorkerGlobalScope) globalThis.onconnect = accept;

export const subscribe = (url, options = {}) => new Stream(url, options);
