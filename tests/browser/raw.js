/**
 * A server whose every byte a test decides: for what a crierd does not send, or not at the
 * moment that the test needs. It serves an empty page and crier.js besides.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const HELPER = new URL('../../www/crier.js', import.meta.url);

/** The text of crier.js. */
export const source = () => readFile(HELPER, 'utf8');

/** crier.js as a module of Node, which does not take a file of www/ for one. */
export const importHelper = async () => import(`data:text/javascript,${encodeURIComponent(await source())}`);

/** A server on a free port. */
export class RawServer {
  /** The requests for streams, oldest first. */
  requests = [];
  #handle;
  #server = createServer((request, response) => this.#serve(request, response));

  /**
   * @param {(request: import('node:http').IncomingMessage,
   *          response: import('node:http').ServerResponse, n: number) => void} handle
   *        answers the n-th request (from 0) for anything but the page
   */
  constructor(handle) {
    this.#handle = handle;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  async start() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(request, response) {
    if (request.url === '/') {
      response.setHeader('Content-Type', 'text/html').end('<!doctype html><link rel="icon" href="data:,">');
    } else if (request.url === '/crier.js') {
      response.setHeader('Content-Type', 'text/javascript').end(await source());
    } else {
      this.requests.push(request);
      this.#handle(request, response, this.requests.length - 1);
    }
  }
}

/** Begins a stream. @param {Record<string, string>} [headers] */
export function begin(response, headers = {}) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', ...headers });
  response.write(Buffer.alloc(0)); // sends the header, as Latin-1
  return response;
}

/** Ends the subscription. */
export const end = (response) => response.writeHead(204).end();

/** Refuses it with a problem document. */
export const refuse = (response, status, detail, headers = {}) =>
  response.writeHead(status, { 'Content-Type': 'application/problem+json', ...headers })
    .end(JSON.stringify({ status, detail }));
