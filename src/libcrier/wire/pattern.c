/*
 * Compiled selectors.
 */
#include <config.h>

#include "pattern.h"

#include <stdatomic.h>
#include <stdlib.h>

struct crier__pattern {
    atomic_uint references;
    size_t key_length;
    char key[];
};

int crier__pattern_new(enum crier_match match, const char *text, size_t length,
                       struct crier__pattern **pattern)
{
    (void)match;
    (void)text;
    (void)length;
    (void)pattern;
    return CRIER_ERR_SELECTOR;
}

struct crier__pattern *crier__pattern_ref(struct crier__pattern *pattern)
{
    if (pattern != NULL)
        atomic_fetch_add_explicit(&pattern->references, 1, memory_order_relaxed);
    return pattern;
}

void crier__pattern_unref(struct crier__pattern *pattern)
{
    if (pattern != NULL && atomic_fetch_sub(&pattern->references, 1) == 1)
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
    (void)pattern;
    (void)name;
    (void)length;
    return false;
}

bool crier__pattern_is_template(const char *text, size_t length)
{
    (void)text;
    (void)length;
    return false;
}

size_t crier__pattern_beginning(const char *text)
{
    return strcspn(text, "{");
}

size_t crier__pattern_expression(const char *text, size_t length)
{
    (void)text;
    (void)length;
    return 0;
}
