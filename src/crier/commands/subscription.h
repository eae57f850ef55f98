#ifndef CRIER_SUBSCRIPTION_H
#define CRIER_SUBSCRIPTION_H

#include "crier/cli/options.h"
#include "sub_options.h"

#include <stdbool.h>
#include <stdint.h>

/* The stream that `crier sub` reads. */
struct subscription {
    struct crier_client *client;
    char *url;      /* of the first attempt */
    uint64_t begun; /* ms of CLOCK_BOOTTIME */
    bool fresh;     /* starts with new updates, and has no id yet */
    bool failed;    /* a connection has failed while `fresh` */
};

/* Prepares to read the stream of SUB, after ID ("" for none). Returns 0 or an error of
 * crier_client_new(). Call subscription_close() in either case. */
int subscription_open(struct subscription *subscription, const struct options *options,
                      const struct sub_options *sub, const char *id);

/* Like crier_client_next(). */
int subscription_next(struct subscription *subscription, struct crier_message *message);

void subscription_close(struct subscription *subscription);

#endif
