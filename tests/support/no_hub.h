#ifndef TESTS_NO_HUB_H
#define TESTS_NO_HUB_H

#include "libcrier/journal/journal.h"

/* What a journal asks of its hub, in a test of a journal alone: there are no streams. */

static inline size_t no_hub_yield(void *closure, struct crier__update *update)
{
    (void)closure;
    (void)update;
    return 0;
}

static inline void no_hub_missed(void *closure, uint64_t position)
{
    (void)closure;
    (void)position;
}

static inline size_t no_hub_take_counts(void *closure, bool all,
                                        void (*take)(void *context, const char *selector,
                                                     size_t count),
                                        void *context)
{
    (void)closure;
    (void)all;
    (void)take;
    (void)context;
    return 0;
}

static inline void no_hub_counted(void *closure, const size_t *totals)
{
    (void)closure;
    (void)totals;
}

static inline void no_hub_total(void *closure, const char *selector, size_t total,
                                bool read)
{
    (void)closure;
    (void)selector;
    (void)total;
    (void)read;
}

static inline void no_hub_totals(void *closure)
{
    (void)closure;
}

static inline void no_hub_departed(void *closure, const char *selector)
{
    (void)closure;
    (void)selector;
}

/* Sets all of that in the journal OF. The caller may replace some of it before
 * no_hub_start(). */
static inline void no_hub_set(struct crier_journal *of)
{
    of->yield = no_hub_yield;
    of->missed = no_hub_missed;
    of->take_counts = no_hub_take_counts;
    of->counted = no_hub_counted;
    of->total = no_hub_total;
    of->begin_totals = of->end_totals = no_hub_totals;
    of->departed = no_hub_departed;
}

/* Does what a hub does next: writes the last position of the journal OF to *LAST, and says
 * that it may yield what comes. */
static inline void no_hub_start(struct crier_journal *of, uint64_t *last)
{
    *last = of->ops->last(of);
    if (of->ops->start != NULL)
        of->ops->start(of);
}

#endif
