#ifndef TESTS_CLIENT_H
#define TESTS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A plain-socket HTTP client for tests. A function that waits longer than PATIENCE
 * (ms) fails the test; none sleeps.
 */
#define PATIENCE client_patience()

/* Returns $CRIER_PATIENCE or else 60000, in ms: far more than anything takes, even with
 * a sanitizer and beside other test programs. */
int client_patience(void);

struct client {
    int fd;
    char *bytes; /* received and not yet taken, NUL-terminated */
    size_t length;
    bool eof;
    bool torn; /* set by a test whose server may close the connection anywhere: an
                  incomplete frame at the end is dropped, and a missing response has
                  the status 0 */
    char head[8192]; /* of the last response */
};

/* Connects to PORT on 127.0.0.1. If RECEIVE_BUFFER is not 0, it is the size of the
 * kernel's receive buffer, in bytes. */
void client_connect(struct client *client, int port);
void client_connect_small(struct client *client, int port, int receive_buffer);

/* Connects to PORT; returns false if no server listens there. A connection of the
 * socket to itself, which the kernel may make then, does not count. */
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

/* Returns the value of a header of the last head, "" if it has none. Valid until the
 * next call. */
const char *client_header(struct client *client, const char *name);

/* Reads LENGTH bytes of the body, into new memory. */
char *client_bytes(struct client *client, size_t length);

/* Reads the body as long as its Content-Length says, or else to the end of the
 * connection, into new memory. */
char *client_body(struct client *client);

/* Reads the next line, without its LF, into new memory. NULL at the end. */
char *client_line(struct client *client);

/* Reads the next frame, without the empty line at its end, into new memory. Drops empty
 * comments before it: the first bytes of a stream, and pings. A single line at the end
 * of a stream ("retry: ..." or ": end") counts as a frame. NULL at the end of the
 * stream. */
char *client_frame(struct client *client);

/* The same; fails at the end of the stream. */
char *client_any_frame(struct client *client);

/* Reads the next frame and fails unless it is TEXT. */
void client_expect(struct client *client, const char *text);

/* Reads the next line and fails unless it is TEXT. */
void client_expect_line(struct client *client, const char *text);

/* Reads the next frame and fails unless it is a line with an id that the journal gave,
 * and then TEXT. */
void client_expect_event(struct client *client, const char *text);

/* Reads the next frame into new memory, without the line with its id. Copies the id to
 * ID unless that is NULL. NULL at the end of the stream. */
char *client_event(struct client *client, char id[256]);

/* Reads frames until one contains TEXT, and returns that one in new memory. */
char *client_until(struct client *client, const char *text);

/* Reads frames to the end of the stream; fails if there is no end. */
void client_expect_end(struct client *client);

/* Whether there is something to read within MS milliseconds. */
bool client_has(struct client *client, int ms);

/* Sends one request on a connection of its own. Returns the status of the response, and
 * its body in new memory in *ANSWER unless that is NULL. */
int fetch(int port, const char *method, const char *target,
          const char *headers, const char *body, char **answer);

#endif
