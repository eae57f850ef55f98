/**
 * The nodes: the crierds that have the same journal in Redis. Where the journal is not shared,
 * the card is not there.
 */
import { make, setText } from '../../../../js/dom.js';
import { ago, count, number } from '../../parts/format.js';

const LATE = 8000; // ms without a report that are no chance: a node reports every 3 s

/** Nodes of one host stand together, and each keeps its place. */
const compare = (one, other) => (one.host ?? '').localeCompare(other.host ?? '')
  || one.pid - other.pid || one.id.localeCompare(other.id);

function makeRow() {
  return make('tr', {},
    make('th', { scope: 'row' }, make('span'), ' ', make('span', { class: 'badge' })),
    make('td', { class: 'number' }), make('td', { class: 'number' }), make('td'));
}

function fillRow({ cells }, { id, host, pid, clients, seen, self }) {
  const [head, process, streams, last] = cells;
  const [name, badge] = head.children;
  setText(name, host ?? id);
  head.title = `Id ${id}`;
  setText(badge, self ? 'this node' : '');
  badge.hidden = !self;
  setText(process, pid === null ? '–' : String(pid));
  setText(streams, number(clients));
  const late = seen > LATE;
  setText(last, ago(-seen, 0) + (late ? ', late' : ''));
  last.classList.toggle('late', late);
}

export class Nodes {
  #tally = make('p', { class: 'hint' });
  #rows = make('tbody');
  #table = make('div', { class: 'table', tabindex: '0', role: 'region', 'aria-label': 'Nodes' },
    make('table', {}, make('thead', {}, make('tr', {},
      make('th', { scope: 'col' }, 'Host'),
      make('th', { scope: 'col', class: 'number' }, 'Process'),
      make('th', { scope: 'col', class: 'number' }, 'Clients'),
      make('th', { scope: 'col' }, 'Last seen'))), this.#rows));
  element = make('section', { class: 'card nodes', 'aria-labelledby': 'nodes-title', hidden: '' },
    make('header', {}, make('h2', { id: 'nodes-title' }, 'Nodes'), this.#tally), this.#table);

  /** @param {{count: number, list: object[]}} [nodes]  only of a shared journal */
  show(nodes) {
    this.element.hidden = !nodes;
    if (!nodes) return;
    const list = nodes.list.toSorted(compare);
    const more = Math.max(nodes.count - list.length, 0);
    this.#table.hidden = list.length === 0;
    setText(this.#tally, list.length === 0 ? 'Redis is asked which these are.' : [
      `${count(nodes.count, 'crierd shares', 'crierds share')} the journal`,
      more && `${number(more)} of them not shown`,
    ].filter(Boolean).join(', '));
    while (this.#rows.rows.length > list.length) this.#rows.deleteRow(-1);
    while (this.#rows.rows.length < list.length) this.#rows.append(makeRow());
    list.forEach((node, index) => fillRow(this.#rows.rows[index], node));
  }
}
