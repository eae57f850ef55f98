#ifndef CRIERD_FRAMING_H
#define CRIERD_FRAMING_H

#include <microhttpd.h>

/* What is wrong with the lines that say where the request on CONNECTION ends and whom
 * it is for: a constant text, or NULL when they are sound. METHOD and VERSION are as
 * libmicrohttpd gave them, in its memory of the request; TARGET is a copy of what was
 * received, up to the first NUL. */
const char *framing_wrong(struct MHD_Connection *connection,
                          const char *method, const char *target,
                          const char *version);

#endif
