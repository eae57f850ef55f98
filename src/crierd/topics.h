#ifndef CRIERD_TOPICS_H
#define CRIERD_TOPICS_H

#include "crierd/http/server.h"

/* Opens the journal and the hub over it as SERVER's configuration says. Returns false,
 * and logs why, when that fails. */
bool topics_open(struct server *server);

/* Changes them to what CONF says. Stops at what fails, logs it, and returns false. */
bool topics_change(struct server *server, const struct conf *conf);

#endif
