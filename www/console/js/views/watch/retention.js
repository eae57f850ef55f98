/**
 * What the server retains, as a gap wants it explained.
 */

/**
 * @param {import('../../api.js').Api} api
 * @param {boolean} admin  whether the token may read the configuration
 * @returns {Promise<string[]>} lines for a person
 */
export async function readRetention(api, admin) {
  if (!admin) return ['Only an admin may read the configuration.'];
  try {
    const { options } = await api.get('config');
    const lines = options.filter(({ name }) => name.startsWith('retain-')).map(({ name, value, origin }) =>
      `${name}: ${[value ?? 'no limit'].flat().join('; ') || 'none'} (${origin})`);
    return lines.length ? lines : ['The server does not say.'];
  } catch (problem) {
    return [problem.detail ?? 'The server does not say.'];
  }
}
