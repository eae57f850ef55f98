#ifndef BENCH_CLIENTS_H
#define BENCH_CLIENTS_H

#include "histogram.h"
#include "load.h"
#include "tokens.h"

/* Maximum number of updates of a topic in flight. */
#define CLIENTS_WINDOW 256

/* What clients subscribe by: each matches one topic. */
enum clients_selector { CLIENTS_BY_NAME, CLIENTS_BY_PREFIX, CLIENTS_BY_TEMPLATE };

struct client;

/* Subscribers, and the updates in flight to them. Client i subscribes to topic i %
 * topics. */
struct clients {
    struct load *load;
    unsigned port;
    unsigned other_port; /* of every other client; 0: all use port */
    bool tls; /* the port is one for TLS */
    size_t count;
    size_t topics;
    const char *prefix; /* prefix of topic names; borrowed */
    enum clients_selector selector;
    size_t size;        /* bytes of data of each update */
    const char *fields; /* request fields, from heads.h; borrowed */
    size_t padding;     /* bytes of additional request fields */
    struct tokens tokens; /* client i sends token i % count; borrowed */
    struct client *all;

    size_t begun, open; /* connections */
    struct count_of *topic;
    uint64_t published; /* updates made */
    uint64_t complete;  /* updates that have reached every client */
    uint64_t deliveries;
    uint64_t comments;
    uint64_t last;            /* time of the last delivery, ns */
    struct histogram latency; /* from publishing to delivery */
};

/* Makes COUNT clients, which are not connected. The caller has set port,
 * other_port, tls, count, topics, prefix, selector, size, fields, padding and tokens. */
bool clients_open(struct clients *clients, struct load *load);

/* Disconnects and frees the clients. */
void clients_close(struct clients *clients);

/* Connects all clients; on reconnection with Last-Event-ID. Returns when each has
 * received the response headers. */
bool clients_connect(struct clients *clients);

/* Disconnects all clients: by a reset, or with a FIN if GENTLY. They keep their last
 * ids. */
void clients_disconnect(struct clients *clients, bool gently);

/* Writes the name of a topic, "PREFIX-N". */
void clients_topic(const struct clients *clients, size_t topic, char *name,
                   size_t size);

/* Writes the data of TOPIC's next update to DATA, `size` bytes: its topic, its number
 * and the current time. */
bool clients_compose(struct clients *clients, size_t topic, char *data);

/* Expects the next update of TOPIC, which another process composes. */
bool clients_expect(struct clients *clients, size_t topic);

/* Resets the latencies and counts, but not the expected order. */
void clients_reset(struct clients *clients);

/* Waits until at most LEFT updates are in flight. */
bool clients_wait(struct clients *clients, uint64_t left);

#endif
