#ifndef CRIERD_MHD_H
#define CRIERD_MHD_H

#include <microhttpd.h>
#include <stdbool.h>

/* Whether the libmicrohttpd that runs is older than 1.0. */
bool mhd_is_old(void);

/* The daemon options that only the libmicrohttpd that runs knows, for
 * MHD_OPTION_ARRAY. */
struct MHD_OptionItem *mhd_options(void);

/* Sends the LENGTH bytes at BYTES, at most 16 KiB, on the socket of CONNECTION, past
 * libmicrohttpd, as far as the socket takes them at once; with TLS encrypted, and followed by
 * close_notify. Nothing else may be sent after that. The connection's thread. */
void mhd_send_past(struct MHD_Connection *connection, const char *bytes,
                   size_t length);

/* Sends the LENGTH bytes at RESPONSE on the socket of CONNECTION, past libmicrohttpd, and
 * shuts it down: nothing else will be sent, and libmicrohttpd closes it. No response may
 * have been sent to the request. The connection's thread. */
void mhd_end_with(struct MHD_Connection *connection, const char *response,
                  size_t length);

/* Removes the query from TARGET, libmicrohttpd's own copy of a request's target, so that
 * it parses no arguments. Only in the callback of MHD_OPTION_URI_LOG_CALLBACK. */
void mhd_cut_query(const char *target);

#endif
