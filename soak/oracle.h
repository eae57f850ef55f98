#ifndef SOAK_ORACLE_H
#define SOAK_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A series is a publisher with topics of its own, and its way to publish. */
enum series {
    SERIES_SINGLE,    /* one request at a time, own ids, dedupe=1 */
    SERIES_PIPELINED, /* many in flight, own ids, dedupe=1 */
    SERIES_PLAIN,     /* many in flight, without ids */
    SERIES_BULK,      /* many in a request, own ids, dedupe=1 */
    SERIES_LARGE,     /* up to 64 KiB, own ids, dedupe=1 */
    SERIES_SHORT,     /* as plain; the topics hold little */
    SERIES_COUNT
};

#define SERIES_TOPICS 4 /* of each series; a set of topics is a mask */
#define ORACLE_ALL ((UINT32_C(1) << SERIES_COUNT * SERIES_TOPICS) - 1)
#define ORACLE_SIZE_MAX ((size_t)64 * 1024)
#define ORACLE_NAMES_MAX 512

/* What crierd is told to hold. */
#define ORACLE_RETAIN_COUNT 6000
#define ORACLE_RETAIN_BYTES 8388608
#define ORACLE_RETAIN_SHORT 50

enum update_state {
    UPDATE_MADE, /* not acknowledged yet */
    UPDATE_ACKED,
    UPDATE_UNSURE, /* it will not be known */
};

struct update {
    uint64_t number; /* in its series, from 1 */
    uint32_t topics;
    uint32_t size;     /* of its data */
    uint64_t position; /* 0 when it is not known */
    uint64_t sent;     /* for the first time, ns; 0: not yet */
    uint64_t count;    /* updates made before, of all series */
    uint64_t bytes;    /* and how many they were, at the most */
    enum update_state state;
    bool again;   /* sent more than once */
    bool seen;    /* somebody got it */
    bool skipped; /* somebody who follows it did not */
};

/* How many updates of a series are remembered. */
#define ORACLE_MEMORY 32768

struct oracle {
    struct update *updates[SERIES_COUNT];
    uint64_t made[SERIES_COUNT];  /* the last number */
    uint64_t acked[SERIES_COUNT]; /* the last that was acknowledged */
    uint64_t gone[SERIES_COUNT];
    uint64_t count, bytes;
    char epoch[64]; /* of the ids that the journal makes */
    char *pattern;
};

bool oracle_open(struct oracle *oracle);
void oracle_close(struct oracle *oracle);

/* The name of a series, which is what its topics' names begin with. */
const char *oracle_series_name(enum series series);

/* Writes the names of TOPICS, separated by commas; "*" for all. */
void oracle_names(uint32_t topics, char *names, size_t size);

/* Whether the updates of LANE have ids of their own. */
bool oracle_has_ids(enum series series);

/* Makes the next update of LANE, to TOPICS (at least one of the series's) and
 * with SIZE bytes of data. */
struct update *oracle_make(struct oracle *oracle, enum series series, uint32_t topics,
                           size_t size);

/* Update NUMBER of LANE; NULL when there is none, or it is not remembered. */
struct update *oracle_at(const struct oracle *oracle, enum series series,
                         uint64_t number);

/* It is in the journal, at POSITION (or 0). */
void oracle_ack(struct oracle *oracle, enum series series, struct update *update,
                uint64_t position);

/* Writes the data of UPDATE, which are the same always: ORACLE_SIZE_MAX bytes
 * at the most. */
void oracle_data(const struct oracle *oracle, enum series series,
                 const struct update *update, char *data);

/* Finds the update whose data these are, and its series; NULL when there is
 * none, or they differ from what was published. */
struct update *oracle_find(const struct oracle *oracle, const char *data, size_t length,
                           enum series *series);

/* The position in ID, which the journal made; false when ID is not like that,
 * or of another epoch than those before. */
bool oracle_position(struct oracle *oracle, const char *id, uint64_t *position);

/* The highest number of LANE that retention may have let go by now: each
 * beyond is held for sure. */
uint64_t oracle_gone(struct oracle *oracle, enum series series);

#endif
