#ifndef CRIERD_WRITER_H
#define CRIERD_WRITER_H

#include "crier.h"

/*
 * Writes answers: publishes the words of a text to the topic of an answer, one after the
 * other, as a language model makes them, and ends the topic with the last. Any thread.
 */
struct writer;

/* The size of an answer's name, with its NUL, and of its topic. */
#define WRITER_NAME_SIZE 33
#define WRITER_TOPIC_SIZE (WRITER_NAME_SIZE + 8)

/* A new writer, which publishes to HUB. NULL when memory or threads are short. */
struct writer *writer_new(struct crier_hub *hub);

/* Ends and frees WRITER; NULL is allowed. The hub must be closed. */
void writer_free(struct writer *writer);

/* Whether NAME can be the name of an answer. */
bool writer_name_valid(const char *name);

/* Writes the topic of the answer NAME to TOPIC. */
void writer_topic(char topic[WRITER_TOPIC_SIZE], const char *name);

/* Reads ID, "NAME-NUMBER": whether it can be that of a word. */
bool writer_read_id(const char *id, char name[WRITER_NAME_SIZE],
                    uint64_t *number);

/* How many words TEXT has. */
uint64_t writer_count_words(const char *text);

/* Makes sure that the answer NAME, whose text is TEXT (borrowed until writer_free()), is
 * being written or is held from its first word to its end. Otherwise it is written from
 * the word behind the first SEEN ones; *BEGUN says so. CRIER_ERR_MAX_STREAMS: too many are
 * being written; -ENOMEM. */
int writer_ask(struct writer *writer, const char *name, const char *text,
               uint64_t seen, bool *begun);

#endif
