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
 * An update that comes from another journal keeps the time that it had there, within the
 * same order: not before the update in front of it, and not after the clock. So an import
 * into an empty journal keeps all times, and one behind newer updates makes all of them as
 * old as the newest of these.
 *
 * A clock before EARLIEST is itself wrong: a machine without a battery begins in 1970.
 * By such a clock all updates would look new, and old once it is set. So it corrects
 * nothing.
 */
#include <config.h>

#include "journal.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TOPICS 100000

/* By how many ms the time of an update may be ahead of the clock. */
#define LEAD_MAX 10000

/* 2026-01-01 in ms since 1970: a clock that is right says more. */
#define EARLIEST INT64_C(1767225600000)

/* ---- the policy ------------------------------------------------------- */

static int copy_rules(struct crier__policy *policy,
                      const struct crier_topic_retention *topics, size_t count)
{
    struct crier__retention_rule *rule;
    int error = 0;
    size_t i;

    policy->rules = calloc(count + 1, sizeof *policy->rules);
    if (policy->rules == NULL)
        return -ENOMEM;
    for (i = 0; i < count && error == 0; i++) {
        rule = &policy->rules[i];
        rule->retention = topics[i].retention;
        rule->pattern = strdup(topics[i].topic);
        if (rule->pattern == NULL)
            return -ENOMEM;
        policy->rule_count++;
        policy->ages |= rule->retention.age != 0;
        error = crier__selector_init(
            &rule->selector, &(struct crier_selector){.text = rule->pattern});
    }
    return error;
}

static void free_policy(struct crier__policy *policy)
{
    size_t i;

    for (i = 0; i < policy->rule_count; i++) {
        crier__selector_done(&policy->rules[i].selector);
        free(policy->rules[i].pattern);
    }
    free(policy->rules);
}

/* Makes POLICY of OPTIONS (NULL: the defaults). Whether it fails or not, free_policy() is
 * needed. */
static int make_policy(struct crier__policy *policy,
                       const struct crier_journal_options *options,
                       const struct crier_retention *defaults)
{
    static const struct crier_journal_options none;
    size_t i;

    memset(policy, 0, sizeof *policy);
    if (options == NULL)
        options = &none;
    for (i = 0; i < options->topic_count; i++)
        if (options->topics == NULL || options->topics[i].topic == NULL)
            return CRIER_ERR_NULL;
    policy->retention = options->retention;
    if (policy->retention.count == 0)
        policy->retention.count = defaults->count;
    if (policy->retention.bytes == 0)
        policy->retention.bytes = defaults->bytes;
    policy->max_topics =
        options->max_topics != 0 ? options->max_topics : DEFAULT_TOPICS;
    policy->ages = policy->retention.age != 0;
    /* One update may have so many. */
    if (policy->max_topics < CRIER__TOPICS_MAX)
        return CRIER_ERR_INVALID;
    return copy_rules(policy, options->topics, options->topic_count);
}

int crier__journal_retain(struct crier_journal *journal,
                          const struct crier_journal_options *options)
{
    struct crier__policy policy;
    int error = make_policy(&policy, options, &journal->defaults);

    if (error == 0)
        journal->ops->retain(journal, &policy);
    free_policy(&policy);
    return error;
}

void crier__journal_swap_policy(struct crier_journal *journal,
                                struct crier__policy *policy)
{
    struct crier__policy old;

    pthread_mutex_lock(&journal->policy_lock);
    old = journal->policy;
    journal->policy = *policy;
    pthread_mutex_unlock(&journal->policy_lock);
    atomic_store(&journal->max_bytes, policy->retention.bytes);
    *policy = old;
}

struct crier_retention crier__journal_retention(struct crier_journal *journal,
                                                const char *name,
                                                size_t length)
{
    struct crier_retention retention = {0};
    const struct crier__retention_rule *rule;
    size_t i;

    pthread_mutex_lock(&journal->policy_lock);
    for (i = 0; i < journal->policy.rule_count; i++) {
        rule = &journal->policy.rules[i];
        if (rule->selector.kind == CRIER__ALL ||
            crier__selector_matches(&rule->selector, name, length)) {
            retention = rule->retention;
            break;
        }
    }
    pthread_mutex_unlock(&journal->policy_lock);
    return retention;
}

struct crier_retention crier__journal_limits(struct crier_journal *journal)
{
    struct crier_retention retention;

    pthread_mutex_lock(&journal->policy_lock);
    retention = journal->policy.retention;
    pthread_mutex_unlock(&journal->policy_lock);
    return retention;
}

size_t crier__journal_max_topics(struct crier_journal *journal)
{
    size_t max;

    pthread_mutex_lock(&journal->policy_lock);
    max = journal->policy.max_topics;
    pthread_mutex_unlock(&journal->policy_lock);
    return max;
}

bool crier__journal_ages(struct crier_journal *journal)
{
    bool ages;

    pthread_mutex_lock(&journal->policy_lock);
    ages = journal->policy.ages;
    pthread_mutex_unlock(&journal->policy_lock);
    return ages;
}

/* ---- start and end ---------------------------------------------------- */

int crier__journal_init(struct crier_journal *journal,
                        const struct crier__journal_ops *ops,
                        const struct crier_journal_options *options,
                        const struct crier_retention *defaults)
{
    int error;

    journal->ops = ops;
    journal->defaults = *defaults;
    journal->epoch = journal->own_epoch;
    error = crier__fork_watch(&journal->born);
    if (error == 0)
        error = -pthread_mutex_init(&journal->policy_lock, NULL);
    if (error != 0)
        return error;
    error = make_policy(&journal->policy, options, defaults);
    atomic_init(&journal->max_bytes, journal->policy.retention.bytes);
    atomic_flag_clear(&journal->damage_taken);
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
    pthread_mutex_destroy(&journal->policy_lock);
    free_policy(&journal->policy);
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

/* ---- topics that have ended ------------------------------------------- */

bool crier__journal_ended(struct crier_journal *journal, const char *name,
                          struct crier__ended *ended)
{
    return atomic_load(&journal->ends) &&
           journal->ops->ended(journal, name, ended);
}

void crier__append_refuse_ended(struct crier__append *append, const char *name)
{
    append->error = CRIER_ERR_TOPIC_ENDED;
    snprintf(append->reason, sizeof append->reason,
             "'%.70s' takes no update until it is deleted", name);
}

/* ---- damage ----------------------------------------------------------- */

void crier__journal_damage(struct crier_journal *journal, const char *where)
{
    if (!atomic_flag_test_and_set(&journal->damage_taken))
        snprintf(journal->damage, sizeof journal->damage, "%s", where);
    else if (atomic_load(&journal->damaged) == 0)
        return; /* the first one is being noted now */
    atomic_fetch_add(&journal->damaged, 1);
}

/* ---- the rest --------------------------------------------------------- */

bool crier__list_wants(const struct crier__list *list, const char *name)
{
    return strcmp(name, list->after) > 0 &&
           crier__selectors_match(list->selectors, name) &&
           (!list->granted_only || crier_grants_match(list->grants, name));
}

bool crier__list_shows_private(struct crier__list *list, const char *name)
{
    if (crier_grants_match(list->grants, name))
        return true;
    if (list->withheld != NULL)
        list->withheld(list, name);
    return false;
}

void crier_journal_free(struct crier_journal *journal)
{
    if (journal == NULL || crier__journal_forked(journal))
        return;
    journal->ops->close(journal);
    journal->ops->free(journal);
}
