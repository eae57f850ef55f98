/**
 * The details of a record: all of an update, or why there is a gap.
 */
import { copyButton } from '../../../../js/copy.js';
import { make } from '../../../../js/dom.js';
import { factList } from '../../parts/facts.js';
import { bytes, date } from '../../parts/format.js';
import { jsonView } from '../../parts/json_view.js';
import { explainGap } from './gap.js';

/** Links to topics, with a space after each. */
const topicLinks = (topics) => topics.flatMap((topic) =>
  [make('a', { href: `#/topics/${encodeURIComponent(topic)}` }, make('bdi', {}, topic)), ' ']);

export class Details {
  element = make('section', { class: 'card watch-details', 'aria-label': 'Details', tabindex: '-1', hidden: '' });
  #retention;
  #onclose;

  /**
   * @param {(topics: string[]) => Promise<string[]>} retention  what the server retains, in lines
   * @param {() => void} onclose  the user has closed them
   */
  constructor(retention, onclose) {
    this.#retention = retention;
    this.#onclose = onclose;
    this.element.addEventListener('keydown', (event) => event.key === 'Escape' && this.#close());
  }

  /**
   * @param {import('./record.js').Entry} record
   * @param {string[]} topics  those that are watched, by name
   */
  show(record, topics) {
    const [title, ...parts] = { update: showUpdate, gap: this.#showGap, notice: showNotice }[record.kind]
      .call(this, record, topics);
    const close = make('button', { type: 'button', class: 'small' }, 'Close');
    close.addEventListener('click', () => this.#close());
    this.element.replaceChildren(make('header', {}, make('h2', {}, title), close), ...parts);
    this.element.hidden = false;
  }

  get shown() {
    return !this.element.hidden;
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }

  hide() {
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  #close() {
    this.hide();
    this.#onclose();
  }

  #showGap(gap, topics) {
    const { cause, circumstance, advice } = explainGap(gap);
    const retention = make('dd', {}, 'asking the server …');
    this.#retention(topics).then((lines) => retention.replaceChildren(...lines.map((line) => make('div', {}, line))));
    const list = factList(
      ['Noticed', date(gap.time)],
      ['Requested', make('code', {}, gap.requested)],
      ['Oldest held', make('code', {}, gap.oldest ?? 'none')],
      ...(topics.length ? [['Topics', ...topicLinks(topics)]] : []));
    list.append(make('dt', {}, 'Retention'), retention);
    return ['Why there is a gap', make('p', {}, cause), make('p', {}, circumstance), list, make('p', { class: 'hint' }, advice)];
  }
}

function showNotice({ time, text }) {
  return ['The stream', make('p', {}, text), factList(['Time', date(time)])];
}

function showUpdate({ id, time, type, topics, data }) {
  const moment = new Date(time);
  const valid = !Number.isNaN(moment.getTime());
  const again = new URLSearchParams({ topic: topics.join(',') });
  return ['Update',
    factList(
      ['Id', make('code', {}, id), ' ', copyButton(() => id, 'the id')],
      ['Published', ...(valid ? [date(moment), ' ', make('span', { class: 'hint' }, moment.toISOString())] : [time])],
      ['Type', make('bdi', {}, type)],
      ['Topics', ...topicLinks(topics)],
      ['Size', `${bytes(new TextEncoder().encode(data).length)} of data`]),
    make('div', { class: 'row' }, make('h3', {}, 'Data'), copyButton(() => data, 'the data'),
      make('a', { href: `#/publish?${again}` }, 'Publish to the same topics')),
    jsonView(data),
  ];
}
