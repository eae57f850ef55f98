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
 *                           corrected_time, format, floor (no update up to there is
 *                           held), gone, gone_bytes (of T gone)
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
 *     10 T jumps    zset    score END, "START END NOTE": no position between END and
 *                           START was used, and NOTE was the last one behind END
 *     11 T nodes    zset    node: when it was last heard of, ms by Redis's clock
 *     12 T census   hash    selector: how many streams subscribe to it on all nodes
 *     13 T gone     zset    score POSITION, "POSITION COST LF TOPICS" of an update that has
 *                           been evicted but is still in the log, for the nodes that
 *                           follow it: it is one of the newest 4096 positions. Those that
 *                           cost more than 16 MiB, or were deleted, leave it at once
 *     14 T node:ID  hash    of one node: `batch`, the number of its last append; r0 to r3,
 *                           the replies to the last four, by number modulo four;
 *                           c:SELECTOR, its own count; `name`, "PID HOST"; and `streams`,
 *                           how many it has
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

#include "base/container_of.h"
#include "base/random.h"
#include "libcrier/journal/ended.h"
#include "libcrier/journal/memory/store.h"
#include "redis_link.h"
#include "redis_nodes.h"
#include "redis_questions.h"
#include "redis_record.h"

enum crier__redis_key {
    CRIER__REDIS_JOURNAL,
    CRIER__REDIS_LOG,
    CRIER__REDIS_IDS,
    CRIER__REDIS_TOPICS,
    CRIER__REDIS_INDEX,
    CRIER__REDIS_NAMES,
    CRIER__REDIS_EMPTY,
    CRIER__REDIS_DUE,
    CRIER__REDIS_ENDS,
    CRIER__REDIS_JUMPS,
    CRIER__REDIS_NODES,
    CRIER__REDIS_CENSUS,
    CRIER__REDIS_GONE,
    CRIER__REDIS_NODE,
    CRIER__REDIS_KEYS
};

enum crier__redis_channel {
    CRIER__REDIS_FEED_CHANNEL,
    CRIER__REDIS_CENSUS_CHANNEL,
    CRIER__REDIS_CHANNELS
};

/* So many batches are on their way at a time, and so many updates are in one. */
#define CRIER__REDIS_BATCHES 4
#define CRIER__REDIS_BATCH_MAX 256

/* Jumps that are remembered, as Redis does. */
#define CRIER__REDIS_JUMPS_MAX 256

/* What the thread is about. */
enum crier__redis_state {
    CRIER__REDIS_AWAY,      /* no connection */
    CRIER__REDIS_ATTACHING, /* ATTACH, and what it needs */
    CRIER__REDIS_READY
};

/* The totals, as Redis has told them last. */
struct crier__redis_held {
    uint64_t count, bytes, topics, last, note;
    int64_t time;
};

/* What changes the journal, in the order in which it was asked for: an append, or else a
 * forgetting; and when it fails. */
struct crier__redis_queued {
    struct crier__append *append;
    struct crier__forget *forget;
    uint64_t until; /* ms of crier_now() */
};

/* A batch: see redis_write.c. */
struct crier__redis_batch {
    struct crier__redis_call append_call, wait_call;
    struct crier__redis_batch *prev, *next;
    struct crier__redis *redis;
    uint64_t number;
    uint64_t until;    /* when its first append fails */
    uint64_t sent_at;  /* us */
    int64_t now;       /* the clock when it was made: the script is given this each time */
    bool sent, replied, yielded, confirmed;
    bool finished;       /* its appends are answered; only calls are open */
    unsigned open_calls; /* that will be answered */
    int error; /* of all its appends that have none of their own */
    char reason[128];
    uint64_t prev_last, prev_note; /* the end of the log in front of it */
    uint64_t last;                 /* its highest position; 0: it has none */
    uint64_t note;                 /* the last note that it has made behind that */
    unsigned count;
    struct crier__append *appends[CRIER__REDIS_BATCH_MAX];
};

struct crier__redis_loading;

/* What other threads ask for; guarded by queue_lock. */
struct crier__redis_queue {
    struct crier__redis_queued *changes; /* a ring */
    size_t first, count, capacity;
    struct crier__read *reads, **reads_end;
    struct crier__list *lists, **lists_end;
    bool started;     /* the hub has set what the journal calls */
    bool retained;    /* there is a new policy */
    bool interrupted; /* fail at once what cannot be done now */
    bool closing;
};

/* A text that `epoch` has pointed to. */
struct crier__redis_epoch {
    struct crier__redis_epoch *next;
    char text[CRIER__EPOCH_SIZE];
};

/* How many streams the last updates went to, by their positions. */
#define CRIER__REDIS_YIELDED 1024
struct crier__redis_yielded {
    uint64_t position;
    size_t subscribers;
};

struct crier__redis {
    struct crier__memory mirror; /* its first member is the journal */
    struct crier__redis_link link;
    char node[CRIER__RANDOM_NAME_SIZE]; /* the name of this node, its ID */
    struct crier__redis_census census;
    struct crier__redis_past past;
    struct crier__ended_set ended; /* changed by the thread alone */

    char *names; /* the memory of the keys and channels */
    const char *keys[CRIER__REDIS_KEYS];
    const char *channels[CRIER__REDIS_CHANNELS];

    /* Changed by the thread alone, under the mirror's lock: any thread may read them under
     * that. */
    struct crier__jump jumps[CRIER__REDIS_JUMPS_MAX];
    struct crier__redis_corrected corrected;

    /* The thread alone. */
    enum crier__redis_state state;
    bool opened; /* the mirror has been filled for the first time */
    void (*on_ready)(struct crier__redis *redis);   /* attached, and the hub has begun */
    void (*on_forgotten)(struct crier__redis *redis); /* another node has deleted a topic */
    void (*on_fetched)(struct crier__redis *redis); /* something was fetched and yielded */
    bool following; /* the hub has begun, and so has this */
    bool leaving;   /* close() has begun */
    uint64_t last, note; /* the end of what has been yielded */
    uint64_t batch_number;
    struct crier__redis_batch *batches; /* a DL list, in order of their numbers */
    unsigned batch_count;
    bool fetching, fetch_wanted;
    struct crier__redis_loading *loading; /* while the mirror is being filled */
    struct crier__redis_epoch *epochs;
    char candidate[CRIER__EPOCH_SIZE]; /* of the ATTACH on its way */
    struct crier__redis_yielded yielded[CRIER__REDIS_YIELDED];
    struct crier__timer expire; /* of batches and the queue */
    struct crier__timer tidy;   /* the next SWEEP */
    struct crier__forget *forgetting; /* the one on its way */
    uint64_t forget_upto;
    bool tidying;    /* a SWEEP, or a TRIM with what it needs, is on its way */
    bool sweep;      /* there may be something to evict */
    bool adapting;   /* topics are to be trimmed, those behind `adapted`; up to `adapting_to`
                        that is on its way */
    char adapted[CRIER__TOPIC_SIZE], adapting_to[CRIER__TOPIC_SIZE];
    struct crier__redis_call attach_call, fetch_call, forget_call, tidy_call;

    pthread_mutex_t queue_lock; /* guards what follows */
    pthread_cond_t changed;     /* opened, failed or idle */
    struct crier__redis_queue queue;
    struct crier__redis_held held;
    int64_t oldest;
    int error; /* the status */
    char reason[128];
    bool is_open;  /* it was ready once */
    size_t steps;     /* of the loading that has come furthest before that */
    uint64_t stepped; /* when it took the last of these, by crier_now() */
    bool idle;     /* closing, and everything is answered */
    struct crier__redis_nodes listed; /* the last whole list of nodes */
    uint64_t connects, renewals;
    size_t on_their_way; /* batches */
};

/* The journal of a link, and that of a member of the journal. */
static inline struct crier__redis *crier__redis_of(struct crier__redis_link *link)
{
    return CRIER__CONTAINER_OF(link, struct crier__redis, link);
}

/* All on the journal's thread. */

/* ---- redis_talk.c ---- */

/* Sets the status: ERROR (0: none) with REASON. */
void crier__redis_set_status(struct crier__redis *redis, int error, const char *reason);

/* Notes HELD, a reply's, as the totals. False: it is none. */
bool crier__redis_note_held(struct crier__redis *redis, const redisReply *held,
                            struct crier__redis_held *totals);

/* Begins ARGS with the epoch. */
void crier__redis_begin_args(struct crier__redis *redis, struct crier__redis_args *args);

/* Appends NUMBER in decimal to ARGS, with TEXT as its memory. */
void crier__redis_arg_number(struct crier__redis_args *args, char text[24], uint64_t number);

/* How long the reply to a command on the writer's connection may take, in ms, that Redis is
 * given TIME for: WAITs may be in front of it there, which together take less than the
 * timeout (send_wait() of redis_write.c). */
unsigned crier__redis_writer_time(const struct crier__redis *redis, unsigned time);

/* Writes the limits of all topics together to TEXT, as scripts are given them. */
void crier__redis_policy(struct crier__redis *redis, char text[128]);

/* The time before which what the topic NAME holds is too old; 0: nothing is. Any thread. */
int64_t crier__redis_too_old(struct crier__redis *redis, const char *name);

/* Gives the connections up: REPLY was not what a script of ours replies. */
void crier__redis_refuse(struct crier__redis *redis, const redisReply *reply,
                         const char *script);

/* ---- redis_order.c ---- */

/* Yields UPDATE, which is placed behind all that were yielded. Returns how many streams it
 * goes to. */
size_t crier__redis_yield(struct crier__redis *redis, struct crier__update *update);

/* What lies up to POSITION cannot be yielded: all streams read again. */
void crier__redis_skip(struct crier__redis *redis, uint64_t position);

/* The first batch that is not yielded, if it has a reply; or NULL. */
struct crier__redis_batch *crier__redis_next(struct crier__redis *redis);

/* Yields what BATCH has appended beyond what has been yielded. */
void crier__redis_yield_batch(struct crier__redis_batch *batch);

/* Yields the first batch that is not, if it has a reply and its place is in front of
 * POSITION. */
bool crier__redis_yield_own(struct crier__redis *redis, uint64_t position);

/* ---- redis_follow.c ---- */

/* Attaches to the server, which is connected or has another epoch than was thought. */
void crier__redis_attach(struct crier__redis *redis);

/* Fetches what others have appended, unless that is being done. */
void crier__redis_fetch(struct crier__redis *redis);

/* A message on the channel T feed. */
void crier__redis_notice(struct crier__redis *redis, const char *text, size_t length);

/* The connections are lost. */
void crier__redis_follow_down(struct crier__redis *redis);

/* ---- redis_write.c ---- */

/* Sends batches of what is in the queue, those without a reply first. */
void crier__redis_write(struct crier__redis *redis);

/* Yields the batches whose turn it is, and answers what can be answered. */
void crier__redis_settle(struct crier__redis *redis);

/* The connections are lost: batches without a reply will be sent again. */
void crier__redis_write_down(struct crier__redis *redis);

/* Answers what has waited too long, or ALL. */
void crier__redis_expire(struct crier__redis *redis, bool all);

/* ---- redis_tidy.c ---- */

/* Takes what is first in the queue, when that is a forgetting and no other one is on its way;
 * what was asked for behind it may be sent then. */
void crier__redis_begin_forget(struct crier__redis *redis);

/* Does what is next of trimming and sweeping. */
void crier__redis_tidy(struct crier__redis *redis);
void crier__redis_tidy_down(struct crier__redis *redis);

/* The timer of the next SWEEP. */
void crier__redis_sweep(struct crier__timer *timer, uint64_t now);

#endif
