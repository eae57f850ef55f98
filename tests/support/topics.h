#ifndef TESTS_TOPICS_H
#define TESTS_TOPICS_H

#include "client.h"

#include <jansson.h>

/* What the tests of /topics ask of a crierd. Whatever is not answered as it should
 * be fails the test. */
extern int topics_port; /* of the crierd that is asked */

/* Publishes BODY to TARGET with HEADERS, which must be answered with STATUS.
 * Returns the answer. */
json_t *topics_publish(const char *target, const char *headers,
                       const char *body, int status);

/* The same where all must be well and the answer does not matter. */
void topics_put(const char *target, const char *body);

/* The members of an object. Borrowed. */
const char *json_text(const json_t *json, const char *key);
json_int_t json_number(const json_t *json, const char *key);

/* The body of GET TARGET, which must be answered with 200. To be freed. */
char *topics_get(const char *target, const char *headers);
json_t *topics_get_json(const char *target, const char *headers);

/* Fails unless what is held at TARGET (with ?...) are the events with the data
 * EXPECTED, each followed by a space, and "GAP:" before what a gap says. */
void topics_hold(const char *target, const char *headers,
                 const char *expected);

/* Opens a stream. */
void topics_subscribe(struct client *client, const char *target,
                   const char *headers);

#endif
