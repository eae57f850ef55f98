#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "crierd.h"
#include "scratch.h"
#include "topics.h"

#include <stdio.h>

/* Fixtures for tests of a real crierd that the functions topics_* ask, with a journal
 * in memory or in a file of the scratch directory. */
static struct crierd crierd;
static char journal_option[64]; /* the option for a journal in a file */

/* For tests that start crierd themselves; ends with scratch_remove() or
 * fixture_end(). */
static inline void fixture_scratch(void)
{
    scratch_make();
    snprintf(journal_option, sizeof journal_option,
             "--journal sqlite:%s/journal", scratch);
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
    scratch_remove();
}

#endif
