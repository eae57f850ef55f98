/*
 * Compiled selectors: what the kinds have in common. A pattern's key is a byte for its
 * kind, the text, and the base behind a NUL, so equal patterns are found and shared.
 */
#include <config.h>

#include "pattern.h"

#include "topic.h"
#include "uri_template.h"
#include "url_pattern.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct crier__pattern {
    atomic_uint references;
    struct crier__automaton *automaton; /* of a template, or NULL */
    struct crier__url_pattern *url_pattern;
    size_t key_length;
    char key[];
};

/* A new pattern that is not compiled, with the key of SELECTOR; NULL when memory is
 * short. */
static struct crier__pattern *
new_pattern(const struct crier_selector *selector)
{
    const char *base = selector->base != NULL ? selector->base : "";
    size_t length = strlen(selector->text), base_length = strlen(base);
    struct crier__pattern *made =
        calloc(1, sizeof *made + 3 + length + base_length); /* and a NUL */

    if (made == NULL)
        return NULL;
    atomic_init(&made->references, 1);
    made->key_length = 2 + length + base_length;
    made->key[0] = (char)selector->match;
    memcpy(made->key + 1, selector->text, length + 1);
    memcpy(made->key + 2 + length, base, base_length);
    return made;
}

int crier__pattern_new(const struct crier_selector *selector,
                       struct crier__pattern **pattern)
{
    size_t length = strlen(selector->text);
    struct crier__pattern *made = new_pattern(selector);
    int error;

    if (made == NULL)
        return -ENOMEM;
    if (selector->match == CRIER_MATCH_TEMPLATE)
        error = crier__uri_template_new(selector->text, length, &made->automaton);
    else
        error = crier__url_pattern_new(selector->text, length, selector->base,
                                       &made->url_pattern);
    if (error == 0)
        *pattern = made;
    else
        free(made);
    return error;
}

struct crier__pattern *crier__pattern_ref(struct crier__pattern *pattern)
{
    if (pattern != NULL)
        atomic_fetch_add_explicit(&pattern->references, 1, memory_order_relaxed);
    return pattern;
}

void crier__pattern_unref(struct crier__pattern *pattern)
{
    if (pattern == NULL || atomic_fetch_sub(&pattern->references, 1) != 1)
        return;
    free(pattern->automaton);
    crier__url_pattern_free(pattern->url_pattern);
    free(pattern);
}

bool crier__pattern_equal(const struct crier__pattern *pattern,
                          const struct crier__pattern *other)
{
    return pattern != NULL && other != NULL &&
           pattern->key_length == other->key_length &&
           memcmp(pattern->key, other->key, pattern->key_length) == 0;
}

const char *crier__pattern_key(const struct crier__pattern *pattern,
                               size_t *length)
{
    *length = pattern->key_length;
    return pattern->key;
}

const char *crier__pattern_base(const struct crier__pattern *pattern)
{
    return pattern != NULL ? pattern->key + strlen(pattern->key) + 1 : "";
}

/* Whether the names that belong to the program are out of the reach of PATTERN: all of
 * them are, but for a template that begins as they do. (A URL pattern with a base would
 * match them as relative URLs.) */
static bool is_out_of_reach(const struct crier__pattern *pattern, const char *name)
{
    return crier__topic_hidden(name) &&
           (pattern->automaton == NULL || !crier__topic_hidden(pattern->key + 1));
}

bool crier__pattern_matches(const struct crier__pattern *pattern,
                            const char *name, size_t length)
{
    if (length != 0 && is_out_of_reach(pattern, name))
        return false;
    return pattern->automaton != NULL
               ? crier__automaton_match(pattern->automaton, name, length, NULL)
               : crier__url_pattern_match(pattern->url_pattern, name, length,
                                          NULL);
}
