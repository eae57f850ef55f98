#ifndef CRIERD_HEADROOM_H
#define CRIERD_HEADROOM_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* What libmicrohttpd keeps for each field and cookie, and what the head of the largest of
 * our responses takes; in bytes, rather too much than too little. */
#define HEADROOM_RECORD 64
#define HEADROOM_RESPONSE 768

/* What is in the head of a request, for whose body there is no room. */
struct headroom {
    size_t length;    /* in bytes, of all */
    size_t cookies;   /* of the fields that are cookies */
    size_t records;   /* how many fields and cookies there are */
};

/* The least memory in which a connection has room for such a head and for a response, when
 * nothing comes behind. */
size_t headroom_need(const struct headroom *head);

/* Whether CONNECTION, which has MEMORY bytes, surely has room for the head of a response
 * of LENGTH bytes: one that may be larger than HEADROOM_RESPONSE. */
bool headroom_has(struct MHD_Connection *connection, size_t memory,
                  size_t length);

/* Whether the request of CONNECTION, which has MEMORY bytes, leaves room for the head
 * of a response. To be asked when the request's head has been read, and again when all
 * of it has. */
bool headroom_for_response(struct MHD_Connection *connection, size_t memory);

/* Whether the head of CONNECTION's request has been read to its end and has cookies: of
 * a request that libmicrohttpd is about to refuse, since it cannot parse them. */
bool headroom_cookies_failed(struct MHD_Connection *connection);

/* Sends 431 to the request of CONNECTION and ends the connection. No response may have
 * been sent; libmicrohttpd still closes the socket. */
void headroom_refuse(struct MHD_Connection *connection);

#endif
