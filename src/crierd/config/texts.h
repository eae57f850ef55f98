#ifndef CRIERD_TEXTS_H
#define CRIERD_TEXTS_H

#include <stddef.h>

#define CONF_TEXTS_MAX 64

/* A list of texts. */
struct conf_texts {
    char **list;
    size_t count;
};

/* Adds a copy of the LENGTH bytes at TEXT to TEXTS. -E2BIG when there are CONF_TEXTS_MAX;
 * -ENOMEM. */
int texts_add(struct conf_texts *texts, const char *text, size_t length);

/* Empties TEXTS. */
void texts_clear(struct conf_texts *texts);

#endif
