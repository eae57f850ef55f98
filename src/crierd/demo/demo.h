#ifndef CRIERD_DEMO_H
#define CRIERD_DEMO_H

#include "crierd/http/route.h"

/*
 * The example application: a chat and some streams. It is a module like any other: it
 * has routes, and uses the server's hub and shards by crier.h. Without it, its paths
 * are 404.
 */
struct demo;

/* The routes. Their table's context is the demo. */
extern const struct route demo_routes[];

/* The topics of the demo's own, as a pattern, and how many updates they hold unless
 * the operator says otherwise. */
#define DEMO_TOPICS "$chat*"
#define DEMO_RETAINED 1000

/* Those of the answers of /tokens, and for how many ms they are held. */
#define DEMO_ANSWERS "$tokens/*"
#define DEMO_ANSWER_AGE 300000

/* Reads the demo's files from the server's data directory and prepares to serve. SERVER
 * (borrowed) must have its hub. Returns a new demo, or NULL after an error in the log.
 * Before the first request. */
struct demo *demo_open(struct server *server);

/* Frees DEMO, after the last stream has ended; NULL is allowed. */
void demo_close(struct demo *demo);

#endif
