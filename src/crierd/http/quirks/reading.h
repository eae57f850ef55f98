#ifndef CRIERD_READING_H
#define CRIERD_READING_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Lists CONNECTION: libmicrohttpd has read the first line of a request on it, in the thread
 * that calls. PLACE must be 0 before the first call; it must stay where it is until
 * reading_end(), and nobody else may write to it. */
void reading_begin(atomic_uint *place, struct MHD_Connection *connection);

/* Takes what was listed with PLACE out of the list, if anything: the head has been read,
 * or the connection is about to be closed. Any thread. */
void reading_end(atomic_uint *place);

/* libmicrohttpd logs a line, by FORMAT. If that contains COMPLAINT, takes the first
 * connection of this thread for which IS_WRONG returns true out of the list and returns
 * it; otherwise NULL. The thread that logs. */
struct MHD_Connection *reading_find(
    const char *format, const char *complaint,
    bool (*is_wrong)(struct MHD_Connection *connection));

#endif
