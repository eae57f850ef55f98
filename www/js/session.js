/**
 * The session: the token of this tab, what the server says that it may do, and whether the
 * server can be reached.
 *
 * The token is kept in sessionStorage, so it is gone when the tab is closed, and other tabs
 * do not have it. The server alone decides what a token may do (GET /identity): the page
 * never acts on what it decodes itself.
 *
 * Every request of a page reports here how it went (Api's `watch`). When the server
 * is away, the session asks again and again until it is back; when the server refuses the
 * token, that is said, and nothing is asked until there is another one.
 */
import { Api } from './api.js';

const KEY = 'crier-console-token';
const [FIRST_DELAY, LAST_DELAY] = [500, 5000]; // ms between attempts to reach the server
const LATE = 30_000; // ms until the server is asked again about a token that should have expired
const LONGEST_TIMER = 2 ** 31 - 1; // ms, of setTimeout

/** What may be done before the server has said. */
const NOTHING = {
  anonymous: 'none',
  tokens: true,
  identity: null,
  may: { publish: false, subscribe: false, admin: false },
  demo: false,
  presence: [],
  subscriptions: false,
  max_update: 0,
  version: '',
};

/** Reports each change of `state`, `token` and `identity` as an event "change". */
export class Session extends EventTarget {
  /**
   * 'asking' until the server has said what the token may do; 'ready'; 'away' while it cannot
   * be reached; 'refused' when it refuses the token.
   */
  state = 'asking';
  /** Why the state is what it is, in words; '' when ready. */
  trouble = '';
  /** The JSON of GET /identity; what nobody may, until the server has said (`known`). */
  identity = NOTHING;
  token = recall();

  /** Whether the server has said, at any time, what this tab may do. */
  get known() {
    return this.identity !== NOTHING;
  }

  api = new Api(() => this.token, (problem, token) => this.#observe(problem, token));
  #timer;
  #delay = FIRST_DELAY;
  #expiry;
  #asking = null;

  /** Uses another token from now on; '' for none. @returns {Promise<void>} when the server has said what it may */
  use(token) {
    this.token = token.trim();
    remember(this.token);
    this.state = 'asking'; // what the server said was about another token
    this.#asking = null;
    return this.refresh();
  }

  /** Asks the server what the token may do. It does not throw: `state` says how it went. */
  refresh() {
    this.#asking ??= this.#ask(this.token);
    return this.#asking;
  }

  async #ask(token) {
    clearTimeout(this.#timer);
    try {
      const identity = await this.api.get('identity');
      if (token !== this.token) return; // another one is used meanwhile
      this.identity = identity;
      this.#delay = FIRST_DELAY;
      this.#awaitExpiry();
      this.#become('ready');
    } catch (problem) {
      if (token !== this.token || this.state === 'refused') return;
      this.#become('away', problem.detail); // it does not respond, or it is a proxy that does
      this.#retry();
    } finally {
      if (token === this.token) this.#asking = null;
    }
  }

  #retry() {
    this.#timer = setTimeout(() => this.refresh(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, LAST_DELAY);
  }

  /** Takes note of how a request with a token has just ended. */
  #observe(problem, token) {
    if (token !== this.token) return; // another one is used meanwhile
    if (problem?.status === 401 && token) {
      this.identity = { ...this.identity, identity: null, may: NOTHING.may };
      this.#become('refused', problem.detail);
    } else if (problem?.status === 0 || this.state === 'away') {
      this.refresh(); // is the server there, and the same one?
    }
  }

  /** Asks again when the token expires, since the server then refuses it; now and then where the clocks differ. */
  #awaitExpiry() {
    clearTimeout(this.#expiry);
    const { expires } = this.identity.identity ?? {};
    if (!expires) return;
    const left = new Date(expires).getTime() - Date.now();
    if (left < LONGEST_TIMER) this.#expiry = setTimeout(() => this.refresh(), left < 0 ? LATE : left + 1000);
  }

  #become(state, trouble = '') {
    this.state = state;
    this.trouble = trouble;
    this.dispatchEvent(new Event('change'));
  }
}

function recall() {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch { // no storage for this page
    return '';
  }
}

function remember(token) {
  try {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  } catch {
    // The token is asked for again after a reload.
  }
}
