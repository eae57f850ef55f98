/**
 * The front page: the topic `hello`, live, with a field to publish to it.
 *
 * What is published from the page is shown when the stream delivers it, like what anybody
 * else publishes: the list shows what a subscriber gets. Where the server asks for a token,
 * the page says so, and where to enter one. With the demo, a number that counts the seconds
 * shows at once that streams are live.
 */
import { addCopyButtons } from './copy.js';
import { byId, make, setText, showOrigin, showState, timeElement } from './dom.js';
import { post } from './problem.js';
import { Stream } from './stream.js';

const TOPIC = 'topics/hello';
const PAST = 10; // updates that the page begins with
const KEEP = 50; // updates

const card = byId('hello');
const [status, trouble, list, tally, form] =
  ['.status', '.trouble[role]', '.updates', '.tally', 'form'].map((selector) => card.querySelector(selector));

/** One entry of the list. @param {{kind: string, data: string, lastEventId: string}} event */
function entry({ kind, data, lastEventId }) {
  if (kind === 'gap') return make('li', { class: 'notice' }, 'Some updates may be missing here.');
  const type = kind === 'message' ? [] : [make('b', { class: 'type', title: 'Type of the event' }, kind), ' '];
  return make('li', {}, make('div', {}, ...type, make('span', { dir: 'auto' }, data)),
    timeElement(new Date().toISOString()), make('code', { title: `Id: ${lastEventId}` }, lastEventId));
}

function add(event) {
  list.append(entry(event));
  while (list.childElementCount > KEEP) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
}

function subscribe() {
  const stream = new Stream(`${TOPIC}?since=${PAST}`, { keep: 'topic', every: true });
  stream.addEventListener('any', add);
  stream.addEventListener('statechange', () => {
    showState(status, stream.state);
    setText(trouble, stream.trouble);
  });
}

async function publish(event) {
  event.preventDefault();
  const { update } = form.elements;
  const text = update.value;
  try {
    const { subscribers } = await post(TOPIC, text);
    if (update.value === text) update.value = '';
    setText(trouble, '');
    setText(tally, `Published. ${subscribers} ${subscribers === 1 ? 'stream' : 'streams'} got it.`);
  } catch ({ message }) {
    setText(tally, '');
    setText(trouble, `Not published: ${message}`);
  }
}

/** What this client may do here, as GET /identity says; everything, where it cannot be asked. */
async function identify() {
  try {
    const response = await fetch('identity', { headers: { Accept: 'application/json' }, cache: 'no-store' });
    if (response.ok) return await response.json();
  } catch {
    // The stream reports what is wrong with the server.
  }
  return { may: { publish: true, subscribe: true }, demo: false };
}

/** Says what takes a token here, and takes away what would only fail. */
function lock({ publish, subscribe }) {
  const what = subscribe ? 'publishes' : publish ? 'subscribes' : 'subscribes or publishes';
  setText(card.querySelector('.why'), `This server asks for a token before anybody ${what}.`);
  byId('locked').hidden = false;
  form.hidden = !publish;
  tally.hidden = !publish;
  if (!subscribe) showState(status, 'closed', 'Needs a token');
}

/** Shows the demo's ticks, and a button that stops them. */
function startPulse(pulse) {
  const [number, button] = ['.tick', 'button'].map((selector) => pulse.querySelector(selector));
  let stream = null;
  const toggle = () => {
    stream?.close();
    stream = stream ? null : new Stream('ticks', { keep: 'newest' });
    stream?.addEventListener('message', ({ data }) => setText(number, data));
    setText(button, stream ? 'Pause' : 'Resume');
  };
  button.addEventListener('click', toggle);
  toggle();
  pulse.hidden = false;
}

showOrigin();
addCopyButtons();
form.addEventListener('submit', publish);
const { may, demo } = await identify();
if (!may.publish || !may.subscribe) lock(may);
if (may.subscribe) subscribe();
if (demo) startPulse(byId('pulse'));
