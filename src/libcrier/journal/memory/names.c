/*
 * An ordered index of names: a treap, that is a search tree by text and a heap by
 * random priorities, which keep it balanced whatever names come.
 *
 * It finds the topics of a prefix, and a page of the list of topics, without looking at
 * all of them. Rejected: a sorted array, in which each new topic moves half of the others.
 */
#include <config.h>

#include "names.h"

#include <stddef.h>
#include <string.h>

/* The next number of a xorshift generator. */
static uint64_t next_priority(uint64_t *state)
{
    if (*state == 0)
        *state = UINT64_C(0x9e3779b97f4a7c15);
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

void crier__names_add(struct crier__names *names, struct crier__name *name)
{
    struct crier__name **link = &names->root, **left, **right, *rest;

    name->priority = next_priority(&names->random);
    while (*link != NULL && (*link)->priority >= name->priority)
        link = strcmp(name->text, (*link)->text) < 0 ? &(*link)->left
                                                     : &(*link)->right;
    /* NAME takes this place, and what was below is split by it. */
    rest = *link;
    *link = name;
    left = &name->left;
    right = &name->right;
    while (rest != NULL)
        if (strcmp(rest->text, name->text) < 0) {
            *left = rest;
            left = &rest->right;
            rest = *left;
        } else {
            *right = rest;
            right = &rest->left;
            rest = *right;
        }
    *left = *right = NULL;
}

void crier__names_remove(struct crier__names *names, struct crier__name *name)
{
    struct crier__name **link = &names->root;
    struct crier__name *left = name->left, *right = name->right;

    while (*link != name)
        link = strcmp(name->text, (*link)->text) < 0 ? &(*link)->left
                                                     : &(*link)->right;
    /* Its place is taken by both sides, merged. */
    while (left != NULL && right != NULL)
        if (left->priority >= right->priority) {
            *link = left;
            link = &left->right;
            left = *link;
        } else {
            *link = right;
            link = &right->left;
            right = *link;
        }
    *link = left != NULL ? left : right;
}

struct crier__name *crier__names_from(const struct crier__names *names,
                                      const char *text, unsigned length)
{
    struct crier__name *name = names->root, *found = NULL;

    while (name != NULL)
        if (strncmp(name->text, text, length) >= 0) {
            found = name;
            name = name->left;
        } else {
            name = name->right;
        }
    return found;
}

struct crier__name *crier__names_after(const struct crier__names *names,
                                       const char *text)
{
    struct crier__name *name = names->root, *found = NULL;

    while (name != NULL)
        if (strcmp(name->text, text) > 0) {
            found = name;
            name = name->left;
        } else {
            name = name->right;
        }
    return found;
}

/* What crier__names_each() was asked for. */
struct visit {
    const char *prefix;
    unsigned length;
    void (*visit)(void *closure, struct crier__name *name);
    void *closure;
};

/* Visits what is below NAME; as deep as the tree, which is logarithmic. */
static void visit_below(const struct visit *visit, struct crier__name *name)
{
    int order;

    while (name != NULL) {
        order = strncmp(name->text, visit->prefix, visit->length);
        if (order >= 0)
            visit_below(visit, name->left);
        if (order == 0)
            visit->visit(visit->closure, name);
        if (order > 0)
            return;
        name = name->right;
    }
}

void crier__names_each(const struct crier__names *names, const char *prefix,
                       unsigned length,
                       void (*visit)(void *closure, struct crier__name *name),
                       void *closure)
{
    const struct visit all = {prefix, length, visit, closure};

    visit_below(&all, names->root);
}
