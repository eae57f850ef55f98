#ifndef TESTS_BOTH_H
#define TESTS_BOTH_H

#include "crierd.h"
#include "scratch.h"
#include "topics.h"

#include <stdio.h>

/* Fixtures for what must be the same with a journal in memory and with one in a file:
 * a crierd of each test's own, which topics_* ask. */
static struct crierd crierd;

/* Writes the option for a journal in a file of the scratch directory. */
static inline void both_journal(char option[64])
{
    snprintf(option, 64, "--journal sqlite:%s/journal", scratch);
}

static inline void both_start(const char *options)
{
    crierd_start(&crierd, options);
    topics_port = crierd.port;
}

static inline void both_memory(void)
{
    scratch_make();
    both_start("");
}

static inline void both_file(void)
{
    char journal[64];

    scratch_make();
    both_journal(journal);
    both_start(journal);
}

static inline void both_end(void)
{
    crierd_stop(&crierd);
    scratch_remove();
}

#endif
