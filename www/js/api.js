/**
 * The HTTP interface of crierd, as the console and the front page use it.
 *
 * All paths are relative to the root of the server, which is the directory above this
 * module's; so pages of any depth can use it, also behind a proxy's prefix. The token is sent
 * in the field Authorization and never put into a URL, where proxies would log it.
 */
import { reason } from './problem.js';

/** Why a request failed. `status` is 0 where the server did not respond. */
export class Problem extends Error {
  /**
   * @param {number} status  of the response
   * @param {string} detail  a sentence for a person
   */
  constructor(status, detail) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.detail = detail;
  }
}

const ROOT = new URL('../', import.meta.url);
const PATIENCE = 15_000; // ms

/** A text as one word of a POSIX shell. */
export const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);

export class Api {
  #token;
  #watch;

  /**
   * @param {() => string} token  the token to send, or ''
   * @param {(problem: Problem|null, token: string) => void} watch  called after each
   *        request, with why it failed, and the token that it had
   */
  constructor(token, watch) {
    this.#token = token;
    this.#watch = watch;
  }

  /** The absolute URL of a path such as 'topics/news'. */
  url = (path) => new URL(path, ROOT).href;

  /** @returns {Promise<any>} the JSON of a GET */
  get = async (path) => readBody(await this.request('GET', path, { headers: { Accept: 'application/json' } }), 'json');

  /** @returns {Promise<string>} the body of a GET */
  text = async (path) => readBody(await this.request('GET', path), 'text');

  /**
   * Posts a text; another media type than text/plain goes into the headers.
   *
   * @returns {Promise<any>} the JSON of the response
   */
  post = async (path, body, { headers } = {}) => readBody(await this.request('POST', path, {
    body,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers },
  }), 'json');

  /** Deletes what is at a path. */
  remove = async (path) => {
    await this.request('DELETE', path);
  };

  /**
   * Sends a request whose response may be long: its body is read by the caller.
   *
   * @param {string} method
   * @param {string} path
   * @param {{body?: string, headers?: Record<string, string>, signal?: AbortSignal}} [options]
   * @returns {Promise<Response>} a response that is ok; anything else is thrown as a Problem
   */
  request = async (method, path, { body, headers, signal } = {}) => {
    const token = this.#token();
    const response = await this.#send(this.url(path), token, {
      method,
      body,
      headers: { ...headers, ...(token && { Authorization: `Bearer ${token}` }) },
      signal: signal ?? AbortSignal.timeout(PATIENCE),
      cache: 'no-store',
    });
    if (response.ok) {
      this.#watch(null, token);
      return response;
    }
    const problem = new Problem(response.status, await reason(response));
    this.#watch(problem, token);
    throw problem;
  };

  async #send(url, token, options) {
    try {
      return await fetch(url, options);
    } catch (error) {
      if (error.name === 'AbortError') throw error; // the caller has ended it
      const problem = new Problem(0, 'The server cannot be reached.');
      this.#watch(problem, token);
      throw problem;
    }
  }

  /**
   * The same request as a line for a shell. Where there is a token, the line takes it from
   * the variable TOKEN: a line that is copied or shown to somebody gives no token away.
   *
   * @param {string} method
   * @param {string} path
   * @param {{body?: string, headers?: Record<string, string>, stream?: boolean}} [options]
   */
  curl = (method, path, { body, headers = {}, stream = false } = {}) => {
    const words = ['curl'];
    if (stream) words.push('-N');
    if (method !== 'GET' && !(method === 'POST' && body !== undefined)) words.push('-X', method);
    if (this.#token()) words.push('-H', '"Authorization: Bearer $TOKEN"');
    for (const [name, value] of Object.entries(headers)) words.push('-H', quote(`${name}: ${value}`));
    if (body !== undefined) words.push('--data-raw', quote(body));
    words.push(quote(this.url(path)));
    return words.join(' ');
  };
}

/** The body of a response, read as 'json' or 'text'. */
async function readBody(response, how) {
  try {
    return await response[how]();
  } catch {
    throw new Problem(0, 'The connection broke before the response was complete.');
  }
}
