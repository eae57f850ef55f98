#ifndef CRIER_SUB_OPTIONS_H
#define CRIER_SUB_OPTIONS_H

#include "crier/cli/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Maximum number of --event options. */
#define SUB_TYPES_MAX 100

/* The options of `crier sub` that are its own. Strings are borrowed from the command
 * line. */
struct sub_options {
    const char **names; /* topics, or one URL; freed by sub_options_done() */
    size_t name_count;
    const char *url; /* the URL to subscribe to; NULL for topics */
    const char *since;
    const char *last_id;
    const char *state;
    const char *method;
    const char *body;
    const char *types[SUB_TYPES_MAX];
    size_t type_count;
    uint64_t count;   /* 0 for no end */
    uint64_t timeout; /* ms; 0 for no end */
    uint64_t retry;   /* ms; 0 for the default */
    enum crier_reconnect reconnect;
    bool once;
    bool json;
    char **exec; /* of --exec; NULL for none */
};

/* Parses the command line of `crier sub` into SUB, and what all commands share into
 * OPTIONS; reports a mistake. Release both with sub_options_done() and options_done(),
 * whatever it returns. */
enum options_result sub_options_parse(struct sub_options *sub, struct options *options,
                                      int argc, char **argv);

/* Notes a topic that looks like a URL without its scheme: any name is a valid topic, so
 * it is no mistake. */
void sub_options_note_urls(const struct sub_options *sub);

void sub_options_done(struct sub_options *sub);

#endif
