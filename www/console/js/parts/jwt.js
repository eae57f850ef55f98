/**
 * JSON Web Tokens (RFC 7519): reads what one says, and signs one with a secret.
 *
 * Reading proves nothing: only the server, which has the key, knows whether a token is valid.
 * Signing is done by the browser's own WebCrypto, so the secret stays in the page. Browsers
 * offer it in secure contexts alone: https, or this machine.
 */

/** The least number of bytes of a secret for each algorithm (RFC 7518, 3.2). */
export const SECRET_BYTES = { HS256: 32, HS384: 48, HS512: 64 };

const LONGEST = 8192; // bytes of a token, as crierd takes it

/** Whether this page can sign. */
export const canSign = () => globalThis.crypto?.subtle !== undefined;

/**
 * What a token says.
 *
 * @returns {{header: object, claims: object}|null} null for what is no JWT: a static token
 */
export function readToken(token) {
  const parts = token.split('.');
  if (parts.length !== 3 || token.length > LONGEST) return null;
  try {
    const [header, claims] = parts.slice(0, 2).map((part) => JSON.parse(decode(part)));
    const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
    return isObject(header) && isObject(claims) ? { header, claims } : null;
  } catch {
    return null;
  }
}

/**
 * Makes a token.
 *
 * @param {'HS256'|'HS384'|'HS512'} algorithm
 * @param {string} secret
 * @param {object} claims
 * @param {string} [kid]  which key it is, for a server with several
 */
export async function signToken(algorithm, secret, claims, kid = '') {
  const text = [{ alg: algorithm, typ: 'JWT', ...(kid && { kid }) }, claims]
    .map((part) => encode(new TextEncoder().encode(JSON.stringify(part)))).join('.');
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(secret),
    { name: 'HMAC', hash: algorithm.replace('HS', 'SHA-') }, false, ['sign']);
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text));
  return `${text}.${encode(new Uint8Array(signature))}`;
}

function encode(bytes) {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function decode(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}
