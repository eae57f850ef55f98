/**
 * Presence: how many streams subscribe to a topic by name, and when one joined or left.
 *
 * crierd publishes that under $presence/TOPIC, for the topics of --presence. To subscribe to
 * that is no subscription to the topic, so whoever looks is not counted.
 */
import { make, setText } from '../../../js/dom.js';
import { commandBox } from '../parts/command.js';
import { hasPresence } from '../parts/presence.js';
import { PresenceOfTopic } from './presence/topic.js';

const MOST_NAMES = 100; // that the field for the topic suggests

/** @type {import('../app.js').View} */
export default {
  name: 'presence',
  title: 'Presence',
  needs: 'subscribe',

  mount(element, app, args) {
    const selectors = app.identity.presence;
    if (selectors.length === 0) {
      element.append(explain());
      return { unmount() {} };
    }
    const field = make('input', {
      id: 'presence-topic', required: '', maxlength: '255', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
      list: 'presence-names', dir: 'auto',
    });
    const names = make('datalist', { id: 'presence-names' });
    const trouble = make('p', { class: 'trouble mild', role: 'status' });
    const place = make('div');
    let topic = null;

    const form = make('form', { class: 'card field' },
      make('label', { for: 'presence-topic' }, 'Topic'),
      make('div', { class: 'row' }, field, names, make('button', { class: 'primary' }, 'Show')),
      make('p', { class: 'hint' }, 'These topics have presence here: ',
        ...selectors.flatMap((selector, index) => [index ? ', ' : '', make('code', {}, selector)]), '.'),
      trouble);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      app.navigate(`#/presence?topic=${encodeURIComponent(field.value)}`);
    });

    function show({ query }) {
      const name = query.get('topic') ?? '';
      field.value = name;
      topic?.close();
      topic = null;
      place.replaceChildren();
      setText(trouble, /[,*]/.test(name) ? 'The name of a topic has no comma and no asterisk.'
        : name && !hasPresence(selectors, name) ? `${name} has no presence: --presence does not name it.` : '');
      app.setTitle(name ? `Presence of ${name}` : 'Presence');
      if (!name || trouble.textContent) return;
      topic = new PresenceOfTopic(app, name);
      place.append(topic.element);
    }

    element.append(form, place);
    suggest(app, selectors, names);
    show(args);
    return { update: show, unmount: () => topic?.close() };
  },
};

/** Fills the list of names that the browser suggests. */
async function suggest(app, selectors, names) {
  try {
    const { topics } = await app.api.get(`topics?match=${encodeURIComponent(selectors.join(','))}&limit=${MOST_NAMES}`);
    names.replaceChildren(...topics.map(({ topic }) => make('option', { value: topic })));
  } catch {
    // A name can be typed all the same.
  }
}

/** Says how to switch presence on. */
function explain() {
  return make('section', { class: 'card gate' },
    make('h2', {}, 'Presence is off on this server'),
    make('p', {}, 'With presence, crierd publishes a join or a leave whenever a stream begins or ceases to subscribe to a topic. ' +
      'Switch it on for the topics that need it, on the command line:'),
    commandBox('the option', "crierd --presence 'lobby,room/*'").element,
    make('p', {}, 'or in the file of the configuration, which crierd reads again on SIGHUP:'),
    commandBox('the line', 'presence = lobby,room/*').element,
    make('p', { class: 'hint' }, 'Each join and leave takes space in the journal, as every update does, and pages of other origins ' +
      'can then subscribe only where --cors-origin names them.'));
}
