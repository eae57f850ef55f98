/**
 * What every browser test needs: a crierd of its own, people in browser
 * contexts of their own, and an ear for whatever the browser complains about.
 *
 *   scenario('ada greets', async ({ enter }) => {
 *     const ada = await enter('ada');
 *     ...
 *   });
 *
 * Each scenario starts crierd on a free port and ends it again, and fails if
 * any page logged an error, threw one, or broke the content security policy,
 * or if crierd does not end well.
 * There are no fixed waits: everything awaits a condition.
 *
 * Environment: CRIERD, the crierd to test (see server.js); CHROMIUM, the browser to use.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { PATIENCE, Server, until } from './server.js';

export { until };

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const TIMEOUT = 240_000;
const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

let browser;
before(async () => {
  browser = await chromium.launch({ // in a new, empty profile
    executablePath: CHROMIUM,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--host-resolver-rules=MAP events.example.com 127.0.0.1'], // for tests/proxies
  });
});
after(() => browser?.close());

/**
 * What lies between a browser and crierd, and can be cut: then all connections
 * break, and new ones break at once ('dead') or are answered with 503 ('busy'),
 * until it is mended. The server itself goes on.
 */
class Line {
  #server;
  #state = 'good';
  #sockets = new Set();
  #relay = createServer((near) => this.#carry(near));

  constructor(server) {
    this.#server = server;
  }

  get url() {
    return `http://127.0.0.1:${this.#relay.address().port}`;
  }

  async open() {
    this.#relay.listen(0, '127.0.0.1');
    await once(this.#relay, 'listening');
  }

  cut(state = 'dead') {
    this.#state = state;
    this.#sockets.forEach((socket) => socket.destroy());
  }

  mend() {
    this.#state = 'good';
  }

  close() {
    this.cut();
    this.#relay.close();
  }

  #carry(near) {
    this.#hold(near);
    if (this.#state === 'dead') return near.destroy();
    if (this.#state === 'busy') {
      near.once('data', () => near.end(BUSY));
      return;
    }
    const far = this.#hold(connect(new URL(this.#server.url).port, '127.0.0.1'));
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  }

  #hold(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {}); // it is closed, and that is all
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }
}

/** One scenario's server, contexts and pages. */
class World {
  server;
  #line = null;
  #proxy = null;
  #journals = '';
  #contexts = [];
  #complaints = [];
  #forgiven = [];
  #requests = [];

  /** Starts what the setting asks for. */
  async begin({ options = [], journal = false }) {
    if (journal) {
      this.#journals = await mkdtemp(resolve(tmpdir(), 'crier-'));
      options = [...options, '--journal', `sqlite:${resolve(this.#journals, 'journal')}`];
    }
    this.server = new Server(options);
    await this.server.start();
  }

  /** Has all pages opened from now on use a line that can be cut. */
  lay = async () => {
    this.#line = new Line(this.server);
    await this.#line.open();
    return this.#line;
  };

  /** Has all pages opened from now on use a proxy. @param {{url: string, stop: () => Promise}} proxy */
  behind = (proxy) => {
    this.#proxy = proxy;
  };

  /** A browser profile of its own. @param {object} [options] as Playwright's */
  context = async (options) => {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(PATIENCE);
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
        console.error(`policy violated: ${violatedDirective} ${blockedURI}`);
      });
    });
    context.on('page', (page) => this.#listen(page));
    this.#contexts.push(context);
    return context;
  };

  /** A new tab showing one of the pages: the chat unless told which. */
  open = async (context, path = '/chat.html') => {
    const page = await context.newPage();
    await page.goto((this.#proxy ?? this.#line ?? this.server).url + path);
    return page;
  };

  /** A new tab in the chat; in a new profile unless told which. */
  enter = async (name, context) => {
    const page = await this.open(context ?? await this.context());
    await join(page, name);
    return page;
  };

  /**
   * People in the chat who have no browser: resolves once all are there.
   *
   * @returns {Promise<(name: string) => void>}  makes one of them leave
   */
  people = async (...names) => {
    const open = new Map();
    for (const name of names) {
      const request = get(`${this.server.url}/chat?user=${name}`);
      open.set(name, request);
      this.#requests.push(request);
      request.on('error', () => {}); // it is destroyed in the end
      const [answer] = await once(request, 'response');
      answer.on('error', () => {}).resume();
      await until(async () => (await (await fetch(`${this.server.url}/users`)).text()).split('\n').includes(name),
        `${name} is there`);
    }
    return (name) => open.get(name).destroy();
  };

  /** Expects the browser to complain like this. @param {RegExp} pattern */
  forgive = (pattern) => this.#forgiven.push(pattern);

  #listen(page) {
    const complain = (text) => this.#complaints.push(text);
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complain(message.text());
    });
    page.on('pageerror', (error) => complain(error.stack));
  }

  checkComplaints() {
    const grave = (text) => !this.#forgiven.some((pattern) => pattern.test(text));
    assert.deepEqual(this.#complaints.filter(grave), [], 'the browser complained');
  }

  async end() {
    await Promise.allSettled(this.#contexts.map((context) => context.close()));
    this.#requests.forEach((request) => request.destroy());
    this.#line?.close();
    await this.#proxy?.stop();
    await this.server?.stop();
    if (this.#journals) await rm(this.#journals, { recursive: true });
  }
}

/**
 * @param {string} title
 * @param {{options?: string[], journal?: boolean}} setting  further options for crierd,
 *        and whether it has a journal that outlives it; may be left out
 * @param {(world: World) => Promise<void>} run
 */
export function scenario(title, setting, run) {
  if (run === undefined) return scenario(title, {}, setting);
  test(title, { timeout: TIMEOUT }, async (t) => {
    const world = new World();
    t.after(() => world.end());
    await world.begin(setting);
    await run(world);
    world.checkComplaints();
    await world.server.stop(); // with all the pages still open
  });
}

/** Asks to enter the chat under a name. */
export async function knock(page, name) {
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Join' }).click();
}

/** Enters the chat, and waits until the stream is live. */
export async function join(page, name) {
  await knock(page, name);
  await state(page, 'live');
}

/** Waits for a connection state. */
export const state = (page, wanted, status = '#status') =>
  page.locator(`${status}[data-state="${wanted}"]`).waitFor();

/** Waits until the stream has broken: 'retrying' and 'lost' take turns, and either may be over before anybody looks. */
export const broken = (page, status = '#status') =>
  page.locator(`${status}:is([data-state="retrying"], [data-state="lost"])`).waitFor();

/** Writes and sends a text, and waits until it is accepted. */
export async function say(page, text) {
  const field = page.getByLabel('Message', { exact: true });
  await field.fill(text);
  await field.press('Enter');
  await until(async () => await field.inputValue() === '', `"${text}" is sent`);
}

/** The entry of the message list that contains a text. */
export const entry = (page, text) => page.getByRole('log').locator('> *').filter({ hasText: text });

/** Waits until a text appears in the message list. */
export const sees = (page, text) => entry(page, text).first().waitFor();

/** Waits until exactly these texts are the messages of the list, in this order. */
export async function reads(page, ...texts) {
  const shown = () => page.locator('#log .message .bubble > p').allTextContents();
  let last;
  await until(async () => JSON.stringify(last = await shown()) === JSON.stringify(texts), `${texts} are read`)
    .catch((error) => { throw new Error(`${error.message}; but ${last}`); });
}

/** Waits until exactly these people are listed. */
export async function listed(page, ...names) {
  const shown = () => page.locator('#people bdi').allTextContents();
  await until(async () => (await shown()).join() === names.join(), `${names} are listed`);
}
