#ifndef TESTS_CLIENT_H
#define TESTS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A plain-socket HTTP client for tests. Whatever takes longer than PATIENCE
 * fails the test; nothing here sleeps.
 */
#define PATIENCE client_patience()

/* 60000 ms: far more than anything takes, also with a sanitizer and beside other test
 * programs; or $CRIER_PATIENCE. */
int client_patience(void);

struct client {
    int fd;
    char *bytes; /* received and not yet taken, NUL-terminated */
    size_t length;
    bool eof;
    bool torn; /* set by a test whose server may break off anywhere: half a frame
                  at the end is dropped, no response is the status 0 */
    char head[8192]; /* of the last response */
};

/* Connects to PORT on 127.0.0.1; with RECEIVE_BUFFER that is not 0, a client
 * whose kernel takes little. */
void client_connect(struct client *client, int port);
void client_connect_small(struct client *client, int port, int receive_buffer);

/* Connects to PORT if somebody listens there. A connection to itself, which a client
 * may get where nobody does, does not count. */
bool client_try_connect(struct client *client, int port);

void client_close(struct client *client);

/* Closes with a reset instead of an orderly end. */
void client_reset(struct client *client);

/* Sends formatted bytes. */
void client_send(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void client_send_bytes(struct client *client, const char *bytes,
                       size_t length);

/* Sends a request (HTTP/1.1) with further HEADERS (lines with CRLF, or "") and
 * BODY (or NULL), reads the head of the response, returns its status. */
int client_request(struct client *client, const char *method,
                   const char *target, const char *headers, const char *body);

/* Reads the head of a response and returns its status. */
int client_head(struct client *client);

/* The value of a header in the last head, "" when it is not there. Borrowed
 * until the next call. */
const char *client_header(struct client *client, const char *name);

/* Takes the body of LENGTH bytes. To be freed. */
char *client_bytes(struct client *client, size_t length);

/* Takes the body by its Content-Length, or up to the end. To be freed. */
char *client_body(struct client *client);

/* Takes the next line, without its LF. NULL at the end. To be freed. */
char *client_line(struct client *client);

/* Takes the next frame, without the empty line at its end. The empty comments
 * before it are dropped, with which a stream begins and is pinged; the one line at
 * the end of a stream is a frame (its goodbye, or ": end"). NULL at the end of the
 * stream. To be freed. */
char *client_frame(struct client *client);

/* The same, but the end of the stream fails. */
char *client_any_frame(struct client *client);

/* Takes the next frame and fails unless it is TEXT. */
void client_expect(struct client *client, const char *text);

/* Takes the next line and fails unless it is TEXT. */
void client_expect_line(struct client *client, const char *text);

/* Takes the next frame and fails unless it is a line with an id of the journal's
 * and TEXT. */
void client_expect_event(struct client *client, const char *text);

/* The same frame as an event without its id: that line is taken off, and with ID
 * that is not NULL copied there. NULL at the end of the stream. To be freed. */
char *client_event(struct client *client, char id[256]);

/* Takes frames until one contains TEXT, and returns that one. To be freed. */
char *client_until(struct client *client, const char *text);

/* Takes frames up to the end of the stream, and fails when none comes. */
void client_expect_end(struct client *client);

/* Whether something is there to be taken within MS milliseconds. */
bool client_has(struct client *client, int ms);

/* One whole exchange on a connection of its own. The status; the body, to be
 * freed, goes to *BODY unless that is NULL. */
int fetch(int port, const char *method, const char *target,
          const char *headers, const char *body, char **answer);

#endif
