#ifndef CLUSTER_CLIENT_H
#define CLUSTER_CLIENT_H

#include "bench/reader.h"
#include "cluster.h"

enum client_state { CLIENT_AWAY, CLIENT_CONNECTING, CLIENT_OPEN };

/* A client that follows the protocol: it reads, and when its stream ends it connects to
 * some node with the last id that it has received, after the time that crierd has asked
 * for. */
struct client {
    struct reader reader; /* first member */
    struct cluster *cluster;
    struct record record;
    enum client_state state;
    size_t node;     /* that it is connected to, or was last */
    bool begun;      /* its record has begun */
    bool whole;      /* it reads the journal from the beginning to the end, and stops */
    bool complete;   /* it has done so */
    bool told;       /* it has received an update that was sent after the fault */
    uint64_t due;    /* when it connects, ns */
    bool damaged;    /* what it receives is damaged on purpose */
    uint32_t held_back; /* an update that it passes on later (DAMAGE_SWAP); 0: none */
};

struct clients {
    struct cluster *cluster;
    struct client *all;
    size_t count;
    struct client journal; /* reads the whole journal */
};

bool clients_open(struct clients *clients, struct cluster *cluster, size_t count);
void clients_close(struct clients *clients);

/* Connects clients whose time has come. */
bool clients_tick(struct clients *clients, uint64_t now);

/* A fault begins now: measures how long it is until each client receives an update. */
void clients_begin_fault(struct clients *clients);

/* Returns how many have not received the updates MARKS, one for each topic; and the
 * number of one of them in *WHO. */
size_t clients_lacking(const struct clients *clients, const uint32_t *marks, size_t *who);

/* Begins to read the whole journal at some node, PAUSE ns from now; `complete` says when that is
 * done. */
void clients_read_journal(struct clients *clients, uint64_t pause);

/* Returns whether the updates MARKS were in the journal as it was read: a node that is behind, or
 * has no connection to Redis, does not have them. */
bool clients_journal_has(const struct clients *clients, const uint32_t *marks);

/* Checks everything received so far. All clients have received the updates MARKS, one for each
 * topic. */
bool clients_check(struct clients *clients, const uint32_t *marks);

/* Returns how many clients have been told no gap since TIME. */
size_t clients_without_gap(const struct clients *clients, uint64_t time);

#endif
