/**
 * Types and documentation of crier.js, which subscribes to Server-Sent Events, above all to
 * the topics of a crierd. It is one file, needs no build step, and runs in browsers and in
 * Node 18 or newer.
 *
 *   import { subscribe } from './crier.js';
 *   const news = subscribe('topics/news', { since: 10 });
 *   news.addEventListener('message', ({ data, lastEventId }) => console.log(data));
 *   news.addEventListener('gap', ({ gap }) => console.log('missed updates after', gap.requested));
 *   news.addEventListener('statechange', () => console.log(news.state, news.trouble));
 *
 * Unlike an EventSource it sends a token, dispatches the events of all types, tells a gap
 * from an update, says why a stream is not live, and goes on where an EventSource gives up.
 */

/** What to subscribe to, and as whom. */
export interface Options {
  /** With which past updates the stream begins: the last N, all that are held, or those since a time (RFC 3339). */
  since?: number | 'all' | string;
  /**
   * The bearer token, or a function that returns it. The function is called at the start, and
   * again when the server has refused the last token, as it does when that has expired.
   * While it throws or rejects, the stream waits, and then calls it again. Tabs with
   * different tokens share no stream.
   */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  /**
   * Whether all tabs that ask for the same (URL, token, keep and lastEventId) share one
   * stream over HTTP/1.1: true by default. They do so where there are SharedWorkers, and
   * crier.js comes from the origin of the page; over HTTP/2 and 3, each tab has its own.
   */
  share?: boolean;
  /** Which events a tab gets first that joins a shared stream later: 0 by default, none. */
  keep?: Keep;
  /** Resume after the event with this id. */
  lastEventId?: string;
}

/** The last N events, or all, up to 10,000 of them; or the newest of each type. */
export type Keep = number | 'all' | 'newest';

/**
 * connecting, live; retrying: the connection broke, or an attempt is in progress; lost: the
 * last attempt failed, and the next one comes later; closed: for good.
 */
export type State = 'connecting' | 'live' | 'retrying' | 'lost' | 'closed';

/**
 * Where updates are missing: after the id `requested`, and before `oldest`, the first one
 * that is held, or null. From a server other than crierd it may have neither.
 */
export interface Gap {
  readonly requested?: string;
  readonly oldest?: string | null;
}

export interface StreamEvent extends MessageEvent<string> {
  /** The type of the event on the wire; the same as `type` unless that is `any`. */
  readonly kind: string;
  /** Whether it is an event that was kept for a tab that has joined later. */
  readonly past: boolean;
  /**
   * The other fields of the event. With format=full these are `topics`, with commas between
   * them and %2C for a comma in a name, and `time`, at which the update was published (RFC
   * 3339); a gap has neither.
   */
  readonly fields: Readonly<Record<string, string | undefined>>;
  /** Set if this is no update, but says that updates are missing here. */
  readonly gap?: Gap;
}

export interface GapEvent extends StreamEvent {
  readonly gap: Gap;
}

/**
 * A stream. Its events are those of an EventSource: each one is dispatched under its type,
 * which is `message` unless the publisher chose one. Besides them:
 *
 * - `any`: each event, whatever its type. Updates whose type is any, gap, ended or statechange
 *   are dispatched as `any` alone, so none of them looks like an event of the stream itself;
 * - `gap`: updates are missing here, so load again what you made of them;
 * - `ended`: the topics have ended, and all their updates were received; the state is closed;
 * - `statechange`: state, trouble or tabs has changed.
 *
 * close() dispatches a last `statechange`; after it there are no more events.
 */
export interface Stream extends EventTarget {
  readonly url: string;
  readonly state: State;
  /** Why the stream is not live, in words for the user; often empty. */
  readonly trouble: string;
  /** How many tabs share the connection. */
  readonly tabs: number;
  /** The id after which the stream would resume; empty when it has none yet. */
  readonly lastEventId: string;
  close(): void;

  addEventListener(type: 'ended' | 'statechange', listener: (this: Stream, event: Event) => void,
    options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: 'gap', listener: (this: Stream, event: GapEvent) => void,
    options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: (this: Stream, event: StreamEvent) => void,
    options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

/**
 * Subscribes to a URL, which is relative to the page.
 *
 * The stream reconnects by itself, resumes after the last event received, and honours
 * Retry-After (in seconds) and `retry:`. It ends with 204 (see `ended`) and with a response 4xx that will
 * stay one; `trouble` then has the server's reason.
 */
export function subscribe(url: string | URL, options?: Options): Stream;
