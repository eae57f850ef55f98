/**
 * The page of live streams: puts its four cards to work.
 */
import { showOrigin } from './dom.js';
import { startQuotes } from './quotes.js';
import { startTicks } from './ticks.js';
import { startTokens } from './tokens.js';
import { startTopics } from './topics.js';

showOrigin();
startQuotes(document.getElementById('quotes'));
startTicks(document.getElementById('ticks'));
startTokens(document.getElementById('tokens'));
startTopics(document.getElementById('topics'));
