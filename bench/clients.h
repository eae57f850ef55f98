#ifndef BENCH_CLIENTS_H
#define BENCH_CLIENTS_H

#include "histogram.h"
#include "load.h"

/* The most updates of a topic that may be on their way. */
#define CLIENTS_WINDOW 256

struct client;

/* Subscribers, and the updates that are on their way to them. Client i follows
 * the topic i % topics. */
struct clients {
    struct load *load;
    unsigned port;
    size_t count;
    size_t topics;
    const char *prefix; /* of the topics' names; borrowed */
    size_t size;        /* bytes of data of each update */
    const char *fields; /* of the requests, as heads.h has them; borrowed */
    size_t padding;     /* bytes of request fields more than these */
    struct client *all;

    size_t begun, open; /* connections */
    struct count_of *topic;
    uint64_t published; /* updates that were made */
    uint64_t complete;  /* those that are at every client */
    uint64_t deliveries;
    uint64_t comments;
    uint64_t last;            /* when the last delivery came, ns */
    struct histogram latency; /* from publishing to here */
};

/* COUNT clients that are not connected yet. What is not zero in CLIENTS (port,
 * count, topics, prefix, size, fields, padding) is the caller's. */
bool clients_open(struct clients *clients, struct load *load);

/* Disconnects, and frees. */
void clients_close(struct clients *clients);

/* Connects them all, again with Last-Event-ID; returns when each has the
 * headers of its answer. */
bool clients_connect(struct clients *clients);

/* Disconnects them all: by a reset, or as a browser does when GENTLY. They
 * know what they had. */
void clients_disconnect(struct clients *clients, bool gently);

/* Writes the name of a topic, "PREFIX-N". */
void clients_topic(const struct clients *clients, size_t topic, char *name,
                   size_t size);

/* Makes the data of TOPIC's next update at DATA, which has room for `size`
 * bytes: its topic, its number and the time, which is now. */
bool clients_compose(struct clients *clients, size_t topic, char *data);

/* Forgets the latencies and counts, not the order that is expected. */
void clients_reset(struct clients *clients);

/* Waits until no more than LEFT updates are on their way. */
bool clients_wait(struct clients *clients, uint64_t left);

#endif
