/**
 * What an operator should look at, in words; and that there is nothing, when there is
 * nothing, which is said only while the server is there. It changes only when something has
 * changed, so that a screen reader reports each warning once.
 */
import { make, setText } from '../../../../js/dom.js';
import { bytes, count, date, duration, number } from '../../parts/format.js';

const FULL = 0.8; // of a limit, from which a warning is shown

/** @returns {string[]} a sentence for each thing that is wrong */
function findWarnings({ journal, reload_failed: reloadFailed, configured, clients, backlog, descriptors, publishes }) {
  const near = ({ value, max, text }) => max > 0 && value >= max * FULL && text;
  return [
    journal.status !== 'ok' && `The journal is failing${journal.reason ? `: ${journal.reason}` : ''}. Publishing fails until it is well again.`,
    journal.damaged && `Damage was found in the file of the journal (${count(journal.damaged, 'time')}). “crierd --check-journal” says what is damaged.`,
    reloadFailed && `The last reload failed; the configuration of ${date(configured)} is still in force. The log says why.`,
    near({ value: clients.open, max: clients.max, text: `${number(clients.open)} of ${number(clients.max)} possible streams are open.` }),
    near({ value: backlog.bytes, max: backlog.max, text: `${bytes(backlog.bytes)} of ${bytes(backlog.max)} wait to be delivered; at the limit, crierd refuses publishers.` }),
    near({ value: descriptors.open, max: descriptors.max, text: `${number(descriptors.open)} of ${number(descriptors.max)} file descriptors are open.` }),
    publishes.backlog && `${count(publishes.backlog, 'update was', 'updates were')} refused since the start, since too much waited to be delivered.`,
  ].filter(Boolean);
}

export class Warnings {
  #facts = make('span');
  #well = make('span', { hidden: '' }, ' · all is well');
  #line = make('p', { class: 'server-line' }, this.#facts, this.#well);
  #list = make('ul', { class: 'warnings', role: 'status' });
  #known = '';
  element = make('div', {}, this.#line, this.#list);

  /** Takes back that all is well: nobody knows while there are no statistics. */
  doubt() {
    this.#well.hidden = true;
  }

  show(stats) {
    const { version, uptime, nodes, cpu } = stats;
    const warnings = findWarnings(stats);
    setText(this.#facts, [
      `crierd ${version}`,
      `up ${duration(uptime)}`,
      nodes && count(nodes.count, 'node'),
      `${duration(cpu)} of CPU time used`,
    ].filter(Boolean).join(' · '));
    this.#well.hidden = warnings.length !== 0;
    if (warnings.join('\n') === this.#known) return;
    this.#known = warnings.join('\n');
    const failing = stats.journal.status !== 'ok'; // then that is the first of them
    this.#list.replaceChildren(...warnings.map((text, index) => make('li', { class: failing && index === 0 ? 'trouble' : 'trouble mild' }, text)));
  }
}
