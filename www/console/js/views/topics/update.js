/**
 * One update, whole: what it is, and its data as JSON or as text.
 */
import { copyButton } from '../../../../js/copy.js';
import { make } from '../../../../js/dom.js';
import { factList } from '../../parts/facts.js';
import { bytes, date, number } from '../../parts/format.js';
import { jsonView, readJson } from '../../parts/json_view.js';

const zones = new Intl.DateTimeFormat(undefined, { timeZoneName: 'short' });

/** The name of the zone of local times. */
const zone = () => zones.formatToParts(new Date()).find(({ type }) => type === 'timeZoneName').value;

export class UpdatePanel {
  element = make('section', { class: 'card update', 'aria-label': 'Update', tabindex: '-1', hidden: '' });
  #onclose;
  #shown = null; // the row

  /** @param {() => void} onclose  called when the user closes it */
  constructor(onclose) {
    this.#onclose = onclose;
    this.element.addEventListener('keydown', ({ key }) => key === 'Escape' && this.close());
  }

  /**
   * Shows an update.
   *
   * @param {import('./updates.js').Row} row
   * @param {import('./reader.js').Reader} reader
   */
  async show(row, reader) {
    this.#shown = row;
    const body = make('div', { class: 'data' }, make('p', { class: 'hint' }, 'Reading…'));
    const close = make('button', { type: 'button', class: 'small' }, 'Close');
    close.addEventListener('click', () => this.close());
    this.element.replaceChildren(
      make('div', { class: 'title' }, make('h2', {}, 'Update'), close),
      describe(row), body);
    this.element.hidden = false;
    this.element.scrollTop = 0;
    const content = await readContent(row, reader);
    if (row === this.#shown) body.replaceChildren(...content);
  }

  /** Closes it without a word. */
  hide() {
    this.#shown = null;
    this.element.hidden = true;
  }

  close() {
    this.hide();
    this.#onclose();
  }
}

/** Reads the update, and returns what shows its data. */
async function readContent(row, reader) {
  try {
    const update = await reader.whole(row.position);
    if (update) return showData(update);
    return [make('p', { class: 'trouble mild' }, 'This update has expired, or was deleted. It began so:'), make('pre', { dir: 'auto' }, row.data)];
  } catch (problem) {
    return [make('p', { class: 'trouble' }, problem.message)];
  }
}

/** What a row says of an update. */
function describe({ id, position, time, type, size, topics, private: secret, last }) {
  return factList(
    ['Id', make('code', {}, id), ' ', copyButton(() => id, 'the id')],
    ['Type', make('bdi', {}, type), ...(type === 'message' ? [make('span', { class: 'hint' }, ' (the default)')] : [])],
    ['Time', make('time', { datetime: time }, date(time)), make('span', { class: 'hint' }, ` ${zone()}`), make('br'),
      make('span', { class: 'mono' }, time)],
    ['Size', `${bytes(size)}${size < 1024 ? '' : ` (${number(size)} B)`}`],
    ['Position', number(position)],
    [topics.length === 1 ? 'Topic' : 'Topics', ...topics.flatMap((topic, index) =>
      [index ? ', ' : '', make('a', { href: `#/topics/${encodeURIComponent(topic)}` }, make('bdi', {}, topic))])],
    ...(secret ? [['Private', 'sent only to streams whose token grants one of its topics']] : []),
    ...(last ? [['Last', 'the last update of its topics, which have ended with it']] : []));
}

/** The data, as JSON and as text; and what only the whole update says. */
function showData({ data, retry }) {
  const isJson = readJson(data) !== null;
  const place = make('div');
  const views = { JSON: () => jsonView(data), Text: () => make('pre', { class: 'raw', dir: 'auto' }, data) };
  const buttons = Object.entries(views).map(([name, view]) => {
    const button = make('button', { type: 'button', class: 'small' }, name);
    button.addEventListener('click', () => {
      buttons.forEach((each) => each.setAttribute('aria-pressed', each === button));
      place.replaceChildren(view());
    });
    return button;
  });
  buttons[isJson ? 0 : 1].click();
  const bar = make('div', { class: 'row' }, make('h3', {}, 'Data'), ...(isJson ? buttons : []), copyButton(() => data, 'the data'));
  const wait = retry === undefined ? [] : [make('p', { class: 'hint' }, `Retry: clients wait ${number(retry)} ms before they reconnect.`)];
  return [...wait, bar, data ? place : make('p', { class: 'hint' }, 'The data is empty.')];
}
