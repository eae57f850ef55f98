/**
 * What the tests of the console share: opening it, tokens, and a proxy with a prefix.
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';

export const SECRET = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';
export const WITH_KEY = ['--jwt-key', `HS256:${SECRET}`];

/** A token with some claims, which HS256 signs with a secret. */
export function sign(secret, claims) {
  const text = [{ alg: 'HS256', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** A token that the key of WITH_KEY signs. @param {object} claims */
export const mint = (claims) => sign(SECRET, claims);

/** The claims of a token with grants. */
export const grants = ({ publish = [], subscribe = [], admin = false, ...claims }) =>
  ({ ...claims, mercure: { publish, subscribe }, crier: { admin } });

/** The heading of the view that is on show. */
export const heading = (page, text) => page.getByRole('heading', { level: 1, name: text, exact: true });

/** The link to a view in the console's navigation. */
export const viewLink = (page, name) => page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name });

/** What is wrong with the server, as the console says above every view. A view may say so, too. */
export const banner = (page, text) => page.locator('#banner').getByText(text);

/** Goes to a view by its link, and waits for it. */
export async function goTo(page, name) {
  await viewLink(page, name).click();
  await heading(page, name).waitFor();
}

/** Enters a token in the form that is on show. */
export async function enterToken(page, token) {
  await page.getByLabel('Token', { exact: true }).fill(token);
  await page.getByRole('button', { name: 'Use this token' }).click();
}

/** Has the pages of a browser profile begin with a token. */
export const holdToken = (profile, token) => profile.addInitScript((text) => {
  if (location.protocol === 'http:') sessionStorage.setItem('crier-console-token', text);
}, token);

/** Whether nothing of the page is cut off at the sides. */
export const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

/**
 * A proxy that serves another server under a prefix, and nothing else.
 *
 * @param {string} prefix  such as "/events"
 * @param {() => string} target  the URL of the server
 */
export async function startProxy(prefix, target) {
  const sockets = new Set();
  const proxy = createServer((incoming, outgoing) => {
    if (!incoming.url.startsWith(`${prefix}/`)) return outgoing.writeHead(404).end('outside of the prefix');
    const { method, headers } = incoming;
    const onward = request(target() + incoming.url.slice(prefix.length), { method, headers }, (response) => {
      outgoing.writeHead(response.statusCode, response.headers);
      response.on('error', () => outgoing.destroy()).pipe(outgoing);
    });
    onward.on('error', () => outgoing.headersSent || outgoing.writeHead(502).end('bad gateway'));
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  proxy.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    stop: async () => {
      sockets.forEach((socket) => socket.destroy());
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
