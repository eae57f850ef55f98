/**
 * Shares one connection per stream among all tabs.
 *
 * Over HTTP/1.1 a browser opens at most six connections to a host, and an event stream
 * occupies one for as long as it is open. If every tab had its own, the seventh tab would
 * hang, and so would every POST of the first six. So the tabs talk to this SharedWorker,
 * which opens each URL once.
 *
 * Different URLs still need different connections (a chat under eight names is eight
 * streams). The worker opens as many as are allowed, which leaves one connection free for
 * requests. Further streams wait, with a notice, until another one ends.
 *
 * A tab may die without a close message. Each tab therefore holds a Web Lock, under a name
 * of its own, for as long as it lives. The worker requests the same lock: when it gets the
 * lock, the tab is gone.
 *
 * Messages from a tab: {open: {url, types, keep, max, lock}}, where types is null for all
 * types; {listen: type}; {close: true}. Messages to a tab: {event, past}, where past is true
 * for events that arrived before the tab joined; {state, trouble, tabs}.
 */
import { Connection } from './connection.js';
import { rules } from './keep.js';

const WAITING = 'This browser already holds as many streams to this server as it can, ' +
  'in other tabs. This one starts as soon as another ends.';

/** @type {Map<string, Channel>} by URL, oldest first */
const channels = new Map();
let max = 1; // streams at once

/** One URL and the tabs that listen to it. */
class Channel {
  #ports = new Set();
  #kept = [];
  #types;
  #connection = null;
  #state = 'connecting';
  #trouble = '';

  constructor({ url, types, keep }) {
    this.url = url;
    this.rule = rules[keep];
    this.#types = types && new Set(types);
  }

  /** Whether it occupies a connection, now or after a retry. */
  get busy() {
    return this.#connection !== null && this.#state !== 'closed';
  }

  get waiting() {
    return this.#connection === null;
  }

  join(port, types) {
    types?.forEach((type) => this.listen(type));
    this.#ports.add(port);
    for (const event of this.#kept) port.postMessage({ event, past: true });
    this.#sendState();
  }

  leave(port) {
    this.#ports.delete(port);
    if (this.#ports.size > 0) return this.#sendState();
    this.#connection?.close();
    channels.delete(this.url);
    admit();
  }

  listen(type) {
    this.#types?.add(type);
    this.#connection?.listen(type);
  }

  connect() {
    this.#connection = new Connection(this.url, this.#types, (event) => {
      this.#kept = this.rule(this.#kept, event);
      this.#send({ event });
    }, (state, trouble) => this.#become(state, trouble));
  }

  wait() {
    this.#become('connecting', WAITING);
  }

  #become(state, trouble) {
    this.#state = state;
    this.#trouble = trouble;
    this.#sendState();
    if (state === 'closed') admit();
  }

  #sendState() {
    this.#send({ state: this.#state, trouble: this.#trouble, tabs: this.#ports.size });
  }

  #send(message) {
    for (const port of this.#ports) port.postMessage(message);
  }
}

/** Gives free connections to the channels that have waited longest. */
function admit() {
  let free = max - [...channels.values()].filter(({ busy }) => busy).length;
  for (const channel of channels.values()) {
    if (!channel.waiting) continue;
    if (free-- > 0) channel.connect();
    else channel.wait();
  }
}

self.onconnect = ({ ports: [port] }) => {
  let channel = null;
  const leave = () => {
    channel?.leave(port);
    channel = null;
  };
  port.onmessage = ({ data: { open, listen, close } }) => {
    if (open) {
      max = Math.max(max, open.max);
      channel = channels.get(open.url) ?? new Channel(open);
      channels.set(open.url, channel);
      channel.join(port, open.types);
      admit();
      if (open.lock) navigator.locks.request(open.lock, leave);
    }
    if (listen) channel?.listen(listen);
    if (close) leave();
  };
};
