#ifndef CRIER_JOURNAL_REDIS_H
#define CRIER_JOURNAL_REDIS_H

/*
 * The journal in Redis (or Valkey), which several processes ("nodes") share.
 *
 * Redis has the journal: one order, the topics, the ids, what is evicted. Each change is
 * one script (scripts/), so it is atomic, and each node that runs it does the same. A node
 * keeps the newest part of the journal in memory, its *mirror*, from which it answers
 * nearly every read; older updates are read from Redis (redis_past.c).
 *
 *     append ──► batch ──► Redis ──► prev, first ──┐
 *                            │                     ├─► in order ──► mirror ──► yield
 *                            └─► notice ──► fetch ─┘
 *
 * Data. NAME is the URL's `name`; T is "{NAME}:", so that all keys have one hash slot.
 * Every script is given all keys in this order, and touches no other:
 *
 *     1  T journal  hash    the totals: epoch, last, note, time, count, bytes, evicted,
 *                           forgotten, newest_private, renewed, server, corrected_upto,
 *                           corrected_time, format
 *     2  T log      stream  POSITION-0: an update, fields u (its head, see redis_record.c)
 *                           and b (its body). POSITION-K, K > 0: a note behind that
 *                           update; field f: the topic has been deleted up to here;
 *                           field e: the topic has not ended any more
 *     3  T ids      hash    publisher's id: position
 *     4  T topics   hash    topic: "count bytes evicted newest_private newest_public ended
 *                           age", in decimal; what they mean is in memory/store.h.
 *                           `ended` is the position of its last update, or 0
 *     5  T index    zset    score 0, TOPIC NUL POSITION as 8 bytes, big endian
 *     6  T names    zset    score 0, the topics with a record in the order of their bytes
 *     7  T empty    zset    the topics that hold nothing, by when they became so
 *     8  T due      zset    topic: when its oldest update is too old, ms since 1970
 *     9  T ends     hash    topic that has ended: "POSITION TIME ID" of its last update
 *     10 T jumps    zset    score START, "END START": no position between them was used
 *     11 T nodes    zset    node: when it was last heard of, ms by Redis's clock
 *     12 T census   hash    selector: how many streams subscribe to it on all nodes
 *     13 T node:ID  hash    of one node: `batch`, the number of its last append; r0 to r3,
 *                           the replies to the last four, by number modulo four; and
 *                           c:SELECTOR, its own count
 *
 * Channels: T feed has "NODE LAST NOTE" for each change of the log; T census has the
 * selectors whose totals have changed. A selector is written as crier__selector_write() does.
 *
 * Positions are given out once. A server that is not the one that wrote last (a restart, a
 * replica that took over) may lack what that one had: a node that attaches to it first has
 * it *jump*, so that new positions are beyond all that may have been lost. A node that has
 * seen a position which lies in a jump, or beyond the end, knows that updates were lost. It
 * then *renews* the journal: a new epoch, and a gap (`renewed`) for all who read from
 * before. The same goes for a journal that is empty where it was not before.
 *
 * Batches have numbers. A batch whose reply was lost is sent again with its number, and is
 * applied once, in whichever order both arrive.
 *
 * Threads: the journal's own thread runs the event loop of hiredis (redis_link.c) and all of
 * this module but append, read, list, forget, ended, status, held, last and retain, which
 * any thread calls. It yields. Nobody waits for it but close().
 *
 * Locks, each held for a few instructions: the mirror's (memory.lock, which ranks as the
 * journal's: yield is called under it), and below it `queue_lock`. No function of hiredis
 * and no `done` runs under either.
 */

#include "base/random.h"
#include "libcrier/journal/ended.h"
#include "libcrier/journal/memory/store.h"
#include "redis_link.h"
#include "redis_nodes.h"

enum crier__redis_key {
    CRIER__REDIS_JOURNAL, CRIER__REDIS_LOG, CRIER__REDIS_IDS, CRIER__REDIS_TOPICS,
    CRIER__REDIS_INDEX, CRIER__REDIS_NAMES, CRIER__REDIS_EMPTY, CRIER__REDIS_DUE,
    CRIER__REDIS_ENDS, CRIER__REDIS_JUMPS, CRIER__REDIS_NODES, CRIER__REDIS_CENSUS,
    CRIER__REDIS_NODE,
    CRIER__REDIS_KEYS
};

struct crier__redis {
    struct crier__memory mirror; /* its first member is the journal */
    struct crier__redis_link link;
    char node[CRIER__RANDOM_NAME_SIZE]; /* the name of this node, its ID */
    struct crier__redis_census census;
};

#endif
