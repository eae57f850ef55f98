#include <config.h>

#include "topics.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int topics_port;

json_t *topics_publish(const char *target, const char *headers,
                       const char *body, int status)
{
    char *answer;
    int got = fetch(topics_port, "POST", target, headers, body, &answer);
    json_t *json = json_loads(answer, 0, NULL);

    ck_assert_msg(got == status, "%d for %s: %s", got, target, answer);
    ck_assert_msg(json != NULL, "%s", answer);
    free(answer);
    return json;
}

void topics_put(const char *target, const char *body)
{
    json_decref(topics_publish(target, "", body, 200));
}

const char *json_text(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    ck_assert_msg(text != NULL, "no %s", key);
    return text;
}

json_int_t json_number(const json_t *json, const char *key)
{
    ck_assert_msg(json_is_integer(json_object_get(json, key)), "no %s", key);
    return json_integer_value(json_object_get(json, key));
}

char *topics_get(const char *target, const char *headers)
{
    char *answer;

    ck_assert_int_eq(
        fetch(topics_port, "GET", target, headers, NULL, &answer), 200);
    return answer;
}

json_t *topics_get_json(const char *target, const char *headers)
{
    char *answer = topics_get(target, headers);
    json_t *json = json_loads(answer, 0, NULL);

    ck_assert_msg(json != NULL, "%s", answer);
    free(answer);
    return json;
}

void topics_hold(const char *target, const char *headers,
                 const char *expected)
{
    char with[1024], *body, *line, *rest, text[4096] = "";

    snprintf(with, sizeof with, "%s%cpoll=1", target,
             strchr(target, '?') != NULL ? '&' : '?');
    body = topics_get(with, headers);
    for (line = strtok_r(body, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strcmp(line, "event: gap") == 0)
            strcat(text, "GAP:");
        else if (strncmp(line, "data: ", 6) == 0)
            strcat(strcat(text, line + 6), " ");
    }
    ck_assert_msg(strcmp(text, expected) == 0, "%s holds '%s', not '%s'",
                  target, text, expected);
    free(body);
}

void topics_subscribe(struct client *client, const char *target,
                      const char *headers)
{
    client_connect(client, topics_port);
    ck_assert_int_eq(client_request(client, "GET", target, headers, NULL),
                     200);
}
