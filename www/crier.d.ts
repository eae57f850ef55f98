/**
 * Types and documentation of crier.js, which subscribes to Server-Sent Events, above all to
 * the topics of a crierd. It needs no build step, and runs in browsers and in Node 18.
 */

/** What to subscribe to, and as whom. */
export interface Options {
  /** With which past updates the stream begins: the last N, all that are held, or those since a time (RFC 3339). */
  since?: number | 'all' | string;
  /**
   * The bearer token, or a function that returns it. The function is called at the start, and
   * again when the server has refused the last token, as it does when that has expired.
   * While it throws or rejects, the stream waits and calls it again.
   */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  /**
   * Whether all tabs that ask for the same (URL, token, keep and lastEventId) share one
   * stream over HTTP/1.1: true by default. Where there is no SharedWorker, each tab has its own.
   */
  share?: boolean;
  /** Which events a tab gets first that joins a shared stream later: none by default. */
  keep?: Keep;
  /** Resume after the event with this id. */
  lastEventId?: string;
}

/**
 * The last N events; all (up to 10,000); the newest of each type; or so many of each of these
 * types.
 */
export type Keep = number | 'all' | 'newest' | Record<string, number>;

/**
 * connecting, live; retrying: the connection broke, or an attempt is in progress; lost: the
 * last attempt failed, and the next one comes later; closed: for good.
 */
export type State = 'connecting' | 'live' | 'retrying' | 'lost' | 'closed';

/** Between which ids updates are missing. `oldest` is the first one that is held; null when none is. */
export interface Gap {
  readonly requested: string | null;
  readonly oldest: string | null;
}

export interface StreamEvent extends MessageEvent<string> {
  /** The type of the event on the wire; the same as `type` unless that is `any`. */
  readonly kind: string;
  /** Whether it is an event that was kept for a tab that has joined later. */
  readonly past: boolean;
  /**
   * With format=full: the topics of the update, with commas between them and %2C for a comma
   * in a name, and the time at which it was published (RFC 3339). A gap has neither.
   */
  readonly fields: { readonly topics?: string; readonly time?: string };
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
 * After close() there are no more events.
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
 * Retry-After and `retry:`. It ends with 204 (see `ended`) and with a response 4xx that will
 * stay one; `trouble` then has the server's reason.
 */
export function subscribe(url: string | URL, options?: Options): Stream;
