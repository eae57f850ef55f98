#ifndef CRIERD_FRAMING_H
#define CRIERD_FRAMING_H

#include <microhttpd.h>
#include <stdbool.h>

/* What framing_wrong() returns for a Content-Length that is no number. */
extern const char framing_wrong_length[];

/* Whether a Content-Length in the part of the head that has been read of CONNECTION's
 * request is no number of bytes (RFC 9110 section 8.6). The connection's thread. */
bool framing_length_is_wrong(struct MHD_Connection *connection);

/* Checks the lines that determine where the request on CONNECTION ends and which host it
 * is for. Returns what is wrong, a constant text, or NULL. METHOD and VERSION are as
 * libmicrohttpd gave them, in its memory of the request; TARGET is a copy of what was
 * received, up to the first NUL. */
const char *framing_wrong(struct MHD_Connection *connection,
                          const char *method, const char *target,
                          const char *version);

#endif
