#ifndef TESTS_FOREIGN_H
#define TESTS_FOREIGN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A scripted HTTP server without any code of Crier: plain sockets in threads of the
 * test's process, on a free port. It records every request, and responds with exactly
 * the bytes that the test adds: the first request gets the first response, on whichever
 * connection it arrives, the second request the second, and so on.
 *
 * The test adds a response piece by piece (foreign_say() and the like) and ends it with
 * foreign_close(), _reset(), _keep() or _hold(), before the request arrives or while
 * the response is being sent. The server waits for pieces until the response is ended,
 * so no test needs to sleep.
 */
struct foreign_request {
    int connection; /* the number of its connection, from 0 */
    char *method, *target;
    char *head; /* its header lines */
    char *body;
    size_t length; /* of body */
};

/* A step of a response. For the server alone. */
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

    /* For the server alone. */
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
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

/* The same on ::1. Returns false if there is no such address. */
bool foreign_start_6(struct foreign *server);

/* Closes all connections and frees what SERVER holds. */
void foreign_stop(struct foreign *server);

/* Adds a piece to the response. */
void foreign_say(struct foreign *server, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void foreign_say_bytes(struct foreign *server, const char *bytes,
                       size_t length);

/* The same with COUNT pieces that MAKE writes when they are sent. It writes piece
 * NUMBER (from 0), of at most 64 KiB, and returns its length. The pieces end early when
 * the client closes the connection. */
void foreign_make(struct foreign *server,
                  size_t (*make)(uint64_t number, char *bytes),
                  uint64_t count);

/* Begins a response: 200, text/event-stream, to the end of the connection. */
void foreign_stream(struct foreign *server);

/* Adds a whole response with STATUS ("404 Not Found"), more header lines and BODY; the
 * connection stays open for more requests. */
void foreign_answer(struct foreign *server, const char *status,
                    const char *headers, const char *body);

/* Ends the response. Then the server closes the connection, resets it, waits for
 * another request, or waits until the client closes it. */
void foreign_close(struct foreign *server);
void foreign_reset(struct foreign *server);
void foreign_keep(struct foreign *server);
void foreign_hold(struct foreign *server);

/* Waits until request number N (from 0) is complete, and returns it. Borrowed. */
const struct foreign_request *foreign_request(struct foreign *server,
                                              size_t n);

/* Returns the number of requests so far. */
size_t foreign_requests(struct foreign *server);

/* Returns the number of bytes that the kernel accepted from the server. */
uint64_t foreign_sent(struct foreign *server);

/* Waits until the client has closed N of the connections that ended with
 * foreign_hold(). */
void foreign_wait_left(struct foreign *server, size_t n);

/* Return the value of the header NAME, which the request must have once, and whether
 * the request has it. The value is valid until the next call. */
const char *foreign_header(const struct foreign_request *request,
                           const char *name);
bool foreign_has(const struct foreign_request *request, const char *name);

#endif
