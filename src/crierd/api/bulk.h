#ifndef CRIERD_BULK_H
#define CRIERD_BULK_H

#include "crierd/http/request.h"

/* The most events that one request may have, and the most of events times topics. */
#define BULK_MAX 10000
#define BULK_PLACES 100000

/* Publishes each event of the body, a text/event-stream, under TOPICS, in their
 * order; DEDUPE as for a single one. Answers when the journal has answered for all
 * of them. */
bool bulk_publish(struct request *request, const char *topics, bool dedupe);

/* What a body is found to be. */
struct bulk_check {
    size_t events;     /* complete ones, with data */
    const char *wrong; /* what is wrong with the next event; NULL: nothing */
    bool data, field;  /* what the event that is being read has */
};

/* Checks the LENGTH bytes at BODY, which are UTF-8, line by line, up to the first
 * mistake or the first event more than BULK_MAX. */
void bulk_check(struct bulk_check *check, const char *body, size_t length);

#endif
