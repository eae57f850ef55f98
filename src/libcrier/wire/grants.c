/*
 * Grants: a list of selectors that never changes, with a reference count.
 *
 * Whoever asks about many streams of one update asks once for each grants, not for each
 * stream; so a walk over the selectors is enough.
 */
#include <config.h>

#include "grants.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct crier_grants {
    atomic_uint references;
    struct crier__selectors *selectors;
};

int crier_grants_new(const struct crier_selector *selectors, size_t count,
                     struct crier_grants **grants)
{
    struct crier_grants *made;
    int error;
    size_t i;

    if (grants == NULL || (selectors == NULL && count != 0))
        return CRIER_ERR_NULL;
    for (i = 0; i < count; i++)
        if (selectors[i].text == NULL)
            return CRIER_ERR_NULL;
    made = malloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    atomic_init(&made->references, 1);
    error = crier__selectors_list(selectors, count, CRIER__GRANTS_MAX,
                                  &made->selectors);
    if (error != 0) {
        free(made);
        return error;
    }
    *grants = made;
    return 0;
}

struct crier_grants *crier_grants_ref(struct crier_grants *grants)
{
    if (grants != NULL)
        atomic_fetch_add_explicit(&grants->references, 1, memory_order_relaxed);
    return grants;
}

void crier_grants_unref(struct crier_grants *grants)
{
    if (grants == NULL || atomic_fetch_sub(&grants->references, 1) != 1)
        return;
    crier__selectors_free(grants->selectors);
    free(grants);
}

bool crier_grants_match(const struct crier_grants *grants, const char *topic)
{
    return grants != NULL && topic != NULL &&
           crier__selectors_match(grants->selectors, topic);
}

const char *crier_grants_text(const struct crier_grants *grants, size_t number)
{
    return grants != NULL && number < grants->selectors->count
               ? grants->selectors->items[number].text
               : NULL;
}

bool crier__grants_match_any(const struct crier_grants *grants,
                             const struct crier__topics *topics)
{
    const char *name;

    if (grants == NULL)
        return false;
    CRIER__TOPICS_EACH (topics, name)
        if (crier__selectors_match(grants->selectors, name))
            return true;
    return false;
}

static bool covers_selector(const struct crier_grants *grants,
                            const struct crier__selector *selector)
{
    unsigned i;

    for (i = 0; i < grants->selectors->count; i++)
        if (crier__selector_covers(&grants->selectors->items[i], selector))
            return true;
    return false;
}

bool crier_grants_cover(const struct crier_grants *grants,
                        const struct crier_selector *selector)
{
    struct crier__selector asked;
    bool covered;

    if (grants == NULL || selector == NULL || selector->text == NULL ||
        crier__selector_init(&asked, selector) != 0)
        return false;
    covered = covers_selector(grants, &asked);
    crier__selector_done(&asked);
    return covered;
}

bool crier_grants_cover_text(const struct crier_grants *grants,
                             const char *selectors)
{
    struct crier__selectors *asked;
    bool covered = true;
    unsigned i;

    if (grants == NULL || selectors == NULL ||
        crier__selectors_parse(selectors, &asked) != 0)
        return false;
    for (i = 0; i < asked->count && covered; i++)
        covered = covers_selector(grants, &asked->items[i]);
    crier__selectors_free(asked);
    return covered;
}
