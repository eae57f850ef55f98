/**
 * Topics: all that the server has, or one of them.
 */
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
      shown = topic === undefined ? new TopicList(element, app, query) : new TopicView(element, app, topic, query);
    };
    show(args);
    return { unmount: () => shown.close(), update: show };
  },
};
