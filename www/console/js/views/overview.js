/**
 * Overview: what the server does now, and did in the last five minutes.
 *
 * All of it comes from one stream, topics/$stats: its first event is the history, so the
 * charts are full at once, and then there is an event a second. The page asks for nothing
 * again and again; only the configuration is read when the server says that it has changed.
 *
 * While the page is hidden it has no stream: when it is seen again, the history fills what
 * was missed.
 */
import { make } from '../../../js/dom.js';
import { Configuration } from './overview/configuration.js';
import { Details } from './overview/details.js';
import { Nodes } from './overview/nodes.js';
import { Panels } from './overview/panels.js';
import { Warnings } from './overview/warnings.js';

/** @type {import('../app.js').View} */
export default {
  name: 'overview',
  title: 'Overview',
  needs: 'admin',

  mount(element, app) {
    const warnings = new Warnings();
    const panels = new Panels();
    const details = new Details();
    const nodes = new Nodes();
    const configuration = new Configuration(app.api);
    element.append(warnings.element, panels.element, details.element, nodes.element, configuration.element);
    element.dataset.state = 'connecting';
    let stream = null;

    function open() {
      // Not shared: each tab needs the history of its own beginning.
      stream = app.subscribe('topics/$stats', { share: false });
      stream.addEventListener('history', ({ data }) => panels.begin(JSON.parse(data)));
      stream.addEventListener('stats', ({ data }) => show(JSON.parse(data)));
      stream.addEventListener('statechange', () => {
        element.dataset.state = stream?.state ?? 'closed';
        if (stream?.state !== 'live') warnings.doubt();
      });
    }

    function show(stats) {
      warnings.show(stats);
      panels.add(stats);
      details.show(stats);
      nodes.show(stats.nodes);
      configuration.refresh(stats.configured);
    }

    function close() {
      stream?.close();
      stream = null;
    }

    const followVisibility = () => (document.hidden ? close() : stream ?? open());
    document.addEventListener('visibilitychange', followVisibility);
    followVisibility();
    return {
      unmount() {
        document.removeEventListener('visibilitychange', followVisibility);
        close();
      },
    };
  },
};
