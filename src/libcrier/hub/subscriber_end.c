/*
 * When a subscriber is over: all that it subscribes to are names of topics that have
 * ended, and it has been given their last updates. A prefix, "*" or a pattern never ends,
 * since a topic that it matches may be published to for the first time.
 *
 * The journal knows whether a topic has ended before it yields the last update. So a
 * stream cannot miss an end: either the last update comes to it later than the question,
 * and is asked about again when it comes, even if its client has had it from another node;
 * or it came before, and the journal says so.
 *
 * A topic that is deleted has not ended any more, and may have updates again before a
 * stream has been given the last one. The stream then goes on with the new updates, unless
 * the last one comes to it live: that ends the topic for this stream, whatever has become
 * of it. Both lose nothing: a client that comes back goes on where it was.
 */
#include <config.h>

#include "subscriber_end.h"

#include <string.h>

static bool has_ended(struct crier_journal *journal,
                      const struct crier__selector *selector,
                      struct crier__ended *ended)
{
    return selector->kind == CRIER__EXACT &&
           crier__journal_ended(journal, selector->text, ended);
}

bool crier__selectors_have_ended(struct crier_journal *journal,
                                 const struct crier__selectors *selectors,
                                 uint64_t position, struct crier__ended *ended)
{
    struct crier__ended one;
    unsigned i;

    ended->position = 0;
    for (i = 0; i < selectors->count; i++) {
        if (!has_ended(journal, &selectors->items[i], &one) ||
            one.position > position)
            return false;
        if (one.position > ended->position)
            *ended = one;
    }
    return true;
}

/* Whether UPDATE is the last one of the topic that SELECTOR names. */
static bool is_last_of(const struct crier__update *update,
                       const struct crier__selector *selector)
{
    const char *name;

    if (selector->kind == CRIER__EXACT)
        CRIER__TOPICS_EACH (update->topics, name)
            if (strcmp(name, selector->text) == 0)
                return true;
    return false;
}

bool crier__subscriber_is_over(const struct crier__subscriber *subscriber,
                               const struct crier__update *update, uint64_t *last)
{
    struct crier_journal *journal = subscriber->shard->hub->journal;
    const struct crier__selectors *selectors = subscriber->selectors;
    struct crier__ended ended;
    unsigned i;

    *last = 0;
    for (i = 0; i < selectors->count; i++) {
        if (update != NULL && is_last_of(update, &selectors->items[i]))
            ended.position = update->position;
        else if (!has_ended(journal, &selectors->items[i], &ended))
            return false;
        if (ended.position > subscriber->cursor &&
            ended.position >= subscriber->subscriptions[i].live)
            return false;
        if (ended.position > *last)
            *last = ended.position;
    }
    return true;
}
