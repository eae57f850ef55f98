#ifndef CRIERD_CONF_H
#define CRIERD_CONF_H

#include "log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
};

enum conf_result {
    CONF_RUN,  /* go on */
    CONF_DONE, /* --help or --version was answered: exit 0 */
    CONF_BAD   /* one line on standard error has said why: exit 2 */
};

enum conf_result conf_parse(struct conf *conf, int argc, char **argv);

/* Reads a duration from 10 ms to a day: a number with "ms", "s", "m" or "h"
 * behind it, seconds when there is no unit. */
bool conf_duration(const char *text, uint32_t *milliseconds);

#endif
