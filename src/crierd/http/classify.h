#ifndef CRIERD_CLASSIFY_H
#define CRIERD_CLASSIFY_H

#include "route.h"
#include "crierd/net/service.h"

#include <stdbool.h>
#include <stddef.h>

/* A head whose end is not among so many bytes is left to libmicrohttpd, which knows how to
 * refuse one. */
#define HEAD_MAX ((size_t)8 * 1024)

/* No request of a pipeline has more fields, or a longer body. */
#define HEAD_FIELDS_MAX 24
#define HEAD_BODY_MAX ((size_t)32 * 1024)

struct head_field {
    const char *name, *value;
};

/* A plain request, split up. The texts are NUL-terminated and borrowed from the bytes
 * that were read. */
struct head {
    const char *target; /* as sent */
    struct head_field fields[HEAD_FIELDS_MAX];
    size_t field_count;
    size_t length;      /* with the empty line */
    size_t body_length;
};

enum head_kind {
    HEAD_PARTIAL, /* more must come */
    HEAD_PLAIN,   /* a whole request, body and all, as head_read() knows them */
    HEAD_OTHER    /* anything else, sound or not */
};

/* The length of the request's head at BYTES, as libmicrohttpd finds its end; 0 when
 * there is none in LENGTH. */
size_t head_length(const char *bytes, size_t length);

/* What the acceptor is to do with a connection whose first LENGTH bytes are at BYTES
 * (service.h): waits for the whole head, of at most HEAD_MAX bytes, and refuses what
 * cannot become a request, or has a NUL in its head. */
enum service_verdict classify_head(const char *bytes, size_t length,
                                   bool ended);

/* How much memory libmicrohttpd needs for the head at BYTES, of LENGTH bytes, and for a
 * response, when it asks for a stream (route_is_stream()) and has no body behind it: so
 * that the connection will have no other request. SIZE_MAX when it does not, or may be
 * understood otherwise. That it asks for a stream is a guess, of which nothing but memory
 * depends; the memory is never too little. (What comes behind the head takes some of it
 * away: where something is there already, do not ask.) */
size_t head_need(const struct route_table *tables, const char *bytes,
                 size_t length);

/* Whether the beginning of a request at BYTES may become one that is HEAD_PLAIN. */
bool head_may_be_plain(const struct route_table *tables, const char *bytes,
                       size_t length);

/* Reads the request at BYTES. HEAD_PLAIN means: a POST to a path that TABLES let a
 * pipeline take, in HTTP/1.1, every line as RFC 9112 wants it, with one Host, one
 * Content-Length of at most HEAD_BODY_MAX, and no field that says anything else about
 * where the request ends or what becomes of the connection. Then HEAD is filled in, and
 * BYTES, which must be writable, has NULs in its head. Otherwise BYTES is as it was.
 *
 * While no more than the body is missing, UNWANTED is called with CLOSURE and HEAD, which
 * is filled in during the call; where it returns true, the request is HEAD_OTHER. */
enum head_kind head_read(struct head *head, const struct route_table *tables,
                         char *bytes, size_t length,
                         bool (*unwanted)(void *closure,
                                          const struct head *head),
                         void *closure);

/* The value of the field called NAME in any case that has COUNT of them before it, or
 * NULL. Borrowed. */
const char *head_field(const struct head *head, const char *name, size_t count);

#endif
