/**
 * Topics: publish to a topic of your choice, and follow it.
 *
 * Following begins with what was published before. What is published comes back
 * by the stream like everybody else's, so nothing is shown that did not arrive.
 * Updates of every type are shown; the type stands before the text.
 */
import { make, setText, showState } from './dom.js';
import { post } from './problem.js';
import { Stream } from './stream.js';

const KEEP = 100; // messages
const NEAR = 24; // pixels from the end that still count as the end
const LONGEST = 255; // bytes

/** What is wrong with the name of a topic; empty when it is good. */
function fault(topic) {
  if (!topic) return 'A topic has a name of at least one character.';
  if (new TextEncoder().encode(topic).length > LONGEST) return `The name of a topic may have ${LONGEST} bytes at most.`;
  if (/[,*]/.test(topic)) return 'The name of a topic has no comma and no asterisk.';
  if (/^\.\.?$/.test(topic)) return 'Browsers take this for a step in a path. Choose another name.';
  return '';
}

/** One event in the list. A gap is the server's own word, and no update. */
function entry(type, data, id) {
  if (type === 'gap') return make('li', { class: 'notice' }, make('span', {}, 'Some messages may be missing here.'));
  const tag = type === 'message' ? [] : [make('b', { class: 'type', title: 'Type of the event' }, type), ' '];
  return make('li', {}, make('div', {}, ...tag, make('span', { dir: 'auto' }, data)),
    make('code', { title: id }, id));
}

export function startTopics(card) {
  const find = (selector) => card.querySelector(selector);
  const [status, trouble, heard, tally] = ['.status', '.trouble', '.heard', '.tally'].map(find);
  const [follow, publish, button] = ['.follow', '.publish', '.follow button'].map(find);
  const { topic } = follow.elements;
  const { update } = publish.elements;
  let stream = null;
  let followed = '';

  const address = () => `topics/${encodeURIComponent(topic.value)}`;
  const follows = () => stream !== null && followed === topic.value;

  /** The curl lines, where the topic stands in single quotes; and the button. */
  function show() {
    const encoded = encodeURIComponent(topic.value || 'news').replaceAll("'", '%27');
    for (const element of card.querySelectorAll('[data-topic]')) setText(element, encoded);
    setText(button, follows() ? 'Unfollow' : 'Follow');
  }

  function begin() {
    end();
    const current = stream = new Stream(`${address()}?since=10`, { keep: 'topic', every: true });
    followed = topic.value;
    heard.replaceChildren();
    heard.setAttribute('aria-label', `What ${followed} says`);
    current.addEventListener('any', ({ kind, data, lastEventId }) => add(entry(kind, data, lastEventId)));
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
    const atEnd = heard.scrollHeight - heard.scrollTop - heard.clientHeight < NEAR;
    heard.append(entry);
    while (heard.childElementCount > KEEP) heard.firstElementChild.remove();
    if (atEnd) heard.scrollTop = heard.scrollHeight;
  }

  async function send() {
    const name = topic.value;
    const text = update.value;
    try {
      const { subscribers } = await post(address(), text);
      if (update.value === text) update.value = '';
      setText(trouble, '');
      const whom = subscribers === 1 ? 'one stream follows' : `${subscribers} streams follow`;
      setText(tally, `Published to ${name}, which ${whom}`);
    } catch ({ message: why }) {
      setText(tally, '');
      setText(trouble, `Not published: ${why}`);
    }
  }

  /** Does it if the name of the topic is good. */
  const onSubmit = (form, act) => form.addEventListener('submit', (event) => {
    event.preventDefault();
    setText(trouble, fault(topic.value));
    if (!trouble.textContent) act();
  });
  onSubmit(follow, () => (follows() ? end('Ready') : begin()));
  onSubmit(publish, send);
  topic.addEventListener('input', show);
  show();
}
