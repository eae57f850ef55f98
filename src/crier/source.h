#ifndef CRIER_SOURCE_H
#define CRIER_SOURCE_H

#include "conf.h"
#include "sub.h"

#include <stdbool.h>
#include <stdint.h>

/* The stream that `crier sub` follows: a client, or the wait for the next one.
 * */
struct source {
    struct crier_client_options options;
    char *url;                   /* without what says where to begin */
    struct crier_client *client; /* NULL while it is waited */
    bool live;                   /* begins now, and has no id yet */
    bool broken;                 /* the client is to be replaced */
    uint64_t begun;              /* crier_now() */
    uint64_t wake;               /* when the next client is made */
    unsigned failures;           /* attempts in a row that brought nothing */
};

/* Prepares to follow what SUB says, after ID ("" for none). CONF and SUB are
 * borrowed until source_close(). 0 or an error of crier_client_new()'s. */
int source_open(struct source *source, const struct conf *conf,
                const struct sub *sub, const char *id);

/* As crier_client_next(); the errors of crier_client_new(), too. */
int source_next(struct source *source, struct crier_message *message);

/* What to poll for input, -1 for nothing; and for how long at most, in ms, -1
 * for ever. */
int source_fd(const struct source *source);
int source_wait(const struct source *source);

void source_close(struct source *source);

#endif
