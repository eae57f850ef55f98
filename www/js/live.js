/**
 * The page of live streams: puts its three cards to work.
 */
import { showOrigin } from './dom.js';
import { startQuotes } from './quotes.js';
import { startTicks } from './ticks.js';
import { startTokens } from './tokens.js';

showOrigin();
startQuotes(document.getElementById('quotes'));
startTicks(document.getElementById('ticks'));
startTokens(document.getElementById('tokens'));
