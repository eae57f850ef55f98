#ifndef CRIERD_REFUSE_H
#define CRIERD_REFUSE_H

#include <stddef.h>

/* Statuses for refuse_connection(). */
#define REFUSE_BAD_REQUEST "400 Bad Request"
#define REFUSE_TIMEOUT "408 Request Timeout"

/* Sends a response with STATUS and TEXT, a plain text of at most 100 bytes, or "", on the
 * socket FD, if its client has sent anything, and closes FD. What has been received is read
 * into BUFFER of SIZE bytes first, since closing a socket with unread bytes resets the
 * connection. */
void refuse_connection(int fd, const char *status, const char *text,
                       char *buffer, size_t size);

#endif
