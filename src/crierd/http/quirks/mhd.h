#ifndef CRIERD_MHD_H
#define CRIERD_MHD_H

#include <microhttpd.h>
#include <stdbool.h>

/* Whether the libmicrohttpd that runs is older than 1.0. */
bool mhd_is_old(void);

/* The daemon options that only the libmicrohttpd that runs knows, for
 * MHD_OPTION_ARRAY. */
struct MHD_OptionItem *mhd_options(void);

/* Sends the LENGTH bytes at ANSWER on the socket of CONNECTION, past libmicrohttpd, and
 * shuts it down: nothing else will be sent, and libmicrohttpd closes it. Nothing may
 * have been answered to the request. The connection's thread. */
void mhd_end_with(struct MHD_Connection *connection, const char *answer,
                  size_t length);

/* Takes the query away from libmicrohttpd: it will find no arguments in TARGET, its own
 * copy of a request's target, as MHD_OPTION_URI_LOG_CALLBACK gets it. Only there. */
void mhd_cut_query(const char *target);

#endif
