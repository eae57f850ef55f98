/**
 * A Reader is an EventSource for events of every type.
 *
 * An EventSource delivers only the types that somebody listens for by name. Where
 * anybody may publish with a type of their own, a page cannot know the names. So
 * this one reads the stream with fetch() and interprets it itself, as HTML 9.2.6
 * says; `onevent` gets every event. It reconnects as an EventSource does: after
 * `retry` ms, with Last-Event-ID, for as long as nothing but the connection fails;
 * any answer other than a stream ends it for good.
 */
const RETRY = 2_000; // ms, unless the server says otherwise
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
      const answer = await this.#ask();
      if (answer.status !== 200 || !MEDIA_TYPE.test(answer.headers.get('Content-Type') ?? '')) {
        answer.body?.cancel();
        return this.#fail(EventSource.CLOSED);
      }
      this.readyState = EventSource.OPEN;
      this.onopen();
      await this.#read(answer.body);
    } catch {
      // The connection failed, or broke; or close() has ended it.
    }
    if (this.readyState === EventSource.CLOSED) return;
    this.#fail(EventSource.CONNECTING);
    this.#timer = setTimeout(() => this.#connect(), this.#retry);
  }

  #ask() {
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
      if (done) return; // an event that has not ended is dropped
      // A CR at the end may be the first half of a CR LF.
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) this.#take(event, line);
    }
  }

  #take(event, line) {
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

/** The fields of the event that is being read. */
class Fields {
  /** What the last "id" of all events said; null when there was none. */
  id = null;
  retry = RETRY;

  constructor() {
    this.reset();
  }

  reset() {
    this.type = '';
    this.data = null;
  }

  /** Adds a line that is not empty. Returns whether it sets the retry time. */
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

/** Headers take bytes, one a character: those of the UTF-8 text. */
const toHeader = (text) => String.fromCharCode(...new TextEncoder().encode(text));
