/**
 * The hub: one connection per stream for all tabs together.
 *
 * Over HTTP/1.1 a browser opens at most six connections to a host, and an
 * event stream occupies one for as long as it is open. Give every tab its
 * own, and the seventh tab hangs, as does every POST of the first six. So
 * the tabs talk to this SharedWorker instead, which opens each URL once.
 *
 * Different URLs still need different connections (a chat under eight names
 * is eight streams). The hub opens as many as there is room for, leaving one
 * connection free for everything else; further streams wait, say so, and
 * take their turn when another one ends.
 *
 * A tab may die without a farewell. Each subscription therefore holds a Web
 * Lock, under a name of its own, for as long as its tab is alive. The hub
 * asks for the same lock: the moment it gets it, the tab is gone.
 *
 * Messages from a tab: {open: {url, types, keep, room, lock}}, where types is null for
 * all of them, {listen: type}, {close: true}. Messages to a tab: {event, past}, where
 * past says that it came before the tab did; {state, trouble, tabs}.
 */
import { Connection } from './connection.js';
import { rules } from './keep.js';

const WAITING = 'This browser already holds as many streams to this server as it can, ' +
  'in other tabs. This one starts as soon as another ends.';

/** @type {Map<string, Channel>} by URL, oldest first */
const channels = new Map();
let room = 1;

/** One URL, and the tabs that listen to it. */
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

  /** Whether it occupies a connection, or will again. */
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
    this.#tellState();
  }

  leave(port) {
    this.#ports.delete(port);
    if (this.#ports.size > 0) return this.#tellState();
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
      this.#tell({ event });
    }, (state, trouble) => this.#become(state, trouble));
  }

  wait() {
    this.#become('connecting', WAITING);
  }

  #become(state, trouble) {
    this.#state = state;
    this.#trouble = trouble;
    this.#tellState();
    if (state === 'closed') admit();
  }

  #tellState() {
    this.#tell({ state: this.#state, trouble: this.#trouble, tabs: this.#ports.size });
  }

  #tell(message) {
    for (const port of this.#ports) port.postMessage(message);
  }
}

/** Gives the free connections to those who have waited longest. */
function admit() {
  let free = room - [...channels.values()].filter(({ busy }) => busy).length;
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
      room = Math.max(room, open.room);
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
