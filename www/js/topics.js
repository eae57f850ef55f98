/**
 * Topics: subscribes to a topic and publishes to it.
 *
 * The stream begins with the last updates. Updates published from this page are shown when
 * the stream delivers them, like all others. Updates of every type are shown, with the type
 * before the text.
 */
import { subscribe } from '../crier.js';
import { make, setText, showState } from './dom.js';
import { post } from './problem.js';

const KEEP = 100; // updates
const PAST = 10; // updates with which the stream begins, also in a tab that joins it later
const NEAR = 24; // pixels from the end that still count as the end
const LONGEST = 255; // bytes

/** What is wrong with the name of a topic; empty when it is valid. */
function mistakeIn(topic) {
  if (!topic) return 'A topic has a name of at least one character.';
  if (new TextEncoder().encode(topic).length > LONGEST) return `The name of a topic may have ${LONGEST} bytes at most.`;
  if (/[,*]/.test(topic)) return 'The name of a topic has no comma and no asterisk.';
  if (/^\.\.?$/.test(topic)) return 'Browsers take this for a step in a path: choose another name.';
  return '';
}

/** One entry of the list. A gap is no update: the server sends it for those that are missing. */
function entry({ kind: type, data, lastEventId: id, gap }) {
  if (gap) return make('li', { class: 'notice' }, make('span', {}, 'Some updates may be missing here.'));
  const tag = type === 'message' ? [] : [make('b', { class: 'type', title: 'Type of the event' }, type), ' '];
  return make('li', {}, make('div', {}, ...tag, make('span', { dir: 'auto' }, data)),
    make('code', { title: id }, id));
}

export function startTopics(card) {
  const find = (selector) => card.querySelector(selector);
  const [status, trouble, updates, tally] = ['.status', '.trouble', '.updates', '.tally'].map(find);
  const [subscribeForm, publishForm, button] = ['.subscribe', '.publish', '.subscribe button'].map(find);
  const { topic } = subscribeForm.elements;
  const { update } = publishForm.elements;
  let stream = null;
  let subscribed = ''; // to this topic

  const address = () => `topics/${encodeURIComponent(topic.value)}`;
  const isSubscribed = () => stream !== null && subscribed === topic.value;

  /** Updates the button, and the curl commands, where the topic stands in single quotes. */
  function show() {
    const encoded = encodeURIComponent(topic.value || 'news').replaceAll("'", '%27');
    for (const element of card.querySelectorAll('[data-topic]')) setText(element, encoded);
    setText(button, isSubscribed() ? 'Unsubscribe' : 'Subscribe');
  }

  function begin() {
    end();
    const current = stream = subscribe(address(), { since: PAST, keep: PAST });
    subscribed = topic.value;
    updates.replaceChildren();
    updates.setAttribute('aria-label', `Updates of ${subscribed}`);
    current.addEventListener('any', (event) => add(entry(event)));
    current.addEventListener('statechange', () => {
      if (current !== stream) return;
      if (current.state === 'closed') end('Ended');
      else showState(status, current.state);
      setText(trouble, current.trouble);
    });
    show();
  }

  function end(word) {
    const current = stream;
    stream = null;
    current?.close();
    if (word) showState(status, 'closed', word);
    show();
  }

  function add(entry) {
    const atEnd = updates.scrollHeight - updates.scrollTop - updates.clientHeight < NEAR;
    updates.append(entry);
    while (updates.childElementCount > KEEP) updates.firstElementChild.remove();
    if (atEnd) updates.scrollTop = updates.scrollHeight;
  }

  async function send() {
    const name = topic.value;
    const text = update.value;
    try {
      const { subscribers } = await post(address(), text);
      if (update.value === text) update.value = '';
      setText(trouble, '');
      setText(tally, `Published to ${name}: ${subscribers} ${subscribers === 1 ? 'subscriber' : 'subscribers'}`);
    } catch ({ message: why }) {
      setText(tally, '');
      setText(trouble, `Not published: ${why}`);
    }
  }

  /** Calls ACT on submit if the name of the topic is valid. */
  const onSubmit = (form, act) => form.addEventListener('submit', (event) => {
    event.preventDefault();
    setText(trouble, mistakeIn(topic.value));
    if (!trouble.textContent) act();
  });
  onSubmit(subscribeForm, () => (isSubscribed() ? end('Ready') : begin()));
  onSubmit(publishForm, send);
  topic.addEventListener('input', show);
  show();
}
