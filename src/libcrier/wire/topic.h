#ifndef CRIER_TOPIC_H
#define CRIER_TOPIC_H

#include "crier.h"

#include <stdbool.h>
#include <string.h>

#define CRIER__TOPIC_MAX 255
#define CRIER__TOPICS_MAX 100

/* The size of a buffer for any name, NUL included. Names that begin with '$' may be
 * longer than others, since they are often made of others. */
#define CRIER__TOPIC_SIZE 512

/* The text of a URI template or URL pattern is at most so long, and so is a base. */
#define CRIER__PATTERN_MAX 1024

/* What stands before a topic in the name of its presence topic. */
#define CRIER__PRESENCE "$presence/"

/* A list of names, each once. One allocation without pointers into itself, so
 * a copy of its crier__topics_bytes() bytes is a list, too. Immutable once made. */
struct crier__topics {
    unsigned size; /* bytes of names */
    unsigned count;
    char names[];  /* each with a NUL, one behind the other */
};

/* The first name of TOPICS, or NULL. */
static inline const char *crier__topics_first(const struct crier__topics *topics)
{
    return topics->count != 0 ? topics->names : NULL;
}

/* The name after NAME, which is one of TOPICS, or NULL. */
static inline const char *crier__topics_next(const struct crier__topics *topics,
                                             const char *name)
{
    name += strlen(name) + 1;
    return name < topics->names + topics->size ? name : NULL;
}

/* Walks over the names of TOPICS. */
#define CRIER__TOPICS_EACH(topics, name)                                      \
    for ((name) = crier__topics_first(topics); (name) != NULL;                \
         (name) = crier__topics_next(topics, name))

/* What TOPICS takes in memory. */
static inline size_t crier__topics_bytes(const struct crier__topics *topics)
{
    return sizeof *topics + topics->size;
}

/* Whether the LENGTH bytes at NAME are a topic's name: UTF-8 without control characters
 * and '*', of 1 to 255 bytes, or up to 511 where it begins with '$'. It may hold a
 * comma. */
bool crier__topic_valid(const char *name, size_t length);

/* A hash of NAME (FNV-1a). */
static inline uint64_t crier__topic_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash;
}

/* Whether NAME belongs to the program, so that "*" does not match it. */
static inline bool crier__topic_hidden(const char *name)
{
    return name[0] == '$';
}

/* Whether all names of TOPICS are hidden. */
bool crier__topics_hidden(const struct crier__topics *topics);

/* Makes a *new* list of the LENGTH bytes at TEXT, where SEPARATOR stands between
 * names. CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS, -ENOMEM. */
int crier__topics_split(const char *text, size_t length, char separator,
                        struct crier__topics **topics);

/* Likewise of TEXT with commas, as the public functions take it. */
int crier__topics_parse(const char *text, struct crier__topics **topics);

/* Likewise of COUNT names, which may hold commas. */
int crier__topics_list(const char *const *names, size_t count,
                       struct crier__topics **topics);

/* Writes the names of TOPICS with SEPARATOR between them, and a NUL, to TEXT, which has
 * topics->size bytes. */
void crier__topics_join(const struct crier__topics *topics, char separator,
                        char *text);

/* Whether TEXT, of LENGTH bytes, is what crier__topics_join() would write. */
bool crier__topics_are(const struct crier__topics *topics, char separator,
                       const char *text, size_t length);

/* No text is longer that holds a list. */
#define CRIER__TOPICS_LONGEST (CRIER__TOPICS_MAX * CRIER__TOPIC_SIZE)

#endif
