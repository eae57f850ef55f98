/**
 * crier.js subscribes to Server-Sent Events; crier.d.ts says how.
 *
 * A browser opens six connections to a server by HTTP/1.1. So a SharedWorker holds each
 * stream once for all tabs.
 */
const WORKER = 'crier.js 1'; // another name whenever its messages change
const MAX_STREAMS = 5; // one is left for requests
const MAX_KEPT = 10_000; // events
const MAX_EVENT = 2 ** 26; // characters
const RETRY = 2_000; // ms

// Waits WAIT and about MS, at least half a second: clients return one by one.
const pause = (signal, ms, wait = 0) => new Promise((resolve) => {
  const timer = setTimeout(resolve, Math.min(2 ** 31 - 1, Math.max(500, wait + ms * (1 + Math.random()) / 2)));
  signal.onabort = () => clearTimeout(timer);
});

// Returns a function from text to events (HTML 9.2.6), or to false if one is too long.
function parser(stream) {
  let [rest, cr, id] = ['', false, stream.id];
  let type, data, fields, size;
  const begin = () => { [type, data, fields, size] = ['message', null, {}, 0]; };
  begin();
  return (text) => {
    const events = [];
    const lines = text.slice(cr && text[0] === '\n' ? 1 : 0).split(/\r\n|\n|\r/);
    if (text) cr = text.endsWith('\r');
    lines[0] = rest + lines[0];
    rest = lines.pop();
    for (const line of lines) {
      const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
      if (name) size += line.length;
      if (name === 'data') data = data === null ? value : `${data}\n${value}`;
      else if (name === 'event') type = value || 'message';
      else if (name === 'id' && !value.includes('\0')) id = value;
      else if (name === 'retry' && /^\d+$/.test(value)) stream.retry = Number(value);
      else if (name) fields[name] = value;
      else if (!line) {
        // An update has an id of its own, and so cannot pretend to be a gap.
        const gap = type === 'gap' && id === stream.id;
        stream.id = id;
        // An empty crier-start is for its id.
        if (data || data === '' && type !== 'crier-start') events.push({ type, data, lastEventId: id, fields, gap });
        begin();
      }
    }
    return rest.length + size < MAX_EVENT && events;
  };
}

// Holds a stream until it ends or SIGNAL aborts.
async function hold({ url, token, id }, renew, signal, report) {
  const stream = { id, retry: RETRY };
  let [failures, renewed] = [0, false];
  for (let state = 'connecting'; !signal.aborted; state = 'retrying') {
    const attempt = new AbortController();
    signal.onabort = () => attempt.abort();
    report({ state });
    let trouble = 'The server could not be reached.';
    let wait = 0;
    try {
      const fields = { Accept: 'text/event-stream' };
      if (token) fields.Authorization = `Bearer ${token}`;
      // unescape() and escape() convert from and to UTF-8.
      if (stream.id) fields['Last-Event-ID'] = unescape(encodeURIComponent(stream.id));
      const response = await fetch(url, { headers: fields, cache: 'no-store', signal: attempt.signal });
      const { status, headers } = response;
      if (status === 204) return report({ state: 'closed', ended: true });
      if (status === 200 && /^text\/event-stream/i.test(headers.get('Content-Type'))) {
        stream.id ||= decodeURIComponent(escape(headers.get('Last-Event-ID') ?? ''));
        [trouble, failures, renewed] = ['', 0, false];
        report({ state: 'live', lastEventId: stream.id });
        const reader = response.body.getReader();
        const decoder = new TextDecoder();
        const parse = parser(stream);
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          const events = parse(decoder.decode(value, { stream: true }));
          if (!events) return report({ state: 'closed', trouble: 'The server sent an event that is too long.' });
          if (events.length) report({ events, lastEventId: stream.id });
        }
      } else {
        const problem = response.ok || await response.json().catch(() => {}); // RFC 9457
        trouble = `${problem?.detail ?? `The server responded ${status} without a stream.`}`;
        if (status === 401 && renew && !renewed) {
          token = await renew();
          renewed = true;
          continue;
        }
        if (/^4/.test(status) && ![408, 425, 429].includes(status)) return report({ state: 'closed', trouble });
        wait = 1_000 * headers.get('Retry-After') || 0;
      }
    } catch { /* it broke, or no token */ }
    attempt.abort(); // cancel() is not enough in Firefox
    report({ state: trouble ? 'lost' : 'retrying', trouble });
    signal.aborted || await pause(signal, stream.retry * 2 ** Math.min(failures++, 3), wait);
  }
}

// Has the worker hold it. A lock shows how long this tab lives.
function delegate(source, renew, signal, report) {
  const worker = new SharedWorker(import.meta.url, { type: 'module', name: WORKER });
  const { port } = worker;
  const lock = navigator.locks && crypto.randomUUID();
  const open = () => signal.aborted || new Promise((release) => {
    port.postMessage({ open: source, lock });
    signal.onabort = () => {
      port.postMessage({ close: true });
      release();
    };
  });
  worker.onerror = () => hold(source, renew, signal, report);
  port.onmessage = ({ data }) => {
    if (data.renew) renew().then((token) => port.postMessage({ token }), () => {});
    else report(data);
  };
  if (lock) navigator.locks.request(lock, open);
  else open();
}

// The back/forward cache holds pages, but no streams.
const streams = new Set();
globalThis.addEventListener?.('pagehide', () => streams.forEach((stream) => stream.gone?.abort()));
globalThis.addEventListener?.('pageshow', ({ persisted }) => persisted && streams.forEach((stream) => stream.show()));

class Stream extends EventTarget {
  state = 'connecting';
  trouble = '';
  tabs = 1;
  #options;
  gone;

  constructor(url, options) {
    super();
    const { since, lastEventId = '' } = this.#options = options;
    const target = new URL(url, globalThis.document?.baseURI);
    if (since !== undefined) target.search += `${target.search && '&'}since=${encodeURIComponent(since)}`;
    this.url = target.href;
    this.lastEventId = lastEventId;
    streams.add(this);
    queueMicrotask(() => this.show()); // the caller adds its listeners first
  }

  close() {
    if (this.state !== 'closed') this.#receive({ state: 'closed' });
  }

  async show() {
    if (this.state === 'closed') return;
    const { signal } = this.gone = new AbortController();
    const report = (message) => signal.aborted || this.#receive(message);
    let { token, share = true, keep = 0 } = this.#options;
    const renew = typeof token === 'function' && (async () => await this.#options.token() ?? '');
    try {
      if (renew) token = await renew();
    } catch {
      report({ state: 'lost', trouble: 'There is no token yet.' });
      await pause(signal, 5 * RETRY);
      return this.show();
    }
    const source = { url: this.url, token, id: this.lastEventId, keep, renews: !!renew };
    const task = [source, renew, signal, report];
    const multiplexed = /^h[23]/.test(performance.getEntriesByType('navigation')[0]?.nextHopProtocol);
    try {
      if (share && !multiplexed) return delegate(...task);
    } catch { /* there are no SharedWorkers, or not for this page */ }
    hold(...task);
  }

  #receive({ events, past = false, ended, ...change }) {
    events?.forEach((event) => this.#deliver(event, past));
    if (events) return;
    Object.assign(this, { trouble: '' }, change);
    if (this.state === 'closed') {
      streams.delete(this);
      this.gone?.abort();
    }
    if (ended) this.dispatchEvent(new Event('ended'));
    this.dispatchEvent(new Event('statechange'));
  }

  #deliver({ type, data, lastEventId, fields, gap }, past) {
    const extra = { kind: type, fields, past };
    if (gap) {
      extra.gap = {};
      try {
        Object.assign(extra.gap, JSON.parse(data));
      } catch { /* not of a crierd */ }
    }
    // Nor can it pretend to be another of these.
    const own = !gap && ['any', 'gap', 'ended', 'statechange'].includes(type);
    for (const name of own ? ['any'] : [type, 'any']) {
      if (this.state === 'closed') return; // by a listener
      this.lastEventId = lastEventId;
      this.dispatchEvent(Object.assign(new MessageEvent(name, { data, lastEventId }), extra));
    }
  }
}

// In the worker: a stream, and the tabs that share it.
class Channel {
  ports = [];
  #kept = [];
  #state = {};

  constructor(source) {
    this.source = source;
  }

  join(port) {
    this.ports.push(port);
    port.postMessage({ events: this.#kept, past: true });
    this.report(this.#state);
  }

  leave(port) {
    this.ports = this.ports.filter((other) => other !== port);
    if (this.ports.length) return this.report(this.#state);
    this.gone?.abort();
    channels.delete(this);
    admit();
  }

  // Gets a token from any tab, so from another one if it does not return any.
  renew = async () => {
    this.ports[Math.floor(Math.random() * this.ports.length)].postMessage({ renew: true });
    this.source.token = await new Promise((resolve, reject) => {
      this.answer = resolve;
      setTimeout(reject, 5 * RETRY);
    });
    return this.source.token;
  };

  report = ({ events, ...change }) => {
    if (events) {
      const { keep } = this.source;
      let kept = [...this.#kept, ...events];
      if (keep === 'newest') kept = [...new Map(kept.map((event) => [event.type, event])).values()];
      this.#kept = keep ? kept.slice(-(keep < MAX_KEPT ? keep : MAX_KEPT)) : [];
    }
    this.#state = { ...this.#state, trouble: '', ...change };
    for (const port of this.ports) port.postMessage({ events, ...this.#state, tabs: this.ports.length });
    if (change.state !== 'closed') return;
    channels.delete(this); // a tab that asks later tries again
    admit();
  };
}

const channels = new Set();

// The oldest channels have the connections; the others wait.
const admit = () => [...channels].forEach((channel, place) => {
  if (place >= MAX_STREAMS) {
    channel.report({ state: 'connecting', trouble: 'This browser holds as many streams to this server as it can. This one waits for another to end.' });
  } else if (!channel.gone) {
    channel.gone = new AbortController();
    hold(channel.source, channel.source.renews && channel.renew, channel.gone.signal, channel.report);
  }
});

if (globalThis.name === WORKER) {
  globalThis.onconnect = ({ ports: [port] }) => {
    let channel;
    port.onmessage = ({ data: { open, lock, close, token } }) => {
      if (close) channel.leave(port);
      else if (!open) channel.answer(token);
      else {
        channel = [...channels].find(({ source }) => JSON.stringify(source) === JSON.stringify(open)) ?? new Channel(open);
        channels.add(channel);
        channel.join(port);
        admit();
        if (lock) navigator.locks.request(lock, () => channel.leave(port));
      }
    };
  };
}

export const subscribe = (url, options = {}) => new Stream(url, options);
