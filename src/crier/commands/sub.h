#ifndef CRIER_SUB_H
#define CRIER_SUB_H

#include "crier/cli/config_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types that can be given with --event. */
#define SUB_TYPES_MAX 100

/* What `crier sub` was told beside what all commands have in common. Texts are
 * borrowed from the command line. */
struct sub {
    const char **names; /* topics, or one URL; freed by sub_run() */
    size_t name_count;
    const char *url; /* what is followed by its URL; NULL for topics */
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
    char **command; /* of --exec; NULL for none */
};

/* crier sub. Returns the exit status. */
int sub_run(int argc, char **argv);

#endif
