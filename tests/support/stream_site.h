#ifndef TESTS_STREAM_SITE_H
#define TESTS_STREAM_SITE_H

#include "client.h"
#include "site.h"

#include <stdbool.h>

/*
 * What the tests of single streams share: a site that makes a stream of every
 * request (and of /refused one whose response it never queues), and keeps the
 * newest for the test. Programs that use it are linked with oom.c and
 * --wrap=MHD_add_response_header.
 */
extern struct site site;
extern struct crier_stream *stream;         /* a reference */
extern struct crier_stream_options options; /* of the next stream */
extern int last_error;                      /* of crier_stream_new() */
extern long oom; /* the next stream's so-manieth allocation fails */
extern bool headers_fail;

/* Counted by the handler, on_closed (with the reason) and count_wake(). */
extern struct signal_box opened, closed, woken;

/* An on_wake that only counts. */
void count_wake(void *closure, struct crier_stream *of);

/* The fixture; options have no keep-alive, and on_closed counts. */
void setup(void);
void teardown(void);

/* Opens a stream and reads its head. */
void open_stream(struct client *client);

/* The same for a client with small buffers, so that the stream soon stalls; at most
 * MAX_PENDING bytes may wait for it. */
void open_small_stream(struct client *client, size_t max_pending);

/* Sends a frame of plain data to it. */
void send_text(const char *text);

/* Waits for the end of the stream whose client has left, by a RESET or not. A reset that
 * comes while the connection is still libmicrohttpd's ends as its failure. */
void expect_left(bool reset);

/* Gives the stream back and stops the site. */
void finish(void);

/* A text of LENGTH bytes that differs everywhere. To be freed. */
char *long_text(size_t length, unsigned seed);

#endif
