#ifndef BENCH_READER_H
#define BENCH_READER_H

#include "crier_client.h"
#include "load.h"

#include <gnutls/gnutls.h>

struct reader;

/* Callbacks of a reader. Each returns whether the run goes on, and may close the
 * reader. */
struct reader_calls {
    /* Called when it is connected; sends a request by reader_send_request(). */
    bool (*connected)(struct reader *reader);
    /* Called at the end of the response headers. */
    bool (*opened)(struct reader *reader);
    /* Called for each message of the stream. NOW is the time of reading. */
    bool (*received)(struct reader *reader, const struct crier_message *message,
                     uint64_t now);
    /* Called when the connection ends or fails; ERROR (or 0) is why. */
    bool (*ended)(struct reader *reader, int error);
};

/* A connection that reads a stream. Embedded in its owner, which sets `load` and
 * `calls`, and `tls` to have it use TLS. */
struct reader {
    struct watch watch; /* first member */
    struct load *load;
    const struct reader_calls *calls;
    struct crier_parser *parser;
    char begin[13]; /* of the response */
    uint8_t length; /* of `begin` */
    uint8_t ends;   /* how much of CR LF CR LF was read */
    bool connecting;
    bool tls;
    gnutls_session_t session; /* NULL before the first connection, and without TLS */
};

/* Initializes READER, unconnected. */
bool reader_init(struct reader *reader, struct load *load,
                 const struct reader_calls *calls);

/* Closes and frees. */
void reader_done(struct reader *reader);

/* Connects to PORT; FROM and WINDOW as in load_connect(). The parser keeps its last id.
 */
bool reader_connect(struct reader *reader, unsigned port, size_t from, int window);

/* The same with FD, a socket that is connecting, which becomes the reader's; -1: one that
 * could not be opened, with a fault. */
bool reader_adopt(struct reader *reader, int fd);

/* Sends a request or part of one. Returns false, with a fault, if it cannot be sent at
 * once; so it must be small and the first on its connection. A connection that the server
 * has reset meanwhile is no fault: it ends when it is read next. */
bool reader_send_request(struct reader *reader, const char *head, size_t length);

/* Stops or resumes reading. */
bool reader_pause(struct reader *reader, bool paused);

/* Returns the HTTP status, once the headers are complete. */
int reader_status(const struct reader *reader);

/* Closes the connection, if any: by a reset, or with a FIN if GENTLY. */
void reader_close(struct reader *reader, bool gently);

#endif
