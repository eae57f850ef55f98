#ifndef SOAK_RECORD_H
#define SOAK_RECORD_H

#include "soak.h"

/* One second of the run. */
struct sample {
    double at;         /* s since the run began */
    double memory;     /* bytes, anonymous, of crierd */
    size_t here;       /* streams that are open */
    double p50, p99;   /* ns; 0 when nothing was measured */
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

struct record {
    struct soak *soak;
    struct sample *samples;
    struct quiet *quiets;
    struct mark *marks;
    size_t files; /* that crierd had open before anybody came */
    size_t sample_count, quiet_count, mark_count;
    size_t sample_room, quiet_room, mark_room;
    uint64_t due; /* of the next sample, ns */
};

void record_open(struct record *record, struct soak *soak);
void record_close(struct record *record);

/* Takes the sample that is due, if one is. */
bool record_tick(struct record *record, uint64_t now);

/* crierd ends now. */
bool record_mark(struct record *record, bool crash);

/* All is quiet: writes it down. */
bool record_quiet(struct record *record);

/* Judges descriptors and memory. */
void record_judge(const struct record *record);

#endif
