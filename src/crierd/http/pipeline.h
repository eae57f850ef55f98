#ifndef CRIERD_PIPELINE_H
#define CRIERD_PIPELINE_H

#include "server.h"

#include <stdint.h>

/* What a lane reads at a time. */
#define LANE_WINDOW ((size_t)64 * 1024)

struct acceptor;
struct acceptor_thread;

/* A connection whose client publishes; the thread of its doorman only, but where
 * it says otherwise. */
struct pipeline;

/* One request of a lane, until it is answered. */
struct turn {
    struct turn *next;       /* of the same lane */
    struct turn *woken_next; /* its doorman's, under his lock */
    struct pipeline *pipeline;
    const struct head *head; /* while the handler runs */
    struct deferred *deferred;
    char *target;            /* while it waits for its answer */
    uint64_t received;
    char *bytes; /* the answer, while others are before it */
    size_t length;
    bool answered;
};

enum pipeline_verdict {
    PIPELINE_STAYS,  /* there is nothing to do now */
    PIPELINE_AGAIN,  /* there may be more to read */
    PIPELINE_LEAVES, /* what comes is for libmicrohttpd */
    PIPELINE_OVER    /* the connection is to be closed */
};

/* A new lane of DOORMAN for the socket FD, which stays the caller's. NULL when memory
 * is short. */
struct pipeline *pipeline_new(struct server *server, struct acceptor_thread *thread, int fd);

/* Throws away what has come and is not read: closing with bytes unread would reset the
 * connection, and the client might lose its answers. WINDOW is as for pipeline_run(). */
void pipeline_discard(struct pipeline *pipeline, char *window);

/* Gives LANE up; what is still asked for is thrown away when it is answered. */
void pipeline_free(struct pipeline *pipeline);

/* Reads, has answered and writes what can be. WINDOW is for its use, of LANE_WINDOW
 * bytes and one. HUNG_UP: the client will send no more. *MOVED is set when there was
 * any progress. */
enum pipeline_verdict pipeline_run(struct pipeline *pipeline, char *window, bool hung_up,
                           bool *moved);

/* Whether LANE has no request, at most the begin of a head, and no answer to send. */
bool pipeline_is_idle(const struct pipeline *pipeline);

/* What to do with LANE, in which nothing has moved for as long as is allowed. */
enum pipeline_verdict pipeline_overdue(const struct pipeline *pipeline);

/* TURN's answer is there: gives it. Returns its lane, to be run; NULL when that is
 * given up. */
struct pipeline *pipeline_answer(struct turn *turn);

/* What visitor LANE serves: door.c's. */
void *pipeline_visitor(const struct pipeline *pipeline);
void pipeline_set_visitor(struct pipeline *pipeline, void *visitor);

/* Has the lane of TURN told that its answer is there. Any thread; TURN is not the
 * caller's any more. */
void pipeline_wake(struct turn *turn);

/* ---- for a handler ---------------------------------------------------- */

/* The value of the header NAME, or NULL. Borrowed, while the handler runs. */
const char *pipeline_header(const struct turn *turn, const char *name);

/* Appends LENGTH bytes to the answer of TURN. False when memory is short. */
bool pipeline_put(struct turn *turn, const char *bytes, size_t length);

#endif
