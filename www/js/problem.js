/**
 * Problems: what crierd says when it refuses something.
 *
 * Every refusal is an RFC 9457 document, {"type","title","status","detail"},
 * served as application/problem+json. This module turns such an answer, or
 * whatever a proxy in between made of it, into one sentence for a person.
 */

/**
 * @param {Response} answer  an answer that is not ok
 * @returns {Promise<string>} the reason, never empty
 */
export async function reason(answer) {
  const plain = `The server answered ${answer.status} ${answer.statusText}`.trim() + '.';
  try {
    const { detail, title } = await answer.json();
    return detail || title || plain;
  } catch {
    return plain;
  }
}

/**
 * Posts a text, or anything else as JSON, and returns the JSON answer; throws an
 * Error whose message is fit to be shown.
 *
 * @param {string} url
 * @param {string|object} body
 */
export async function post(url, body) {
  const plain = typeof body === 'string';
  let answer;
  try {
    answer = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': plain ? 'text/plain; charset=utf-8' : 'application/json' },
      body: plain ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    throw new Error('The server could not be reached.');
  }
  if (!answer.ok) throw new Error(await reason(answer));
  return answer.json();
}
