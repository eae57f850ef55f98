/**
 * Publish: one update, to one topic or several.
 *
 * Mistakes are shown at the field while one types, the server's response below the button,
 * and all the time the command that would do the same in a shell. The last publications of
 * this tab can be taken up again.
 */
import { make, setText } from '../../../js/dom.js';
import { commandBox } from '../parts/command.js';
import { factList } from '../parts/facts.js';
import { bytes, count, time } from '../parts/format.js';
import { History } from './publish/history.js';
import {
  mistakeInData, mistakeInId, mistakeInRetry, mistakeInTopics, mistakeInType, toRequest,
} from './publish/request.js';
import { writeSelectors } from './watch/selectors.js';

const MAX_LINE = 16_384; // characters of data that are put into a command
const BRIEF = 80; // characters of data in the list of the last publications
const REST = 120; // ms without a key until the data is checked

let fields = 0; // for ids

/** A labelled field with room for what is wrong with it. */
function labelled(label, input, hint = '') {
  const id = `publish-${(fields += 1)}`;
  const mistake = make('p', { class: 'mistake', id: `${id}-mistake` });
  input.id = id;
  input.setAttribute('aria-describedby', hint ? `${id}-hint ${id}-mistake` : `${id}-mistake`);
  return {
    input,
    element: make('div', { class: 'field' }, make('label', { for: id }, label), input,
      ...(hint ? [make('p', { class: 'hint', id: `${id}-hint` }, hint)] : []), mistake),
    show(text) {
      setText(mistake, text);
      input.setAttribute('aria-invalid', text !== '');
    },
  };
}

const text = (name, more = {}) => make('input', {
  name, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', ...more,
});

function checkbox(label, why) {
  const input = make('input', { type: 'checkbox' });
  return { input, element: make('label', { class: 'flag' }, input, make('span', {}, label), make('span', { class: 'hint' }, why)) };
}

class PublishView {
  #app;
  #history = new History();
  #topics = labelled('Topics', text('topics', { placeholder: 'news' }), 'Several with commas between them: it is one update.');
  #type = labelled('Type', text('type', { placeholder: 'message' }));
  #id = labelled('Id', text('id', { placeholder: 'automatic' }));
  #retry = labelled('Retry', text('retry', { placeholder: 'ms', inputmode: 'numeric' }));
  #data = labelled('Data', make('textarea', { name: 'data', rows: '8', spellcheck: 'false', class: 'mono' }));
  #json = make('select', { 'aria-label': 'What the data is' },
    make('option', { value: 'text' }, 'Text'), make('option', { value: 'json' }, 'JSON'));
  #private = checkbox('Private', 'only for streams whose token grants one of the topics');
  #last = checkbox('Last', 'the topics end with this update');
  #dedupe = checkbox('Once', 'a second one with this id is no error');
  #size = make('p', { class: 'hint size' });
  #button = make('button', { class: 'primary' }, 'Publish');
  #outcome = make('div', { class: 'outcome', role: 'status' });
  #curl = commandBox('the curl command');
  #noLine = make('p', { class: 'hint' });
  #past = make('ol', { class: 'past' });
  #pastCard;
  #timer = 0;
  #busy = false;

  constructor(element, app) {
    this.#app = app;
    const form = this.#build();
    this.#pastCard = make('section', { class: 'card' }, make('h2', {}, 'Published from this tab'), this.#past);
    element.append(make('div', { class: 'publishing' }, form,
      make('section', { class: 'card' }, make('h2', {}, 'In a shell'), this.#curl.element, this.#noLine)), this.#pastCard);
    this.#showPast();
    this.#check();
  }

  /** @param {import('../app.js').Args} args */
  update({ query }) {
    const topic = query.get('topic');
    if (topic !== null) this.#topics.input.value = writeSelectors(topic);
    this.#check();
  }

  unmount() {
    clearTimeout(this.#timer);
  }

  #build() {
    const { identity } = this.#app;
    const { publish } = identity.identity ?? {};
    const form = make('form', { class: 'card publish-form', novalidate: '' },
      this.#topics.element,
      ...(publish && identity.anonymous !== 'all' ? [make('p', { class: 'hint' },
        `This token may publish to: ${publish.slice(0, 12).join(', ') || 'nothing'}${publish.length > 12 ? ', …' : ''}`)] : []),
      make('div', { class: 'three' }, this.#type.element, this.#id.element, this.#retry.element),
      make('div', { class: 'data' }, make('div', { class: 'kind' }, this.#json), this.#data.element, this.#size),
      make('div', { class: 'flags' }, this.#private.element, this.#last.element, this.#dedupe.element),
      make('div', { class: 'row' }, this.#button, make('span', { class: 'hint' }, make('kbd', {}, 'Ctrl'), '+', make('kbd', {}, 'Enter'))),
      this.#outcome);
    if (!identity.tokens) {
      this.#private.input.disabled = true;
      setText(this.#private.element.lastChild, 'needs keys or tokens in the configuration');
    }
    form.addEventListener('input', () => this.#checkSoon());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    form.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.#send();
    });
    return form;
  }

  /** @returns {import('./publish/request.js').Publication} what the form says */
  #read() {
    const value = ({ input }) => input.value;
    return {
      topics: value(this.#topics),
      type: value(this.#type),
      id: value(this.#id),
      retry: value(this.#retry).trim(),
      json: this.#json.value === 'json',
      private: this.#private.input.checked,
      last: this.#last.input.checked,
      dedupe: this.#dedupe.input.checked,
      data: value(this.#data),
    };
  }

  #write(publication) {
    for (const [field, value] of [[this.#topics, publication.topics], [this.#type, publication.type],
      [this.#id, publication.id], [this.#retry, publication.retry], [this.#data, publication.data]]) {
      field.input.value = value ?? '';
    }
    this.#json.value = publication.json ? 'json' : 'text';
    for (const [box, value] of [[this.#private, publication.private], [this.#last, publication.last],
      [this.#dedupe, publication.dedupe]]) box.input.checked = value === true && !box.input.disabled;
    this.#check();
  }

  #checkSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), REST);
  }

  /**
   * Shows what is wrong, or the command if nothing is.
   *
   * @param {boolean} [all]  whether a field that is still empty counts
   * @returns {object|null} the first field with a mistake
   */
  #check(all = false) {
    clearTimeout(this.#timer);
    const it = this.#read();
    const mistakes = [
      [this.#topics, all || it.topics.trim() ? mistakeInTopics(it.topics) : ''],
      [this.#type, mistakeInType(it.type)],
      [this.#id, mistakeInId(it.id)],
      [this.#retry, mistakeInRetry(it.retry)],
      [this.#data, all || it.data ? mistakeInData(it.data, it.json, this.#app.identity.max_update) : ''],
    ];
    for (const [field, mistake] of mistakes) field.show(mistake);
    setText(this.#size, bytes(new TextEncoder().encode(it.data).length));
    const wrong = mistakes.find(([, mistake]) => mistake)?.[0] ?? null;
    this.#showLine(it, wrong !== null);
    return wrong;
  }

  #showLine(publication, wrong) {
    const long = publication.data.length > MAX_LINE;
    this.#curl.element.hidden = wrong || long;
    setText(this.#noLine, wrong ? 'The command is here when there is no mistake in the form.'
      : long ? 'The data is too long for a line: save it to a file, and send that with --data-binary @FILE.' : '');
    if (wrong || long) return;
    const { path, headers, body } = toRequest({ ...publication, topics: publication.topics.trim() || 'news' });
    this.#curl.set(this.#app.api.curl('POST', path, { headers, body }));
  }

  async #send() {
    if (this.#busy) return;
    const wrong = this.#check(true);
    if (wrong) return wrong.input.focus();
    const publication = this.#read();
    const { path, headers, body } = toRequest(publication);
    this.#become(true);
    try {
      const response = await this.#app.api.post(path, body, { headers });
      this.#showResponse(response);
      this.#remember(publication, `${response.duplicate ? 'a duplicate of' : 'published as'} ${response.id}`);
    } catch (problem) {
      this.#showProblem(problem);
      this.#remember(publication, `not published: ${problem.detail ?? problem.message}`);
    }
    this.#become(false);
  }

  #become(busy) {
    this.#busy = busy;
    this.#button.setAttribute('aria-disabled', busy);
  }

  #showResponse({ id, topics, position, subscribers, duplicate }) {
    const watch = new URLSearchParams({ topics: topics.join(','), since: '10' });
    this.#outcome.className = 'outcome good';
    this.#outcome.replaceChildren(
      make('p', {}, make('strong', {}, duplicate ? 'Already published' : 'Published'), ' to ',
        count(subscribers, 'subscriber'), duplicate ? ': the journal holds an update with this id and these topics.' : '.'),
      factList(['Id', make('code', {}, id)], ['Position', String(position)], ['Topics', topics.join(', ')]),
      make('p', {}, make('a', { href: `#/watch?${watch}` }, topics.length === 1 ? 'Watch this topic' : 'Watch these topics')));
  }

  #showProblem({ status, detail, message }) {
    this.#outcome.className = 'outcome bad';
    this.#outcome.replaceChildren(make('p', {}, make('strong', {}, status ? `Not published (${status})` : 'Not published'),
      `: ${detail ?? message}`));
  }

  #remember(publication, outcome) {
    this.#history.add({ at: Date.now(), publication, outcome });
    this.#showPast();
  }

  #showPast() {
    const { entries } = this.#history;
    this.#pastCard.hidden = entries.length === 0;
    this.#past.replaceChildren(...entries.map(({ at, publication, outcome }) => {
      const again = make('button', { type: 'button', class: 'small' }, 'Use again');
      again.addEventListener('click', () => {
        this.#write(publication);
        this.#button.focus();
      });
      return make('li', {},
        make('span', { class: 'hint' }, time(at)), ' ',
        make('bdi', { class: 'where' }, publication.topics), ' ',
        make('code', { dir: 'auto' }, publication.data.slice(0, BRIEF)),
        make('span', { class: 'hint what' }, outcome), again);
    }));
  }
}

/** @type {import('../app.js').View} */
export default {
  name: 'publish',
  title: 'Publish',
  needs: 'publish',
  mount(element, app, args) {
    const view = new PublishView(element, app);
    view.update(args);
    return view;
  },
};
