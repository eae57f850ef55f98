/**
 * The page of live streams: starts its four cards, or topics alone when the demo is off.
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
if (!await showDemoOff()) {
  startQuotes(byId('quotes'));
  startTicks(byId('ticks'));
  startTokens(byId('tokens'));
}
