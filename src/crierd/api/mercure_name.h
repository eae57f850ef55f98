#ifndef CRIERD_MERCURE_NAME_H
#define CRIERD_MERCURE_NAME_H

#include "crierd/config/conf.h"

#include <stdbool.h>
#include <stddef.h>

/* The path of the hub, and of what describes its subscriptions. */
#define MERCURE_PATH CONF_HUB_PATH
#define MERCURE_SUBSCRIPTIONS MERCURE_PATH "/subscriptions"

/* Whether the LENGTH bytes at TEXT are UTF-8 without control characters and without
 * format characters (Unicode's category Cf), as topics, selectors, ids and types of
 * Mercure must be. */
bool mercure_text_valid(const char *text, size_t length);

/* Whether TOPIC of LENGTH bytes, read as a URL relative to the hub's, has the path RESERVED
 * or one below it, whatever its scheme and host. Only crierd itself publishes under such
 * names. RESERVED is MERCURE_PATH or MERCURE_SUBSCRIPTIONS. */
bool mercure_topic_is_reserved(const char *topic, size_t length,
                               const char *reserved);

/* Appends TEXT to the *LENGTH bytes in TO, which has room for SIZE bytes, with each byte
 * that is not unreserved in RFC 3986 as %XX, and a NUL. False when the room is short. */
bool mercure_escape(char *to, size_t size, size_t *length, const char *text);

#endif
