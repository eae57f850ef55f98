#ifndef TESTS_SITE_H
#define TESTS_SITE_H

#include "crier.h"

#include <pthread.h>
#include <stdbool.h>

/*
 * A libmicrohttpd program in the test's process, on a free port, as a user of libcrier
 * would write it.
 */
struct site {
    struct MHD_Daemon *daemon;
    struct crier_shards *shards;
    int port;
    enum MHD_Result (*answer)(struct site *site,
                              struct MHD_Connection *connection,
                              const char *path);
    void *closure;           /* for the test */
    const char *key;         /* PEM; NULL: no TLS */
    const char *certificate; /* likewise */
    MHD_LogCallback log;     /* NULL: libmicrohttpd logs nothing */
};

/* Starts SITE, whose `answer` must be set, with OPTIONS for its shards (may be
 * NULL). */
void site_start(struct site *site, const struct crier_shards_options *options);

/* The journals of a hub. SITE_PAST is one in Redis of which the process keeps the newest
 * MiB, so that what is older is read from Redis. */
enum site_journal { SITE_MEMORY, SITE_SQLITE, SITE_REDIS, SITE_PAST };

/* How many of these a test runs with, the first ones (redis_is_wanted()). */
int site_journals(void);

/* The name of JOURNAL. */
const char *site_journal_name(enum site_journal journal);

/* The same as site_start() with a hub, on a journal in memory, in an SQLite file of the
 * scratch directory, which it makes, or in a Redis, which it starts. Returns the hub. */
struct crier_hub *site_start_hub(struct site *site,
                                 const struct crier_shards_options *shards,
                                 const struct crier_journal_options *options,
                                 enum site_journal journal);

/* Stops and frees the site and the hub, ends Redis, and removes the scratch directory. */
void site_stop_hub(struct site *site, struct crier_hub *hub, enum site_journal journal);

/* Drains, stops and frees it. Returns the result of crier_shards_drain(). */
size_t site_stop(struct site *site);

/* Stops MHD and frees the shards, for a test that drained them itself. */
void site_stop_drained(struct site *site);

/* Queues RESPONSE and destroys it. */
enum MHD_Result site_queue(struct MHD_Connection *connection,
                           struct MHD_Response *response);

/* Responds with STATUS and no body. */
enum MHD_Result site_status(struct MHD_Connection *connection,
                            unsigned status);

/* A counter that one thread increments and another one waits for. */
struct signal_box {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
    int value;
};

void box_init(struct signal_box *box);
void box_done(struct signal_box *box);

/* Increments the counter and stores VALUE. */
void box_put(struct signal_box *box, int value);

/* Returns the counter. */
int box_count(struct signal_box *box);

/* Waits until the counter is at least COUNT; fails if it does not change for PATIENCE.
 * Returns the last value. */
int box_wait(struct signal_box *box, int count);

/* An on_closed that increments the box CLOSURE, with the reason as its value. */
void box_closed(void *closure, struct crier_stream *stream,
                enum crier_reason reason);

/* Returns a new frame with TEXT as its data. */
struct crier_frame *frame_of(const char *text);

#endif
