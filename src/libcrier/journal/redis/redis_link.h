#ifndef CRIER_REDIS_LINK_H
#define CRIER_REDIS_LINK_H

#include "redis_script.h"
#include "redis_url.h"

#include "base/timer.h"

#include <hiredis/async.h>

#include <stdatomic.h>

/*
 * A link: the event loop of the journal's thread, and a node's connections to one server.
 * The connections are made, and given up, together: when one of them fails, all are closed,
 * every open call is answered with NULL, and the link tries again, after a delay that grows
 * from 50 ms to 2 s. All of them lead to the same process of Redis (run_id).
 */

/* Commands of one connection are answered in order. The writer may wait for replicas. */
enum crier__redis_connection {
    CRIER__REDIS_WRITER, /* what changes the journal */
    CRIER__REDIS_READER, /* what reads it */
    CRIER__REDIS_FEED,   /* has subscribed to the channels */
    CRIER__REDIS_CONNECTIONS
};

/* A command that is not answered yet; the caller's, valid until on_reply. */
struct crier__redis_call {
    /* REPLY is borrowed for the call. NULL: the connection was lost, or the server has not
     * answered in time; whether it has run the command, or will, is not known. */
    void (*on_reply)(struct crier__redis_call *call, redisReply *reply);
    struct crier__redis_call *prev, *next; /* the link's */
    uint64_t until; /* likewise: ms of crier_now() */
};

/* The arguments of a command. All zero is none. */
struct crier__redis_args {
    const char **texts; /* borrowed */
    size_t *lengths;
    size_t count, capacity;
    bool failed; /* memory was short */
};

void crier__redis_arg(struct crier__redis_args *args, const char *text, size_t length);
void crier__redis_args_done(struct crier__redis_args *args);

struct crier__redis_link {
    struct crier__redis_url *url; /* the link's */
    const char *const *keys;      /* of the scripts; the owner's, CRIER__REDIS_KEYS of them */
    unsigned key_count;
    const char *const *channels;  /* that the feed subscribes to; the owner's */
    unsigned channel_count;

    /* The owner's, called on the link's thread. */
    void (*on_up)(struct crier__redis_link *link); /* connected, the scripts are loaded, the
                                                      channels are subscribed to */
    void (*on_down)(struct crier__redis_link *link, const char *reason);
                                /* the connections have been lost, or could not be made (then
                                   once for each attempt); after the calls were answered */
    void (*on_wake)(struct crier__redis_link *link); /* after crier__redis_link_wake() */
    void (*on_message)(struct crier__redis_link *link, const char *channel,
                       const char *text, size_t length);

    char run_id[41];             /* of the server, while up */
    struct crier__timers timers; /* of the thread; the owner reserves for its own, and frees
                                    them in the end */
    struct crier__redis_loop *loop; /* the rest: redis_link.c */
};

/* Starts the thread and begins to connect. The members above the line "run_id" have been
 * set. -ENOMEM, -errno. */
int crier__redis_link_start(struct crier__redis_link *link);

/* Has the thread call on_wake soon. Any thread. Wakes that have not been served yet are
 * one. */
void crier__redis_link_wake(struct crier__redis_link *link);

/* Closes the connections (open calls are answered with NULL; on_down is not called), and ends
 * the thread. Wakes do nothing from then on. Not on its thread. */
void crier__redis_link_stop(struct crier__redis_link *link);

/* Frees what the link has but the timers, after its end; no thread may use it any more. */
void crier__redis_link_free(struct crier__redis_link *link);

/* ---- on the link's thread ---- */

bool crier__redis_link_is_up(const struct crier__redis_link *link);

/* Notes that the server serves its purpose: after a failure, the next attempt comes soon. */
void crier__redis_link_works(struct crier__redis_link *link);

/* Gives the connections up, for REASON, and tries again: the server is not one that may be
 * written to, for example. */
void crier__redis_link_fail(struct crier__redis_link *link, const char *reason);

/* Runs SCRIPT with the link's keys, but for the last one, which is KEY unless that is NULL,
 * and with ARGS on CONNECTION. CALL is answered later, never before this returns; within
 * WITHIN ms or with NULL, and the link then fails. -ENOMEM, or CRIER_ERR_STORAGE when
 * the link is not up; then CALL is not answered. */
int crier__redis_run(struct crier__redis_link *link,
                     enum crier__redis_connection connection,
                     enum crier__redis_script script, const char *key,
                     const struct crier__redis_args *args, unsigned within,
                     struct crier__redis_call *call);

/* Likewise for the command that ARGS are. */
int crier__redis_command(struct crier__redis_link *link,
                         enum crier__redis_connection connection,
                         const struct crier__redis_args *args, unsigned within,
                         struct crier__redis_call *call);

#endif
