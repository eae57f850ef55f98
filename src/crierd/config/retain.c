/*
 * The list of --retain-topic: how much is kept of single topics. An entry is written
 * TOPIC:count=N,bytes=SIZE,age=TIME, or in a file as a section with these keys.
 */
#include <config.h>

#include "retain.h"

#include "value.h"
#include "base/number.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The longest name of a topic, in bytes, as crier.h has it. */
#define TOPIC_MAX 255

const char *retain_set_limit(struct crier_retention *retention, const char *key,
                             const char *text)
{
    uint64_t number;

    if (strcmp(key, "count") == 0) {
        if (!crier__number_read(text, 1, RETAIN_COUNT_MAX, &number))
            return "a number from 1 to 1000000000000";
        retention->count = (size_t)number;
        return NULL;
    }
    if (strcmp(key, "bytes") == 0)
        return value_size(text, &retention->bytes)
                   ? NULL
                   : "a size, such as 4000, 64K, 16M or 2G";
    if (strcmp(key, "age") == 0)
        return value_time(text, &retention->age) && retention->age != 0
                   ? NULL
                   : "a time, such as 90s, 12h or 30d";
    return "";
}

/* Whether the LENGTH bytes at TEXT are UTF-8 without control characters. */
static bool is_plain(const char *text, size_t length)
{
    return crier_utf8_valid(text, length) && !crier__utf8_control(text, length);
}

bool retain_is_topic(const char *text, size_t length)
{
    size_t i;

    if (length == 0 || length > TOPIC_MAX || !is_plain(text, length))
        return false;
    for (i = 0; i < length; i++)
        if (text[i] == ',' || (text[i] == '*' && i + 1 != length))
            return false;
    return true;
}

int retain_add(struct conf *conf, const char *topic, size_t length,
               const struct crier_retention *retention)
{
    struct crier_topic_retention *more;
    char *copy;

    if (conf->topic_count == CONF_TOPICS_MAX)
        return -E2BIG;
    more = realloc(conf->topics, (conf->topic_count + 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    conf->topics = more;
    copy = strndup(topic, length);
    if (copy == NULL)
        return -ENOMEM;
    more[conf->topic_count].topic = copy;
    more[conf->topic_count].retention = *retention;
    conf->topic_count++;
    return 0;
}

/* Cuts LIMITS, which are separated by commas, up and reads them. */
static bool read_limits(char *limits, struct crier_retention *retention)
{
    char *limit, *value;

    while ((limit = strsep(&limits, ",")) != NULL) {
        value = strchr(limit, '=');
        if (value == NULL)
            return false;
        *value++ = '\0';
        if (retain_set_limit(retention, limit, value) != NULL)
            return false;
    }
    return true;
}

int retain_add_text(struct conf *conf, const char *text)
{
    const char *colon = strrchr(text, ':');
    struct crier_retention retention = {0};
    char *limits;
    bool well;

    if (colon == NULL || !retain_is_topic(text, (size_t)(colon - text)))
        return -EINVAL;
    limits = strdup(colon + 1);
    if (limits == NULL)
        return -ENOMEM;
    well = read_limits(limits, &retention);
    free(limits);
    return well ? retain_add(conf, text, (size_t)(colon - text), &retention)
                : -EINVAL;
}

void retain_clear(struct conf *conf)
{
    while (conf->topic_count > 0)
        free((char *)conf->topics[--conf->topic_count].topic);
}

void retain_print_entry(const struct crier_topic_retention *topic, FILE *to)
{
    const struct crier_retention *keep = &topic->retention;
    const char *before = ":";
    char text[VALUE_SIZE];

    fputs(topic->topic, to);
    if (keep->count != 0) {
        fprintf(to, "%scount=%zu", before, keep->count);
        before = ",";
    }
    if (keep->bytes != 0) {
        value_print_size(text, keep->bytes);
        fprintf(to, "%sbytes=%s", before, text);
        before = ",";
    }
    if (keep->age != 0) {
        value_print_time(text, keep->age);
        fprintf(to, "%sage=%s", before, text);
    }
}

void retain_print(const struct crier_topic_retention *topic, FILE *to)
{
    const struct crier_retention *keep = &topic->retention;
    char text[VALUE_SIZE];

    fprintf(to, "topic = %s\n", topic->topic);
    if (keep->count != 0)
        fprintf(to, "count = %zu\n", keep->count);
    value_print_size(text, keep->bytes);
    if (keep->bytes != 0)
        fprintf(to, "bytes = %s\n", text);
    value_print_time(text, keep->age);
    if (keep->age != 0)
        fprintf(to, "age = %s\n", text);
}
