#ifndef BENCH_READER_H
#define BENCH_READER_H

#include "crier_client.h"
#include "load.h"

struct reader;

/* What the owner of a reader does. Each returns whether the run goes on, and may
 * close the reader. */
struct reader_calls {
    /* It is connected: calls reader_ask(), or does without. */
    bool (*connected)(struct reader *reader);
    /* The headers of the answer are there. */
    bool (*opened)(struct reader *reader);
    /* A message of the stream came, at NOW. */
    bool (*told)(struct reader *reader, const struct crier_message *message,
                 uint64_t now);
    /* There is no connection (any more), and ERROR (or 0) says why. */
    bool (*ended)(struct reader *reader, int error);
};

/* One connection that reads a stream. Lives in its owner, who sets `load` and
 * `calls`. */
struct reader {
    struct watch watch; /* first */
    struct load *load;
    const struct reader_calls *calls;
    struct crier_parser *parser;
    char begin[13]; /* of the answer */
    uint8_t length; /* of `begin` */
    uint8_t ends;   /* of CR LF CR LF, how much has come */
    bool connecting;
};

/* Makes READER, which is not connected. */
bool reader_init(struct reader *reader, struct load *load,
                 const struct reader_calls *calls);

/* Closes, and frees what is in it. */
void reader_done(struct reader *reader);

/* Connects to PORT; FROM and WINDOW as load_connect() has them. The last id of
 * the parser stays. */
bool reader_connect(struct reader *reader, unsigned port, size_t from, int window);

/* Sends a request, or a part of one. False, with a fault, when it does not go
 * out at once: that is for what is small, and first on its connection. */
bool reader_ask(struct reader *reader, const char *head, size_t length);

/* From now on READER is read, or is not. */
bool reader_pause(struct reader *reader, bool paused);

/* The HTTP status, once the headers are there. */
int reader_status(const struct reader *reader);

/* Closes the connection: by a reset, or as a browser does when GENTLY. Nothing
 * to be done when there is none. */
void reader_close(struct reader *reader, bool gently);

#endif
