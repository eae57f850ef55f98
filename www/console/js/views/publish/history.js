/**
 * The last publications of this tab, to publish them again: in sessionStorage, so that they
 * survive a reload and nobody else sees them. Where there is no storage they are forgotten
 * on leaving the page.
 */
const KEY = 'crier-console-published';
const MAX_COUNT = 20;
const MAX_SIZE = 500_000; // characters, of a storage that has some millions

/** @typedef {{at: number, publication: import('./request.js').Publication, outcome: string}} Entry */

export class History {
  /** @type {Entry[]} the newest first */
  entries = read();

  /** @param {Entry} entry */
  add(entry) {
    this.entries.unshift(entry);
    const sizes = this.entries.map((each) => JSON.stringify(each).length);
    let size = 0;
    const keep = sizes.findIndex((each, index) => (size += each) > MAX_SIZE || index >= MAX_COUNT);
    if (keep >= 0) this.entries.length = keep;
    this.#write();
  }

  #write() {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(this.entries));
    } catch {
      // The storage is full or blocked.
    }
  }
}

/** Only what has the form of an entry: another version of the page may have written it. */
function read() {
  try {
    const entries = JSON.parse(sessionStorage.getItem(KEY) ?? '[]');
    return entries.filter(({ at, outcome, publication }) =>
      typeof at === 'number' && typeof outcome === 'string' && typeof publication.topics === 'string' &&
      typeof publication.data === 'string').slice(0, MAX_COUNT);
  } catch {
    return [];
  }
}
