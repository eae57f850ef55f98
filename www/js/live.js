/**
 * The page of live streams: starts its four cards; when the demo is off, topics alone is shown.
 */
import { addCopyButtons } from './copy.js';
import { showDemoOff } from './demo.js';
import { byId, showOrigin } from './dom.js';
import { startQuotes } from './quotes.js';
import { startTicks } from './ticks.js';
import { startTokens } from './tokens.js';
import { startTopics } from './topics.js';

showOrigin();
addCopyButtons();
startTopics(byId('topics'));
startTokens(byId('tokens')); // which may be asked before the server has said whether the demo is on
if (!await showDemoOff()) {
  startQuotes(byId('quotes'));
  startTicks(byId('ticks'));
}
