/**
 * Numbers, sizes and times in words, as all views of the console write them. Each function
 * returns a short text; what is unknown (null, undefined) is a dash.
 */

const NONE = '–';
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

/** 1234567 as "1,234,567"; below 100 with one decimal where it is no whole number. */
export function number(value) {
  if (missing(value)) return NONE;
  return (Math.abs(value) < 100 ? fine : whole).format(value);
}

/** 1234567 as "1.23 M": for axes and narrow columns. */
export function short(value) {
  if (missing(value)) return NONE;
  return scale(value, 1000, ['', ' k', ' M', ' G', ' T']);
}

/** A number of bytes: "1.5 MiB". */
export function bytes(value) {
  if (missing(value)) return NONE;
  return scale(value, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB', ' PiB']);
}

function scale(value, step, units) {
  let index = 0;
  while (Math.abs(value) >= step * 0.9995 && index < units.length - 1) {
    value /= step;
    index++;
  }
  const digits = index === 0 ? (Number.isInteger(value) ? 0 : 1) : value < 10 ? 2 : value < 100 ? 1 : 0;
  const text = value.toFixed(digits);
  return (text.includes('.') ? text.replace(/\.?0+$/, '') : text) + units[index];
}

/** "1 topic", "2 topics". */
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** A duration in seconds, by its two largest units: "3 h 12 min", "45 s", "800 ms". */
export function duration(seconds) {
  if (missing(seconds)) return NONE;
  if (seconds > 0 && seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  let rest = Math.round(seconds);
  const words = [];
  for (const [name, size] of units) {
    if (words.length === 0 && rest < size && size > 1) continue;
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0 || words.length === 0) words.push(`${amount} ${name}`);
    else break;
    if (words.length === 2) break;
  }
  return words.join(' ');
}

/** A duration in microseconds: "85 µs", "1.2 ms", "3 s". */
export function micros(value) {
  if (missing(value)) return NONE;
  if (value < 1000) return `${whole.format(value)} µs`;
  if (value < 100_000) return `${fine.format(value / 1000)} ms`;
  if (value < 1_000_000) return `${whole.format(value / 1000)} ms`;
  return `${fine.format(value / 1_000_000)} s`;
}

/** The time of day, with seconds. @param {string|number|Date} time */
export const time = (time) => (missing(time) ? NONE : clock.format(new Date(time)));

/** The date and the time. @param {string|number|Date} time */
export const date = (time) => (missing(time) ? NONE : moment.format(new Date(time)));

/** How long ago: "3 min ago"; "in 3 min" for the future. @param {string|number|Date} time */
export function ago(time, now = Date.now()) {
  if (missing(time)) return NONE;
  const seconds = (now - new Date(time).getTime()) / 1000;
  if (Math.abs(seconds) < 1) return 'now';
  return seconds > 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
}

/** How long ago, in the largest unit alone: "3 min ago". @param {string|number|Date} time */
export const roughly = (time) => ago(time).replace(/(\d+ \w+) \d+ \w+/, '$1');
