/**
 * The console: routes, navigation, and what all views share.
 *
 * The route is the hash of the URL: "#/topics/news?type=a" is the view `topics` with the
 * path ["news"] and a query. So the console is one page, which needs nothing of the server
 * but its files, and a view can be linked to. A token is never part of the route.
 *
 * Which views are open depends on what the server says of the token (session.js). A view
 * that needs more is replaced by a notice that says so, with a form for another token.
 */
import { subscribe } from '../../crier.js';
import { byId, make, setText, showState } from '../../js/dom.js';
import { Session } from '../../js/session.js';
import { ago } from './parts/format.js';
import { tokenForm } from './parts/token_form.js';
import overview from './views/overview.js';
import presence from './views/presence.js';
import publish from './views/publish.js';
import token from './views/token.js';
import topics from './views/topics.js';
import watch from './views/watch.js';

/**
 * @typedef {{path: string[], query: URLSearchParams}} Args
 *
 * @typedef {object} View
 * @property {string} name  in the route
 * @property {string} title
 * @property {'subscribe'|'publish'|'admin'|null} needs  what the token must allow
 * @property {boolean} [keeps]  stays on screen when its token expires, with what it has
 *           gathered; the banner says that the server refuses the token
 * @property {(element: HTMLElement, app: App, args: Args) =>
 *            {unmount(): void, update?(args: Args): void}} mount
 *           shows it; `update` is called when only path or query of the route change
 *
 * @typedef {object} App
 * @property {import('../../js/api.js').Api} api
 * @property {object} identity  the JSON of GET /identity
 * @property {string} token  or ''
 * @property {Session} session
 * @property {(hash: string) => void} navigate
 * @property {(path: string, options?: object) => object} subscribe  a stream of crier.js
 * @property {(text: string, kind?: 'good'|'bad') => void} notify  shows a short notice
 * @property {(text: string) => void} setTitle  names what the view shows now
 */

const VIEWS = [overview, topics, watch, publish, presence, token];
const NEEDS = {
  subscribe: 'a token that may subscribe to something',
  publish: 'a token that may publish to something',
  admin: 'the token of an admin',
};
const NOTICE = 5000; // ms

const session = new Session();
const [heading, banner, place, notices] = [document.querySelector('h1'), byId('banner'), byId('view'), byId('notices')];
const links = new Map();
/** What is on show: the view, what it was mounted with, and its handle. */
let shown = null;

/** @type {App} */
const app = {
  api: session.api,
  session,
  get identity() { return session.identity; },
  get token() { return session.token; },
  navigate: (hash) => { location.hash = hash; },
  setTitle(text) {
    setText(heading, text);
    document.title = `${text} – Crier console`;
  },
  subscribe(path, options = {}) {
    const stream = subscribe(session.api.url(path), { ...options, ...(session.token && { token: () => session.token }) });
    stream.addEventListener('statechange', () => {
      // The stream only knows that it broke; the session finds out why.
      if (stream.state !== 'live' && stream.trouble && session.state === 'ready') session.refresh();
    });
    return stream;
  },
  notify(text, kind = 'good') {
    const notice = make('p', { class: `notice ${kind}` }, text);
    notices.append(notice);
    setTimeout(() => notice.remove(), NOTICE);
  },
};

const isOpen = (view) => view.needs === null || session.identity.may[view.needs];

/** The view and its arguments that a hash such as "#/topics/a%2Fb?type=x" names. */
function parseRoute(hash) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const [name, ...rest] = path.split('/');
  const view = VIEWS.find((each) => each.name === name) ?? VIEWS.find((each) => each.needs && isOpen(each)) ?? overview;
  return { view, args: { path: rest.filter(Boolean).map(decode), query: new URLSearchParams(query) } };
}

function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch { // a lone % that somebody typed
    return segment;
  }
}

/** Shows what the route names. @param {boolean} moved  whether the user went there */
function show(moved) {
  if (!session.known) return;
  const { view, args } = parseRoute(location.hash);
  const kept = view.keeps && session.state === 'refused' && shown?.view === view && shown.open && shown.token === session.token;
  const open = kept || isOpen(view);
  const same = shown && shown.view === view && shown.open === open && shown.token === session.token;
  if (same && moved) shown.handle.update?.(args);
  if (same) return;

  const held = place.contains(document.activeElement); // the focus would be lost
  shown?.handle.unmount();
  const element = make('div', { class: `view ${view.name}` });
  place.replaceChildren(element);
  app.setTitle(view.title);
  for (const [name, link] of links) {
    if (name === view.name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  shown = { view, open, token: session.token, handle: open ? view.mount(element, app, args) : showGate(element, view) };
  if (moved) scrollTo(0, 0);
  if (moved || held) heading.focus({ preventScroll: true });
}

/** Says that a view needs more than the token allows, and asks for another one. */
function showGate(element, view) {
  const { state, token, identity } = session;
  const why = !token ? 'There is no token in this tab yet.' : state === 'refused' ? 'The server refuses the token of this tab.'
    : 'The token of this tab does not allow that.';
  element.append(make('section', { class: 'card gate' },
    make('h2', {}, `${view.title} needs ${NEEDS[view.needs]}`),
    make('p', {}, `${why} `, identity.tokens ? '' : 'This server knows no keys and no tokens, so only its configuration can allow it.'),
    ...(identity.tokens ? [
      tokenForm((text) => session.use(text)),
      make('p', { class: 'hint' }, 'Whoever has the secret of the server can ', make('a', { href: '#/token' }, 'make a token'), '.'),
    ] : [])));
  return { unmount() {} };
}

/** Builds the navigation among the views. */
function buildNavigation() {
  const list = make('ul');
  for (const { name, title } of VIEWS) {
    const link = make('a', { href: `#/${name}` }, title);
    links.set(name, link);
    list.append(make('li', {}, link));
  }
  document.querySelector('.views').append(list);
}

/** Shows in the navigation which views are closed. */
function markClosed() {
  for (const view of VIEWS) {
    const closed = !isOpen(view);
    const link = links.get(view.name);
    link.classList.toggle('closed', closed);
    if (closed) link.title = `Needs ${NEEDS[view.needs]}`;
    else link.removeAttribute('title');
  }
}

/** Says what is wrong with the server or the token, above whatever is on show. */
function showBanner() {
  const { state, trouble } = session;
  const parts = [];
  if (state === 'away') {
    parts.push(make('p', { class: 'trouble mild' }, `${trouble} What you see is from before; the console tries again by itself.`));
  } else if (state === 'refused') {
    const forget = make('button', { type: 'button', class: 'small' }, 'Go on without a token');
    forget.addEventListener('click', () => session.use(''));
    parts.push(make('div', { class: 'trouble refused' }, make('p', {}, `The server refuses the token of this tab: ${trouble}`), forget));
  }
  banner.replaceChildren(...parts);
}

function showServer() {
  const { state, token, identity } = session;
  if (state === 'ready') {
    const { expires, subject } = identity.identity ?? {};
    const who = !token ? 'Connected' : expires ? `${subject ?? 'Token'}, expires ${ago(expires)}` : subject ?? 'Token';
    showState(byId('server'), 'live', who);
  } else {
    const [look, word] = { asking: ['connecting', 'Connecting'], away: ['retrying', 'Server away'], refused: ['lost', 'Token refused'] }[state];
    showState(byId('server'), look, word);
  }
}

session.addEventListener('change', () => {
  showServer();
  showBanner();
  markClosed();
  show(false);
});
addEventListener('hashchange', () => show(true));
buildNavigation();
session.refresh();
