#ifndef CRIER_SUBSCRIBER_LIST_H
#define CRIER_SUBSCRIBER_LIST_H

#include "subscription.h"

/* Puts SUBSCRIBER on the lines of its topics. False when memory is short: then it is on
 * some. */
bool crier__subscriber_line_up(struct crier__subscriber *subscriber);

/* Takes SUBSCRIBER off all lines. */
void crier__subscriber_leave_lines(struct crier__subscriber *subscriber);

/* The line of the topic of LENGTH bytes at NAME, or NULL. */
struct crier__line *crier__line_find(struct crier__part *part, const char *name,
                                     size_t length);

#endif
