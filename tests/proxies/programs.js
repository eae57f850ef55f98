/**
 * nginx, HAProxy, Caddy and Apache, each in front of a crierd, with the file of doc/proxies
 * and the configuration that Debian's package has.
 *
 * A file is used as an operator uses it: the test changes the host's name where the file
 * says so, the address of crierd, the paths of the certificate, and, since it is not the
 * only program on the machine, the ports. It fails when the file does not have what it
 * would change. Debian's own configuration is changed in its paths alone, so that all that
 * a program writes is in a scratch directory.
 *
 * Environment: DEBS, where the packages are unpacked (./dev does that).
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PATIENCE, freePorts, until } from '../browser/server.js';

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const DEBS = process.env.DEBS || here('../../build/debs/proxies');
const OPERATOR = here('../../doc/proxies/');
const ROOT = process.getuid() === 0;

/** The name of the host in the files. */
export const HOST = 'events.example.com';
/** Where crierd listens, in the files. */
const CRIERD = '127.0.0.1:8080';
const SOCKET = '/run/crier/crier.sock';

const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill())); // which ends what they have started
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** Replaces each key of `changes` in a text, which must contain it. */
function change(text, changes, file) {
  for (const [from, to] of Object.entries(changes)) {
    assert.ok(text.includes(from), `${file} does not contain "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const read = async (file, changes) => change(await readFile(file, 'utf8'), changes, file);

/**
 * The lines that say where crierd listens, by how it is reached. A file has the first one,
 * and the others as comments.
 */
const UPSTREAM = {
  nginx: { tcp: `server ${CRIERD};`, unix: `server unix:${SOCKET};` },
  haproxy: {
    tcp: `server crierd ${CRIERD}\n`,
    unix: `server crierd unix@${SOCKET}\n`,
    proxied: `server crierd ${CRIERD} send-proxy-v2\n`,
  },
  caddy: { tcp: `reverse_proxy ${CRIERD} {`, unix: `reverse_proxy unix/${SOCKET} {` },
  apache: { tcp: `ProxyPass / http://${CRIERD}/ `, unix: `ProxyPass / unix:${SOCKET}|http://localhost/ ` },
};

/** Reads the file of a program, with the changes, and the address of crierd. */
async function operators(file, { name, way, crierd }, changes) {
  const lines = UPSTREAM[name];
  let text = await read(OPERATOR + file, changes);
  if (way !== 'tcp') text = change(text, { [lines.tcp]: `# ${lines.tcp}`, [`# ${lines[way]}`]: lines[way] }, file);
  return change(text, { [lines[way]]: lines[way].replace(way === 'unix' ? SOCKET : CRIERD, crierd) }, file);
}

/** Whether something accepts connections at a port. */
async function accepts(port) {
  const socket = connect(port, '127.0.0.1');
  const accepted = new Promise((resolve) => {
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
  });
  return accepted.finally(() => socket.destroy());
}

/**
 * How each program is prepared: writes its configuration and returns its command line.
 * `place` has its name, its scratch directory and ports, how and where it reaches crierd, and
 * the certificate.
 */
const PREPARE = {
  async nginx(place) {
    const { scratch, http, https, certificate, key } = place;
    await mkdir(`${scratch}/sites-enabled`);
    await mkdir(`${scratch}/conf.d`);
    await writeFile(`${scratch}/nginx.conf`, await read(`${DEBS}/etc/nginx/nginx.conf`, {
      ...(ROOT ? {} : { 'user www-data;': '' }),
      '/run/nginx.pid': `${scratch}/pid`,
      '/var/log/nginx/': `${scratch}/`,
      '/etc/nginx/modules-enabled/': `${scratch}/modules-enabled/`,
      '/etc/nginx/sites-enabled/': `${scratch}/sites-enabled/`,
      '/etc/nginx/conf.d/': `${scratch}/conf.d/`,
      '/etc/nginx/mime.types': `${DEBS}/etc/nginx/mime.types`,
    }));
    // An operator who compresses whatever there is must not slow down the streams.
    await writeFile(`${scratch}/conf.d/test.conf`, 'gzip_types *; gzip_min_length 1;\n' +
      ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((use) => `${use}_temp_path ${scratch}/${use};\n`).join(''));
    await writeFile(`${scratch}/sites-enabled/crierd`, await operators('nginx.conf', place, {
      [`/etc/letsencrypt/live/${HOST}/fullchain.pem`]: certificate,
      [`/etc/letsencrypt/live/${HOST}/privkey.pem`]: key,
      'listen [::]:80;': `listen unix:${scratch}/80;`,
      'listen [::]:443 ssl http2;': `listen unix:${scratch}/443 ssl http2;`,
      'listen 80;': `listen 127.0.0.1:${http};`,
      'listen 443 ssl http2;': `listen 127.0.0.1:${https} ssl http2;`,
    }));
    return ['nginx', '-p', scratch, '-e', 'stderr', '-c', `${scratch}/nginx.conf`, '-g', 'daemon off;'];
  },

  async haproxy(place) {
    const { scratch, http, https, pem } = place;
    const debian = await read(`${DEBS}/etc/haproxy/haproxy.cfg`, { '/etc/haproxy/errors/': `${DEBS}/etc/haproxy/errors/` });
    await writeFile(`${scratch}/haproxy.cfg`,
      debian.replace(/^\s*(log \/dev\/log|chroot|stats socket|user|group|daemon)\b.*\n/gm, '') +
      await operators('haproxy.cfg', place, {
        [`/etc/haproxy/${HOST}.pem`]: pem,
        ':::80 v4v6': `127.0.0.1:${http}`,
        ':::443 v4v6': `127.0.0.1:${https}`,
      }));
    return ['haproxy', '-db', '-f', `${scratch}/haproxy.cfg`];
  },

  async caddy(place) {
    const { scratch, http, https, certificate, key } = place;
    await writeFile(`${scratch}/Caddyfile`, await operators('Caddyfile', place, {
      '\tgrace_period': `\thttp_port ${http}\n\thttps_port ${https}\n\tdefault_bind 127.0.0.1\n\tgrace_period`,
      '# tls internal': `tls ${certificate} ${key}`,
    }));
    return ['caddy', 'run', '--adapter', 'caddyfile', '--config', `${scratch}/Caddyfile`];
  },

  async apache(place) {
    const { scratch, http, https, certificate, key } = place;
    const site = await operators('apache.conf', place, {
      [`/etc/letsencrypt/live/${HOST}/fullchain.pem`]: certificate,
      [`/etc/letsencrypt/live/${HOST}/privkey.pem`]: key,
      '*:80>': `*:${http}>`,
      '*:443>': `*:${https}>`,
    });
    await cp(`${DEBS}/etc/apache2`, scratch, { recursive: true });
    await enable(scratch, site);
    await writeFile(`${scratch}/ports.conf`, await read(`${scratch}/ports.conf`, {
      'Listen 80': `ServerName ${HOST}\nListen 127.0.0.1:${http}`,
      'Listen 443': `Listen 127.0.0.1:${https}`,
    }));
    await writeFile(`${scratch}/sites-enabled/crierd.conf`, site);
    return ['apache2', '-d', scratch, '-f', 'apache2.conf', '-DFOREGROUND'];
  },
};

/** The modules of Apache that Debian enables. */
const MODULES = ('access_compat alias auth_basic authn_core authn_file authz_core authz_host authz_user autoindex ' +
  'deflate dir env filter mime mpm_event negotiation reqtimeout setenvif status').split(' ');

/** Changes the paths in a file of Debian's Apache to where the packages are unpacked. */
const relocate = (text, scratch) => text.replace(/\/usr\/(lib|share)\/apache2\//g, `${DEBS}$&`)
  .replaceAll('/etc/mime.types', `${scratch}/mime.types`);

/** Enables the modules as a2enmod does: Debian's, and those that the site's file names. */
async function enable(scratch, site) {
  const [, wanted] = /^# +a2enmod (.*)$/m.exec(site);
  const modules = [...MODULES, ...wanted.split(' ')];
  for (const place of ['mods', 'sites']) {
    await rm(`${scratch}/${place}-enabled`, { recursive: true, force: true });
    await mkdir(`${scratch}/${place}-enabled`);
  }
  await writeFile(`${scratch}/mime.types`, '');
  for (const name of modules) { // grows while it is read
    const load = await readFile(`${scratch}/mods-available/${name}.load`, 'utf8');
    const [, needed = ''] = /^# Depends: *(.*)$/m.exec(load) ?? [];
    modules.push(...needed.split(' ').filter((other) => other && !modules.includes(other)));
    await writeFile(`${scratch}/mods-enabled/${name}.load`, relocate(load, scratch));
  }
  for (const file of await readdir(`${scratch}/mods-available`)) {
    if (!file.endsWith('.conf') || !modules.includes(file.slice(0, -5))) continue;
    const text = await readFile(`${scratch}/mods-available/${file}`, 'utf8');
    await writeFile(`${scratch}/mods-enabled/${file}`, relocate(text, scratch));
  }
}

export const NAMES = Object.keys(PREPARE);

/** A self-signed certificate for HOST. */
async function makeCertificate(scratch) {
  const [certificate, key, pem] = ['certificate.pem', 'key.pem', 'both.pem'].map((file) => join(scratch, file));
  await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`, '-keyout', key, '-out', certificate]);
  await writeFile(pem, await readFile(certificate, 'utf8') + await readFile(key, 'utf8'));
  return { certificate, key, pem };
}

/** One of the programs, in front of a crierd. */
export class Proxy {
  #child = null;
  #scratch = '';
  #said = '';
  http = 0;
  https = 0;
  /** The certificate that a client must trust, and its file. */
  ca = '';
  caFile = '';

  get url() {
    return `https://${HOST}:${this.https}`;
  }

  /**
   * @param {string} name  one of NAMES
   * @param {string} crierd  its host and port, or the path of its socket
   * @param {'tcp'|'unix'|'proxied'} [way]  how crierd is reached
   */
  async start(name, crierd, way = 'tcp') {
    const scratch = this.#scratch = await mkdtemp(join(tmpdir(), `crier-${name}-`));
    await chmod(scratch, 0o755); // as root they change to another user
    const files = await makeCertificate(scratch);
    this.caFile = files.certificate;
    this.ca = await readFile(this.caFile);
    [this.http, this.https] = await freePorts(2);
    const command = await PREPARE[name]({ name, way, crierd, scratch, http: this.http, https: this.https, ...files });
    await this.#spawn(command);
    await until(async () => {
      if (!children.has(this.#child)) assert.fail(`${name} ended:\n${this.#said}`);
      return await accepts(this.https) && await accepts(this.http);
    }, `${name} listens`);
  }

  async #spawn([program, ...args]) {
    const scratch = this.#scratch;
    const libraries = (await readdir(`${DEBS}/usr/lib`)).filter((name) => name.includes('-linux-gnu'));
    const child = this.#child = spawn(program, args, {
      cwd: scratch,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${DEBS}/usr/sbin:${DEBS}/usr/bin`,
        LD_LIBRARY_PATH: libraries.flatMap((name) => [`${DEBS}/usr/lib/${name}`, `${DEBS}/lib/${name}`]).join(':'),
        HOME: scratch,
        XDG_DATA_HOME: scratch,
        XDG_CONFIG_HOME: scratch,
        CADDY_ADMIN: `unix/${scratch}/admin`,
        APACHE_RUN_USER: 'www-data',
        APACHE_RUN_GROUP: 'www-data',
        APACHE_PID_FILE: `${scratch}/pid`,
        APACHE_RUN_DIR: scratch,
        APACHE_LOCK_DIR: scratch,
        APACHE_LOG_DIR: scratch,
      },
    });
    children.add(child);
    child.once('exit', () => children.delete(child));
    for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (text) => { this.#said += text; });
    await once(child, 'spawn');
  }

  /** Ends it. Clients are cut off. */
  async stop() {
    const child = this.#child;
    if (child && children.has(child)) {
      const exit = once(child, 'exit');
      child.kill(child.spawnfile === 'caddy' ? 'SIGQUIT' : 'SIGTERM'); // SIGTERM: Caddy waits for streams
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
      await exit;
      clearTimeout(timer);
    }
    if (this.#scratch) await rm(this.#scratch, { recursive: true });
  }
}
