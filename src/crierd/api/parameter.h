#ifndef CRIERD_PARAMETER_H
#define CRIERD_PARAMETER_H

#include "crierd/http/request.h"

/* The value of the query parameter NAME of REQUEST, or else that of the header HEADER
 * (NULL: none). Borrowed; NULL when the request has neither. */
const char *parameter_value(const struct request *request, const char *name,
                            const char *header);

/* Whether REQUEST has the query parameter NAME with the value 1. */
bool parameter_is_set(const struct request *request, const char *name);

/* Whether the media type TYPE stands in the Accept header of REQUEST. */
bool parameter_accepts(const struct request *request, const char *type);

/* Whether the Content-Type of REQUEST is TYPE, with or without parameters. */
bool parameter_has_type(const struct request *request, const char *type);

/* Whether NAME is reserved: it begins with '$', though not with "$presence/" where PRESENCE
 * says so. */
bool parameter_is_name_reserved(const char *name, bool presence);

/* Whether a name in the list TOPICS is; and where PRESENCE does not say so, names that lead
 * to MERCURE_SUBSCRIPTIONS are, too. */
bool parameter_is_reserved(const char *topics, bool presence);

/* Whether TYPE of LENGTH bytes is the type of events that crierd alone publishes (the
 * reports of Mercure subscriptions), and what a refusal says of it. */
bool parameter_is_type_reserved(const char *type, size_t length);
extern const char parameter_reserved_type[];

/* Whether anybody could be sent a private update. Otherwise responds to REQUEST, which
 * publishes one. */
bool parameter_may_be_private(struct request *request);

/* Responds that a topic is reserved. Returns what the handler returns. */
bool parameter_refuse_reserved(struct request *request);

#endif
