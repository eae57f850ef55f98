/**
 * Topics: all that the server has, or one of them.
 */
import { make } from '../../../js/dom.js';
import { isNameable } from './topics/catalogue.js';
import { TopicList } from './topics/list.js';
import { TopicView } from './topics/topic.js';

/** @type {import('../app.js').View} */
export default {
  name: 'topics',
  title: 'Topics',
  needs: 'subscribe',
  mount(element, app, args) {
    let shown;
    let topic;
    const show = ({ path, query }) => {
      if (shown && path[0] === topic) return shown.update(query);
      shown?.close();
      element.replaceChildren();
      topic = path[0];
      app.setTitle(topic ?? 'Topics');
      if (topic === undefined) shown = new TopicList(element, app, query);
      else if (isNameable(topic)) shown = new TopicView(element, app, topic, query);
      else shown = showUnnameable(element);
    };
    show(args);
    return { unmount: () => shown.close(), update: show };
  },
};

/** There is no URL for a topic. */
function showUnnameable(element) {
  element.append(make('p', { class: 'card' },
    'The updates of this topic cannot be shown: no URL below /topics can name it, since commas and ',
    'asterisks have a meaning there, and browsers take . and .. for steps. ',
    'The Mercure protocol can subscribe to it.'),
  make('p', {}, make('a', { href: '#/topics' }, '← All topics')));
  return { update() {}, close() {} };
}
