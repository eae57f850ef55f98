/*
 * Whether libmicrohttpd has the memory for a request, and for the response to it.
 *
 * A connection has a piece of memory of fixed size, for what was received and for the
 * head of the response. Where a field finds no room in it libmicrohttpd says 431. But
 * where the response finds none, it closes the connection, after all that the request asks
 * for has been done (0.9.75 and 1.0.1). So crierd estimates beforehand, on the safe side,
 * and sends the 431 past libmicrohttpd, which may have no room for that either.
 *
 * (The query takes no memory: mhd_cut_query() removes it. What is behind a NUL in the
 * target is not removed: with 0.9.75, a client that hides many arguments there in a later
 * request of its connection waits for the time-out.)
 *
 * This can go when libmicrohttpd answers with 431 or 500 itself in that case. The estimate
 * for classify.c, headroom_need(), is for every version.
 */
#include <config.h>

#include "headroom.h"

#include "mhd.h"

#include <string.h>

/* When trailers have been read, the buffer they came into still has room for more. */
#define BUFFER 2048

/* By less than this it grows where it is full; so much of what comes behind a head may
 * be in it then. */
#define BUFFER_GROWTH 192

/* Pieces of the memory are of multiples of this. */
#define ALIGNMENT 16

static const char refusal[] = "HTTP/1.1 431 Request Header Fields Too Large\r\n"
                              "Content-Length: 0\r\n"
                              "Connection: close\r\n\r\n";

static size_t align_size(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* libmicrohttpd reads into the first half of the memory, and goes on behind it when that
 * is full and the head is not whole. Records, and a copy of the cookies, come from the
 * end. The head of the response goes in between. */
size_t headroom_need(const struct headroom *head)
{
    return align_size(head->length) + BUFFER_GROWTH +
           head->records * HEADROOM_RECORD + align_size(head->cookies) +
           HEADROOM_RESPONSE;
}

static enum MHD_Result add_trailer(void *closure, enum MHD_ValueKind kind,
                                   const char *name, const char *value)
{
    size_t *need = closure;

    (void)kind;
    *need += strlen(name) + HEADROOM_RECORD;
    if (value != NULL)
        *need += strlen(value);
    return MHD_YES;
}

/* How much of MEMORY the request of CONNECTION leaves, about. */
static size_t measure_left(struct MHD_Connection *connection, size_t memory)
{
    const enum MHD_ValueKind kinds =
        MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND;
    size_t trailers = 0;
    const union MHD_ConnectionInfo *head = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *cookies = MHD_lookup_connection_value(
        connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_COOKIE);
    int records = MHD_get_connection_values(connection, kinds, NULL, NULL);
    size_t need = (size_t)records * HEADROOM_RECORD;

    if (head != NULL)
        need += head->header_size;
    if (cookies != NULL)
        need += strlen(cookies); /* copied to be taken apart */
    MHD_get_connection_values(connection, MHD_FOOTER_KIND, add_trailer,
                              &trailers);
    if (trailers != 0)
        need += trailers + BUFFER;
    return need < memory ? memory - need : 0;
}

bool headroom_for_response(struct MHD_Connection *connection, size_t memory)
{
    return measure_left(connection, memory) >= HEADROOM_RESPONSE;
}

bool headroom_has(struct MHD_Connection *connection, size_t memory,
                  size_t length)
{
    return measure_left(connection, memory) >= length + BUFFER_GROWTH;
}

bool headroom_cookies_failed(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *head = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    return head != NULL && head->header_size != 0 &&
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                       MHD_HTTP_HEADER_COOKIE) != NULL;
}

void headroom_refuse(struct MHD_Connection *connection)
{
    mhd_end_with(connection, refusal, sizeof refusal - 1);
}
