#ifndef CRIER_SELECTOR_H
#define CRIER_SELECTOR_H

#include "pattern.h"
#include "topic.h"

/*
 * What a subscriber asks for, written as text:
 *
 *   log.a          exact: the topic of that name
 *   log.*          prefix: each topic whose name begins with "log."
 *   *              all: each topic whose name does not begin with '$'
 *   log/{id}       URI template: each topic that it can expand to, and its own text
 *   https://x/:id  URL pattern, only where the program says that it is one
 *
 * As in MQTT, a selector that begins with a wildcard does not match the names that begin
 * with '$': those belong to the program. A prefix that begins with '$' itself matches
 * them, as "$presence" with '/' and '*' after it does.
 */
enum crier__selector_kind {
    CRIER__EXACT,
    CRIER__PREFIX,
    CRIER__ALL,
    CRIER__TEMPLATE,
    CRIER__URL_PATTERN,
    CRIER__SHARED /* a text that nodes share (crier_hub_share()), which is counted as
                     selectors are; it matches no topic, and nobody subscribes to it */
};

struct crier__selector {
    enum crier__selector_kind kind;
    unsigned length;  /* of what all names that match begin with, in text; of an exact
                         one: its whole text */
    const char *text; /* as it was written */
    struct crier__pattern *pattern; /* a reference; of the last two kinds, else NULL */
};

/* A list of selectors, each once, in one allocation with their texts. */
struct crier__selectors {
    unsigned count;
    struct crier__selector items[];
};

/* Fills SELECTOR in with WANTED, whose text is *borrowed* for as long as SELECTOR is used.
 * crier__selector_done() is needed after success. CRIER_ERR_TOPIC, CRIER_ERR_SELECTOR,
 * CRIER_ERR_INVALID (match), -ENOMEM. */
int crier__selector_init(struct crier__selector *selector,
                         const struct crier_selector *wanted);

/* Gives the reference of SELECTOR back. */
static inline void crier__selector_done(struct crier__selector *selector)
{
    crier__pattern_unref(selector->pattern);
}

/* The size of a buffer for a selector that is written down, NUL included. */
#define CRIER__SELECTOR_SIZE (CRIER_SHARED_MAX + 2)

/* Writes SELECTOR down so that crier__selector_read() reads it as what it is: "=NAME",
 * "*PREFIX*" or "**", "{TEMPLATE", ":PATTERN", ":PATTERN" TAB BASE, or "!TEXT" where it
 * is shared. It has no other control character, and is UTF-8. False when SELECTOR has a base that cannot stand
 * there. */
bool crier__selector_write(const struct crier__selector *selector,
                           char text[CRIER__SELECTOR_SIZE]);

/* Whether TEXT may be shared. */
bool crier__selector_may_share(const char *text);

/* Fills SELECTOR in with what TEXT says, any text from outside; TEXT is changed, and
 * *borrowed* for as long as SELECTOR is used. crier__selector_done() is needed after
 * success. CRIER_ERR_INVALID, CRIER_ERR_TOPIC, CRIER_ERR_SELECTOR, -ENOMEM. */
int crier__selector_read(struct crier__selector *selector, char *text);

/* Whether the pattern of SELECTOR, or its own text, matches the topic NAME of LENGTH
 * bytes; for crier__selector_matches(). */
bool crier__selector_asks(const struct crier__selector *selector,
                          const char *name, size_t length);

/* Whether SELECTOR matches the topic NAME of LENGTH bytes, which need not end there. */
static inline bool crier__selector_matches(const struct crier__selector *selector,
                                           const char *name, size_t length)
{
    if (selector->kind == CRIER__ALL)
        return !crier__topic_hidden(name);
    if (selector->pattern != NULL)
        return crier__selector_asks(selector, name, length);
    return (selector->kind == CRIER__PREFIX ? length >= selector->length
                                            : length == selector->length) &&
           memcmp(name, selector->text, selector->length) == 0;
}

/* Whether it is sure that each topic that OTHER matches is matched by SELECTOR. Of a
 * template only its beginning is looked at, and a URL pattern is covered by "*" and by
 * itself alone: it matches other spellings of a URL, too. */
bool crier__selector_covers(const struct crier__selector *selector,
                            const struct crier__selector *other);

/* Whether both are the same. */
static inline bool crier__selector_equal(const struct crier__selector *selector,
                                         const struct crier__selector *other)
{
    return selector->pattern == other->pattern
               ? selector->pattern != NULL ||
                     strcmp(selector->text, other->text) == 0
               : crier__pattern_equal(selector->pattern, other->pattern);
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

/* Makes a *new* list of TEXT, in which commas separate, but for those in an expression of
 * a URI template. CRIER_ERR_TOPIC, CRIER_ERR_SELECTOR, CRIER_ERR_MANY_TOPICS,
 * -ENOMEM. */
int crier__selectors_parse(const char *text, struct crier__selectors **selectors);

/* Likewise of TEXT, of COUNT selectors MORE, and of LAST, with commas; TEXT and LAST may
 * be NULL. Writes to *FIRST how many selectors come before those of LAST alone. */
int crier__selectors_collect(const char *text, const struct crier_selector *more,
                             size_t count, const char *last, unsigned *first,
                             struct crier__selectors **selectors);

/* Likewise of COUNT selectors MORE, which may be none; at most MAX different ones. */
int crier__selectors_list(const struct crier_selector *more, size_t count,
                          unsigned max, struct crier__selectors **selectors);

/* Frees SELECTORS; NULL is allowed. */
void crier__selectors_free(struct crier__selectors *selectors);

#endif
