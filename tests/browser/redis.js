/**
 * A Redis in a process and a directory of its own, for crierds that share a journal.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm, symlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, resolve } from 'node:path';
import { until } from './server.js';

/** Debian's redis-tools has the server, too, under the name of another program. */
const NAMES = ['redis-server', 'redis-check-rdb', 'valkey-server', 'valkey-check-rdb'];

async function findProgram() {
  for (const name of NAMES) {
    for (const folder of process.env.PATH.split(delimiter)) {
      const path = resolve(folder, name);
      if (await access(path).then(() => true, () => false)) return path;
    }
  }
  return assert.fail('there is no Redis: install redis-tools');
}

export class Redis {
  #directory = '';
  #child = null;

  get socket() {
    return resolve(this.#directory, 'socket');
  }

  /** What --journal is given. */
  get journal() {
    return `redis+unix:${this.socket}`;
  }

  async start() {
    this.#directory = await mkdtemp(resolve(tmpdir(), 'crier-'));
    const program = resolve(this.#directory, 'redis-server'); // its name says what it does
    await symlink(await findProgram(), program);
    this.#child = spawn(program, ['--port', '0', '--unixsocket', this.socket, '--dir', this.#directory, '--save', ''],
      { stdio: 'ignore' });
    process.once('exit', this.#kill);
    await until(() => this.#listens(), 'Redis listens');
  }

  async stop() {
    process.removeListener('exit', this.#kill);
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exit;
    await rm(this.#directory, { recursive: true });
  }

  #kill = () => this.#child.kill('SIGKILL');

  async #listens() {
    const socket = connect(this.socket);
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }
}
