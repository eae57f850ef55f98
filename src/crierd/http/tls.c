/*
 * TLS as libmicrohttpd makes it, by GnuTLS. It makes the handshake on the daemon's thread,
 * and offers "http/1.1" by ALPN by itself.
 *
 * The certificate may change while crierd runs. So it is not an option of the daemon: each
 * session is given that of the current configuration when its connection begins, in the
 * place of the daemon's, which has none. Rejected: the daemon's own callback for the
 * certificate of a handshake. What that returns must stay for as long as the session, of
 * which the callback does not learn the end.
 *
 * Tickets let a client that comes again leave out the signature, which is most of what a
 * handshake costs. Their key is made at the start and kept until the end; GnuTLS derives
 * from it the keys that it uses, and changes these every few hours.
 *
 * A client that is slow with its handshake has the time of one that is slow with the head
 * of its request (exchange.c), for both together.
 */
#include <config.h>

#include "tls.h"

#include "crierd/config/date.h"
#include "crierd/log/log.h"

#include <gnutls/abstract.h>

/* TLS 1.3 and 1.2 only; otherwise what GnuTLS, and the system's own policy for it,
 * hold to be secure. */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* libmicrohttpd wants to know a certificate, or this. Not called, since the session has
 * credentials of its own. */
static int find_no_certificate(gnutls_session_t session,
                               const gnutls_datum_t *names, int names_count,
                               const gnutls_pk_algorithm_t *algorithms,
                               int algorithms_count, gnutls_pcert_st **chain,
                               unsigned *chain_length, gnutls_privkey_t *key)
{
    (void)session;
    (void)names;
    (void)names_count;
    (void)algorithms;
    (void)algorithms_count;
    (void)chain;
    (void)chain_length;
    (void)key;
    return -1;
}

struct MHD_OptionItem *tls_options(void)
{
    static struct MHD_OptionItem options[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)PRIORITIES},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)find_no_certificate},
        {MHD_OPTION_END, 0, NULL},
    };

    return options;
}

void tls_init(struct tls *tls)
{
    if (gnutls_session_ticket_key_generate(&tls->ticket_key) != 0)
        tls->ticket_key = (gnutls_datum_t){.data = NULL};
}

void tls_done(struct tls *tls)
{
    if (tls->ticket_key.data != NULL)
        gnutls_memset(tls->ticket_key.data, 0, tls->ticket_key.size);
    gnutls_free(tls->ticket_key.data);
    tls->ticket_key.data = NULL;
}

struct certificate *tls_begin(const struct tls *tls,
                              struct MHD_Connection *connection)
{
    struct certificate *certificate = conf_current()->certificate;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    if (certificate == NULL || info == NULL)
        return NULL;
    gnutls_credentials_set(info->tls_session, GNUTLS_CRD_CERTIFICATE,
                           certificate_credentials(certificate));
    if (tls->ticket_key.data != NULL)
        gnutls_session_ticket_enable_server(info->tls_session,
                                            &tls->ticket_key);
    return certificate_ref(certificate);
}

void tls_log_certificate(const struct conf *conf)
{
    bool over = conf_certificate_has_expired(conf);
    char date[DATE_SIZE];

    if (conf->certificate == NULL)
        return;
    date_print(date, certificate_expires(conf->certificate));
    log_line(over ? LOG_WARNING : LOG_INFO, "the certificate in %s %s %s",
             conf->tls_cert, over ? "has expired:" : "is valid until", date);
}
