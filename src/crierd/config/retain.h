#ifndef CRIERD_RETAIN_H
#define CRIERD_RETAIN_H

#include "conf.h"

#include <stdio.h>

#define RETAIN_COUNT_MAX UINT64_C(1000000000000)

/* What one entry of --retain-topic looks like. */
#define RETAIN_EXAMPLE "TOPIC:LIMITS, such as log/*:count=100,bytes=1M,age=12h"

/* Sets the limit KEY ("count", "bytes" or "age") of *RETENTION as TEXT says. Returns NULL,
 * or what would be right, such as "a size, such as 4000 or 64K"; "" when there is no such
 * limit. */
const char *retain_set_limit(struct crier_retention *retention, const char *key,
                             const char *text);

/* Whether the LENGTH bytes at TEXT can be the topic of an entry: a topic, or the
 * beginning of topics and '*'. */
bool retain_is_topic(const char *text, size_t length);

/* Adds an entry for the topic of LENGTH bytes at TOPIC to CONF's list. -E2BIG when there
 * are CONF_TOPICS_MAX; -ENOMEM. */
int retain_add(struct conf *conf, const char *topic, size_t length,
               const struct crier_retention *retention);

/* The same for TEXT, which is TOPIC:LIMIT,LIMIT. -EINVAL when it is not. */
int retain_add_text(struct conf *conf, const char *text);

/* Empties CONF's list. */
void retain_clear(struct conf *conf);

/* Writes TOPIC as --retain-topic has it. */
void retain_print_entry(const struct crier_topic_retention *topic, FILE *to);

/* Writes TOPIC as the file's section does, without the section's head. */
void retain_print(const struct crier_topic_retention *topic, FILE *to);

#endif
