#ifndef SOAK_ORACLE_H
#define SOAK_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A series is the updates of one publisher, with topics of its own and a way to
 * publish. */
enum series {
    SERIES_SINGLE,    /* one request at a time, own ids, dedupe=1 */
    SERIES_PIPELINED, /* many in flight, own ids, dedupe=1 */
    SERIES_PLAIN,     /* many in flight, without ids */
    SERIES_BULK,      /* many per request, own ids, dedupe=1 */
    SERIES_LARGE,     /* up to 64 KiB, own ids, dedupe=1 */
    SERIES_SHORT,     /* as plain; short retention */
    SERIES_COUNT
};

#define SERIES_TOPICS 4 /* of each series; a set of topics is a bit mask */
#define ORACLE_ALL ((UINT32_C(1) << SERIES_COUNT * SERIES_TOPICS) - 1)
#define ORACLE_SIZE_MAX ((size_t)64 * 1024)
#define ORACLE_NAMES_MAX 512

/* Retention of crierd. */
#define ORACLE_RETAIN_COUNT 6000
#define ORACLE_RETAIN_BYTES 8388608
#define ORACLE_RETAIN_SHORT 50

enum update_state {
    UPDATE_MADE, /* not acknowledged yet */
    UPDATE_ACKED,
    UPDATE_UNSURE, /* no response, and none to come */
};

struct update {
    uint64_t number; /* within its series, from 1 */
    uint32_t topics;
    uint32_t size;     /* of its data */
    uint64_t position; /* 0 if not known */
    uint64_t sent;     /* first time of sending, ns; 0: not yet */
    uint64_t count;    /* updates made before, of all series */
    uint64_t bytes;    /* maximum size of these */
    enum update_state state;
    bool again;   /* sent more than once */
    bool seen;    /* received by a client */
    bool skipped; /* not received by a subscriber */
};

/* Number of updates of a series that are remembered. */
#define ORACLE_MEMORY 32768

struct oracle {
    struct update *updates[SERIES_COUNT];
    uint64_t made[SERIES_COUNT];  /* last number */
    uint64_t acked[SERIES_COUNT]; /* last acknowledged number */
    uint64_t gone[SERIES_COUNT];
    uint64_t count, bytes;
    char epoch[64]; /* of the ids that the journal makes */
    char *pattern;
};

bool oracle_open(struct oracle *oracle);
void oracle_close(struct oracle *oracle);

/* Returns the name of a series, which its topics' names begin with. */
const char *oracle_series_name(enum series series);

/* Writes the names of TOPICS, separated by commas; "*" for all. */
void oracle_names(uint32_t topics, char *names, size_t size);

/* Returns whether the updates of SERIES have ids of their own. */
bool oracle_has_ids(enum series series);

/* Makes the next update of SERIES, with TOPICS (at least one of the series) and SIZE
 * bytes of data. */
struct update *oracle_make(struct oracle *oracle, enum series series, uint32_t topics,
                           size_t size);

/* Returns update NUMBER of SERIES; NULL if there is none, or it is forgotten. */
struct update *oracle_at(const struct oracle *oracle, enum series series,
                         uint64_t number);

/* Records that UPDATE is in the journal, at POSITION (or 0). */
void oracle_ack(struct oracle *oracle, enum series series, struct update *update,
                uint64_t position);

/* Writes the data of UPDATE, always the same, at most ORACLE_SIZE_MAX bytes. */
void oracle_data(const struct oracle *oracle, enum series series,
                 const struct update *update, char *data);

/* Returns the update with these data, and its series; NULL if there is none, or the
 * data are not exactly those published. */
struct update *oracle_find(const struct oracle *oracle, const char *data, size_t length,
                           enum series *series);

/* Returns in *POSITION that of ID, made by the journal. Returns false if ID has another
 * form, or another epoch than earlier ids. */
bool oracle_position(struct oracle *oracle, const char *id, uint64_t *position);

/* Returns the highest number of SERIES that may have expired by now: all later ones are
 * certainly stored. */
uint64_t oracle_gone(struct oracle *oracle, enum series series);

#endif
