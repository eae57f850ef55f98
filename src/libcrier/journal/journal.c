/*
 * What all journals share: their options, and the clock.
 *
 * The time of an update is the clock's when the journal took it, but never less than
 * that of the update before: so times rise with positions. A clock that is set back
 * by a little is waited for. One that was ahead, and is right again, would stand
 * still for as long as it was ahead: nothing would grow old, and "since=1s" would give
 * everything. So times that lead the clock by more than LEAD_MAX are set to it; an
 * update's age then counts from when that was noticed, since nobody knows better.
 *
 * A clock before EARLIEST is itself wrong: a machine without a battery begins in 1970.
 * By it, all that is held would look new, and when the clock is set, old. So nothing
 * is corrected by such a clock.
 */
#include <config.h>

#include "journal.h"

#include "base/clock.h"
#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TOPICS 100000

/* By how many ms the time of an update may lead the clock. */
#define LEAD_MAX 10000

/* 2026-01-01, in ms since 1970: no clock that is right says less. */
#define EARLIEST INT64_C(1767225600000)

static int copy_topics(struct crier_journal *journal,
                       const struct crier_topic_retention *topics,
                       size_t count)
{
    size_t i;

    journal->topics = calloc(count + 1, sizeof *journal->topics);
    if (journal->topics == NULL)
        return -ENOMEM;
    for (i = 0; i < count; i++) {
        journal->topics[i].retention = topics[i].retention;
        journal->topics[i].topic = strdup(topics[i].topic);
        if (journal->topics[i].topic == NULL)
            return -ENOMEM;
        journal->topic_count++;
    }
    return 0;
}

int crier__journal_init(struct crier_journal *journal,
                        const struct crier__journal_ops *ops,
                        const struct crier_journal_options *options,
                        const struct crier_retention *defaults)
{
    static const struct crier_journal_options none;
    size_t i;
    int error;

    if (options == NULL)
        options = &none;
    for (i = 0; i < options->topic_count; i++)
        if (options->topics == NULL || options->topics[i].topic == NULL)
            return CRIER_ERR_NULL;
    journal->ops = ops;
    journal->retention = options->retention;
    if (journal->retention.count == 0)
        journal->retention.count = defaults->count;
    if (journal->retention.bytes == 0)
        journal->retention.bytes = defaults->bytes;
    journal->max_topics =
        options->max_topics != 0 ? options->max_topics : DEFAULT_TOPICS;
    /* One update may have this many at once. */
    if (journal->max_topics < CRIER__TOPICS_MAX)
        return CRIER_ERR_INVALID;
    journal->ages = journal->retention.age != 0;
    for (i = 0; i < options->topic_count; i++)
        journal->ages |= options->topics[i].retention.age != 0;
    error = crier__fork_watch(&journal->born);
    if (error == 0)
        error = copy_topics(journal, options->topics, options->topic_count);
    if (error != 0)
        crier__journal_done(journal);
    return error;
}

bool crier__journal_forked(const struct crier_journal *journal)
{
    return journal->ops->bound && crier__forked(journal->born);
}

void crier__journal_done(struct crier_journal *journal)
{
    size_t i;

    for (i = 0; i < journal->topic_count; i++)
        free((char *)journal->topics[i].topic);
    free(journal->topics);
}

struct crier_retention
crier__journal_retention(const struct crier_journal *journal,
                         const char *topic, size_t length)
{
    static const struct crier_retention none;
    size_t i;

    for (i = 0; i < journal->topic_count; i++)
        if (crier__topic_fits(journal->topics[i].topic, topic, length))
            return journal->topics[i].retention;
    return none;
}

/* ---- the clock -------------------------------------------------------- */

int64_t crier__journal_time(int64_t before)
{
    int64_t now = crier__clock_real();

    return now > before ? now : before;
}

bool crier__journal_ahead(struct crier_journal *journal, int64_t last,
                          int64_t *now)
{
    bool ahead, behind;

    *now = crier__clock_real();
    ahead = last > *now + LEAD_MAX;
    behind = ahead && *now < EARLIEST;
    if (behind != atomic_load_explicit(&journal->clock_behind,
                                       memory_order_relaxed))
        atomic_store(&journal->clock_behind, behind);
    return ahead && !behind;
}

bool crier__listed(const struct crier__list *list, const char *name)
{
    if (list->prefix == NULL)
        return strcmp(name, list->after) == 0;
    return (list->hidden || !crier__topic_hidden(name)) &&
           strncmp(name, list->prefix, strlen(list->prefix)) == 0 &&
           strcmp(name, list->after) > 0;
}

unsigned crier__list_in(const struct crier__list *list,
                        struct crier__named *first, unsigned count,
                        struct crier__named one)
{
    unsigned low = 0, high = count, middle;

    while (low < high) {
        middle = (low + high) / 2;
        if (strcmp(first[middle].name, one.name) > 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == list->limit)
        return count;
    if (count == list->limit)
        count--;
    memmove(first + low + 1, first + low, (count - low) * sizeof *first);
    first[low] = one;
    return count + 1;
}

void crier_journal_free(struct crier_journal *journal)
{
    if (journal == NULL || crier__journal_forked(journal))
        return;
    journal->ops->stop(journal);
    journal->ops->free(journal);
}
