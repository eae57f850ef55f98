#ifndef SOAK_LEDGER_H
#define SOAK_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A lane is a publisher with topics of its own, and its way to publish. */
enum lane {
    LANE_SINGLE,    /* one request at a time, own ids, dedupe=1 */
    LANE_PIPELINED, /* many in flight, own ids, dedupe=1 */
    LANE_PLAIN,     /* many in flight, without ids */
    LANE_BULK,      /* many in a request, own ids, dedupe=1 */
    LANE_LARGE,     /* up to 64 KiB, own ids, dedupe=1 */
    LANE_SHORT,     /* as plain; the topics hold little */
    LANES
};

#define LANE_TOPICS 4 /* of each lane; a set of topics is a mask */
#define LEDGER_ALL ((UINT32_C(1) << LANES * LANE_TOPICS) - 1)
#define LEDGER_SIZE_MAX ((size_t)64 * 1024)
#define LEDGER_NAMES_MAX 512

/* What crierd is told to hold. */
#define LEDGER_RETAIN_COUNT 6000
#define LEDGER_RETAIN_BYTES 8388608
#define LEDGER_RETAIN_SHORT 50

enum update_state {
    UPDATE_MADE,   /* not acknowledged yet */
    UPDATE_ACKED,
    UPDATE_UNSURE, /* it will not be known */
};

struct update {
    uint64_t number; /* in its lane, from 1 */
    uint32_t topics;
    uint32_t size;     /* of its data */
    uint64_t position; /* 0 when it is not known */
    uint64_t sent;     /* for the first time, ns; 0: not yet */
    uint64_t count;    /* updates made before, of all lanes */
    uint64_t bytes;    /* and how many they were, at the most */
    enum update_state state;
    bool again;   /* sent more than once */
    bool seen;    /* somebody got it */
    bool skipped; /* somebody who follows it did not */
};

/* How many updates of a lane are remembered. */
#define LEDGER_MEMORY 32768

struct ledger {
    struct update *updates[LANES];
    uint64_t made[LANES];  /* the last number */
    uint64_t acked[LANES]; /* the last that was acknowledged */
    uint64_t gone[LANES];
    uint64_t count, bytes;
    char epoch[64];        /* of the ids that the journal makes */
    char *pattern;
};

bool ledger_open(struct ledger *ledger);
void ledger_close(struct ledger *ledger);

/* The name of a lane, which is what its topics' names begin with. */
const char *ledger_lane(enum lane lane);

/* Writes the names of TOPICS, separated by commas; "*" for all. */
void ledger_names(uint32_t topics, char *names, size_t room);

/* Whether the updates of LANE have ids of their own. */
bool ledger_has_ids(enum lane lane);

/* Makes the next update of LANE, to TOPICS (at least one of the lane's) and
 * with SIZE bytes of data. */
struct update *ledger_make(struct ledger *ledger, enum lane lane,
                           uint32_t topics, size_t size);

/* Update NUMBER of LANE; NULL when there is none, or it is not remembered. */
struct update *ledger_at(const struct ledger *ledger, enum lane lane,
                         uint64_t number);

/* It is in the journal, at POSITION (or 0). */
void ledger_ack(struct ledger *ledger, enum lane lane, struct update *update,
                uint64_t position);

/* Writes the data of UPDATE, which are the same always: LEDGER_SIZE_MAX bytes
 * at the most. */
void ledger_data(const struct ledger *ledger, enum lane lane,
                 const struct update *update, char *data);

/* Finds the update whose data these are, and its lane; NULL when there is
 * none, or they differ from what was published. */
struct update *ledger_find(const struct ledger *ledger, const char *data,
                           size_t length, enum lane *lane);

/* The position in ID, which the journal made; false when ID is not like that,
 * or of another epoch than those before. */
bool ledger_position(struct ledger *ledger, const char *id,
                     uint64_t *position);

/* The highest number of LANE that retention may have let go by now: each
 * beyond is held for sure. */
uint64_t ledger_gone(struct ledger *ledger, enum lane lane);

#endif
