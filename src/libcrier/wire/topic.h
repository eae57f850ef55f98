#ifndef CRIER_TOPIC_H
#define CRIER_TOPIC_H

#include "crier.h"

#include <stdbool.h>

#define CRIER__TOPIC_MAX 255
#define CRIER__TOPICS_MAX 100

/* Room for any name, NUL included: those that begin with '$' may be longer, since
 * they are often made of others. */
#define CRIER__TOPIC_ROOM 512

/* What is before a topic in the name of its presence. */
#define CRIER__PRESENCE "$presence/"

/* A walk along a list of topics, separated by ','. */
struct crier__topics {
    const char *rest; /* NULL at the end */
};

/* Takes the next topic off WALK: its first byte, and its *LENGTH; NULL when there
 * is none any more. Borrowed from the list. */
const char *crier__topics_next(struct crier__topics *walk, size_t *length);

/* Checks the list TEXT and writes it to a new text *TOPICS, each topic once;
 * their number goes to *COUNT. CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS,
 * -ENOMEM. */
int crier__topics_parse(const char *text, char **topics, unsigned *count);

/* Whether the topic of LENGTH bytes at NAME is the program's own. */
static inline bool crier__topic_hidden(const char *name)
{
    return name[0] == '$';
}

/* Whether PATTERN, a topic or the beginning of one and '*', fits NAME. */
bool crier__topic_fits(const char *pattern, const char *name, size_t length);

#endif
