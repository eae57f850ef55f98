#ifndef TESTS_TOPICS_H
#define TESTS_TOPICS_H

#include "client.h"

#include <jansson.h>

/* Requests to /topics. An unexpected response fails the test. */
extern int topics_port; /* of the crierd that gets them */

/* Publishes BODY to TARGET with HEADERS; the response must have STATUS. Returns its
 * JSON, new. */
json_t *topics_publish(const char *target, const char *headers,
                       const char *body, int status);

/* The same; the status must be 200. */
void topics_put(const char *target, const char *body);

/* Return the member KEY of an object, which must have it. Borrowed. */
const char *json_text(const json_t *json, const char *key);
json_int_t json_number(const json_t *json, const char *key);

/* Return the body of GET TARGET, whose status must be 200; new. */
char *topics_get(const char *target, const char *headers);
json_t *topics_get_json(const char *target, const char *headers);

/* Polls TARGET, which may have a query, and fails unless the data of the events, each
 * followed by a space, is EXPECTED; "GAP:" stands before the data of a gap event. */
void topics_hold(const char *target, const char *headers,
                 const char *expected);

/* Opens a stream at TARGET. */
void topics_subscribe(struct client *client, const char *target,
                   const char *headers);

#endif
