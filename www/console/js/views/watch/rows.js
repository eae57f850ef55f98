/**
 * The rows of the Watch view: a record in one line.
 */
import { setText } from '../../../../js/dom.js';
import { explainGap } from './gap.js';

export const COLUMNS = [
  { name: 'time', title: 'Time', class: 'mono' },
  { name: 'type', title: 'Type' },
  { name: 'topics', title: 'Topics' },
  { name: 'data', title: 'Data', class: 'mono' },
];

const SHOWN = 400; // characters: more do not fit into a row

const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hour12: false,
});

/** What the cells of a record say, and what kind of row it is. */
function words(record) {
  if (record.kind === 'gap') return ['gap', 'gap', '', explainGap(record).brief];
  if (record.kind === 'notice') return [record.mood, 'stream', '', record.text];
  const { type, topics, data } = record;
  return ['update', type.slice(0, SHOWN), topics.join(', ').slice(0, SHOWN), data.slice(0, SHOWN)];
}

/**
 * Fills a row of the list.
 *
 * @param {import('./record.js').Entry} record
 * @param {HTMLElement[]} cells  in the order of COLUMNS
 * @param {HTMLElement} row
 */
export function fillRow(record, [time, type, topics, data], row) {
  const [kind, ...texts] = words(record);
  row.dataset.kind = kind;
  type.classList.toggle('usual', record.type === 'message');
  setText(time, readClock(record.time));
  [type, topics, data].forEach((cell, index) => setText(cell, texts[index]));
}

/** What a server sends as a time need not be one. */
function readClock(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? '' : clock.format(date);
}
