#ifndef SOAK_GUEST_H
#define SOAK_GUEST_H

#include "bench/reader.h"
#include "check.h"
#include "crowd.h"

#define GUEST_NEVER UINT64_MAX

enum character { STAYS, VISITS, STALLS, PAGE };

enum mood { AWAY, COMING, BROKEN, HERE, STALLED, LEAVING };

struct guest {
    struct reader reader; /* first */
    struct crowd *crowd;
    struct check check;
    enum character character;
    enum mood mood;
    bool returning; /* with its last id, when it comes */
    bool poll;      /* its stream ends by itself */
    bool goodbye;   /* the last message was one */
    uint64_t since; /* when it began to connect; ns */
    uint64_t due;   /* when it does something */
    uint64_t stalled; /* when it last began to; 0: not on this stream */
    uint64_t resumed; /* when it last went on */
    uint64_t stall;   /* how long it did, without reading for long between */
};

/* A client of CROWD that has not come yet. */
bool guest_init(struct guest *guest, struct crowd *crowd,
                enum character character);
void guest_done(struct guest *guest);

/* It has no connection any more, which it closes (see reader_close()), and
 * comes back after PAUSE ns. */
void guest_go(struct guest *guest, bool gently, uint64_t pause);

/* Does what it is to do at NOW. */
bool guest_act(struct guest *guest, uint64_t now);

/* While all is to become quiet: who stalls reads again, who polls, leaves or
 * sent half a request finishes, and nobody else moves. */
bool guest_settle(struct guest *guest, uint64_t now);

#endif
