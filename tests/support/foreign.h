#ifndef TESTS_FOREIGN_H
#define TESTS_FOREIGN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A server that knows nothing of Crier: plain sockets in threads of the test's own
 * process, on a free port. It records every request and says in answer what the
 * test has it say, byte by byte: the first request gets the first answer, on
 * whatever connection it comes, the second one the next.
 *
 * An answer is said piece by piece (foreign_say() and the like) and ends with
 * foreign_close(), _reset(), _keep() or _hold(). Pieces may be said before the
 * request comes, and while the answer is on its way; until it is ended the server
 * waits for more. So nothing needs to sleep.
 */
struct foreign_request {
    int connection; /* the number of its connection, from 0 */
    char *method, *target;
    char *head; /* its header lines */
    char *body;
    size_t length; /* of body */
};

/* A step of an answer: the server's own. */
struct foreign_step {
    enum {
        FOREIGN_SAY,
        FOREIGN_MAKE,
        FOREIGN_CLOSE,
        FOREIGN_RESET,
        FOREIGN_KEEP,
        FOREIGN_HOLD
    } what;
    char *bytes;
    size_t length;
    size_t (*make)(uint64_t number, char *bytes);
    uint64_t count;
};

struct foreign {
    int port;
    char url[64]; /* "http://127.0.0.1:PORT" */

    /* The server's own. */
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    bool stopping;
    struct foreign_step *steps;
    size_t step_count;
    struct foreign_request **requests;
    size_t request_count;
    struct foreign_connection **connections;
    size_t connection_count;
    size_t left; /* connections that the client closed while they were held */
    uint64_t sent;
};

void foreign_start(struct foreign *server);

/* The same on ::1. Whether there is such an address. */
bool foreign_start_6(struct foreign *server);

/* Closes all connections and frees what SERVER holds. */
void foreign_stop(struct foreign *server);

/* Goes on with the answer. */
void foreign_say(struct foreign *server, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void foreign_say_bytes(struct foreign *server, const char *bytes,
                       size_t length);

/* The same with COUNT pieces that MAKE writes when they are sent: piece NUMBER (from
 * 0), at most 64 KiB, whose length it returns. An endless COUNT ends when the client
 * goes away. */
void foreign_make(struct foreign *server,
                  size_t (*make)(uint64_t number, char *bytes),
                  uint64_t count);

/* Begins an answer: 200, text/event-stream, up to the end of the connection. */
void foreign_stream(struct foreign *server);

/* A whole answer with STATUS ("404 Not Found"), more header lines and BODY; the
 * connection is kept for more requests. */
void foreign_answer(struct foreign *server, const char *status,
                    const char *headers, const char *body);

/* Ends the answer: the connection is closed in order, or torn; it waits for another
 * request; it stays open until the client closes it. */
void foreign_close(struct foreign *server);
void foreign_reset(struct foreign *server);
void foreign_keep(struct foreign *server);
void foreign_hold(struct foreign *server);

/* Waits for request number N (from 0), whole. Borrowed from SERVER. */
const struct foreign_request *foreign_request(struct foreign *server,
                                              size_t n);

/* How many requests there were. */
size_t foreign_requests(struct foreign *server);

/* How many bytes the kernel took from it. */
uint64_t foreign_sent(struct foreign *server);

/* Waits until N connections that were held have been closed by the client. */
void foreign_wait_left(struct foreign *server, size_t n);

/* The value of the header NAME, which must be there once, and whether it is there.
 * The value is valid until the next call. */
const char *foreign_header(const struct foreign_request *request,
                           const char *name);
bool foreign_has(const struct foreign_request *request, const char *name);

#endif
