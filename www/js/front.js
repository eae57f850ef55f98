/**
 * The front page: the topic `hello`, live, with a field to publish to it.
 *
 * What is published from the page is shown when the stream delivers it, like what anybody
 * else publishes: the list shows what a subscriber gets. Where the server asks for a token,
 * the page says so; it uses the one that was entered in the console in this tab. With the
 * demo, a number that counts the seconds shows at once that streams are live.
 */
import { subscribe } from '../crier.js';
import { addCopyButtons } from './copy.js';
import { byId, make, setText, showOrigin, showState } from './dom.js';
import { Session } from './session.js';

const TOPIC = 'topics/hello';
const PAST = 10; // updates that the page begins with
const KEEP = 50; // updates

const card = byId('hello');
const place = byId('pulse');
const [status, trouble, list, tally, form] =
  ['.status', '.trouble[role]', '.updates', '.tally', 'form'].map((selector) => card.querySelector(selector));
const session = new Session();
let stream = null;
let pulse = null;

/** One entry of the list. @param {import('../crier.js').StreamEvent} event */
function entry({ kind, data, lastEventId, gap }) {
  if (gap) return make('li', { class: 'notice' }, 'Some updates may be missing here.');
  const type = kind === 'message' ? [] : [make('b', { class: 'type', title: 'Type of the event' }, kind), ' '];
  return make('li', {}, make('div', {}, ...type, make('span', { dir: 'auto' }, data)),
    make('code', { title: `Id: ${lastEventId}` }, lastEventId));
}

function add(event) {
  list.append(entry(event));
  while (list.childElementCount > KEEP) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
}

/** How a stream is asked for with the token of this tab. */
const credentials = () => session.token && { token: () => session.token };

function open() {
  const current = stream = subscribe(TOPIC, { since: PAST, keep: PAST, ...credentials() });
  current.addEventListener('any', add);
  current.addEventListener('statechange', () => {
    showState(status, current.state);
    setText(trouble, current.trouble);
  });
}

async function publish(event) {
  event.preventDefault();
  const { update } = form.elements;
  const text = update.value;
  try {
    const { subscribers } = await session.api.post(TOPIC, text);
    if (update.value === text) update.value = '';
    setText(trouble, '');
    setText(tally, `Published. ${subscribers} ${subscribers === 1 ? 'stream' : 'streams'} got it.`);
  } catch ({ message }) {
    setText(tally, '');
    setText(trouble, `Not published: ${message}`);
  }
}

/** Says what takes a token here, or why the one of this tab is none. */
function showLock({ publish, subscribe }) {
  const what = subscribe ? 'publishes' : publish ? 'subscribes' : 'subscribes or publishes';
  byId('locked').hidden = publish && subscribe;
  setText(card.querySelector('.why'), session.trouble || `This server asks for a token before anybody ${what}.`);
  form.hidden = tally.hidden = !publish;
  if (!subscribe) showState(status, 'closed', 'Needs a token');
}

/** Opens the demo's ticks, or closes them. They are shown from the first one on: a token may not be good for them. */
function setPulse(on) {
  pulse?.close();
  pulse = on ? subscribe('ticks', { keep: 'newest', ...credentials() }) : null;
  pulse?.addEventListener('message', ({ data }) => {
    setText(place.querySelector('.tick'), data);
    place.hidden = false;
  });
  setText(place.querySelector('button'), on ? 'Pause' : 'Resume');
}

/** Follows what the server says of this client, which changes when a token expires. */
function update() {
  if (session.state === 'away') return; // the stream says so
  const { may, demo } = session.identity;
  showLock(may);
  if (may.subscribe && !stream) open();
  if (!may.subscribe && stream) {
    stream.close();
    stream = null;
  }
  byId('demo-off').hidden = demo;
  if (demo && may.subscribe && !pulse && place.hidden) setPulse(true);
  if (!may.subscribe) {
    setPulse(false);
    place.hidden = true;
  }
}

showOrigin();
addCopyButtons();
form.addEventListener('submit', publish);
place.querySelector('button').addEventListener('click', () => setPulse(!pulse));
session.addEventListener('change', update);
session.refresh();
