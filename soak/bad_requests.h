#ifndef SOAK_BAD_REQUESTS_H
#define SOAK_BAD_REQUESTS_H

#include "bench/publish.h"
#include "soak.h"

/* A client that sends bad requests, one after the other. */
struct bad_requests {
    struct publish publish; /* first member */
    struct soak *soak;
    bool open, over;
    uint64_t since, due; /* ns */
    size_t which;
};

void bad_requests_init(struct bad_requests *bad_requests, struct soak *soak);

/* Sends a bad request if one is due and ACTIVE. */
bool bad_requests_tick(struct bad_requests *bad_requests, bool active, uint64_t now);

void bad_requests_close(struct bad_requests *bad_requests);

#endif
