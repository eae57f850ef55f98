/**
 * The chat page.
 *
 * Everything that happens arrives as events of one stream, /chat?user=NAME. What the
 * user writes is sent as POST requests, and shown when the stream returns it (private
 * messages, too, which is what echo=1 asks for). The stream begins with the last
 * messages, and resumes where it was when the connection was lost.
 *
 * The page shows either the door (which asks for a name) or the room. The name is kept
 * for this tab, so that a reload leads back into the room, and offered to the next tab:
 * tabs under the same name share one connection (see crier.js).
 */
import { subscribe } from '../crier.js';
import { addCopyButtons } from './copy.js';
import { showDemoOff } from './demo.js';
import { byId, setText, showOrigin, showState } from './dom.js';
import { Log } from './log.js';
import { People } from './people.js';
import { post } from './problem.js';

const [door, room, status] = ['door', 'room', 'status'].map(byId);
const [name, text] = ['name', 'text'].map(byId);
const log = new Log(byId('log'), byId('newer'));
const people = new People(byId('people'), byId('to'), byId('count'));
const REMEMBERED = 1000; // ids
const KEEP = 100; // events for a tab that shares the stream and joins later
let stream = null;
let broken = false; // the stream was live and is not any more
let me = '';
let joined = ''; // when, by the server's clock; messages with an earlier time are old
let unread = 0;

/** A place for the name that outlives the page; storage may be blocked or full. */
function memory(area) {
  const key = 'crier.name';
  const attempt = (use) => {
    try {
      return use(globalThis[area]);
    } catch {
      return null;
    }
  };
  return {
    get: () => attempt((storage) => storage.getItem(key)) ?? '',
    set: (value) => attempt((storage) => storage.setItem(key, value)),
  };
}
const ofTab = memory('sessionStorage');
const ofBrowser = memory('localStorage');

/** Returns a function that returns whether an id is new, as far as it remembers. */
function unseen() {
  const seen = new Set();
  return (id) => {
    if (seen.has(id)) return false;
    seen.add(id);
    if (seen.size > REMEMBERED) seen.delete(seen.values().next().value);
    return true;
  };
}

/** Joins the chat: opens the stream and handles its events. */
function join(as) {
  me = as;
  joined = '';
  stream = subscribe(`chat?user=${encodeURIComponent(me)}&echo=1`, { keep: KEEP });
  const on = (type, handle) => stream.addEventListener(type, ({ data }) => handle(JSON.parse(data)));
  const once = unseen();
  const onNew = (type, handle) => stream.addEventListener(type, ({ data, lastEventId, past }) => {
    if (once(lastEventId)) handle(JSON.parse(data), { id: lastEventId, past });
  });

  on('welcome', ({ time }) => { joined ||= time; });
  on('users', ({ users }) => people.reset(users, me));
  const current = stream;
  current.addEventListener('any', ({ past }) => past && updatePeople(current), { once: true });
  for (const type of ['join', 'leave']) {
    onNew(type, (change) => {
      // A user who was added by an operator stays on the list when the last stream ends.
      changePeople(change.user, change.present ?? type === 'join');
      log.movement(change.user, type === 'join', change.time);
    });
  }
  onNew('message', showMessage);
  onNew('private', showMessage);
  on('gap', () => log.notice('Some messages may be missing here.'));
  on('removed', ({ user, text }) => user === me && leave(text));
  stream.addEventListener('statechange', showStreamState);

  ofTab.set(me);
  ofBrowser.set(me);
  setText(byId('me'), me);
  people.reset([], me);
  door.hidden = true;
  room.hidden = false;
  text.focus();
}

/** Joins and leaves since the page has asked the server who is here; null when it has the answer. */
let changes = null;

function changePeople(user, here) {
  changes?.push([user, here]);
  people.change(user, here);
}

/**
 * Asks the server who is here: a tab that joins a shared stream later gets the last events
 * only, and the list of people with which the stream began may be older than these.
 */
async function updatePeople(current) {
  const since = changes = [];
  try {
    const response = await fetch('users', { headers: { Accept: 'application/json' }, cache: 'no-store' });
    const { users } = await response.json();
    if (current !== stream) return;
    people.reset(users, me);
    since.forEach(([user, here]) => people.change(user, here));
  } catch {
    // The next stream begins with the list.
  } finally {
    if (since === changes) changes = null;
  }
}

/** Leaves the chat. @param {string} [why] if the user did not choose to */
function leave(why = '') {
  stream.removeEventListener('statechange', showStreamState);
  stream.close();
  stream = null;
  broken = false;
  ofTab.set('');
  showState(status, 'closed', 'Not joined');
  log.clear();
  text.value = ''; // it may have been meant for one person only
  draft = { text: '', to: '', id: '' };
  fitText();
  people.choose('');
  showTrouble('');
  room.hidden = true;
  door.hidden = false;
  name.value = me;
  setText(byId('refused'), why);
  name.focus();
}

function showStreamState() {
  const { state, trouble, tabs } = stream;
  if (state === 'closed') return leave(trouble || 'The server has ended the stream.');
  showState(status, state);
  if (state === 'live') {
    if (broken) showTrouble('');
    broken = false;
  } else {
    broken ||= state === 'lost' || state === 'retrying';
  }
  setText(byId('standing'), trouble || (broken ? 'The connection is lost. Trying to get it back.' : ''));
  setText(byId('shared'), tabs > 1 ? `${tabs} tabs share one connection` : '');
  room.classList.toggle('stale', state !== 'live');
}

/**
 * Shows a message that has arrived. It is old, so it is neither announced nor counted, when
 * it was sent before this tab joined, or when another tab had it already.
 */
function showMessage(message, { id, past }) {
  const old = past || message.time < joined;
  log.message(message, { own: message.user === me, past: old });
  if (document.hidden && !old) unread += 1;
  showUnread();
  if (draft.id !== '' && id.startsWith(`chat-${draft.id}-`)) finishDraft();
}

function showUnread() {
  document.title = unread ? `(${unread}) Crier chat` : 'Crier chat';
}

/** Shows why the last message was not sent. */
function showTrouble(why) {
  setText(byId('unsent'), why);
}

/**
 * The message that is being sent. When its response is lost, the page cannot know whether
 * the server has it. So the message has an id, and keeps it when it is sent again: the
 * server takes each id once. When the message arrives by the stream, the server has it.
 */
let draft = { text: '', to: '', id: '' };

/** A new id, also where the page is not a secure context. */
const newId = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('-');

/** The server has the draft: clears the text field. */
function finishDraft() {
  if (text.value === draft.text) text.value = '';
  draft = { text: '', to: '', id: '' };
  sending = ''; // the stream may have brought it before the response
  showTrouble('');
  fitText();
}

let sending = ''; // the id of the draft whose response is awaited
async function say() {
  const from = stream;
  const to = people.chosen;
  if (sending || !text.value.trim()) return;
  if (draft.text !== text.value || draft.to !== to) draft = { text: text.value, to, id: newId() };
  const { id } = draft;
  sending = id;
  try {
    await post(to ? `chat/${encodeURIComponent(to)}` : 'chat', { user: me, text: draft.text, id });
    if (from === stream && draft.id === id) finishDraft();
  } catch ({ message: why }) {
    if (from === stream && draft.id === id) showTrouble(`Not sent: ${why}`);
  } finally {
    if (sending === id) sending = '';
  }
}

/** Lets the text field grow with the text, see chat.css. */
function fitText() {
  text.parentElement.dataset.text = text.value;
}

byId('join').addEventListener('submit', (event) => {
  event.preventDefault();
  setText(byId('refused'), '');
  const wanted = name.value.trim();
  if ([...wanted].length > 64) return setText(byId('refused'), 'A name may have 64 characters at most.');
  if (wanted) join(wanted);
});
byId('say').addEventListener('submit', (event) => {
  event.preventDefault();
  say();
});
text.addEventListener('input', fitText);
text.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  say();
});
byId('leave').addEventListener('click', () => leave());
people.addEventListener('choose', () => {
  const to = people.chosen;
  byId('say').classList.toggle('private', to !== '');
  byId('secretly').hidden = to === '';
  text.placeholder = to ? `Only ${to} sees this` : 'Write to everybody';
});
byId('people').addEventListener('click', ({ target }) => target.closest('button') && text.focus());
document.addEventListener('visibilitychange', () => {
  unread = 0;
  showUnread();
});

showOrigin();
addCopyButtons();
name.value = ofBrowser.get();
if (ofTab.get()) join(ofTab.get());
else if (!await showDemoOff()) name.focus();
