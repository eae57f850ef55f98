/**
 * Problems: the errors that crierd sends.
 *
 * Every error is an RFC 9457 document, {"type","title","status","detail"}, of the type
 * application/problem+json. This module makes one sentence for a person out of it, or of
 * whatever a proxy in between sends instead.
 */

/**
 * @param {Response} response  one that is not ok
 * @returns {Promise<string>} the reason, never empty
 */
export async function reason(response) {
  const plain = `The server responded ${response.status} ${response.statusText}`.trim() + '.';
  try {
    const { detail, title } = await response.json();
    return String(detail || title || plain);
  } catch {
    return plain;
  }
}

/**
 * Posts a text, or anything else as JSON, and returns the JSON of the response. Throws an
 * Error whose message can be shown to the user.
 *
 * @param {string} url
 * @param {string|object} body
 */
export async function post(url, body) {
  const plain = typeof body === 'string';
  let response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': plain ? 'text/plain; charset=utf-8' : 'application/json' },
      body: plain ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    throw new Error('The server could not be reached.');
  }
  if (!response.ok) throw new Error(await reason(response));
  return response.json();
}
