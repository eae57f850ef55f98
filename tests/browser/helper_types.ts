/**
 * A program that uses crier.js as its types say, which tsc checks. It is not run. Where a
 * line must not compile, the comment above says so, and tsc complains if it does.
 */
import { subscribe, type Gap, type State, type Stream, type StreamEvent } from '../../www/crier.js';

const news: Stream = subscribe('topics/news', { since: 10, keep: 'newest', share: true });
const later = subscribe(new URL('https://example.com/topics/news'), {
  since: '2030-01-01T00:00:00Z', keep: 5, lastEventId: news.lastEventId, token: 'secret',
});
subscribe('topics/news', { token: async () => (await fetch('token')).text() });
subscribe('topics/news', { token: () => undefined });

news.addEventListener('message', ({ data, lastEventId, type, past }) => {
  const text: string = data + lastEventId + type;
  const old: boolean = past;
  console.log(text, old);
});
news.addEventListener('any', (event: StreamEvent) => {
  const kind: string = event.kind;
  const gap: Gap | undefined = event.gap;
  const topics: string | undefined = event.fields.topics;
  console.log(kind, gap, topics);
});
news.addEventListener('gap', ({ gap }) => console.log(gap.requested, gap.oldest));
news.addEventListener('ended', (event) => {
  // @ts-expect-error: it is no update
  console.log(event.data);
});
news.addEventListener('statechange', function () {
  const state: State = this.state;
  const tabs: number = news.tabs;
  console.log(state, news.trouble, tabs, news.url);
}, { once: true });
later.close();

// @ts-expect-error: no such rule
subscribe('topics/news', { keep: 'oldest' });
// @ts-expect-error: no such option
subscribe('topics/news', { retries: 3 });
// @ts-expect-error: the stream says what its state is
news.state = 'live';
