#ifndef CRIER_SOURCE_H
#define CRIER_SOURCE_H

#include "crier/cli/config_file.h"
#include "sub.h"

#include <stdbool.h>
#include <stdint.h>

/* The stream that `crier sub` follows. */
struct source {
    struct crier_client *client;
    char *url;      /* of the first attempt */
    uint64_t begun; /* ms of CLOCK_BOOTTIME */
    bool fresh;     /* begins now, and has no id yet */
    bool failed;    /* and a connection has failed */
};

/* Prepares to follow what SUB says, after ID ("" for none). 0 or an error of
 * crier_client_new()'s; source_close() in either case. */
int source_open(struct source *source, const struct conf *conf,
                const struct sub *sub, const char *id);

/* As crier_client_next(). */
int source_next(struct source *source, struct crier_message *message);

void source_close(struct source *source);

#endif
