#ifndef CRIERD_CONF_H
#define CRIERD_CONF_H

#include "crier.h"
#include "crierd/log/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often --retain-topic may be given. */
#define CONF_TOPICS_MAX 64

/* What the command line asked for; the defaults where it asked for nothing.
 * The texts are borrowed from argv. */
struct conf {
    const char *listen; /* HOST:PORT */
    const char *www;
    const char *data;
    unsigned threads;
    uint32_t ping;       /* ms */
    uint32_t keep_alive; /* ms */
    size_t max_clients;  /* 0: what the open-file limit allows */
    enum log_level log_level;
    bool get_publish;
    bool demo; /* whether the demo is served */

    const char *journal; /* the path of the file, or NULL for one in memory */
    struct crier_retention retention;
    struct crier_topic_retention topics[CONF_TOPICS_MAX + 1];
    size_t topic_count;
    size_t max_topics;
    size_t max_message;
    const char *presence; /* or NULL */
    enum crier_slow slow;
    uint32_t stall_timeout; /* ms */
};

enum conf_result {
    CONF_RUN,  /* go on */
    CONF_DONE, /* --help or --version was answered: exit 0 */
    CONF_BAD   /* standard error says why: exit 2 */
};

enum conf_result conf_parse(struct conf *conf, int argc, char **argv);

/* Reads a duration from 10 ms to a day: a number with "ms", "s", "m" or "h"
 * behind it, seconds when there is no unit. */
bool conf_duration(const char *text, uint32_t *milliseconds);

/* Reads a time of any length: a number with "ms", "s", "m", "h" or "d" behind it. */
bool conf_age(const char *text, uint64_t *milliseconds);

/* Reads a size: a number, with "K", "M" or "G" (powers of 1024) behind it or
 * nothing. */
bool conf_size(const char *text, size_t *bytes);

#endif
