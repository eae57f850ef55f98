#ifndef CRIERD_READING_H
#define CRIERD_READING_H

#include <microhttpd.h>
#include <stdatomic.h>

/* libmicrohttpd has read the first line of a request on CONNECTION, in the thread that
 * calls. Until reading_end() PLACE must stay where it is, and is reading.c's to write;
 * before the first time it is 0. */
void reading_begin(atomic_uint *place, struct MHD_Connection *connection);

/* The head has been read, or the connection is gone. Nothing where it did not begin.
 * Any thread. */
void reading_end(atomic_uint *place);

/* libmicrohttpd has logged a line, by FORMAT: if it complains of a Content-Length,
 * answers the request that has it with 400 and problem details, before libmicrohttpd
 * does, and ends the connection. The thread that logged. */
void reading_overhear(const char *format);

#endif
