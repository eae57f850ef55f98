#ifndef CRIER_SELECTOR_H
#define CRIER_SELECTOR_H

#include "topic.h"

/*
 * What a subscriber asks for, written as text:
 *
 *   log.a   exact: the topic of that name
 *   log.*   prefix: each topic whose name begins with "log."
 *   *       all: each topic whose name does not begin with '$'
 *
 * As in MQTT, a pattern that begins with a wildcard does not match the names that begin
 * with '$': those belong to the program. A prefix that begins with '$' itself matches
 * them, as "$presence" with '/' and '*' after it does.
 */
enum crier__selector_kind { CRIER__EXACT, CRIER__PREFIX, CRIER__ALL };

struct crier__selector {
    enum crier__selector_kind kind;
    unsigned length;  /* of what names are compared with: the text without its '*' */
    const char *text; /* as it was written */
};

/* A list of selectors, each once, in one allocation with their texts. */
struct crier__selectors {
    unsigned count;
    struct crier__selector items[];
};

/* Fills SELECTOR in with TEXT, *borrowed* for as long as it is used. CRIER_ERR_TOPIC. */
int crier__selector_init(struct crier__selector *selector, const char *text);

/* Whether SELECTOR matches the topic NAME of LENGTH bytes. */
static inline bool crier__selector_matches(const struct crier__selector *selector,
                                           const char *name, size_t length)
{
    if (selector->kind == CRIER__ALL)
        return !crier__topic_hidden(name);
    return (selector->kind == CRIER__PREFIX ? length >= selector->length
                                            : length == selector->length) &&
           memcmp(name, selector->text, selector->length) == 0;
}

/* Whether each topic that OTHER matches is matched by SELECTOR. */
bool crier__selector_covers(const struct crier__selector *selector,
                            const struct crier__selector *other);

/* Whether both are the same. */
static inline bool crier__selector_equal(const struct crier__selector *selector,
                                         const struct crier__selector *other)
{
    return strcmp(selector->text, other->text) == 0;
}

/* The place of SELECTOR in SELECTORS; -1 for none. */
int crier__selectors_find(const struct crier__selectors *selectors,
                          const struct crier__selector *selector);

/* Whether one of SELECTORS matches the topic NAME. */
bool crier__selectors_match(const struct crier__selectors *selectors,
                            const char *name);

/* A *new* copy of SELECTORS; NULL when memory is short. */
struct crier__selectors *
crier__selectors_copy(const struct crier__selectors *selectors);

/* The one of SELECTORS whose topics begin first in the order of their bytes. */
const struct crier__selector *
crier__selectors_lowest(const struct crier__selectors *selectors);

/* Whether NAME is behind all topics that SELECTORS match. */
bool crier__selectors_behind(const struct crier__selectors *selectors,
                             const char *name);

/* Makes a *new* list of TEXT, in which commas separate. free() it. CRIER_ERR_TOPIC,
 * CRIER_ERR_MANY_TOPICS, -ENOMEM. */
int crier__selectors_parse(const char *text, struct crier__selectors **selectors);

/* Likewise of TEXT, of COUNT TEXTS that may hold commas, and of LAST, with commas; TEXT
 * and LAST may be NULL. Writes to *FIRST how many selectors come before those of LAST
 * alone. */
int crier__selectors_collect(const char *text, const char *const *texts,
                             size_t count, const char *last, unsigned *first,
                             struct crier__selectors **selectors);

#endif
