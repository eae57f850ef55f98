/**
 * The figures of the overview that need no chart: the journal, connections, and why streams
 * have ended.
 */
import { make, setText } from '../../../../js/dom.js';
import { ago, bytes, date, duration, micros, number, short } from '../../parts/format.js';

/** Why streams end, in words; crierd(8) has the same reasons under METRICS. */
const REASONS = {
  left: 'The client left',
  closed: 'crierd closed it',
  shutdown: 'crierd shut down',
  'dead-peer': 'The client vanished',
  slow: 'The client was too slow',
  memory: 'Memory was short',
  transport: 'The connection failed',
  journal: 'The journal could not be read',
  ended: 'Its topics ended',
  expired: 'Its token expired',
  unsent: 'No response was sent',
};

/** A value of a limit, with a bar. @returns {{element: HTMLElement, set: Function}} */
function meter(name) {
  const bar = make('meter', { min: '0', 'aria-label': name });
  const text = make('span');
  return {
    element: make('span', { class: 'meter' }, text, bar),
    set(value, max, format, formatMax = format) {
      bar.hidden = !max;
      bar.max = max || 1;
      bar.high = bar.max * 0.8;
      bar.value = value;
      setText(text, max ? `${format(value)} of ${formatMax(max)}` : format(value));
    },
  };
}

/** A list of names and values. @param {Record<string, string>} names  key: shown name */
function facts(names) {
  const values = {};
  const element = make('dl', { class: 'facts' });
  for (const [key, name] of Object.entries(names)) {
    values[key] = make('dd');
    element.append(make('dt', {}, name), values[key]);
  }
  return { element, values };
}

export class Details {
  #journal = facts({
    held: 'Updates held', size: 'Bytes held', type: 'Kind', commit: 'Commit', topics: 'Topics', age: 'Kept for',
    oldest: 'Oldest', failures: 'Failures', newest: 'Newest id',
  });
  #held = meter('Updates held');
  #size = meter('Bytes held');
  #open = meter('File descriptors');
  #connections = facts({ streams: 'Streams', http: 'HTTP, with streams', pipeline: 'Pipelines', waiting: 'No request yet', descriptors: 'Descriptors' });
  #ends = make('tbody');
  #noEnds = make('p', { class: 'hint' }, 'None yet.');

  constructor() {
    this.#journal.values.held.append(this.#held.element);
    this.#journal.values.size.append(this.#size.element);
    this.#connections.values.descriptors.append(this.#open.element);
    this.#journal.values.newest.classList.add('mono');
    const table = make('table', { class: 'plain' },
      make('thead', { class: 'unseen' }, make('tr', {}, make('th', { scope: 'col' }, 'Reason'), make('th', { scope: 'col' }, 'Streams'))),
      this.#ends);
    this.element = make('div', { class: 'details' },
      make('section', { class: 'card journal' }, make('h2', {}, 'Journal'), this.#journal.element),
      make('section', { class: 'card' }, make('h2', {}, 'Connections'), this.#connections.element),
      make('section', { class: 'card' }, make('h2', {}, 'Why streams ended'), this.#noEnds, table));
  }

  show({ journal, clients, connections, descriptors }) {
    const { values } = this.#journal;
    const { limits } = journal;
    setText(values.type, journal.type + (journal.status === 'ok' ? '' : ` (${journal.status})`));
    this.#held.set(journal.updates, limits.count, number, short);
    this.#size.set(journal.bytes, limits.bytes, bytes);
    setText(values.age, limits.age == null ? 'as long as there is space' : duration(limits.age / 1000));
    setText(values.topics, number(journal.topics));
    setText(values.oldest, journal.oldest ? ago(journal.oldest) : '–');
    values.oldest.title = journal.oldest ? date(journal.oldest) : '';
    setText(values.newest, journal.newest ?? '–');
    setText(values.commit, journal.commit ? `${micros(journal.commit.p50)} (p99 ${micros(journal.commit.p99)})` : '–');
    setText(values.failures, number(journal.failures));

    setText(this.#connections.values.streams, number(clients.open));
    setText(this.#connections.values.http, number(connections.http));
    setText(this.#connections.values.pipeline, number(connections.pipeline));
    setText(this.#connections.values.waiting, number(connections.waiting));
    this.#open.set(descriptors.open, descriptors.max, number, short);
    this.#showEnds(clients.ended);
  }

  #showEnds(ended) {
    const rows = Object.entries(ended).filter(([, count]) => count > 0).sort(([, one], [, other]) => other - one);
    this.#noEnds.hidden = rows.length > 0;
    while (this.#ends.rows.length > rows.length) this.#ends.deleteRow(-1);
    while (this.#ends.rows.length < rows.length) {
      this.#ends.append(make('tr', {}, make('th', { scope: 'row' }), make('td', { class: 'number' })));
    }
    rows.forEach(([reason, count], index) => {
      const [name, amount] = this.#ends.rows[index].cells;
      setText(name, REASONS[reason] ?? reason);
      setText(amount, number(count));
    });
  }
}
