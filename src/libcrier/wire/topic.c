/*
 * Names of topics, and lists of them.
 *
 * A list is packed: the names one behind the other, each with its NUL. So an update holds
 * its topics in its own allocation, two lists are equal if their bytes are, and a walk is
 * a strlen() for each name. An array of pointers was rejected: each update held would pay
 * 16 bytes for each of its topics.
 *
 * Text with commas is a convenience of the public functions and of URLs alone. Below
 * them a name may hold a comma, as IRIs do.
 */
#include <config.h>

#include "topic.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

bool crier__topic_valid(const char *name, size_t length)
{
    size_t max = length != 0 && crier__topic_hidden(name)
                     ? CRIER__TOPIC_SIZE - 1
                     : CRIER__TOPIC_MAX;

    return length != 0 && length <= max &&
           memchr(name, '*', length) == NULL &&
           crier_utf8_valid(name, length) && !crier__utf8_control(name, length);
}

bool crier_topic_valid(const char *name, size_t length)
{
    return name != NULL && crier__topic_valid(name, length);
}

bool crier__topics_hidden(const struct crier__topics *topics)
{
    const char *name;

    CRIER__TOPICS_EACH (topics, name)
        if (!crier__topic_hidden(name))
            return false;
    return true;
}

/* ---- making a list ---------------------------------------------------- */

/* A new list without names that has capacity for SIZE bytes of them, NULs included; NULL
 * when memory is short. */
static struct crier__topics *new_topics(size_t size)
{
    struct crier__topics *topics = malloc(sizeof *topics + size);

    if (topics != NULL)
        *topics = (struct crier__topics){0};
    return topics;
}

static bool has_topic(const struct crier__topics *topics, const char *name,
                      size_t length)
{
    const char *other;

    CRIER__TOPICS_EACH (topics, other)
        if (strncmp(other, name, length) == 0 && other[length] == '\0')
            return true;
    return false;
}

/* Appends the LENGTH bytes at NAME, which are checked, to TOPICS, unless they are there
 * already. CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS. */
static int add_topic(struct crier__topics *topics, const char *name, size_t length)
{
    if (!crier__topic_valid(name, length))
        return CRIER_ERR_TOPIC;
    if (has_topic(topics, name, length))
        return 0;
    if (topics->count == CRIER__TOPICS_MAX)
        return CRIER_ERR_MANY_TOPICS;
    memcpy(topics->names + topics->size, name, length);
    topics->names[topics->size + length] = '\0';
    topics->size += (unsigned)length + 1;
    topics->count++;
    return 0;
}

/* Appends the pieces of the LENGTH bytes at TEXT that SEPARATOR separates. */
static int add_pieces(struct crier__topics *topics, const char *text,
                      size_t length, char separator)
{
    const char *end = text + length, *stop;
    int error = 0;

    for (;; text = stop + 1) {
        stop = memchr(text, separator, (size_t)(end - text));
        length = (size_t)((stop != NULL ? stop : end) - text);
        error = add_topic(topics, text, length);
        if (error != 0 || stop == NULL)
            return error;
    }
}

static int add_topics(struct crier__topics *topics, const char *const *names,
                      size_t count)
{
    int error = 0;
    size_t i;

    for (i = 0; i < count && error == 0; i++)
        error = add_topic(topics, names[i], strlen(names[i]));
    return error;
}

/* How many bytes of names COUNT names have, NULs included; SIZE_MAX for more than any
 * list may have. */
static size_t measure_names(const char *const *names, size_t count)
{
    size_t size = 0, i;

    for (i = 0; i < count; i++) {
        size += strnlen(names[i], CRIER__TOPICS_LONGEST) + 1;
        if (size > CRIER__TOPICS_LONGEST)
            return SIZE_MAX;
    }
    return size;
}

/* Writes TOPICS, unless there was an ERROR, to *LIST; returns ERROR. */
static int hand_out(struct crier__topics *topics, int error,
                    struct crier__topics **list)
{
    if (error == 0)
        *list = topics;
    else
        free(topics);
    return error;
}

int crier__topics_split(const char *text, size_t length, char separator,
                        struct crier__topics **topics)
{
    struct crier__topics *made;

    /* Checked first: no list of a hundred names is longer. */
    if (length > CRIER__TOPICS_LONGEST)
        return CRIER_ERR_MANY_TOPICS;
    made = new_topics(length + 1);
    if (made == NULL)
        return -ENOMEM;
    return hand_out(made, add_pieces(made, text, length, separator), topics);
}

int crier__topics_parse(const char *text, struct crier__topics **topics)
{
    return crier__topics_split(text, strnlen(text, CRIER__TOPICS_LONGEST + 1),
                               ',', topics);
}

int crier__topics_list(const char *const *names, size_t count,
                       struct crier__topics **topics)
{
    size_t size = measure_names(names, count);
    struct crier__topics *made;

    if (count == 0)
        return CRIER_ERR_TOPIC;
    if (size == SIZE_MAX)
        return CRIER_ERR_MANY_TOPICS;
    made = new_topics(size);
    if (made == NULL)
        return -ENOMEM;
    return hand_out(made, add_topics(made, names, count), topics);
}

void crier__topics_join(const struct crier__topics *topics, char separator,
                        char *text)
{
    unsigned i;

    memcpy(text, topics->names, topics->size);
    for (i = 0; i + 1 < topics->size; i++)
        if (text[i] == '\0')
            text[i] = separator;
}

bool crier__topics_are(const struct crier__topics *topics, char separator,
                       const char *text, size_t length)
{
    size_t i;

    if (length + 1 != topics->size) /* the last name has a NUL */
        return false;
    for (i = 0; i < length; i++)
        if (text[i] != (topics->names[i] != '\0' ? topics->names[i] : separator))
            return false;
    return true;
}
