#ifndef CRIERD_TLS_H
#define CRIERD_TLS_H

#include "crierd/config/conf.h"

#include <microhttpd.h>

/* What all daemons with TLS share. */
struct tls {
    gnutls_datum_t ticket_key; /* empty: no tickets */
};

/* The options of a daemon of libmicrohttpd with TLS, for MHD_OPTION_ARRAY. */
struct MHD_OptionItem *tls_options(void);

/* Prepares TLS. */
void tls_init(struct tls *tls);

void tls_done(struct tls *tls);

/* Logs until when the certificate of CONF is valid, if it has one. */
void tls_log_certificate(const struct conf *conf);

/* Prepares the session of CONNECTION, which has just begun: it presents the certificate of
 * the current configuration. Returns a *new* reference to that, to be kept until the
 * connection has been closed; NULL where there is none, and every handshake fails. The
 * connection's thread. */
struct certificate *tls_begin(const struct tls *tls,
                              struct MHD_Connection *connection);

#endif
