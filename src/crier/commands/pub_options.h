#ifndef CRIER_PUB_OPTIONS_H
#define CRIER_PUB_OPTIONS_H

#include "crier/cli/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The options of `crier pub` that are its own. Strings are borrowed from the command
 * line. */
struct pub_options {
    const char *topics;
    const char **words; /* the words after the topics; freed by pub_options_done() */
    size_t word_count;
    const char *type;
    const char *id;
    uint64_t retry;   /* ms, if with_retry */
    uint64_t timeout; /* ms; UINT64_MAX for no limit */
    bool with_retry;
    bool json;
    bool lines;
    bool dedupe;
    bool is_private;
    bool last;
};

/* Parses the command line of `crier pub` into PUB, and what all commands share into
 * OPTIONS; reports a mistake. Release both with pub_options_done() and options_done(),
 * whatever it returns. */
enum options_result pub_options_parse(struct pub_options *pub, struct options *options,
                                      int argc, char **argv);

void pub_options_done(struct pub_options *pub);

/* Fills PUBLISHER, whose failed attempts are noted. Borrows OPTIONS and PUB. */
void pub_options_for_publisher(const struct options *options,
                               const struct pub_options *pub,
                               struct crier_publisher_options *publisher);

/* Reports ERROR of a publisher, for REASON. Returns the exit status for it. */
int pub_options_report(const struct options *options, const struct pub_options *pub,
                       int error, const char *reason);

#endif
