#ifndef TESTS_BULK_H
#define TESTS_BULK_H

#include "topics.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the tests of many updates in one request share. */

#define STREAM "Content-Type: text/event-stream\r\n"

/* Publishes BODY to TARGET, which must be answered with STATUS. */
static inline json_t *bulk_post(const char *target, const char *body,
                                int status)
{
    return topics_publish(target, STREAM, body, status);
}

/* The same; PUBLISHED are in, of which DUPLICATES were there before. */
static inline void bulk_expect(const char *target, const char *body,
                               int status, int published, int duplicates)
{
    json_t *answer = bulk_post(target, body, status);

    ck_assert_int_eq(json_number(answer, "published"), published);
    ck_assert_int_eq(json_number(answer, "duplicates"), duplicates);
    json_decref(answer);
}

/* COUNT events, each with NAME and its number, from FIRST on, as its data and its
 * id. To be freed. */
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

/* Fails unless the updates of NAME's that TOPIC holds are those from 0 to COUNT -
 * 1, in order. */
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
