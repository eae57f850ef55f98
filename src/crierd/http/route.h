#ifndef CRIERD_ROUTE_H
#define CRIERD_ROUTE_H

#include "request.h"

/* Splits the target of REQUEST, finds its route and asks the policy, before the body is
 * read. Sets request->route, uri and argument. Otherwise responds: 400, 404, 405, what the
 * policy refuses, or 204 to OPTIONS; returns false, and request->result is what the
 * handler would return. */
bool route_choose(struct request *request);

/* Whether route_choose() would respond to REQUEST. Does not respond; route_done() is to be
 * called. */
bool route_refuses(struct request *request);

/* Frees what route_choose() and the handler have made in REQUEST. */
void route_done(struct request *request);

/* How many bytes the body of REQUEST, whose route has been chosen, may have. */
size_t route_max_body(const struct request *request);

/* Chooses the route of REQUEST, unless that has been done, and calls its handler. The
 * body is there. */
bool route_run(struct request *request);

/* Whether the LENGTH bytes at TARGET, received behind "POST ", begin a target that a
 * pipeline may take, or are the beginning of such a beginning. */
bool route_is_pipelined(const struct route_table *tables, const char *target,
                        size_t length);

/* Whether a GET of the target at the beginning of the LENGTH bytes at TARGET, which go on
 * behind it, is for a stream. A guess: nothing is decoded. */
bool route_is_stream(const struct route_table *tables, const char *target,
                     size_t length);

#endif
