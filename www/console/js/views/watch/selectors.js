/**
 * Selectors as one types them: "news, log/*, books/{id}".
 *
 * The rules are those of crierd (crierd(8), TOPICS), so that a mistake is shown while one
 * types and not after a request. The server checks again, and its answer counts.
 */
const MAX_SELECTORS = 100;
const MAX_NAME = 255; // bytes
const MAX_TEMPLATE = 1024; // bytes
const MAX_WIDTH = 32; // of the variables of a template: 1 where the expression names them, else 3
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const LETTER = '(?:\\w|%[\\dA-Fa-f]{2})';
const VARIABLE = `${LETTER}(?:\\.?${LETTER})*(?:\\*|:[1-9]\\d{0,3})?`;
const EXPRESSION = new RegExp(`\\{([+#./;?&]?)(${VARIABLE}(?:,${VARIABLE})*)\\}`, 'g');

/** @typedef {{text: string, kind: 'topic'|'prefix'|'template'|'all', mistake: string}} Selector */

/**
 * Reads a list with commas or line ends between the selectors. Commas in the expression of
 * a template separate nothing. White space around a selector is left out, unless double
 * quotes stand around both; and a selector that is named twice counts once.
 *
 * @param {string} text
 * @returns {Selector[]}
 */
export function readSelectors(text) {
  const texts = split(text).map((part) => unquote(part.trim())).filter((part) => part !== '');
  return [...new Set(texts)].map((part) => {
    const kind = kindOf(part);
    return { text: part, kind, mistake: mistakeIn(part, kind) };
  });
}

/**
 * The list that one would type for the selectors of a route. There commas alone stand between
 * them, so white space is part of a name.
 *
 * @param {string} route
 */
export const writeSelectors = (route) => split(route).map((text) => (needsQuotes(text) ? `"${text}"` : text)).join(',');

/** A selector without the double quotes that keep its white space, if it has some. */
const unquote = (text) => (isQuoted(text) ? text.slice(1, -1) : text);

/** Double quotes are a part of any other name. */
const isQuoted = (text) => /^"[^]+"$/.test(text) && needsQuotes(text.slice(1, -1));

/** Whether a selector would be read as another one if it stood in a list as it is. */
const needsQuotes = (text) => text !== text.trim() || isQuoted(text);

/**
 * What is wrong with a list; empty when nothing is.
 *
 * @param {Selector[]} selectors
 */
export function mistakeInList(selectors) {
  if (selectors.length === 0) return 'Name at least one topic.';
  if (selectors.length > MAX_SELECTORS) return `A request can name ${MAX_SELECTORS} topics at most.`;
  const wrong = selectors.find(({ mistake }) => mistake !== '');
  return wrong ? `${wrong.text.slice(0, 60)}: ${wrong.mistake}` : '';
}

/** A topic or selector as a part of a URL's path. Slashes stay as they are where no program
 * takes them, or the dots between them, for something else. @param {string} text */
function encodeTopic(text) {
  const steps = text.split('/');
  const plain = steps.every((step) => step !== '' && step !== '.' && step !== '..');
  return steps.map(encodeStep).join(plain ? '/' : '%2F');
}

/** The path of some topics, relative to the server's root. @param {string[]} texts */
export const topicsPath = (texts) => `topics/${texts.map(encodeTopic).join(',')}`;

/** A single quote is encoded, too, so that the path can stand between two in a shell. */
const encodeStep = (text) => encodeURIComponent(text).replaceAll("'", '%27').replaceAll('%24', '$');

/** Splits at commas and line ends, but not within the expressions of templates. */
function split(text) {
  const inside = new Set();
  for (const { index, 0: expression } of text.matchAll(EXPRESSION)) {
    for (let at = index; at < index + expression.length; at += 1) inside.add(at);
  }
  const parts = [''];
  for (let at = 0; at < text.length; at += 1) {
    if (/[,\n]/.test(text[at]) && !inside.has(at)) parts.push('');
    else parts[parts.length - 1] += text[at];
  }
  return parts;
}

/** @returns {Selector['kind']} */
export function kindOf(text) {
  if (text === '*') return 'all';
  if (text.match(EXPRESSION)) return 'template';
  return text.endsWith('*') ? 'prefix' : 'topic';
}

function mistakeIn(text, kind) {
  const common = mistakeInText(text);
  if (common) return common;
  const bytes = new TextEncoder().encode(text).length;
  if (kind === 'template') return mistakeInTemplate(text, bytes);
  const name = kind === 'prefix' ? text.slice(0, -1) : text;
  if (kind !== 'all' && name.includes('*')) return 'an asterisk stands at the end only.';
  if (bytes > MAX_NAME + (kind === 'prefix' ? 1 : 0)) return `a name has ${MAX_NAME} bytes at most.`;
  if (/^\.\.?$/.test(text)) return 'browsers take this for a step in a path.';
  if (text.startsWith('$') && !text.startsWith('$presence/')) return 'names that begin with $ are reserved, except $presence/TOPIC.';
  return '';
}

function mistakeInText(text) {
  if (CONTROL.test(text)) return 'a name has no control characters.';
  try {
    encodeURIComponent(text);
  } catch {
    return 'this is half of a character.';
  }
  return '';
}

function mistakeInTemplate(text, bytes) {
  if (bytes > MAX_TEMPLATE) return `a template has ${MAX_TEMPLATE} bytes at most.`;
  const width = [...text.matchAll(EXPRESSION)].reduce(
    (sum, [, operator, list]) => sum + list.split(',').length * (/[;?&]/.test(operator) ? 1 : 3), 0);
  return width > MAX_WIDTH ? 'a template has 10 variables at most.' : '';
}
