/*
 * Selectors: which topics a subscriber asks for.
 *
 * A new kind (URI templates and URL patterns are to come) is a value of the enum, its
 * spelling in find_kind(), and its rule in crier__selector_matches() and covers(). What
 * is not exact is a pattern: whoever looks topics up keeps exact names in a hash, and
 * asks the patterns one by one.
 */
#include <config.h>

#include "selector.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static bool is_selector(const char *text, size_t length)
{
    if (length == 0 || text[length - 1] != '*')
        return crier__topic_valid(text, length);
    return length == 1 || crier__topic_valid(text, length - 1);
}

static void fill_in(struct crier__selector *selector, const char *text)
{
    unsigned length = (unsigned)strlen(text);
    bool wild = text[length - 1] == '*';

    selector->kind = !wild         ? CRIER__EXACT
                     : length == 1 ? CRIER__ALL
                                   : CRIER__PREFIX;
    selector->length = length - wild;
    selector->text = text;
}

int crier__selector_init(struct crier__selector *selector, const char *text)
{
    if (!is_selector(text, strnlen(text, CRIER__TOPIC_SIZE + 1)))
        return CRIER_ERR_TOPIC;
    fill_in(selector, text);
    return 0;
}

bool crier__selector_covers(const struct crier__selector *selector,
                            const struct crier__selector *other)
{
    if (selector->kind == CRIER__EXACT || other->kind == CRIER__ALL)
        return crier__selector_equal(selector, other);
    return crier__selector_matches(selector, other->text, other->length);
}

int crier__selectors_find(const struct crier__selectors *selectors,
                          const struct crier__selector *selector)
{
    unsigned i;

    for (i = 0; i < selectors->count; i++)
        if (crier__selector_equal(&selectors->items[i], selector))
            return (int)i;
    return -1;
}

bool crier__selectors_match(const struct crier__selectors *selectors,
                            const char *name)
{
    size_t length = strlen(name);
    unsigned i;

    for (i = 0; i < selectors->count; i++)
        if (crier__selector_matches(&selectors->items[i], name, length))
            return true;
    return false;
}

const struct crier__selector *
crier__selectors_lowest(const struct crier__selectors *selectors)
{
    const struct crier__selector *lowest = &selectors->items[0], *other;
    unsigned length, i;
    int order;

    for (i = 1; i < selectors->count; i++) {
        other = &selectors->items[i];
        length = other->length < lowest->length ? other->length
                                                : lowest->length;
        order = memcmp(other->text, lowest->text, length);
        if (order < 0 || (order == 0 && other->length < lowest->length))
            lowest = other;
    }
    return lowest;
}

bool crier__selectors_behind(const struct crier__selectors *selectors,
                             const char *name)
{
    unsigned i;

    for (i = 0; i < selectors->count; i++)
        if (strncmp(name, selectors->items[i].text,
                    selectors->items[i].length) <= 0)
            return false;
    return true;
}

/* ---- lists ------------------------------------------------------------ */

/* A new list of the texts in TEXTS; NULL when memory is short. */
static struct crier__selectors *
selectors_of(const struct crier__topics *texts)
{
    struct crier__selectors *made;
    const char *text;
    char *to;

    made = malloc(sizeof *made + texts->count * sizeof made->items[0] +
                  texts->size);
    if (made == NULL)
        return NULL;
    made->count = 0;
    to = (char *)&made->items[texts->count];
    memcpy(to, texts->names, texts->size);
    CRIER__TOPICS_EACH (texts, text)
        fill_in(&made->items[made->count++], to + (text - texts->names));
    return made;
}

/* The bytes of TEXT, a NUL included, as far as a list may have them. */
static size_t measure(const char *text)
{
    return text != NULL ? strnlen(text, CRIER__TOPICS_LONGEST) + 1 : 0;
}

static int add_text(struct crier__topics *list, const char *text)
{
    return text != NULL ? crier__topics_add_text(list, text, strlen(text), ',',
                                                 is_selector)
                        : 0;
}

int crier__selectors_collect(const char *text, const char *const *texts,
                             size_t count, const char *last, unsigned *first,
                             struct crier__selectors **selectors)
{
    size_t size = measure(text) + measure(last);
    size_t more = crier__topics_measure(texts, count);
    struct crier__topics *list;
    int error;

    if (text == NULL && count == 0)
        return CRIER_ERR_TOPIC;
    if (more == SIZE_MAX || size + more > CRIER__TOPICS_LONGEST)
        return CRIER_ERR_MANY_TOPICS;
    list = crier__topics_new(size + more);
    if (list == NULL)
        return -ENOMEM;
    error = add_text(list, text);
    if (error == 0)
        error = crier__topics_add_names(list, texts, count, is_selector);
    *first = list->count;
    if (error == 0)
        error = add_text(list, last);
    if (error == 0) {
        *selectors = selectors_of(list);
        error = *selectors != NULL ? 0 : -ENOMEM;
    }
    free(list);
    return error;
}

int crier__selectors_parse(const char *text, struct crier__selectors **selectors)
{
    unsigned first;

    return crier__selectors_collect(text, NULL, 0, NULL, &first, selectors);
}

struct crier__selectors *
crier__selectors_copy(const struct crier__selectors *selectors)
{
    const struct crier__selector *last =
        &selectors->items[selectors->count - 1];
    size_t size = (size_t)(last->text - (const char *)selectors) +
                  strlen(last->text) + 1;
    struct crier__selectors *copy = malloc(size);
    unsigned i;

    if (copy == NULL)
        return NULL;
    memcpy(copy, selectors, size);
    for (i = 0; i < copy->count; i++)
        copy->items[i].text =
            (char *)copy + (selectors->items[i].text - (const char *)selectors);
    return copy;
}
