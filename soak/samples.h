#ifndef SOAK_SAMPLES_H
#define SOAK_SAMPLES_H

#include "soak.h"

/* One second of the run. */
struct sample {
    double at;       /* s since the run began */
    double memory;   /* bytes, anonymous, of crierd */
    size_t here;     /* streams that are open */
    double p50, p99; /* ns; 0 when nothing was measured */
};

/* A moment in which nobody is connected. */
struct quiet {
    double at;
    double memory;
    size_t files;
    unsigned life; /* of crierd, from 0 */
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
    size_t files; /* that crierd had open before anybody came */
    size_t sample_count, quiet_count, mark_count;
    size_t sample_capacity, quiet_capacity, mark_capacity;
    uint64_t due; /* of the next sample, ns */
};

void samples_init(struct samples *samples, struct soak *soak);
void samples_done(struct samples *samples);

/* Takes the sample that is due, if one is. */
bool samples_tick(struct samples *samples, uint64_t now);

/* crierd ends now. */
bool samples_add_restart(struct samples *samples, bool crash);

/* All is quiet: writes it down. */
bool samples_add_quiet_point(struct samples *samples);

/* Judges descriptors and memory. */
void samples_judge(const struct samples *samples);

#endif
