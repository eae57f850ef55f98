#ifndef TESTS_SITE_H
#define TESTS_SITE_H

#include "crier.h"

#include <pthread.h>
#include <stdbool.h>

/*
 * A libmicrohttpd program in the test's own process, on a free port: what a
 * user of libcrier would write.
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

/* Starts SITE, whose answer is set, with OPTIONS for its shards (may be NULL). */
void site_start(struct site *site, const struct crier_shards_options *options);

/* The same with a hub, on a journal in memory or in an SQLite file of the scratch
 * directory, which it makes. Returns the hub. */
struct crier_hub *site_start_hub(struct site *site,
                                 const struct crier_shards_options *shards,
                                 const struct crier_journal_options *journal,
                                 bool sqlite);

/* Stops it all. */
void site_stop_hub(struct site *site, struct crier_hub *hub, bool sqlite);

/* Drains, stops and frees. Returns what crier_shards_drain() did. */
size_t site_stop(struct site *site);

/* Stops MHD and frees the shards after a drain of the test's own. */
void site_stop_drained(struct site *site);

/* Queues the response of a stream and gives it back. */
enum MHD_Result site_queue(struct MHD_Connection *connection,
                           struct MHD_Response *response);

/* Answers with a bare STATUS. */
enum MHD_Result site_status(struct MHD_Connection *connection,
                            unsigned status);

/* Something that one thread waits for and another one brings about. */
struct signal_box {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
    int value;
};

void box_init(struct signal_box *box);
void box_done(struct signal_box *box);

/* Counts one more, with VALUE. */
void box_put(struct signal_box *box, int value);

/* How many were counted. */
int box_count(struct signal_box *box);

/* Waits until at least COUNT were counted, fails when for PATIENCE none is. The last
 * value. */
int box_wait(struct signal_box *box, int count);

/* An on_closed that counts in the box CLOSURE, with the reason. */
void box_closed(void *closure, struct crier_stream *stream,
                enum crier_reason reason);

/* A new frame of plain data. */
struct crier_frame *frame_of(const char *text);

#endif
