/**
 * What the server retains, as the explanation of a gap wants it: the limits in force, the
 * rules for single topics, and what the topics that are watched hold now.
 */
import { bytes, count, duration } from '../../parts/format.js';
import { topicsPath } from './selectors.js';

const MAX_TOPICS = 5; // that are asked for
const PATIENCE = 5_000; // ms
const MAX_RULES = 20; // that are shown

/**
 * @param {import('../../app.js').App} app
 * @param {string[]} topics  those that are watched, by name
 * @returns {Promise<string[]>} lines for a person
 */
export async function readRetention(app, topics) {
  const held = Promise.all(topics.slice(0, MAX_TOPICS).map((topic) => describe(app.api, topic)));
  if (!app.identity.may.admin) return ['Only an admin may read the limits of the server.', ...await held];
  const [limits, rules] = await Promise.all([readLimits(app), readRules(app.api)]);
  return [limits, ...rules, ...await held];
}

/** What all topics together may hold. */
async function readLimits(app) {
  const journal = await readJournal(app);
  if (!journal) return 'The server does not say what it retains.';
  const { limits } = journal;
  return `All topics together: ${count(limits.count, 'update')}, ${bytes(limits.bytes)}, ` +
    `${limits.age === null ? 'of any age' : `not older than ${duration(limits.age / 1000)}`}`;
}

/** The journal's part of the next event of $stats; null when there is none in time. */
function readJournal(app) {
  return new Promise((resolve) => {
    const stream = app.subscribe('topics/$stats');
    const timer = setTimeout(() => finish(null), PATIENCE);
    const finish = (journal) => {
      clearTimeout(timer);
      stream.close();
      resolve(journal);
    };
    stream.addEventListener('stats', ({ data }) => finish(JSON.parse(data).journal));
  });
}

/** The rules of single topics: --retain-topic. */
async function readRules(api) {
  try {
    const { options } = await api.get('config');
    const { value, origin } = options.find(({ name }) => name === 'retain-topic') ?? {};
    return [value ?? []].flat().slice(0, MAX_RULES).map((rule) => `${rule} (${origin})`);
  } catch {
    return [];
  }
}

async function describe(api, topic) {
  try {
    const { updates, bytes: size } = await api.get(topicsPath([topic]));
    return `${topic} holds ${count(updates, 'update')} now (${bytes(size)})`;
  } catch {
    return `${topic} holds no update now`;
  }
}
