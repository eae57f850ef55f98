#ifndef CRIER_PUB_H
#define CRIER_PUB_H

#include "crier/cli/config_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What `crier pub` was told beside what all commands have in common. Texts are
 * borrowed from the command line. */
struct pub {
    const char *topics;
    const char **words; /* what follows them; freed by pub_run() */
    size_t word_count;
    const char *type;
    const char *id;
    uint64_t retry;   /* ms; with_retry says whether it is given */
    uint64_t timeout; /* ms; UINT64_MAX for ever */
    bool with_retry;
    bool json;
    bool lines;
    bool dedupe;
};

/* crier pub. Returns the exit status. */
int pub_run(int argc, char **argv);

/* Fills OPTIONS, and has failed attempts told. CONF and PUB are borrowed. */
void pub_options(const struct conf *conf, const struct pub *pub,
                 struct crier_publisher_options *options);

/* The exit status for ERROR, after telling REASON. */
int pub_failed(const struct conf *conf, const struct pub *pub, int error,
               const char *reason);

#endif
