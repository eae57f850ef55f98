#ifndef TESTS_STREAM_SITE_H
#define TESTS_STREAM_SITE_H

#include "client.h"
#include "site.h"

#include <stdbool.h>

/*
 * A site for the tests of single streams. It responds to every request with a stream,
 * and keeps the newest one for the test; for /refused it makes a stream and does not
 * queue its response. Programs that use it are linked with oom.c and
 * --wrap=MHD_add_response_header.
 */
extern struct site site;
extern struct crier_stream *stream;         /* a reference */
extern struct crier_stream_options options; /* of the next stream */
extern int last_error;                      /* of crier_stream_new() */
extern long oom; /* the number of the next stream's allocation that fails */
extern bool headers_fail;

/* The handler, on_closed (with the reason) and count_wake() increment these. */
extern struct signal_box opened, closed, woken;

/* An on_wake that increments `woken`. */
void count_wake(void *closure, struct crier_stream *of);

/* The fixture. `options` have no keep-alive, and an on_closed that increments
 * `closed`. */
void setup(void);
void teardown(void);

/* Opens a stream and reads its head. */
void open_stream(struct client *client);

/* The same for a client with small buffers, so that the stream soon stalls; at most
 * MAX_PENDING bytes may wait for it. */
void open_small_stream(struct client *client, size_t max_pending);

/* Sends a frame of plain data to it. */
void send_text(const char *text);

/* Waits for the end of the stream whose client closed the connection, or did so with a
 * RESET. A reset that arrives while libmicrohttpd still reads the connection ends the
 * stream as a failure of libmicrohttpd. */
void expect_left(bool reset);

/* Releases the stream and stops the site. */
void finish(void);

/* Returns LENGTH bytes of text without repetition, in new memory. */
char *long_text(size_t length, unsigned seed);

#endif
