/**
 * A Reader is an EventSource for events of every type.
 *
 * An EventSource delivers only types for which it has a listener. Where publishers choose
 * the types, a page cannot know them. So a Reader reads the stream with fetch() and
 * interprets it as HTML 9.2.6 says; onevent gets every event. It reconnects as an
 * EventSource does: after `retry` ms and with Last-Event-ID, as long as only the connection
 * fails; any response other than a stream ends it for good.
 */
const RETRY = 2_000; // ms; the server may set another
const MEDIA_TYPE = /^text\/event-stream\s*(;|$)/i;

export class Reader {
  readyState = EventSource.CONNECTING;
  onopen = () => {};
  onerror = () => {};
  /** @type {(event: {type: string, data: string, lastEventId: string}) => void} */
  onevent = () => {};
  #url;
  #stop = new AbortController();
  #retry = RETRY;
  #lastEventId = '';
  #timer = 0;

  /** @param {string} url */
  constructor(url) {
    this.#url = url;
    this.#connect();
  }

  close() {
    this.readyState = EventSource.CLOSED;
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  async #connect() {
    try {
      const response = await this.#request();
      if (response.status !== 200 || !MEDIA_TYPE.test(response.headers.get('Content-Type') ?? '')) {
        response.body?.cancel();
        return this.#fail(EventSource.CLOSED);
      }
      this.readyState = EventSource.OPEN;
      this.onopen();
      await this.#read(response.body);
    } catch {
      // The connection failed or broke, or close() has ended it.
    }
    if (this.readyState === EventSource.CLOSED) return;
    this.#fail(EventSource.CONNECTING);
    this.#timer = setTimeout(() => this.#connect(), this.#retry);
  }

  #request() {
    const headers = { Accept: 'text/event-stream' };
    if (this.#lastEventId) headers['Last-Event-ID'] = toHeader(this.#lastEventId);
    return fetch(this.#url, { headers, cache: 'no-store', signal: this.#stop.signal });
  }

  #fail(state) {
    if (this.readyState === EventSource.CLOSED) return;
    this.readyState = state;
    this.onerror();
  }

  async #read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    const event = new Fields();
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return; // an incomplete event is dropped
      // A CR at the end may be the first half of a CR LF.
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) this.#readLine(event, line);
    }
  }

  #readLine(event, line) {
    if (line !== '') {
      if (event.add(line)) this.#retry = event.retry;
      return;
    }
    this.#lastEventId = event.id ?? this.#lastEventId;
    if (event.data !== null && this.readyState === EventSource.OPEN) {
      this.onevent({ type: event.type || 'message', data: event.data, lastEventId: this.#lastEventId });
    }
    event.reset();
  }
}

/** The fields of the current event. */
class Fields {
  /** The last id of all events; null when there was none. */
  id = null;
  retry = RETRY;

  constructor() {
    this.reset();
  }

  reset() {
    this.type = '';
    this.data = null;
  }

  /** Adds a line, which is not empty. Returns whether it sets the retry time. */
  add(line) {
    const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    if (name === 'data') this.data = this.data === null ? value : `${this.data}\n${value}`;
    else if (name === 'event') this.type = value;
    else if (name === 'id' && !value.includes('\0')) this.id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) {
      this.retry = Number(value);
      return true;
    }
    return false;
  }
}

/** The UTF-8 bytes of a text, one per character, as fetch() wants headers. */
const toHeader = (text) => String.fromCharCode(...new TextEncoder().encode(text));
