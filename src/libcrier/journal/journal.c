/*
 * What all journals share: their options and the clock.
 *
 * The time of an update is the clock's when the journal took it, but never less than
 * that of the update before, so times rise with positions. When the clock is set back by
 * a little, times stand still until it has caught up. When it was far ahead, and is right
 * again, that would take too long: nothing would grow old, and "since=1s" would give
 * everything. So times that are ahead of the clock by more than LEAD_MAX are set to it;
 * the age of such an update then counts from the moment of the correction.
 *
 * A clock before EARLIEST is itself wrong: a machine without a battery begins in 1970.
 * By such a clock all updates would look new, and old once it is set. So it corrects
 * nothing.
 */
#include <config.h>

#include "journal.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TOPICS 100000

/* By how many ms the time of an update may be ahead of the clock. */
#define LEAD_MAX 10000

/* 2026-01-01 in ms since 1970: a clock that is right says more. */
#define EARLIEST INT64_C(1767225600000)

static int copy_rules(struct crier_journal *journal,
                      const struct crier_topic_retention *topics, size_t count)
{
    struct crier__retention_rule *rule;
    int error = 0;
    size_t i;

    journal->rules = calloc(count + 1, sizeof *journal->rules);
    if (journal->rules == NULL)
        return -ENOMEM;
    for (i = 0; i < count && error == 0; i++) {
        rule = &journal->rules[i];
        rule->retention = topics[i].retention;
        rule->pattern = strdup(topics[i].topic);
        if (rule->pattern == NULL)
            return -ENOMEM;
        journal->rule_count++;
        error = crier__selector_init(&rule->selector, rule->pattern);
    }
    return error;
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
    /* One update may have so many. */
    if (journal->max_topics < CRIER__TOPICS_MAX)
        return CRIER_ERR_INVALID;
    journal->ages = journal->retention.age != 0;
    for (i = 0; i < options->topic_count; i++)
        journal->ages |= options->topics[i].retention.age != 0;
    error = crier__fork_watch(&journal->born);
    if (error == 0)
        error = copy_rules(journal, options->topics, options->topic_count);
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

    for (i = 0; i < journal->rule_count; i++)
        free(journal->rules[i].pattern);
    free(journal->rules);
}

struct crier_retention
crier__journal_retention(const struct crier_journal *journal, const char *name,
                         size_t length)
{
    static const struct crier_retention none;
    const struct crier__retention_rule *rule = journal->rules;

    for (; rule < journal->rules + journal->rule_count; rule++)
        if (rule->selector.kind == CRIER__ALL ||
            crier__selector_matches(&rule->selector, name, length))
            return rule->retention;
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

/* ---- the rest --------------------------------------------------------- */

bool crier__list_wants(const struct crier__list *list, const char *name)
{
    return strcmp(name, list->after) > 0 &&
           crier__selectors_match(list->selectors, name);
}

void crier_journal_free(struct crier_journal *journal)
{
    if (journal == NULL || crier__journal_forked(journal))
        return;
    journal->ops->close(journal);
    journal->ops->free(journal);
}
