/**
 * Stands in for crier.js until that is there.
 */
import { Stream } from './stream.js';

export const subscribe = (url, { keep } = {}) => new Stream(url, { keep, every: true });
