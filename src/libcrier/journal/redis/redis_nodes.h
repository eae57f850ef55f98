#ifndef CRIER_REDIS_NODES_H
#define CRIER_REDIS_NODES_H

#include "redis_link.h"

#include "base/buffer.h"
#include "base/random.h"

/* What redis_census.c keeps in struct crier__redis. */

struct crier__redis;

/* No more dead nodes are counted out after one BEAT. */
#define CRIER__REDIS_DEAD_MAX 100

/* Nodes that live, this one first; `seen` is a time by crier_now(). */
struct crier__redis_nodes {
    struct crier_node nodes[CRIER_NODES_MAX];
    unsigned count;
    uint64_t time; /* when Redis said so */
};

/* All on the link's thread but what is atomic. */
struct crier__redis_census {
    bool up;
    bool all;      /* all counts must be reported */
    bool unread;   /* all totals must be read */
    bool beating;  /* BEAT is on its way */
    bool counting; /* so are counts, */
    bool reading;  /* a page of totals */
    bool burying;  /* BURY, */
    bool meeting;  /* and what a node says of itself */
    uint64_t reported;        /* when counts were sent last */
    struct crier__timer beat, report;

    struct crier__buffer texts; /* of the counts: SELECTOR NUL COUNT NUL ... */
    size_t taken;               /* how many these are */
    unsigned pages;             /* of totals that were read */
    atomic_uint nodes;          /* that live, as the last BEAT said; any thread reads it */
    /* Apart from the flags above, of which gcc reads several at once, with what is beside
     * them. */
    atomic_bool wanted; /* crier__redis_census_changed() was called */
    atomic_bool asked;  /* so was crier__redis_census_nodes(), since the last BEAT was sent */
    char dead[CRIER__REDIS_DEAD_MAX][CRIER__RANDOM_NAME_SIZE]; /* the last one first */
    unsigned dead_count;
    char name[96];                 /* of this node, as BEAT is given it */
    struct crier__redis_nodes met; /* a list in the making */
    unsigned met_upto;             /* so many of these have said who they are */
    void (*on_closed)(struct crier__redis *redis); /* or NULL: not closing */

    struct crier__redis_call beat_call, count_call, page_call, bury_call, node_call,
        leave_call;
};

#endif
