/*
 * Names of topics, and lists of them. A comma separates, so it cannot be part of
 * a name; '*' stands for all, so it cannot either, and may end a pattern.
 */
#include <config.h>

#include "topic.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the longest list there can be. */
#define LONGEST (CRIER__TOPICS_MAX * CRIER__TOPIC_ROOM)

const char *crier__topics_next(struct crier__topics *walk, size_t *length)
{
    const char *topic = walk->rest;

    if (topic == NULL)
        return NULL;
    *length = strcspn(topic, ",");
    walk->rest = topic[*length] == ',' ? topic + *length + 1 : NULL;
    return topic;
}

static bool valid(const char *name, size_t length)
{
    size_t max = crier__topic_hidden(name) ? CRIER__TOPIC_ROOM - 1
                                           : CRIER__TOPIC_MAX;

    return length != 0 && length <= max &&
           memchr(name, '*', length) == NULL &&
           crier_utf8_valid(name, length) && !crier__utf8_control(name, length);
}

/* Whether the list of END - LIST bytes has the topic NAME already. */
static bool has(const char *list, const char *end, const char *name,
                size_t length)
{
    const char *at = list;
    size_t part;

    while (at < end) {
        part = strcspn(at, ",");
        if (part == length && memcmp(at, name, length) == 0)
            return true;
        at += part + 1;
    }
    return false;
}

int crier__topics_parse(const char *text, char **topics, unsigned *count)
{
    struct crier__topics walk = {text};
    const char *name;
    char *made, *end;
    unsigned n = 0;
    size_t length;

    /* Before anything is done for it: no list of a hundred is longer. */
    if (strnlen(text, LONGEST + 1) > LONGEST)
        return CRIER_ERR_MANY_TOPICS;
    made = end = calloc(1, strlen(text) + 1);
    if (made == NULL)
        return -ENOMEM;
    while ((name = crier__topics_next(&walk, &length)) != NULL) {
        if (!valid(name, length)) {
            free(made);
            return CRIER_ERR_TOPIC;
        }
        if (has(made, end, name, length))
            continue;
        if (n++ == CRIER__TOPICS_MAX) {
            free(made);
            return CRIER_ERR_MANY_TOPICS;
        }
        if (end != made)
            *end++ = ',';
        memcpy(end, name, length);
        end += length;
    }
    *topics = made;
    *count = n;
    return 0;
}

bool crier__topic_fits(const char *pattern, const char *name, size_t length)
{
    size_t whole = strlen(pattern);

    if (whole != 0 && pattern[whole - 1] == '*')
        return length >= whole - 1 && memcmp(pattern, name, whole - 1) == 0;
    return length == whole && memcmp(pattern, name, length) == 0;
}
