/**
 * Clients of a proxy: over HTTP/1.1 or HTTP/2, from an address of their own, which the
 * proxy sees. Both have the same interface:
 *
 *   const { status, headers, text } = await client.request('/topics/news', { method: 'POST', body });
 *   const stream = await client.stream('/topics/news');
 *   const { id, data } = await stream.event();
 */
import { once } from 'node:events';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { within } from '../browser/server.js';
import { HOST } from './programs.js';

/**
 * Sends a body. As clients do, it sends no more once the response has come: the server has
 * refused the rest.
 */
function send(sent, body) {
  const pieces = typeof body === 'string' ? body.match(/[^]{1,16384}/g) : body;
  const source = Readable.from(pieces);
  source.pipe(sent);
  sent.once('response', () => source.unpipe(sent));
}

/** A stream as it arrives: events and pings, each awaited in turn. */
class Stream {
  #events = [];
  #pings = 0;
  #changed = () => {};
  #ended = false;

  constructor({ status, headers, body, close }) {
    Object.assign(this, { status, headers, close });
    this.#read(body.setEncoding('utf8'));
  }

  async #read(body) {
    let rest = '';
    let event = {};
    const readLine = (line) => {
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (line === '') {
        if ('data' in event) this.#events.push(event);
        event = {};
      } else if (name === '') {
        this.#pings += 1;
      } else {
        event[name] = value;
      }
    };
    try {
      for await (const text of body) {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        lines.forEach(readLine);
        this.#changed();
      }
    } catch {
      // It broke, or was closed.
    }
    this.#ended = true;
    this.#changed();
  }

  async #until(condition, what) {
    const done = (async () => {
      for (;;) {
        const value = condition();
        if (value) return value;
        if (this.#ended) throw new Error(`the stream has ended before ${what}`);
        await new Promise((resolve) => { this.#changed = resolve; });
      }
    })();
    return within(done, `no ${what}`);
  }

  /** The next event. */
  event() {
    return this.#until(() => this.#events.shift(), 'event');
  }

  /** Waits for as many pings. */
  async pings(count) {
    this.#pings = 0;
    await this.#until(() => this.#pings >= count, `${count} pings`);
  }

  /** Waits until it ends. */
  async end() {
    await this.#until(() => this.#ended, 'end');
  }
}

class Client {
  /** @param {import('./programs.js').Proxy} proxy @param {string} [address] of this client */
  constructor(proxy, address = '127.0.0.1') {
    this.authority = `${HOST}:${proxy.https}`;
    this.tls = { host: '127.0.0.1', port: proxy.https, servername: HOST, ca: proxy.ca, localAddress: address };
  }

  /** A request and its whole response. @param {{method, headers, body}} [options] */
  async request(path, options = {}) {
    const { status, headers, body } = await within(this.open(path, options), `${path}: no response`);
    let text = '';
    for await (const part of body.setEncoding('utf8')) text += part;
    return { status, headers, text };
  }

  /** A response that does not end. */
  async stream(path, headers = {}) {
    const options = { headers: { Accept: 'text/event-stream', 'Accept-Encoding': 'gzip, br', ...headers } };
    return new Stream(await within(this.open(path, options), `${path}: no response`));
  }
}

export class Http1 extends Client {
  async open(path, { method = 'GET', headers = {}, body }) {
    const sent = request({ ...this.tls, agent: false, path, method, headers: { Host: this.authority, ...headers } });
    sent.on('error', () => {}); // after the response: the rest of the body was not wanted
    if (body === undefined) sent.end();
    else send(sent, body);
    const [response] = await once(sent, 'response');
    return { status: response.statusCode, headers: response.headers, body: response, close: () => sent.destroy() };
  }

  close() {}
}

export class Http2 extends Client {
  #session = null;

  async open(path, { method = 'GET', headers = {}, body }) {
    if (!this.#session || this.#session.closed || this.#session.destroyed) {
      this.#session = connect(`https://${this.authority}`, {
        createConnection: () => connectTls({ ...this.tls, ALPNProtocols: ['h2'] }),
      });
      this.#session.on('error', () => {}); // its requests have it, too
    }
    const sent = this.#session.request({ ':path': path, ':method': method, ...headers }, { endStream: body === undefined });
    sent.on('error', () => {});
    if (body !== undefined) send(sent, body);
    const [response] = await once(sent, 'response');
    return { status: response[':status'], headers: response, body: sent, close: () => sent.close(8) }; // CANCEL
  }

  close() {
    this.#session?.destroy();
  }
}
