#ifndef CRIER_REDIS_SCRIPT_H
#define CRIER_REDIS_SCRIPT_H

/*
 * The scripts, as Redis has them (scripts/NAME.lua behind scripts/prelude.lua); what they
 * are given and reply. All are given the keys of redis.h. Numbers are decimal text in ARGV.
 * A reply is an array of what stands in braces; numbers in it are integers. An EPOCH that is
 * not the journal's (or a journal that does not exist) is the error "CRIER_EPOCH"; another
 * format "CRIER_FORMAT". Each is O(log n) for each update that it handles.
 *
 * LIMITS is the retention of one topic, "COUNT BYTES AGE" (0: none); POLICY that of all,
 * "COUNT BYTES AGE TOPICS". NOW is the caller's clock, ms since 1970. HELD is {count, bytes,
 * topics, last, note, time}, the totals after the script. BUDGET: so many updates are evicted
 * from a topic at most.
 */
enum crier__redis_script {
    /* EPOCH ("" for a node that has none) NODE POSITION NOTE SERVER CANDIDATE NOW
     * Attaches NODE, which has seen everything up to POSITION and NOTE: makes the journal
     * where there is none, jumps when SERVER (a run_id) is not the one that wrote last, and
     * renews with the epoch CANDIDATE when EPOCH is the journal's and POSITION, NOTE is not
     * part of it, or lies behind its end. In any case `last` is at least POSITION then.
     * The error CRIER_POSITIONS, and nothing has changed, when the log has an entry, which is
     * not ours, so near to 2^53 that no positions are left.
     * {epoch, renewed, corrected_upto, corrected_time, HELD, position of the oldest entry
     * of the log or 0, time of that entry} */
    CRIER__REDIS_ATTACH,

    /* EPOCH NODE NUMBER NOW POLICY BUDGET, and then for each update HEAD BODY LIMITS CENSUS
     * Appends updates. HEAD: redis_record.c, with the time 0, or the one it had in another
     * journal. LIMITS of its topics in their order, with ';' between them, or "" when none
     * has any. CENSUS is "", or "COUNT SELECTOR": COUNT becomes this node's count of
     * SELECTOR, and the byte 0x1a in BODY becomes the total in decimal.
     * A NUMBER that is not above node:NODE's `batch`: replies what it did then, or the error
     * CRIER_STALE when that is not kept any more.
     * {prev, prev_note, first, time_before, HELD, failures, totals}: prev and prev_note were
     * the end of the log before; the updates that did not fail have the positions from first
     * on; failures has {index (from 0), code, ...}: {i, "exists", position, 1 if it has the
     * same topics}, {i, "ended", index of the topic}, {i, "topics"} (too many topics);
     * totals has {index, total} for those with CENSUS.
     * The time of an update is what crier__journal_time_of() says, NOW being at least
     * time_before; but a time_before that is more than 10 s ahead of NOW is corrected to NOW
     * first (corrected_upto = last, corrected_time = NOW). */
    CRIER__REDIS_APPEND,

    /* EPOCH POSITION NOTE COUNT BYTES
     * {HELD, corrected_upto, corrected_time, entries}: what follows POSITION-NOTE in the log,
     * as XRANGE has it, at most COUNT entries, and no more after BYTES. It is the only script
     * that also gives the updates that are gone (T gone): a node that is less than 4096
     * positions behind misses only what was deleted, unless these cost more than 16 MiB. */
    CRIER__REDIS_FETCH,

    /* EPOCH UPTO COUNT BYTES
     * The newest entries of the log up to the place UPTO, as XREVRANGE has it and has them, at
     * most COUNT, and no more after BYTES; nothing at the end of the log. */
    CRIER__REDIS_LOAD,

    /* EPOCH NODE NOW TOPIC UPTO BUDGET
     * Deletes what TOPIC holds up to the position UPTO (0: all), and makes the note.
     * Updates of TOPIC that are gone leave the log at once, even if it holds nothing.
     * {1, or 0 when it holds nothing; 1 when there is more; upto; HELD} */
    CRIER__REDIS_FORGET,

    /* EPOCH NODE NOW POLICY BUDGET
     * Evicts what is too old or too much. {1 when there is more, HELD, time of the oldest
     * entry or 0} */
    CRIER__REDIS_SWEEP,

    /* EPOCH NODE NOW BUDGET, and then TOPIC LIMITS ...
     * Evicts what exceeds LIMITS now, of each TOPIC, and keeps their age. {1 when there is
     * more, HELD} */
    CRIER__REDIS_TRIM,

    /* EPOCH FROM UPTO COUNT, and "records" where {{name, record}, ...} is enough
     * Topics with a record, in order, from FROM on (inclusive; "" is the start) and before
     * UPTO ("" is the end): {{name, record, first position, first id, last position, last
     * id, last time}, ...}; ids "" where the journal made them, positions 0 where nothing is
     * held. */
    CRIER__REDIS_LIST,

    /* EPOCH, and then TOPIC ...
     * {last, evicted, forgotten, renewed, newest_private, corrected_upto, corrected_time,
     * {record or "" for each TOPIC}} */
    CRIER__REDIS_MARKS,

    /* EPOCH AFTER UPTO COUNT BYTES, and then TOPIC ...
     * {reached, entries}: the updates after AFTER and up to UPTO, in order, each once, that
     * one of the topics holds; without topics all that are in the log. Entries as XRANGE has
     * them, without notes. reached: all of these up to there are in the reply; UPTO when
     * there are no more. */
    CRIER__REDIS_PAST,

    /* EPOCH BEFORE COUNT, and then TOPIC ...
     * {{position, head}, ...}: the newest updates before the position BEFORE, downwards. */
    CRIER__REDIS_BACK,

    /* EPOCH TIME
     * The position of the last entry of the log that is older than TIME, or 0. */
    CRIER__REDIS_FIND,

    /* NODE, and then SELECTOR COUNT ...
     * Sets this node's counts (0: it has none), and publishes the selectors whose totals
     * have changed with them, "TOTAL SELECTOR" with LF between them, to the channel T census;
     * as APPEND does for its CENSUS. Both add NODE to T nodes where it is not there.
     * {total, ...} */
    CRIER__REDIS_COUNT,

    /* NODE MAX_AGE NAME STREAMS LIST
     * Says that NODE lives, and keeps its NAME and STREAMS. {{up to 100 nodes that have not
     * said so for MAX_AGE ms}, how many live, 1 if NODE had not said so before, or BURY has
     * begun to take its counts away since: it must send all of them, {node that lives, how
     * many ms ago it has said so, ...}}: up to LIST of these, the latest ones last */
    CRIER__REDIS_BEAT,

    /* NODE MAX_AGE COUNT; the last key is that of NODE, a dead one
     * Takes up to COUNT of its counts away, and publishes the totals. When none is left,
     * removes NODE from T nodes, and has its key expire: a node that was only cut off may
     * send a batch again. {1 when there is more, {SELECTOR, ...}};
     * {0, {}} when it lives. MAX_AGE 0: in any case, and the key is deleted at the end (it
     * leaves in good order). */
    CRIER__REDIS_BURY,

    CRIER__REDIS_SCRIPTS
};

/* The text of SCRIPT; its name for messages. */
const char *crier__redis_script_text(enum crier__redis_script script);
const char *crier__redis_script_name(enum crier__redis_script script);

#endif
