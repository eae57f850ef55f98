/**
 * Does something again and again, but only while the page is visible.
 *
 * @param {number} pause  ms after each time
 * @param {() => Promise<void>} act
 * @returns {() => void} ends it
 */
export function repeat(pause, act) {
  let timer;
  let ended = false;
  let busy = false;
  const run = async () => {
    clearTimeout(timer);
    if (ended || busy || document.hidden) return;
    busy = true;
    await act();
    busy = false;
    if (!ended) timer = setTimeout(run, pause);
  };
  document.addEventListener('visibilitychange', run);
  run();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', run);
  };
}
