/**
 * Feed: a stream that can be paused, as a sequence of records.
 *
 * While it is paused, what arrives waits in memory. When too much waits, the feed closes its
 * stream, and later opens another one that resumes after the last update that has arrived.
 * So nothing is lost by pausing; what the server does not hold any more then is a gap, as
 * for any client that was away.
 */
import { duration } from '../../parts/format.js';
import { makeGap, makeNotice, readUpdate } from './record.js';

const MAX_WAITING = 5_000; // records
const MAX_WAITING_SIZE = 8 * 1024 * 1024; // bytes

/** The detail of a problem as a further sentence: " The token has expired." */
const sentence = (text) => (text && ` ${text[0].toUpperCase()}${text.slice(1).replace(/\.?$/, '.')}`);

export class Feed {
  /** That of the stream, or 'paused'. */
  state = 'connecting';
  #open;
  #emit;
  #onchange;
  #stream = null;
  #paused = false;
  #waiting = [];
  #waitingSize = 0;
  #lastEventId; // to resume after, when the stream has been closed
  #since = 0; // when the stream was closed, or lost
  #lost = false; // whether it was live and is not
  #noted = ''; // the reason for that, as far as it has been shown
  #before = { how: 'start', ms: 0 }; // for a gap that comes next
  #ending = '';

  /**
   * @param {(lastEventId?: string) => import('../../../../crier.js').Stream} open
   * @param {(record: import('./record.js').Entry) => void} emit
   * @param {() => void} onchange  the state has changed, or what waits
   */
  constructor(open, emit, onchange) {
    this.#open = open;
    this.#emit = emit;
    this.#onchange = onchange;
    this.#connect();
  }

  /** How many records wait to be shown. */
  get waiting() {
    return this.#waiting.length;
  }

  /** Why nothing comes any more, in one word; '' as long as something may come. */
  get ending() {
    return this.#ending;
  }

  get paused() {
    return this.#paused;
  }

  pause() {
    this.#paused = true;
    this.#changed();
  }

  resume() {
    this.#flush();
    if (this.#stream === null && !this.#ending) {
      this.#before = { how: 'pause', ms: Date.now() - this.#since };
      this.#add(makeNotice('calm', `Resumed after ${this.#lastEventId || 'the pause'}: the stream had been closed for ` +
        `${duration(this.#before.ms / 1000)}, since too much was waiting.`));
      this.#connect(this.#lastEventId);
    }
    this.#changed();
  }

  stop() {
    this.#flush();
    this.#ending ||= 'Stopped';
    this.#stream?.close();
    this.#stream = null;
    this.#changed();
  }

  #connect(lastEventId) {
    const stream = this.#stream = this.#open(lastEventId);
    this.#lost = false;
    const own = (react) => (event) => stream === this.#stream && react(event);
    stream.addEventListener('any', own((event) => this.#receive(event)));
    stream.addEventListener('ended', own(() => this.#end()));
    stream.addEventListener('statechange', own(() => this.#follow()));
  }

  /** An event without topics is none of a publisher: in format=full each update has some. */
  #receive(event) {
    if (event.fields?.topics !== undefined) {
      this.#add(readUpdate(event));
    } else if (event.gap) {
      this.#add(makeGap(event.gap.requested, event.gap.oldest, this.#before));
    } else {
      return;
    }
    this.#before = { how: 'open', ms: 0 };
  }

  #end() {
    this.#ending = 'Ended';
    this.#add(makeNotice('good', 'The topics have ended, and all their updates are here.'));
  }

  #follow() {
    const { state, trouble } = this.#stream;
    if (state === 'live' && this.#lost) this.#reconnected();
    if (state === 'retrying' || state === 'lost') this.#disconnected(trouble);
    if (state === 'closed' && !this.#ending) {
      this.#ending = 'Closed';
      this.#add(makeNotice('bad', `The stream is closed.${sentence(trouble)}`));
    }
    this.#changed();
  }

  #disconnected(trouble) {
    if (this.#lost && (trouble === '' || trouble === this.#noted)) return;
    this.#add(makeNotice('bad', `${this.#lost ? 'Still disconnected.' : 'Disconnected.'}${sentence(trouble)}`));
    this.#noted = trouble;
    if (this.#lost) return;
    this.#lost = true;
    this.#since = Date.now();
  }

  #reconnected() {
    this.#lost = false;
    const ms = Date.now() - this.#since;
    const { lastEventId } = this.#stream;
    this.#before = { how: 'reconnect', ms };
    this.#add(makeNotice('good', `Connected again after ${duration(ms / 1000)}. ` +
      (lastEventId ? `The stream resumes after ${lastEventId}: unless a gap follows, nothing is missing.` : '')));
  }

  #add(record) {
    if (!this.#paused) return this.#emit(record);
    this.#waiting.push(record);
    this.#waitingSize += record.size;
    if (this.#waiting.length >= MAX_WAITING || this.#waitingSize >= MAX_WAITING_SIZE) this.#leave();
    this.#onchange();
  }

  /** Closes the stream until the view goes on. */
  #leave() {
    const stream = this.#stream;
    if (!stream) return;
    this.#lastEventId = stream.lastEventId;
    this.#since = Date.now();
    this.#stream = null;
    stream.close();
  }

  /** Shows what waits, and what comes from now on. */
  #flush() {
    const waiting = this.#waiting;
    this.#paused = false;
    this.#waiting = [];
    this.#waitingSize = 0;
    waiting.forEach((record) => this.#emit(record));
  }

  #changed() {
    const stream = this.#stream;
    this.state = this.#ending ? 'closed' : this.#paused ? 'paused' : stream?.state ?? 'closed';
    this.#onchange();
  }
}
