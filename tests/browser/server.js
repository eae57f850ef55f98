/**
 * A crierd in a process of its own, and waiting for conditions.
 *
 * Environment: CRIERD, the crierd to test.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const CRIERD = process.env.CRIERD || here('../../build/src/crierd/crierd');
export const PATIENCE = 30_000; // ms

const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** The first of the ports that the kernel chooses from: for clients, and where any will do. */
const CHOSEN = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t')[0]);
const given = new Set();

/** Whether a port of 127.0.0.1 is free. */
async function isFree(port) {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    await once(server.close(), 'close');
    return true;
  } catch {
    return false;
  }
}

/**
 * Ports that are free, and stay so until somebody listens there, and between a stop and a
 * start: the kernel gives them to nobody else.
 */
export async function freePorts(count) {
  const ports = [];
  while (ports.length < count) {
    const port = randomInt(20_000, Math.max(CHOSEN, 30_000));
    if (given.has(port) || !await isFree(port)) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

/** One crierd. */
export class Server {
  #options;
  #child = null;
  #port = 0;
  /** What it has logged, line by line. */
  log = [];

  constructor(options) {
    this.#options = options;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /**
   * Starts it: on a free port, which it keeps.
   *
   * @param {string} [how]  what the listener's address ends with
   */
  async start(how = '') {
    if (!this.#port) [this.#port] = await freePorts(1);
    const args = ['--listen', `127.0.0.1:${this.#port}${how}`, '--www', here('../../www'), '--data', here('../../data')];
    const child = this.#child = spawn(CRIERD, [...args, ...this.#options], { stdio: ['ignore', 'ignore', 'pipe'] });
    children.add(child);
    child.once('exit', () => children.delete(child));
    const failed = once(child, 'error').then(([error]) => { throw error; });
    const listening = new Promise((resolve, reject) => {
      createInterface(child.stderr).on('line', (line) => {
        this.log.push(line);
        if (line.includes('listening on http://127.0.0.1:')) resolve();
      }).on('close', () => reject(new Error(`crierd ended:\n${this.log.join('\n')}`)));
    });
    await within(Promise.race([listening, failed]), 'crierd does not listen');
  }

  /** Has it read its configuration file again. */
  reload() {
    this.#child.kill('SIGHUP');
  }

  /** Ends it, which must go well. */
  async stop() {
    const child = this.#child;
    if (!child || !children.has(child)) return;
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    const [code, signal] = await exit;
    clearTimeout(timer);
    assert.equal(signal ?? code, 0, `crierd ended badly:\n${this.log.join('\n')}`);
  }

  /** How many streams are open. */
  async clients() {
    return (await (await fetch(`${this.url}/healthz`)).json()).clients;
  }

  /** Says something in the chat, to all or to one, without a browser. */
  async say(user, text, to) {
    const answer = await fetch(`${this.url}/chat${to ? `/${encodeURIComponent(to)}` : ''}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ user, text }),
    });
    assert.equal(answer.status, 200);
  }
}

/** Waits until something holds. @param {() => any} condition */
export async function until(condition, what) {
  const end = Date.now() + PATIENCE;
  let last;
  do {
    last = await condition();
    if (last) return last;
    await sleep(25);
  } while (Date.now() < end);
  assert.fail(`not within ${PATIENCE} ms: ${what}`);
}

/** Waits for a promise, for so many ms at most. */
export function within(promise, what, patience = PATIENCE) {
  const timer = new AbortController();
  const late = sleep(patience, null, { signal: timer.signal }).then(() => assert.fail(what), () => {});
  return Promise.race([promise, late]).finally(() => timer.abort());
}
