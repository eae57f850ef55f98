/**
 * Whether the server serves the demo. An operator can switch it off; then /topics works
 * all the same, and the paths of the demo are 404.
 */
import { byId } from './dom.js';

/** Shows the notice that the demo is off, if it is. @returns {Promise<boolean>} whether it is off */
export async function showDemoOff() {
  try {
    const { status } = await fetch('users', { method: 'HEAD', cache: 'no-store' });
    if (status !== 404) return false;
  } catch {
    return false; // the streams report what is wrong with the server
  }
  document.body.classList.add('demo-off');
  byId('demo-off').hidden = false;
  return true;
}
