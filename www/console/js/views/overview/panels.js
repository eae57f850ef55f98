/**
 * The charts of the overview: each panel has a name, the value of now, what else is to be
 * said of it, and its last five minutes.
 *
 * Updates each second would make a screen reader talk without end, so none of this is a live
 * region; the charts are read when they have the focus.
 */
import { make, setText } from '../../../../js/dom.js';
import { TimeChart } from '../../parts/chart.js';
import { bytes, micros, number, short } from '../../parts/format.js';
import { Shards } from './shards.js';

/**
 * Each panel: the column of `history`; the same of `stats`; how a value is written; the note
 * below it; what more is to be said, and when; and what shows its parts.
 */
const PANELS = [
  {
    column: 'clients',
    title: 'Clients',
    name: 'Open streams',
    wide: true,
    value: ({ clients }) => clients.open,
    note: ({ clients }) => `${number(clients.opened)} in total; at most ${number(clients.max)} at once`,
  },
  {
    column: 'publishes',
    title: 'Publishes',
    unit: '/s',
    name: 'Publishes a second',
    wide: true,
    value: ({ rates }) => rates.publishes,
    note: ({ publishes }) => [
      `${number(publishes.accepted)} in total`,
      publishes.refused && `${number(publishes.refused)} refused`,
      publishes.duplicate && `${number(publishes.duplicate)} duplicate`,
      publishes.failed && `${number(publishes.failed)} failed`,
    ].filter(Boolean).join(', '),
  },
  {
    column: 'deliveries',
    title: 'Deliveries',
    unit: '/s',
    name: 'Deliveries a second',
    wide: true,
    value: ({ rates }) => rates.deliveries,
    note: ({ rates, latency }) => `${bytes(rates.bytes)}/s` + (latency?.p50 == null ? ''
      : `, latency ${micros(latency.p50)} (p99 ${micros(latency.p99)})`),
  },
  {
    column: 'gaps',
    title: 'Gaps',
    unit: '/s',
    name: 'Gaps a second',
    value: ({ rates }) => rates.gaps,
    note: ({ gaps }) => `${number(gaps)} in total`,
    /* Nobody but the client knows which one it was: its last id tells the rest. */
    more: {
      shown: ({ gaps }) => gaps > 0,
      text: () => ['To see why, ', make('a', { href: '#/watch' }, 'watch'), ' a client’s topics after its last id.'],
    },
  },
  {
    column: 'slow',
    title: 'Slow clients',
    name: 'Streams that are behind',
    value: ({ slow }) => slow,
    note: ({ lagged }) => `${number(lagged)} in total`,
  },
  {
    column: 'backlog',
    title: 'Backlog',
    name: 'Bytes that wait to be delivered',
    base: 1024,
    format: bytes,
    value: ({ backlog }) => backlog.bytes,
    note: ({ backlog }) => `at most ${bytes(backlog.max)}`,
    parts: { Part: Shards, value: ({ backlog }) => backlog.shards },
  },
  {
    column: 'resident',
    title: 'Memory',
    name: 'Resident memory',
    base: 1024,
    format: bytes,
    value: ({ memory }) => memory.resident,
    note: ({ memory }) => `${bytes(memory.virtual)} virtual`,
  },
];

export class Panels {
  element = make('section', { class: 'panels', 'aria-label': 'The last five minutes' });
  #panels = PANELS.map((panel) => ({ ...panel, format: panel.format ?? number }));

  constructor() {
    for (const panel of this.#panels) {
      const { title, unit = '', name, base, format, more, parts } = panel;
      panel.now = make('b', {}, '–');
      panel.below = make('p', { class: 'hint' }, ' ');
      panel.further = more && make('p', { class: 'hint', hidden: '' }, ...more.text());
      panel.split = parts && new parts.Part();
      panel.chart = new TimeChart({
        name, base, format: (value) => format(value) + unit, axis: base === 1024 ? bytes : short,
      });
      this.element.append(make('section', { class: `card panel${panel.wide ? ' wide' : ''}`, 'data-panel': panel.column },
        make('h2', {}, title),
        make('p', { class: 'now' }, panel.now, unit && make('span', {}, unit)),
        panel.below,
        panel.further ?? '',
        panel.split?.element ?? '',
        panel.chart.element));
    }
  }

  /** Shows the history. @param {{columns: string[], rows: number[][]}} history */
  begin({ columns, rows }) {
    const time = columns.indexOf('time');
    for (const { column, chart } of this.#panels) {
      const index = columns.indexOf(column);
      chart.set(rows.map((row) => [row[time], row[index]]));
    }
  }

  /** Adds the statistics of a second. */
  add(stats) {
    const time = Date.parse(stats.time);
    for (const { chart, now, below, further, split, value, note, more, parts, format } of this.#panels) {
      chart.add(time, value(stats));
      setText(now, format(value(stats)));
      setText(below, note(stats));
      if (more) further.hidden = !more.shown(stats);
      split?.show(parts.value(stats));
    }
  }
}
