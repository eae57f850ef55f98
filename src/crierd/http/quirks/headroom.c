/*
 * Whether libmicrohttpd has the memory for a request, and for the answer to it.
 *
 * A connection has a piece of memory of fixed size, for what was received and for the
 * head of the answer. Where a field finds no room in it libmicrohttpd says 431. But
 * when the query's arguments do not, 0.9.75 forgets what it was about to say and waits
 * for the client, who waits for it; and when the answer does not, it closes the
 * connection, after all that the request asks for has been done. So the two are told
 * beforehand, by an estimate on the safe side, and the 431 goes past libmicrohttpd,
 * which may have no room for that either. (Arguments that can be seen are taken away
 * from it, mhd.c; those behind a NUL are not: with 0.9.75, who hides many there in a
 * later request waits for the time-out.)
 */
#include <config.h>

#include "headroom.h"

#include "crierd/http/mhd.h"

#include <string.h>

/* What is received may have so much more room than it needs, and a little is lost. */
#define BUFFER_STEP (1024 + 128)

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
 * end. The head of the answer goes in between. */
size_t headroom_need(const struct headroom *head)
{
    size_t kept = head->records * HEADROOM_RECORD + align_size(head->cookies);
    size_t all =
        align_size(head->length) + BUFFER_GROWTH + kept + HEADROOM_ANSWER;
    /* See below. */
    size_t query = head->target + BUFFER_STEP +
                   head->arguments * HEADROOM_RECORD;
    size_t most = head->arguments * HEADROOM_RECORD * 8 / 3 + 1;

    if (all < query)
        all = query;
    return all > most ? all : most;
}

bool headroom_for_arguments(size_t count, size_t memory)
{
    /* Half of the memory is for what is received, and may be full of it. */
    return count * HEADROOM_RECORD <= memory * 3 / 8;
}

bool headroom_for_target(const char *target, size_t memory)
{
    const char *at = strchr(target, '?');
    size_t need = strlen(target) + BUFFER_STEP, count = 0;

    for (; at != NULL; at = strchr(at + 1, '&'))
        count++;
    return headroom_for_arguments(count, memory) &&
           need + count * HEADROOM_RECORD <= memory;
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

bool headroom_for_answer(struct MHD_Connection *connection, size_t memory)
{
    const enum MHD_ValueKind kinds =
        MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND;
    size_t trailers = 0;
    const union MHD_ConnectionInfo *head = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *cookies = MHD_lookup_connection_value(
        connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_COOKIE);
    int records = MHD_get_connection_values(connection, kinds, NULL, NULL);
    size_t need = HEADROOM_ANSWER + (size_t)records * HEADROOM_RECORD;

    if (head != NULL)
        need += head->header_size;
    if (cookies != NULL)
        need += strlen(cookies); /* copied to be taken apart */
    MHD_get_connection_values(connection, MHD_FOOTER_KIND, add_trailer,
                              &trailers);
    if (trailers != 0)
        need += trailers + BUFFER;
    return need <= memory;
}

void headroom_refuse(struct MHD_Connection *connection)
{
    mhd_end_with(connection, refusal, sizeof refusal - 1);
}
