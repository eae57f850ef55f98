#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "bench/histogram.h"
#include "bench/load.h"
#include "oracle.h"
#include "site.h"
#include "soak/rng.h"

/* What is done wrong on purpose to what one client receives. */
enum damage { DAMAGE_NONE, DAMAGE_DROP, DAMAGE_DOUBLE, DAMAGE_SWAP, DAMAGE_GAP };

#define CLUSTER_EPOCH_SIZE 64

/* State shared by all files. */
struct cluster {
    struct load load;
    struct site site;
    struct oracle oracle;
    struct rng rng;
    enum damage damage;
    char epoch[CLUSTER_EPOCH_SIZE]; /* of the journal at the last check; or "" */
    uint64_t acked;     /* updates acknowledged */
    uint64_t refused;   /* requests answered with 503 */
    uint64_t delivered; /* updates received by clients */
    uint64_t fault_at;  /* when the current fault began, ns; 0: none yet */
    uint64_t works_at;  /* when the first update sent after that was acknowledged, or 0 */
    struct histogram silence; /* from a fault to a client's first update sent after it */
};

/* The name of topic NUMBER. */
#define CLUSTER_TOPIC "c/%u"

#endif
