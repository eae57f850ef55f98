#ifndef CRIERD_FRAMING_H
#define CRIERD_FRAMING_H

#include <microhttpd.h>

/* What is wrong with the header fields that say where the request on CONNECTION
 * ends and whom it is for, VERSION being its HTTP version: a constant text, or
 * NULL when they are sound. */
const char *framing_wrong(struct MHD_Connection *connection,
                          const char *version);

#endif
