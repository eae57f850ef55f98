/**
 * Tries a guide as its reader does: runs each fenced block, in order, against a real crierd.
 *
 * What a block is, its language says; a few HTML comments in front of a block say what the
 * language cannot. tests/README has the list. Each guide has a directory of its own, in
 * which the shell blocks run one after the other as in one shell, and a crierd of its own.
 *
 * Environment: CRIERD and CRIER, the programs to use; CRIER_BUILD, the build tree of
 * libcrier; CHROMIUM, the browser.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../browser/server.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const TOP = resolve(here('../..'));
const BUILD = resolve(process.env.CRIER_BUILD || join(TOP, 'build'));
const CRIERD = process.env.CRIERD || join(BUILD, 'src/crierd/crierd');
const CRIER = process.env.CRIER || join(BUILD, 'src/crier/crier');
const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const BLOCK_PATIENCE = 180_000; // ms until a block must have ended: Go may compile its library
const DEFAULT_PORT = '8080';

/** The programs that blocks may need and a machine may lack. */
const TOOLS = ['cc', 'go', 'jq', 'nginx', 'node', 'openssl', 'php', 'python3', 'redis-server', 'sqlite3'];

/** The languages that are programs: the tool, and how a block without a file of its own is tried. */
const PROGRAMS = {
  sh: {},
  js: { tool: 'node', file: 'block.mjs', command: 'node block.mjs' },
  python: { tool: 'python3', file: 'block.py', command: 'python3 block.py' },
  php: { tool: 'php', file: 'block.php', command: 'php block.php' },
  go: { tool: 'go', file: 'block.go', command: 'go run block.go' },
  c: {
    tool: 'cc', file: 'block.c',
    command: 'cc -std=c11 -Wall -Werror -fsyntax-only block.c $(pkg-config --cflags libcrier)',
  },
  html: { tool: 'chromium', file: 'block.html', command: 'true' },
  nginx: {
    tool: 'nginx', file: 'block.nginx',
    command: `nginx -t -e stderr -g 'pid nginx.pid;' -p "$PWD" -c block.nginx`,
  },
};

/** The languages that are checked in other ways: configurations, data and what a program prints. */
const OTHERS = ['ini', 'json', 'ndjson', 'text'];

const MARKS = /^(background|fails|output( of each)?|page \S+|file \S+|crierd( .+)?|not run: .+)$/;

/**
 * One fenced block.
 * @typedef {{line: number, language: string, text: string, marks: string[]}} Block
 */

/** The fenced blocks of a Markdown text. @param {string} markdown @returns {Block[]} */
function blocksOf(markdown) {
  const blocks = [];
  let marks = [];
  let block = null;
  markdown.split('\n').forEach((line, number) => {
    const fence = /^( *)```+ *(\S*)/.exec(line);
    if (block && fence) {
      blocks.push(block);
      block = null;
    } else if (block) {
      block.text += `${line.slice(Math.min(block.indent, /^ */.exec(line)[0].length))}\n`;
    } else if (fence) {
      block = { line: number + 1, language: fence[2], text: '', marks, indent: fence[1].length };
      marks = [];
    } else {
      const mark = /^ *<!-- snippet: (.*?) *-->$/.exec(line);
      if (mark) marks.push(mark[1]);
      else if (line.trim()) marks = [];
    }
  });
  assert.equal(block, null, 'the last block has no end');
  return blocks;
}

/** Whether a program is on this machine. */
const found = new Map();
function hasTool(tool) {
  if (!found.has(tool)) {
    found.set(tool, tool === 'chromium' ? existsSync(CHROMIUM)
      : spawnSync('sh', ['-c', 'command -v "$1"', 'sh', tool]).status === 0);
  }
  return found.get(tool);
}

/** Waits for a condition, and fails with a text that says what was not there. */
async function until(condition, patience, what) {
  const end = performance.now() + patience;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (performance.now() > end) throw new Error(typeof what === 'function' ? await what() : what);
    await sleep(20);
  }
}

/** What differs between two runs is made equal: ids, times, and numbers that count. */
function normalize(text) {
  return text.replace(/#[0-9a-z]+-\d+/g, '#ID')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replace(/"position":\d+/g, '"position":N');
}

/** Whether `text` has the lines of `wanted`, in which `...` stands for anything in a line. */
function hasOutput(text, wanted) {
  const pattern = normalize(wanted).trimEnd().split('\n')
    .map((line) => line.trimEnd().split('...').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.*'))
    .join(' *\n');
  return new RegExp(`(?<=^|\n)${pattern} *(?=\n|$)`).test(normalize(text));
}

/** The process groups of all shells, which end with this process at the latest. */
const groups = new Set();
function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch { /* it is gone */ }
  groups.delete(pid);
}
process.on('exit', () => groups.forEach(endGroup));

let browser = null;

/** Ends the browser, if any guide has started one. */
export async function closeBrowser() {
  await browser?.close();
  browser = null;
}

async function openBrowser() {
  if (!browser) {
    const { chromium } = createRequire(here('../browser/'))('playwright-core');
    browser = await chromium.launch({
      executablePath: CHROMIUM, args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    });
  }
  return browser;
}

/** A guide that is being tried. */
export class Guide {
  #directory = '';
  /** The port that stands for each port which the guide names. @type {Map<string, string>} */
  #ports = new Map();
  /** What each block has printed, and how much of it a block of output has shown. */
  #outputs = [];
  /** The process group of each block. @type {number[]} */
  #shells = [];
  #pages = [];
  /** Why the last block was skipped: then so is its output. */
  #skipped = '';
  #environment = {};

  /**
   * @param {string} text        the guide, in Markdown
   * @param {number} [patience]  how many ms an output or a stream may take
   */
  constructor(text, patience = 15_000) {
    this.text = text;
    this.patience = patience;
    this.blocks = blocksOf(text);
  }

  get #url() {
    return `http://127.0.0.1:${this.#ports.get(DEFAULT_PORT)}`;
  }

  get #home() {
    return join(this.#directory, 'home');
  }

  /** Chooses the port that stands for one of the guide. */
  async #standFor(port) {
    const [free] = await freePorts(1);
    this.#ports.set(port, String(free));
  }

  /** Starts this guide's crierd. */
  async open() {
    this.#directory = await mkdtemp(join(tmpdir(), 'crier-snippets-'));
    await mkdir(this.#home);
    for (const [, port] of this.text.matchAll(/127\.0\.0\.1:(\d+)/g)) {
      if (!this.#ports.has(port)) await this.#standFor(port);
    }
    if (!this.#ports.has(DEFAULT_PORT)) await this.#standFor(DEFAULT_PORT);
    await this.#makePrograms();
    this.#environment = {
      ...process.env,
      PATH: `${join(this.#directory, 'bin')}:${process.env.PATH}`,
      HOME: this.#home,
      XDG_CONFIG_HOME: join(this.#home, '.config'),
      GOCACHE: process.env.GOCACHE || join(homedir(), '.cache/go-build'),
      PKG_CONFIG_PATH: join(this.#directory, 'bin'),
      SNIPPETS: this.#directory,
      CRIER_SERVER: this.#url,
      CRIERD_LISTEN: this.#url.slice('http://'.length),
      CRIERD_WWW: join(TOP, 'www'),
      CRIERD_DATA: join(TOP, 'data'),
    };
    await this.#shell('crierd');
  }

  /** Makes crier, crierd, ./dev and libcrier look installed. */
  async #makePrograms() {
    const bin = join(this.#directory, 'bin');
    await mkdir(bin);
    await symlink(resolve(CRIERD), join(bin, 'crierd'));
    await symlink(resolve(CRIER), join(bin, 'crier'));
    await writeFile(join(this.#home, 'dev'), `#!/bin/bash\n. ${here('prelude.sh')}\nshift\ncrierd "$@"\n`);
    await chmod(join(this.#home, 'dev'), 0o755);
    await writeFile(join(bin, 'libcrier.pc'), `Name: libcrier
Description: libcrier in its build tree
Version: 0
Requires: libmicrohttpd, jansson
Cflags: -I${join(TOP, 'include')}
Libs: -L${join(BUILD, '.libs')} -Wl,-rpath,${join(BUILD, '.libs')} -lcrier
`);
  }

  /** Ends everything that the guide has started. */
  async close() {
    await Promise.all(this.#pages.map((page) => page.context().close()));
    this.#shells.forEach(endGroup);
    if (this.#directory) await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  /**
   * Tries one block.
   *
   * @param {Block} block
   * @returns {Promise<string>} why it was not run, or an empty text
   */
  async run(block) {
    const { language, marks } = block;
    assert.ok(language, 'the block has no language');
    for (const mark of marks) assert.match(mark, MARKS, 'an unknown mark');
    const argument = (mark) => marks.find((one) => one.startsWith(`${mark} `))?.slice(mark.length + 1);
    const reason = argument('not run:');
    if (reason) return reason;
    const file = argument('file');
    assert.ok(file || language in PROGRAMS || OTHERS.includes(language), `the language ${language} is unknown`);

    const text = this.#translate(block.text);
    const ofEach = marks.includes('output of each');
    const isOutput = language === 'text' || marks.includes('output') || ofEach;
    if (this.#skipped && isOutput) return this.#skipped;
    const options = marks.find((mark) => /^crierd\b/.test(mark));
    if (options) await this.#shell(options);
    if (language === 'json') JSON.parse(text);
    if (language === 'ndjson') text.trimEnd().split('\n').forEach((line) => JSON.parse(line));
    if (isOutput) {
      // crierd writes JSON on one line.
      const wanted = language === 'json' ? JSON.stringify(JSON.parse(text)) : text;
      await (ofEach ? this.#expectOfEach(wanted) : this.#expect(wanted));
      return '';
    }
    if (file) await this.#write(file, text);
    const page = argument('page');
    this.#skipped = this.#missing(language, text, file, page);
    if (this.#skipped) return this.#skipped;
    if (page) await this.#openPage(page);
    if (!file) await this.#try(block, text);
    return '';
  }

  /** Names the program that the block needs and this machine lacks, if there is one. */
  #missing(language, text, file, page) {
    const needed = language === 'sh'
      ? TOOLS.filter((tool) => new RegExp(`(^|[|;&(]) *${tool}( |$)`, 'm').test(text))
      : [];
    if (page || this.#isForPage(language, text, file)) needed.push('chromium');
    else if (!file && PROGRAMS[language]?.tool) needed.push(PROGRAMS[language].tool);
    if (needed.includes('cc') && !existsSync(join(BUILD, '.libs/libcrier.so'))) return 'skipped: there is no build tree';
    const tool = needed.find((name) => !hasTool(name));
    return tool ? `skipped: ${tool} is not installed` : '';
  }

  /** JavaScript without a file is for a page, unless it uses what only Node has. */
  #isForPage(language, text, file) {
    return language === 'js' && !file && !/from 'node:|process\./.test(text);
  }

  async #try({ language, marks }, text) {
    if (language === 'sh') {
      await this.#shell(text, marks);
    } else if (this.#isForPage(language, text)) {
      await this.#runInPage(text);
    } else if (language === 'ini') {
      await this.#write('block.conf', text);
      await this.#shell('crierd --config block.conf --check-config');
    } else if (PROGRAMS[language]) {
      const { file, command } = PROGRAMS[language];
      // What a guide has of nginx is a part of a server.
      await this.#write(file, language === 'nginx' ? `events {}\nhttp {\nserver {\n${text}}\n}\n` : text);
      await this.#shell(command, marks);
      if (language === 'html') await this.#openPage(`/${file}`);
    }
  }

  /** Puts this run's ports in the place of those which the guide names, and the source tree in that of /usr. */
  #translate(text) {
    return text.replaceAll('/usr/share/crier/', `${TOP}/`)
      .replaceAll('/usr/share/doc/crierd/', `${TOP}/doc/`)
      .replace(/(?<![\w.])\d{4,5}(?![\w.])/g, (port) => this.#ports.get(port) ?? port);
  }

  /** The directory in which the shell is now. */
  async #where() {
    const state = await readFile(join(this.#directory, 'shell'), 'utf8').catch(() => '');
    const cd = /^cd (.*)$/m.exec(state);
    return cd ? cd[1] : this.#home;
  }

  async #write(file, text) {
    const path = join(await this.#where(), file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  /** How many streams the guide's crierd has. */
  async #streams() {
    try {
      return (await (await fetch(`${this.#url}/healthz`)).json()).clients;
    } catch {
      return 0;
    }
  }

  /** Runs a block of shell; in the background, until it has opened a stream or printed something. */
  async #shell(text, marks = []) {
    const name = join(this.#directory, `out.${this.#outputs.length}`);
    const descriptor = openSync(name, 'a');
    const before = await this.#streams();
    const child = spawn('bash', ['-c', `. ${here('prelude.sh')}\n${text}`], {
      cwd: this.#home, env: this.#environment, detached: true, stdio: ['pipe', descriptor, descriptor],
    });
    closeSync(descriptor);
    this.#shells.push(child.pid);
    groups.add(child.pid);
    const output = { read: () => readFileSync(name, 'utf8'), seen: 0, stays: marks.includes('background') };
    this.#outputs.push(output);
    const ended = new Promise((done) => { child.once('exit', (code) => { child.ended = true; done(code); }); });
    if (marks.includes('background')) {
      await until(async () => child.ended || output.read() || await this.#streams() > before, BLOCK_PATIENCE,
        'it opened no stream and printed nothing');
      if (child.ended && await ended !== 0) throw new Error(`it has failed:\n${output.read()}`);
      return;
    }
    child.stdin.end();
    const code = await Promise.race([ended, sleep(BLOCK_PATIENCE, 'it did not end', { ref: false })]);
    const wanted = marks.includes('fails') ? (status) => Number.isInteger(status) && status !== 0 : (status) => status === 0;
    if (!wanted(code)) throw new Error(`${Number.isInteger(code) ? `status ${code}` : code}:\n${output.read().slice(-4000)}`);
  }

  /** Opens a page, whose console and text are its output. */
  async #newPage(url) {
    const context = await (await openBrowser()).newContext({ bypassCSP: url === null });
    const page = await context.newPage();
    this.#pages.push(page);
    let console = '';
    page.on('console', (message) => { console += `${message.text()}\n`; });
    page.on('pageerror', (error) => { console += `${error}\n`; });
    const output = { read: () => console, seen: 0, page, stays: true };
    this.#outputs.push(output);
    await page.goto(url ?? `${this.#url}/healthz`);
    return { page, output };
  }

  async #openPage(path) {
    const before = await this.#streams();
    const { output } = await this.#newPage(new URL(path, this.#url).href);
    await until(async () => await this.#streams() > before, this.patience, () => `the page opened no stream:\n${output.read()}`);
  }

  /** Runs a module in an empty page of crierd's origin. */
  async #runInPage(text) {
    const before = await this.#streams();
    const { page, output } = await this.#newPage(null);
    const failed = () => /^\w*Error\b/m.test(output.read());
    await page.addScriptTag({ type: 'module', content: `${text}\ndocument.documentElement.id = 'ran';` });
    await until(async () => failed() || await page.$('#ran'), this.patience, 'the script did not end');
    assert.ok(!failed(), output.read());
    if (/EventSource\(|subscribe\(/.test(text)) {
      await until(async () => await this.#streams() > before, this.patience, () => `the script opened no stream:\n${output.read()}`);
    }
  }

  /** What an output has now, the text of its page included. */
  async #read(output) {
    const shown = output.page ? await output.page.innerText('body') : '';
    return [output.read().slice(output.seen), shown];
  }

  /** Expects a text of each page and of each program in the background. */
  async #expectOfEach(wanted) {
    const outputs = this.#outputs.filter((one) => one.stays);
    await Promise.all(outputs.map((one) => this.#expect(wanted, [one])));
  }

  /**
   * Waits until one of these blocks has printed, or its page shows, this text: anew, for a block
   * that prints.
   */
  async #expect(wanted, outputs = this.#outputs) {
    const shown = async () => {
      for (const output of [...outputs].reverse()) {
        const [printed, visible] = await this.#read(output);
        if (hasOutput(printed, wanted)) {
          output.seen += printed.length;
          return true;
        }
        if (hasOutput(visible, wanted)) return true;
      }
      return false;
    };
    await until(shown, this.patience, async () => {
      const all = await Promise.all(outputs.map((output) => this.#read(output)));
      return `this was not printed:\n${wanted}\nbut this:\n${all.flat().filter(Boolean).join('\n--\n').slice(-4000)}`;
    });
  }
}
