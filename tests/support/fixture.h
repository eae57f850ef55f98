#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "crierd.h"
#include "redis_server.h"
#include "scratch.h"
#include "topics.h"

#include <stdio.h>
#include <stdlib.h>

/* Fixtures for tests of a real crierd that the functions topics_* ask, with a journal
 * in memory, in a file of the scratch directory, or in a Redis. */
static struct crierd crierd;
static struct redis_server redis_server;
static char journal_option[128]; /* the option for a journal in a file or in Redis */

/* For tests that start crierd themselves; ends with fixture_clean(), scratch_remove() or
 * fixture_end(). */
static inline void fixture_scratch(void)
{
    scratch_make();
    snprintf(journal_option, sizeof journal_option,
             "--journal sqlite:%s/journal", scratch);
}

/* The journals of a test that is run with each. */
enum { FIXTURE_MEMORY, FIXTURE_FILE, FIXTURE_REDIS };

/* How many of these a test runs with, the first ones. */
static inline int fixture_journals(void)
{
    return redis_is_wanted() ? FIXTURE_REDIS + 1 : FIXTURE_REDIS;
}

/* Returns the option for JOURNAL; after fixture_scratch(). Starts the Redis. */
static inline const char *fixture_option(int journal)
{
    char *url;

    if (journal == FIXTURE_MEMORY)
        return "--journal memory";
    if (journal == FIXTURE_REDIS) {
        redis_start(&redis_server, NULL);
        url = redis_url(&redis_server);
        snprintf(journal_option, sizeof journal_option, "--journal %s?" REDIS_PATIENCE, url);
        free(url);
    }
    return journal_option;
}

/* Removes what the functions above made. */
static inline void fixture_clean(void)
{
    if (redis_server.pid != 0)
        redis_remove(&redis_server);
    scratch_remove();
}

static inline void fixture_start(const char *options)
{
    crierd_start(&crierd, options);
    topics_port = crierd.port;
}

static inline void fixture_memory(void)
{
    fixture_scratch();
    fixture_start("");
}

static inline void fixture_file(void)
{
    fixture_scratch();
    fixture_start(journal_option);
}

static inline void fixture_redis(void)
{
    fixture_scratch();
    fixture_start(fixture_option(FIXTURE_REDIS));
}

/* With presence in two topics. */
static inline void fixture_presence(void)
{
    fixture_scratch();
    fixture_start("--presence room,a/b");
}

/* Stops the crierd that a test or a fixture started. */
static inline void fixture_end(void)
{
    crierd_stop(&crierd);
    fixture_clean();
}

#endif
