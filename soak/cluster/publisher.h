#ifndef CLUSTER_PUBLISHER_H
#define CLUSTER_PUBLISHER_H

#include "bench/publish.h"
#include "cluster.h"

/* Requests of a publisher without a response. */
#define PUBLISHER_FLIGHT 16

/* Updates that a publisher has to publish again. */
#define PUBLISHER_AGAIN 64

/* A publisher, which begins at one node, and goes to the next one when its connection
 * ends or an update is refused. */
struct publisher {
    struct publish publish; /* first member */
    struct cluster *cluster;
    bool open;
    bool drop;     /* the connection is to be closed */
    size_t node;
    uint64_t due;  /* when it may connect, ns */
    uint64_t next; /* when it makes another update, ns */
    uint32_t flights[PUBLISHER_FLIGHT]; /* a ring of numbers */
    size_t head, count;
    uint32_t again[PUBLISHER_AGAIN]; /* numbers */
    size_t again_count;
};

void publisher_init(struct publisher *publisher, struct cluster *cluster, size_t node);
void publisher_done(struct publisher *publisher);

/* Does what is due. While PRODUCING it makes updates, RATE a second. */
bool publisher_tick(struct publisher *publisher, bool producing, unsigned rate,
                    uint64_t now);

/* Makes an update of TOPIC, which is published until it is acknowledged. Returns its
 * number; 0, with a fault, on failure. */
uint32_t publisher_mark(struct publisher *publisher, uint32_t topic);

/* Returns whether everything has a response. */
bool publisher_is_idle(const struct publisher *publisher);

#endif
