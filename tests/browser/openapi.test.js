/**
 * www/openapi.yaml, the description of the HTTP interface for programs: that it is valid
 * OpenAPI, that it has the routes of crierd's own tables and no others, as the protocol
 * reference for people has, and that what a running crierd responds is as its schemas say,
 * with no member that they do not have.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parse } from 'yaml';
import { WITH_KEY, grants, mint } from './console.js';
import { Redis } from './redis.js';
import { Server, until } from './server.js';

const TOP = fileURLToPath(new URL('../..', import.meta.url));
const METHODS = ['get', 'post', 'delete', 'put', 'patch'];
const read = (path) => readFileSync(join(TOP, path), 'utf8');
const api = parse(read('www/openapi.yaml'));

// ---- routes ------------------------------------------------------------------

/** The routes of crierd's tables, as 'GET /topics/*'. */
function tableRoutes() {
  const files = readdirSync(join(TOP, 'src/crierd'), { recursive: true }).filter((path) => /\.[ch]$/.test(path))
    .map((path) => ({ path, text: read(join('src/crierd', path)) }));
  const macrosOf = ({ text }) => [...text.matchAll(/^#define (\w+) ((?:\w+|"[^"]*")(?: (?:\w+|"[^"]*"))*)$/gm)].map(([, name, body]) => [name, body]);
  const shared = files.filter(({ path }) => path.endsWith('.h')).flatMap(macrosOf);
  return files.flatMap((file) => routesOf(file.text, new Map([...shared, ...macrosOf(file)]))).sort();
}

/** The routes of one source's tables. @param {string} text @param {Map<string, string>} macros */
function routesOf(text, macros) {
  /** A C expression of string literals and macros. */
  const value = (expression) => expression.trim().split(/\s+/)
    .map((part) => part.startsWith('"') ? part.slice(1, -1) : value(macros.get(part))).join('');
  const routes = [];
  for (const [, table] of text.matchAll(/const struct route \w+\[\] = \{\n([^]*?)\{0\},\n\};/g)) {
    for (const [, method, path] of table.matchAll(/\{\s*(?:\.method = )?"(\w+)",\s*(?:\.path = )?([^,]+),/g)) routes.push([method, value(path)]);
    for (const [, more] of table.matchAll(/LIST_ROUTE\(("[^"]*")\)/g)) routes.push(['GET', value(`MERCURE_SUBSCRIPTIONS ${more}`)]);
  }
  return routes.map(([method, path]) => `${method} ${path === '**' ? '/*' : path.replace('**', '*')}`);
}

/** The routes of the description, in the same way. A path that is a case of another has x-route. */
function describedRoutes() {
  const routes = Object.entries(api.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method])
    .map((method) => `${method.toUpperCase()} ${(item['x-route'] ?? path).replace(/\{\w+\}/g, '*').replace('**', '*')}`));
  return [...new Set(routes)].sort();
}

test('the description has the routes of the tables, and no others', () => {
  const routes = tableRoutes();
  assert.ok(routes.length > 30, 'the tables are found');
  assert.deepEqual(describedRoutes(), routes);
});

test('the protocol reference has the routes of the description, and no others', () => {
  const written = [...read('doc/guide/protocol.md').matchAll(/^\| `((?:GET|POST|DELETE) \/[^`]*)` /gm)].map(([, route]) => route);
  const described = Object.entries(api.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method])
    .map((method) => `${method.toUpperCase()} ${path}`));
  assert.deepEqual(written.sort(), described.sort());
});

test('the description is valid OpenAPI 3.1, and of this version', async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(api));
  assert.ok(valid, JSON.stringify(errors, null, 2));
  assert.equal(api.info.version, /AC_INIT\(\[\w+\], \[([^\]]+)\]/.exec(read('configure.ac'))[1]);
  const names = Object.values(api.paths).flatMap((item) => METHODS.flatMap((method) => item[method]?.operationId ?? []));
  assert.equal(new Set(names).size, names.length, 'each operation has an id of its own');
});

// ---- schemas -----------------------------------------------------------------

/** A copy in which no object may have members that its schema does not name. */
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== 'object') return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, key === 'allOf' ? value : closed(value)]));
  if ((schema.properties && typeof schema.properties === 'object' && !schema.additionalProperties) || schema.allOf) copy.unevaluatedProperties = false;
  return copy;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
const { Problem, ...others } = api.components.schemas;
ajv.addSchema({ $id: 'crier:api', components: { schemas: { Problem, ...closed(others) } } });

/** Resolves a reference within the description. */
const follow = (node) => node.$ref ? node.$ref.slice(2).split('/').reduce((at, key) => at[key], api) : node;

/** Fails unless a value is as a schema of the description says. */
function assertSchema(schema, value, what) {
  const check = ajv.compile(closed(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"crier:api#/'))));
  assert.ok(check(value), `${what}: ${ajv.errorsText(check.errors)}: ${JSON.stringify(value)}`);
}

/** The events of a text, as [type, data]. */
function events(text) {
  return text.split('\n\n').filter((block) => /^data:/m.test(block)).map((block) => [
    /^event: (.*)$/m.exec(block)?.[1] ?? 'message', [...block.matchAll(/^data: ?(.*)$/gm)].map(([, line]) => line).join('\n')]);
}

/** Reads a response; a stream until it has events of all the types. */
async function contents(response, types) {
  if (!types) return response.text();
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const seen = new Set(events(text.slice(0, text.lastIndexOf('\n\n'))).map(([type]) => type));
    if (types.every((type) => seen.has(type))) break;
  }
  return text;
}

/** Checks the body of a response against the media type's schemas. */
function checkBody(media, type, text, what) {
  if (type === 'text/event-stream') {
    for (const [name, data] of events(text)) {
      const schema = media['x-events']?.[name];
      if (typeof schema === 'object') assertSchema(schema, JSON.parse(data), `${what}, ${name}`);
    }
  } else if (type === 'application/x-ndjson') {
    for (const line of text.split('\n').filter(Boolean)) assertSchema(media.schema, JSON.parse(line), what);
  } else {
    assertSchema(media.schema, /json$/.test(type) ? JSON.parse(text) : text, what);
  }
}

let server;
let guarded;
before(async () => {
  server = new Server(['--presence', 'seen', '--demo', 'on', '--retain-topic', 'short:count=1']);
  guarded = new Server([...WITH_KEY, '--subscriptions', 'on', '--public-url', 'https://events.example.com']);
  await Promise.all([server.start(), guarded.start()]);
});
after(() => Promise.all([server.stop(), guarded.stop()]));

/** A token that grants everything. */
const token = () => mint(grants({
  sub: 'ada', publish: ['*'], subscribe: ['*', '/.well-known/mercure/subscriptions*'], admin: true,
}));

/**
 * Sends a request, and checks the response with the operation of the description.
 *
 * @param {string} route  as the description has it, such as 'get /topics/{topics}'
 * @param {string} path   what is asked for
 * @param {number} status  that the response must have
 * @param {RequestInit & {from?: Server, types?: string[]}} [how]  types: of the events to wait for
 */
async function ask(route, path, status, { from = server, types, ...how } = {}) {
  const [method, template] = route.split(' ');
  const what = `${method.toUpperCase()} ${path}`;
  const operation = api.paths[template][method];
  const abort = new AbortController();
  const response = await fetch(from.url + path, { method: method.toUpperCase(), redirect: 'manual', signal: abort.signal, ...how });
  assert.equal(response.status, status, `${what}: ${response.status === status || types ? '' : await response.text()}`);
  const described = follow(operation.responses[status] ?? operation.responses.default);
  const type = (response.headers.get('Content-Type') ?? '').split(';')[0];
  if (!described.content) {
    assert.equal(type, '', `${what} has no body`);
    return response;
  }
  const media = described.content[type] ?? described.content['*/*'];
  assert.ok(media, `${what}: ${status} has no ${type}`);
  const text = await contents(response, types);
  abort.abort();
  checkBody(media, type, text, what);
  return text;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const ACCEPT_JSON = { Accept: 'application/json' };

test('topics respond as described', async () => {
  const topic = '/topics/{topics}';
  await ask(`post ${topic}`, '/topics/a?id=one', 200, { body: 'x' });
  await ask(`post ${topic}`, '/topics/a?id=one&dedupe=1', 200, { body: 'x' });
  await ask(`post ${topic}`, '/topics/a?id=one', 409, { body: 'x' });
  await ask(`post ${topic}`, '/topics/a,b', 200, { body: '{"n": 1}', headers: JSON_TYPE });
  await ask(`post ${topic}`, '/topics/a', 400, { body: '{', headers: JSON_TYPE });
  await ask(`post ${topic}`, '/topics/a?private=1', 400, { body: 'x' });
  await ask(`post ${topic}`, '/topics/$x', 403, { body: 'x' });
  await ask(`post ${topic}`, '/topics/a', 413, { body: 'x'.repeat(2 ** 20 + 1) });
  const events = { 'Content-Type': 'text/event-stream' };
  await ask(`post ${topic}`, '/topics/short', 200, { body: 'id: s1\ndata: 1\n\nid: s2\ndata: 2\n\n', headers: events });
  await ask(`post ${topic}`, '/topics/short', 409, { body: 'id: s2\ndata: 1\n\n', headers: events });
  await ask(`post ${topic}`, '/topics/end?last=1&event=fin&retry=9', 200, { body: 'x' });
  await ask(`post ${topic}`, '/topics/end', 409, { body: 'x' });
  await ask(`get ${topic}`, '/topics/a,end?poll=1&format=json', 200);
  await ask(`get ${topic}`, '/topics/a?poll=1&format=raw', 200);
  await ask(`get ${topic}`, '/topics/short?lastEventID=s0', 200, { types: ['gap', 'message'] });
  await ask(`get ${topic}`, '/topics/short?lastEventID=s0&poll=1&format=json', 200);
  const { headers } = await fetch(`${server.url}/topics/end`);
  assert.equal(headers.get('Content-Type'), 'text/event-stream');
  const last = JSON.parse(await ask(`get ${topic}`, '/topics/end', 200, { headers: ACCEPT_JSON }));
  await ask(`get ${topic}`, `/topics/end?lastEventID=${encodeURIComponent(last.last)}`, 204);
  await ask(`get ${topic}`, '/topics/a,b', 200, { headers: ACCEPT_JSON });
  await ask(`get ${topic}`, '/topics/none', 404, { headers: ACCEPT_JSON });
  await ask(`get ${topic}`, '/topics/a?format=xml', 400);
  await ask(`delete ${topic}`, '/topics/b', 204);
  await ask(`delete ${topic}`, '/topics/none', 404);
  await ask('get /topics', '/topics?limit=2', 200);
  await ask('get /topics', '/topics?limit=0', 400);
});

test('presence and statistics are as described', async () => {
  const seen = ask('get /topics/$presence/{topic}', '/topics/$presence/seen?since=all', 200, { types: ['join', 'leave'] });
  await ask('get /topics/{topics}', '/topics/seen?since=all&start=comment', 200, { types: [] });
  await seen;
  await ask('get /topics/$stats', '/topics/$stats', 200, { types: ['history', 'stats'] });
});

test('the nodes of a shared journal are as described', async () => {
  const redis = new Redis();
  await redis.start();
  const shared = new Server(['--anonymous', 'all', '--journal', redis.journal]);
  try {
    await shared.start();
    await until(async () => /"list": ?\[\{/.test(await ask('get /topics/$stats', '/topics/$stats', 200,
      { from: shared, types: ['history', 'stats'] })), 'the nodes are listed');
  } finally {
    await shared.stop();
    await redis.stop();
  }
});

test('the server describes itself as described', async () => {
  const headers = { Authorization: `Bearer ${token()}` };
  for (const how of [{}, { from: guarded, headers }]) {
    await ask('get /identity', '/identity', 200, how);
    await ask('get /config', '/config', 200, how);
    await ask('get /healthz', '/healthz', 200, how);
    await ask('get /readyz', '/readyz', 200, how);
    await ask('get /metrics', '/metrics', 200, how);
  }
  await ask('get /healthz', '/healthz', 200, { headers: { 'X-Forwarded-For': '192.0.2.1' } });
  await ask('get /metrics', '/metrics', 403, { headers: { 'X-Forwarded-For': '192.0.2.1' } });
  await ask('get /config', '/config', 401, { from: guarded });
  await ask('get /identity', '/identity', 401, { headers: { Authorization: 'Bearer no' } });
  await ask('get /identity', '/identity', 405, { method: 'PUT' });
});

test('journals move as described', async () => {
  const exported = await ask('get /export', '/export?after=s0', 200);
  await ask('post /import', '/import', 200, { body: exported });
  await ask('post /import', '/import', 400, { body: '{}' });
  await ask('post /import', '/import', 409, { body: '{"id":"s2","time":"2026-01-01T00:00:00.000Z","topics":["else"],"data":"x"}\n' });
  await ask('get /export', '/export', 401, { from: guarded });
});

test('the hub of Mercure responds as described', async () => {
  const how = { from: guarded, headers: { Authorization: `Bearer ${token()}` } };
  const hub = '/.well-known/mercure';
  const form = (text) => ({ ...how, body: new URLSearchParams(text) });
  await ask(`post ${hub}`, hub, 200, form('topic=a&data=x&private=on'));
  await ask(`post ${hub}`, hub, 400, form('data=x'));
  await ask(`post ${hub}`, hub, 415, { ...how, body: 'x' });
  await ask(`post ${hub}`, hub, 413, form(`topic=${'a'.repeat(256)}`));
  await ask(`get ${hub}`, `${hub}?matches=a`, 400, how);
  await ask(`get ${hub}`, `${hub}?topic=a&lastEventID=none`, 200, { ...how, types: ['gap', 'message'] });
  const abort = new AbortController();
  await Promise.all(['topic=a', 'match=b'].map((selector) => fetch(`${guarded.url}${hub}?${selector}`, { ...how, signal: abort.signal })));
  for (const accept of ['application/ld+json', 'application/json']) {
    const text = await ask(`get ${hub}/subscriptions`, `${hub}/subscriptions`, 200, { ...how, headers: { ...how.headers, Accept: accept } });
    const { id } = JSON.parse(text).subscriptions[0];
    const depth = id.split('/').length - `${hub}/subscriptions`.split('/').length;
    const one = ['', '{selector}', '{first}/{second}', '{type}/{match}/{subscriber}'][depth];
    await ask(`get ${hub}/subscriptions/${one}`, id, 200, how);
  }
  abort.abort();
  await ask(`get ${hub}/subscriptions/{selector}`, `${hub}/subscriptions/a`, 401, { from: guarded });
  const metadata = '/.well-known/oauth-protected-resource/.well-known/mercure';
  await ask(`get ${metadata}`, metadata, 200, { from: guarded });
  await ask(`get ${metadata}`, metadata, 404);
});

test('the demo and the pages respond as described', async () => {
  await ask('get /updates', '/updates', 200);
  await ask('get /ticks', '/ticks?interval=10', 200, { types: ['message'] });
  await ask('get /ticks', '/ticks?interval=1', 400);
  await ask('get /sse', '/sse', 200, { types: ['message'] });
  await ask('post /events', '/events', 200, { body: 'x' });
  await ask('get /events', '/events', 200, { types: ['message'] });
  await ask('get /events/{message}', '/events/hello', 200);
  const said = { headers: JSON_TYPE, body: '{"user":"bob","text":"hi"}' };
  await ask('post /chat', '/chat', 200, said);
  await ask('post /chat', '/chat', 400, { ...said, body: '{}' });
  await ask('get /chat', '/chat?user=ada', 200, { types: ['welcome', 'users', 'message', 'join'] });
  await ask('post /chat/{name}', '/chat/nobody', 404, said);
  await ask('post /users/{name}', '/users/eve', 201);
  await ask('post /users/{name}', '/users/eve', 200);
  await ask('get /users', '/users', 200);
  await ask('get /users', '/users', 200, { headers: ACCEPT_JSON });
  await ask('delete /users/{name}', '/users/eve', 204);
  await ask('delete /users/{name}', '/users/eve', 404);
  await ask('get /tokens', '/tokens?prompt=hello', 200, { types: ['token'] });
  await ask('get /quotes', '/quotes', 200, { types: ['symbols'] });
  await ask('get /{page}', '/', 200);
  await ask('get /{page}', '/openapi.yaml', 200);
  await ask('get /{page}', '/console', 301);
  await ask('get /{page}', '/nothing', 404);
  await ask('get /{page}', '/nothing', 404, { headers: { Accept: 'text/html' } });
});
