/**
 * The chat page.
 *
 * What others do arrives as events of one stream, /chat?user=NAME; what the
 * reader does leaves as POST requests. The page is either at the door (asking
 * for a name) or in the room. The name is kept for this tab, so that a reload
 * leads back into the room, and offered to the next tab: tabs under the same
 * name share one connection (see worker.js).
 */
import { byId, setText, showOrigin, showState } from './dom.js';
import { isHere } from './keep.js';
import { Log } from './log.js';
import { People } from './people.js';
import { post } from './problem.js';
import { Stream } from './stream.js';

const [door, room, status] = ['door', 'room', 'status'].map(byId);
const [name, text] = ['name', 'text'].map(byId);
const log = new Log(byId('log'), byId('newer'));
const people = new People(byId('people'), byId('to'), byId('count'));
const sentElsewhere = new BroadcastChannel('crier-sent');
let stream = null;
let broken = false; // the stream was live, and is not
let me = '';
let unread = 0;

/** A place for the name that outlives the page, where storage is allowed. */
function memory(area) {
  const key = 'crier.name';
  try {
    const storage = globalThis[area];
    return {
      get: () => storage.getItem(key) ?? '',
      set: (value) => storage.setItem(key, value),
    };
  } catch {
    return { get: () => '', set: () => {} };
  }
}
const ofTab = memory('sessionStorage');
const ofBrowser = memory('localStorage');

/** Enters the room; everything that happens there comes through here. */
function join(as) {
  me = as;
  stream = new Stream(`chat?user=${encodeURIComponent(me)}`, { keep: 'people' });
  const on = (type, handle) => stream.addEventListener(type, ({ data }) => handle(JSON.parse(data)));

  on('users', ({ users }) => people.reset(users, me));
  for (const type of ['join', 'leave']) {
    on(type, (change) => {
      people.change(change.user, isHere(type, change));
      log.notice(change.text, change.time);
    });
  }
  on('message', hear);
  on('private', hear);
  on('removed', ({ user, text }) => user === me && leave(text));
  stream.addEventListener('statechange', showStanding);

  ofTab.set(me);
  ofBrowser.set(me);
  setText(byId('me'), me);
  people.reset([], me);
  door.hidden = true;
  room.hidden = false;
  text.focus();
}

/** Goes back to the door. @param {string} [why] if not by choice */
function leave(why = '') {
  stream.removeEventListener('statechange', showStanding);
  stream.close();
  stream = null;
  broken = false;
  ofTab.set('');
  showState(status, 'closed', 'Not joined');
  log.clear();
  text.value = ''; // it may have been meant for one person only
  people.choose('');
  showTrouble('');
  room.hidden = true;
  door.hidden = false;
  name.value = me;
  setText(byId('refused'), why);
  name.focus();
}

function showStanding() {
  const { state, trouble, tabs } = stream;
  if (state === 'closed') return leave(trouble || 'The server has ended the stream.');
  showState(status, state);
  if (state === 'live') {
    if (broken) log.notice('Connected again. What was said meanwhile is missing here.', new Date().toISOString());
    if (broken) showTrouble('');
    broken = false;
  } else {
    broken ||= state === 'lost' || state === 'retrying';
  }
  setText(byId('standing'), trouble || (broken ? 'The connection is lost. Trying to get it back.' : ''));
  setText(byId('shared'), tabs > 1 ? `${tabs} tabs share one connection` : '');
  room.classList.toggle('stale', state !== 'live');
}

/** A message has arrived. */
function hear(message) {
  log.message(message, message.user === me);
  if (document.hidden) unread += 1;
  showUnread();
}

function showUnread() {
  document.title = unread ? `(${unread}) Crier chat` : 'Crier chat';
}

/** Why the last message was not sent. */
function showTrouble(why) {
  setText(byId('unsent'), why);
}

let sending = false;
async function say() {
  const from = stream;
  const message = { user: me, text: text.value };
  const to = people.chosen;
  if (sending || !message.text.trim()) return;
  sending = true;
  try {
    await post(to ? `chat/${encodeURIComponent(to)}` : 'chat', message);
    if (from !== stream) return; // we have left meanwhile
    if (text.value === message.text) text.value = '';
    showTrouble('');
    // The server does not echo private messages: show it here, and in the
    // other tabs of the same name.
    if (to) {
      const sent = { ...message, to, time: new Date().toISOString() };
      log.message(sent, true);
      sentElsewhere.postMessage(sent);
    }
  } catch ({ message: why }) {
    showTrouble(`Not sent: ${why}`);
  } finally {
    sending = false;
    fitText();
  }
}

/** Lets the text field grow with the text; CSS sets the bounds. */
function fitText() {
  text.style.height = 'auto';
  text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
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
sentElsewhere.addEventListener('message', ({ data }) => {
  if (stream && data.user === me) log.message(data, true);
});
document.addEventListener('visibilitychange', () => {
  unread = 0;
  showUnread();
});

showOrigin();
name.value = ofBrowser.get();
if (ofTab.get()) join(ofTab.get());
else name.focus();
