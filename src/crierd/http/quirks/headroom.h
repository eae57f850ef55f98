#ifndef CRIERD_HEADROOM_H
#define CRIERD_HEADROOM_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* What libmicrohttpd keeps for each field, query argument and cookie, and what the head
 * of the largest of our answers takes; in bytes, rather too much than too little. */
#define HEADROOM_RECORD 64
#define HEADROOM_ANSWER 768

/* What is in the head of a request, for whose body there is no room. */
struct headroom {
    size_t length;    /* in bytes, of all */
    size_t target;    /* of the target */
    size_t cookies;   /* of the fields that are cookies */
    size_t arguments; /* how many the query has */
    size_t records;   /* the same with fields and cookies */
};

/* The least memory in which a connection has room for such a head and for an answer, when
 * nothing comes behind. */
size_t headroom_need(const struct headroom *head);

/* Whether COUNT arguments have room in a connection with MEMORY bytes, whatever came
 * behind them. */
bool headroom_for_arguments(size_t count, size_t memory);

/* Whether TARGET, a request's as it was sent, has room in such a connection, with its
 * arguments. */
bool headroom_for_target(const char *target, size_t memory);

/* Whether the request of CONNECTION, which has MEMORY bytes, leaves room for the head
 * of an answer. To be asked when the request's head has been read, and again when all
 * of it has. */
bool headroom_for_answer(struct MHD_Connection *connection, size_t memory);

/* Answers the request of CONNECTION with 431 and ends the connection. Nothing may have
 * been answered to it; libmicrohttpd still closes the socket. */
void headroom_refuse(struct MHD_Connection *connection);

#endif
