#ifndef SOAK_SAMPLES_H
#define SOAK_SAMPLES_H

#include "soak.h"

/* One second of the run. */
struct sample {
    double at;           /* s since the start of the run */
    double memory;       /* anonymous memory of crierd, bytes */
    size_t open_streams; /* number of open streams */
    double p50, p99;     /* ns; 0 if nothing was measured */
};

/* A moment in which no client is connected. */
struct quiet {
    double at;
    double memory;
    size_t files;
    unsigned life; /* number of restarts of crierd before */
};

struct mark {
    double at;
    bool crash;
};

struct samples {
    struct soak *soak;
    struct sample *list;
    struct quiet *quiets;
    struct mark *marks;
    size_t files; /* descriptors that crierd had open before the first client */
    size_t sample_count, quiet_count, mark_count;
    size_t sample_capacity, quiet_capacity, mark_capacity;
    uint64_t due; /* of the next sample, ns */
};

void samples_init(struct samples *samples, struct soak *soak);
void samples_done(struct samples *samples);

/* Takes a sample if one is due. */
bool samples_tick(struct samples *samples, uint64_t now);

/* Records that crierd is being stopped. */
bool samples_add_restart(struct samples *samples, bool crash);

/* Records a quiet point. */
bool samples_add_quiet_point(struct samples *samples);

/* Checks descriptors and memory. */
void samples_check(const struct samples *samples);

#endif
