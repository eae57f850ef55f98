#ifndef CRIERD_MERCURE_H
#define CRIERD_MERCURE_H

#include "crierd/http/request.h"

/* The hub of the Mercure protocol, with its routes; the context of their table. */
struct mercure;
extern const struct route mercure_routes[];

/* Opens the hub of SERVER, as its configuration says. NULL after an error in the log. */
struct mercure *mercure_open(struct server *server);

/* Closes MERCURE when no stream and no request is left; NULL is allowed. */
void mercure_close(struct mercure *mercure);

#endif
