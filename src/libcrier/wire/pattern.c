/*
 * Compiled selectors: what the kinds have in common. A pattern's key is a byte for its
 * kind and the text, so patterns of one text are found and shared.
 */
#include <config.h>

#include "pattern.h"

#include "uri_template.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct crier__pattern {
    atomic_uint references;
    enum crier_match match;
    struct crier__automaton *automaton;
    size_t key_length;
    char key[];
};

int crier__pattern_new(enum crier_match match, const char *text, size_t length,
                       struct crier__pattern **pattern)
{
    struct crier__pattern *made = malloc(sizeof *made + 1 + length);
    int error = CRIER_ERR_SELECTOR;

    if (made == NULL)
        return -ENOMEM;
    atomic_init(&made->references, 1);
    made->match = match;
    made->key_length = 1 + length;
    made->key[0] = (char)match;
    memcpy(made->key + 1, text, length);
    if (match == CRIER_MATCH_TEMPLATE)
        error = crier__uri_template_new(text, length, &made->automaton);
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

bool crier__pattern_matches(const struct crier__pattern *pattern,
                            const char *name, size_t length)
{
    return crier__automaton_match(pattern->automaton, name, length, NULL);
}
