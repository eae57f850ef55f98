/**
 * The pages of the documentation: the search, the buttons that copy code, and which section
 * is being read.
 *
 * The search has no server: search.json has the text of every section, and is fetched when
 * the field gets the focus. All words must occur in a section, at the beginning of a word.
 * "/" goes to the field, the arrows go through the results, Escape closes them.
 *
 * Guides come before manual pages that fit as well, unless one looks for an option or a function:
 * the manual page of a function that is named comes first.
 *
 * @typedef {object} Section
 * @property {string} page  the name of its file
 * @property {string} id  of its heading
 * @property {string} title  of the page
 * @property {number} group  of the page in the list of pages, from 0: guides, …, manual pages
 * @property {number} level  of its heading: 1 for that of the page
 * @property {string} heading
 * @property {string} text
 * @property {string[]} [names]  of the first section of a manual page: what the page describes
 */
import { addCopyButtons } from './copy.js';
import { byId, make, setText } from './dom.js';

const SHOWN = 12; // results
const AROUND = 70; // characters of text before what was found; twice as many after it
const LONG = 6000; // characters of a section that is rather long
const LATER = 0.1; // of its points that a section loses for each group before its own

const [form, field, found, count, results] =
  ['search', 'query', 'found', 'count', 'results'].map((id) => byId(`page-${id}`));

/** @type {Promise<Section[]>|null} */
let sections = null;

function load() {
  sections ??= fetch('search.json').then((response) => {
    if (!response.ok) throw new Error(response.statusText);
    return response.json();
  });
  return sections;
}

/** A word as a pattern that stands for itself. */
const literal = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** What finds words, one behind the other, at the beginning of a word. */
const pattern = (words) => new RegExp(`(?<![\\p{L}\\p{N}])${words.map(literal).join('[^\\p{L}\\p{N}]+')}`, 'giu');

/**
 * How well a section fits; 0 if it does not. What is in the heading counts most, the more the
 * higher it is, then words that stand together as they were typed; and a long section has a bit
 * of everything.
 *
 * @param {Section} section
 * @param {RegExp[]} patterns  one for each word
 * @param {RegExp} phrase  for all of them
 */
function rate({ title, level, heading, text }, patterns, phrase) {
  let points = text.search(phrase) < 0 ? 0 : 10;
  for (const each of patterns) {
    const occurrences = text.match(each)?.length ?? 0;
    const named = (heading.search(each) < 0 ? 0 : 40 / level) + (title.search(each) < 0 ? 0 : 5);
    if (occurrences + named === 0) return 0;
    points += Math.min(occurrences, 5) + named;
  }
  return points / (1 + text.length / LONG);
}

/** The sections that have all words, the best first, and what to mark in them. */
function find(all, query) {
  const words = query.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return { patterns: [], hits: [] };
  const patterns = words.map((word) => pattern([word]));
  const phrase = pattern(words);
  const later = words.some((word) => /^-|_/.test(word)) ? 0 : LATER; // options and functions
  const points = (section) => (section.names?.includes(words.join(' ')) ? Infinity
    : rate(section, patterns, phrase) * (1 - later * section.group));
  const hits = all.map((section) => ({ section, points: points(section) }))
    .filter(({ points }) => points > 0)
    .sort((a, b) => b.points - a.points);
  return { patterns: [phrase, ...patterns], hits: hits.map(({ section }) => section) };
}

/** A text as nodes, with what was found marked. */
function mark(text, patterns) {
  const ranges = patterns.flatMap((each) => [...text.matchAll(each)].map((match) => [match.index, match.index + match[0].length]))
    .sort(([a], [b]) => a - b);
  const nodes = [];
  let end = 0;
  for (const [from, to] of ranges) {
    if (from < end) continue;
    nodes.push(text.slice(end, from), make('mark', {}, text.slice(from, to)));
    end = to;
  }
  return [...nodes, text.slice(end)];
}

/** The part of a text in which the words are, in whole words. @param {RegExp[]} patterns  the best one first */
function excerpt(text, patterns) {
  const at = patterns.map((each) => text.search(each)).find((n) => n >= 0) ?? 0;
  const from = at <= AROUND ? 0 : text.indexOf(' ', at - AROUND) + 1;
  const end = at + 2 * AROUND >= text.length ? text.length : text.lastIndexOf(' ', at + 2 * AROUND);
  return `${from > 0 ? '… ' : ''}${text.slice(from, Math.max(end, at))}${end < text.length ? ' …' : ''}`;
}

function entry(section, patterns) {
  const { page, id, title, heading, text } = section;
  return make('li', {}, make('a', { href: `${page}.html#${id}` },
    make('strong', {}, ...mark(heading, patterns)), ...(heading === title ? [] : [' ', make('small', {}, title)]),
    make('span', {}, ...mark(excerpt(text, patterns), patterns))));
}

async function show() {
  const query = field.value;
  found.hidden = !query.trim();
  let all;
  try {
    all = await load();
  } catch {
    sections = null;
    setText(count, 'The search could not be loaded.');
    return;
  }
  if (query !== field.value) return; // somebody typed on meanwhile
  const { patterns, hits } = find(all, query);
  results.replaceChildren(...hits.slice(0, SHOWN).map((section) => entry(section, patterns)));
  setText(count, hits.length === 0 ? 'Nothing found' : `${hits.length} ${hits.length === 1 ? 'section' : 'sections'}`);
}

/** Moves the focus by so many results; before the first is the field. */
function move(by) {
  const stops = [field, ...results.querySelectorAll('a')];
  const next = stops.indexOf(document.activeElement) + by;
  stops[Math.max(0, Math.min(stops.length - 1, next))].focus();
}

function close() {
  found.hidden = true;
  field.focus();
}

function onKey(event) {
  const keys = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Escape: close };
  if (found.hidden || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
}

function startSearch() {
  form.hidden = false;
  field.addEventListener('focus', () => load().catch(() => { sections = null; }));
  field.addEventListener('input', show);
  form.addEventListener('keydown', onKey);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    results.querySelector('a')?.click();
  });
  results.addEventListener('click', () => { found.hidden = true; }); // the section may be on this page
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.activeElement?.matches('input, textarea, select')) return;
    event.preventDefault();
    field.focus();
  });
  document.addEventListener('click', ({ target }) => {
    if (!form.contains(target)) found.hidden = true;
  });
}

/** Marks in the list of sections the one that is being read. */
function watchSections() {
  const links = new Map([...document.querySelectorAll('.contents a')].map((link) =>
    [decodeURIComponent(link.hash.slice(1)), link]));
  const headings = [...links.keys()].map(byId);
  let current = null;
  const update = () => {
    const read = headings.findLast((heading) => heading.getBoundingClientRect().top < innerHeight / 4);
    const link = read ? links.get(read.id) : null;
    if (link === current) return;
    current?.removeAttribute('aria-current');
    link?.setAttribute('aria-current', 'true');
    current = link;
  };
  addEventListener('scroll', update, { passive: true });
  update();
}

addCopyButtons();
startSearch();
watchSections();
