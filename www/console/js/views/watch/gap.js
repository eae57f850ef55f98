/**
 * Why a stream has a gap, in words.
 *
 * The server reports two ids: the one after which the stream was to continue, and the first
 * one that it still holds. What they are, and what the stream did before, tells the reason.
 */
import { duration } from '../../parts/format.js';

const JOURNAL_ID = /^#(.+)-(\d+)$/;

/** @returns {{epoch: string, position: number}|null} the parts of an id that the journal made */
function parts(id) {
  const [, epoch, position] = JOURNAL_ID.exec(id ?? '') ?? [];
  return epoch === undefined ? null : { epoch, position: Number(position) };
}

/**
 * @param {import('./record.js').Gap} gap
 * @returns {{brief: string, cause: string, circumstance: string, advice: string}}
 */
export function explainGap({ requested, oldest, before }) {
  const [from, to] = [parts(requested), parts(oldest)];
  const renewed = from !== null && to !== null && from.epoch !== to.epoch;
  const cause = renewed ? causeOfNewJournal(requested, oldest) : causeOfExpiry(from, to, requested, oldest);
  return {
    brief: `${renewed ? 'The journal is a new one' : 'Updates are missing'}: ${briefly(before, renewed)}`,
    cause,
    circumstance: circumstances[before.how](before),
    advice: renewed
      ? 'A journal in memory begins anew with each start of crierd; one in a file (--journal sqlite:PATH) or in Redis goes on.'
      : 'To bridge a longer time, have the server retain more: --retain-count, --retain-bytes, --retain-age, or --retain-topic for one topic.',
  };
}

function causeOfNewJournal(requested, oldest) {
  return `The stream was to continue after ${requested}, which belongs to a journal that is not there any more. ` +
    `The stream goes on with ${oldest}, the first update of the new one.`;
}

function causeOfExpiry(from, to, requested, oldest) {
  if (oldest === null) {
    return `The stream was to continue after ${requested}. The journal does not know this id, or what followed it has ` +
      'expired or was deleted, and it holds nothing newer of these topics.';
  }
  if (from === null || to === null || to.position <= from.position) {
    return `The stream was to continue after ${requested}. The journal does not know this id any more, or updates after it ` +
      `have expired or were deleted. The stream goes on with ${oldest}, the first update that is held.`;
  }
  return `The stream was to continue after ${requested}, but the first update that the journal still holds for it is ` +
    `${oldest}. ${between(to.position - from.position - 1)}`;
}

/** Positions count the updates of all topics, and may skip numbers. */
function between(most) {
  if (most === 0) return 'No update lies between the two: nothing is missing.';
  const published = most === 1 ? 'one update was' : `up to ${most.toLocaleString('en')} updates were`;
  return `Between the two, ${published} published, in all topics together; what was for this stream has expired or was deleted.`;
}

const briefly = ({ how, ms }, renewed) => ({
  start: renewed ? 'the id asked for belongs to another one.' : 'they left the journal before this stream began.',
  reconnect: `${renewed ? 'it was replaced' : 'they left the journal'} while this page was disconnected for ${lasting(ms)}.`,
  pause: `${renewed ? 'it was replaced' : 'they left the journal'} while the stream was closed for ${lasting(ms)} (paused).`,
  open: renewed ? 'it was replaced while the stream was open.' : 'they left the journal before this page had read them.',
})[how];

const circumstances = {
  start: () => 'It is at the beginning of the stream: so any client that resumes after this id gets it.',
  reconnect: ({ ms }) => `This page had been disconnected for ${lasting(ms)}.`,
  pause: ({ ms }) => `The view was paused, and had closed its stream ${lasting(ms)} before, since too much was waiting.`,
  open: () => 'The stream was open. The client, or the network to it, read more slowly than updates were published, so the ' +
    'server read on from the journal; there they had gone.',
};

const lasting = (ms) => duration(ms / 1000);
