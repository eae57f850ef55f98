#ifndef CRIERD_LANE_H
#define CRIERD_LANE_H

#include "server.h"

#include <stdint.h>

/* What a lane reads at a time. */
#define LANE_WINDOW ((size_t)64 * 1024)

struct door;
struct doorman;

/* A connection whose client publishes; the thread of its doorman only, but where
 * it says otherwise. */
struct lane;

/* One request of a lane, until it is answered. */
struct turn {
    struct turn *next;       /* of the same lane */
    struct turn *woken_next; /* its doorman's, under his lock */
    struct lane *lane;
    const struct head *head; /* while the handler runs */
    struct later *later;
    char *target;            /* while it waits for its answer */
    uint64_t received;
    char *bytes; /* the answer, while others are before it */
    size_t length;
    bool answered;
};

enum lane_verdict {
    LANE_STAYS,  /* there is nothing to do now */
    LANE_AGAIN,  /* there may be more to read */
    LANE_LEAVES, /* what comes is for libmicrohttpd */
    LANE_OVER    /* the connection is to be closed */
};

/* A new lane of DOORMAN for the socket FD, which stays the caller's. NULL when memory
 * is short. */
struct lane *lane_new(struct server *server, struct doorman *doorman, int fd);

/* Throws away what has come and is not read: closing with bytes unread would reset the
 * connection, and the client might lose its answers. WINDOW is as for lane_run(). */
void lane_discard(struct lane *lane, char *window);

/* Gives LANE up; what is still asked for is thrown away when it is answered. */
void lane_free(struct lane *lane);

/* Reads, has answered and writes what can be. WINDOW is for its use, of LANE_WINDOW
 * bytes and one. HUNG_UP: the client will send no more. *MOVED is set when there was
 * any progress. */
enum lane_verdict lane_run(struct lane *lane, char *window, bool hung_up,
                           bool *moved);

/* Whether LANE has no request, at most the begin of a head, and no answer to send. */
bool lane_is_idle(const struct lane *lane);

/* What to do with LANE, in which nothing has moved for as long as is allowed. */
enum lane_verdict lane_overdue(const struct lane *lane);

/* TURN's answer is there: gives it. Returns its lane, to be run; NULL when that is
 * given up. */
struct lane *lane_answer(struct turn *turn);

/* What visitor LANE serves: door.c's. */
void *lane_visitor(const struct lane *lane);
void lane_set_visitor(struct lane *lane, void *visitor);

/* Has the lane of TURN told that its answer is there. Any thread; TURN is not the
 * caller's any more. */
void lane_wake(struct turn *turn);

/* ---- for a handler ---------------------------------------------------- */

/* The value of the header NAME, or NULL. Borrowed, while the handler runs. */
const char *lane_header(const struct turn *turn, const char *name);

/* Appends LENGTH bytes to the answer of TURN. False when memory is short. */
bool lane_put(struct turn *turn, const char *bytes, size_t length);

#endif
