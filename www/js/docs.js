/**
 * The pages of the documentation: the search, the buttons that copy code, and which section
 * is being read.
 *
 * The search has no server: search.json has the text of every section, and is fetched when
 * the field gets the focus. All words must occur in a section, at the beginning of a word.
 * "/" goes to the field, the arrows go through the results, Escape closes them.
 *
 * A section is about a word if its heading is, the more the less else the heading says; or if
 * the word occurs in its first lines, or often for its length. A whole word counts more than the
 * beginning of one. Guides come before manual pages that fit as well, unless one looks for an
 * option or a function: the manual page of a function that is named comes first.
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
const BEGINNING = 150; // characters of a section, which say what it is about
const EXACT = 60; // points for a heading that is what was typed, if that is several words
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

/** What finds words, one behind the other, at the beginning of a word, or up to this end. */
const pattern = (words, end = '') =>
  new RegExp(`(?<![\\p{L}\\p{N}])${words.map(literal).join('[^\\p{L}\\p{N}_]+')}${end}`, 'giu');

/** How words are searched for: as the beginning of words, and as whole ones, in the plural, too. */
const searchFor = (words) => ({ begun: pattern(words), whole: pattern(words, 's?(?![\\p{L}\\p{N}_])') });

/** How many characters of a text are what is searched for; as the beginning of a word a third. */
function weigh(text, { begun, whole }) {
  const [all, wholly] = [begun, whole].map((each) => (text.match(each) ?? []).join('').length);
  return wholly + (all - wholly) / 3;
}

/** How much a section is about words; 0 if it does not have them. @param {Section} section */
function rateWords({ title, level, heading, text }, words) {
  const sought = searchFor(words);
  const times = weigh(text, sought) / words.join(' ').length;
  const early = text.slice(0, BEGINNING).search(sought.begun) < 0 ? 1 : 1.3;
  const named = weigh(heading, sought) / heading.length;
  return 20 * early * times / (times + 1 + text.length / 2000)
    + (named > 0 ? (15 + 30 * named) / level : 0)
    + 15 * weigh(title, sought) / title.length;
}

/** How well a section fits; 0 if it does not. Words that stand together as they were typed count twice. */
function rate(section, words) {
  const points = words.map((word) => rateWords(section, [word]));
  if (points.includes(0)) return 0;
  if (words.length > 1) {
    points.push(2 * rateWords(section, words));
    if (weigh(section.heading, searchFor(words)) === section.heading.length) points.push(EXACT);
  }
  return points.reduce((sum, each) => sum + each);
}

/** The sections that have all words, the best first, and what to mark in them. */
function find(all, query) {
  const words = query.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return { patterns: [], hits: [] };
  const later = words.some((word) => /^-|_/.test(word)) ? 0 : LATER; // options and functions
  const points = (section) => (section.names?.includes(words.join(' ')) ? Infinity
    : rate(section, words) * (1 - later * section.group));
  const hits = all.map((section) => ({ section, points: points(section) }))
    .filter(({ points }) => points > 0)
    .sort((a, b) => b.points - a.points);
  return { patterns: [pattern(words), ...words.map((word) => pattern([word]))], hits: hits.map(({ section }) => section) };
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
