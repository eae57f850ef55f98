#ifndef TESTS_BULK_H
#define TESTS_BULK_H

#include "topics.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Helpers for tests that publish many updates in one request. */

#define STREAM "Content-Type: text/event-stream\r\n"

/* Publishes BODY to TARGET; the response must have STATUS. Returns its JSON, new. */
static inline json_t *bulk_post(const char *target, const char *body,
                                int status)
{
    return topics_publish(target, STREAM, body, status);
}

/* The same; the response must say that PUBLISHED updates are stored, of which
 * DUPLICATES already were. */
static inline void bulk_expect(const char *target, const char *body,
                               int status, int published, int duplicates)
{
    json_t *answer = bulk_post(target, body, status);

    ck_assert_int_eq(json_number(answer, "published"), published);
    ck_assert_int_eq(json_number(answer, "duplicates"), duplicates);
    json_decref(answer);
}

/* Returns COUNT events in new memory. The data and the id of each are NAME and its
 * number, from FIRST on. */
static inline char *bulk_numbered(const char *name, int first, int count)
{
    char *body;
    size_t length;
    FILE *to = open_memstream(&body, &length);
    int i;

    for (i = first; i < first + count; i++)
        fprintf(to, "id: %s%d\ndata: %s%d\n\n", name, i, name, i);
    fclose(to);
    return body;
}

/* Fails unless TOPIC holds the updates 0 to COUNT - 1 that bulk_numbered() made with
 * NAME, in order, and no others with that name. */
static inline void bulk_held(const char *topic, const char *name, int count)
{
    char target[64], wanted[64], *body, *at;
    int i;

    snprintf(target, sizeof target, "/topics/%s?poll=1", topic);
    body = at = topics_get(target, "");
    snprintf(target, sizeof target, "data: %s", name);
    for (i = 0; i < count; i++) {
        at = strstr(at, target);
        ck_assert_msg(at != NULL, "%s ends before %d", topic, i);
        snprintf(wanted, sizeof wanted, "data: %s%d\n\n", name, i);
        ck_assert_msg(strncmp(at, wanted, strlen(wanted)) == 0,
                      "not '%s' but '%.20s'", wanted, at);
        at++;
    }
    ck_assert_msg(strstr(at, target) == NULL, "%s goes on after %d", topic, i);
    free(body);
}

#endif
