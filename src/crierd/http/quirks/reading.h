#ifndef CRIERD_READING_H
#define CRIERD_READING_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>

/* libmicrohttpd has read the first line of a request on CONNECTION, in the thread that
 * calls. Until reading_end() PLACE must stay where it is, and is reading.c's to write;
 * before the first time it is 0. */
void reading_begin(atomic_uint *place, struct MHD_Connection *connection);

/* The head has been read, or the connection is gone. Nothing where it did not begin.
 * Any thread. */
void reading_end(atomic_uint *place);

/* libmicrohttpd logs a line, by FORMAT: if it contains COMPLAINT, takes the first request
 * that this thread reads and that IS_WRONG out of the list, and returns its connection;
 * else returns NULL. The thread that logs. */
struct MHD_Connection *reading_find(
    const char *format, const char *complaint,
    bool (*is_wrong)(struct MHD_Connection *connection));

#endif
