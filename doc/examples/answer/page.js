/**
 * Shows an answer while it is written. Its address is in the fragment of the page's URL, so a
 * reload, another window or another person with the link shows the same answer: what is
 * written already at once, and then what follows.
 */
const form = document.querySelector('form');
const stop = document.getElementById('stop');
const answer = document.getElementById('answer');
const status = document.getElementById('status');
let stream = null;

/** Shows the answer with this id. */
function show(id) {
  stream?.close();
  answer.textContent = '';
  status.textContent = 'Connecting';
  stop.hidden = false;
  // The relay leads to crierd: to all that is there, and then to what comes. When the connection
  // breaks, the browser comes again with the id of the last update, and gets the rest alone.
  stream = new EventSource(`answers/${id}`);
  stream.addEventListener('open', () => { status.textContent = 'Writing'; });
  stream.addEventListener('error', () => { status.textContent = 'The connection is lost; trying again'; });
  stream.addEventListener('text', ({ data }) => { answer.append(JSON.parse(data).text); });
  stream.addEventListener('gap', () => { answer.append(' (a part is missing here) '); });
  stream.addEventListener('done', ({ data }) => finish(JSON.parse(data).reason));
  stream.addEventListener('failed', ({ data }) => finish(`failed: ${JSON.parse(data).detail}`));
}

function finish(reason) {
  stream.close();
  stop.hidden = true;
  status.textContent = reason;
}

function showAddressed() {
  const id = location.hash.slice(1);
  if (/^[\w-]+$/.test(id)) show(id);
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const response = await fetch('answers', {
    method: 'POST', body: JSON.stringify({ prompt: new FormData(form).get('prompt') }),
  }).catch(() => null);
  if (!response?.ok) {
    status.textContent = 'The question could not be sent';
    return;
  }
  location.hash = (await response.json()).answer;
});
stop.addEventListener('click', () => {
  fetch(`answers/${location.hash.slice(1)}`, { method: 'DELETE' });
});
addEventListener('hashchange', showAddressed);
showAddressed();
