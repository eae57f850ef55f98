#ifndef TESTS_TLS_CLIENT_H
#define TESTS_TLS_CLIENT_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

/* Priorities for one version of TLS alone. */
#define ONLY_TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define ONLY_TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

/*
 * A TLS client for tests, which does with its session what curl does not. It does not
 * check the server's certificate. A function that waits longer than PATIENCE fails.
 */
struct tls_client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

/* Connects to PORT on 127.0.0.1 and makes the handshake, with GnuTLS's PRIORITIES. If
 * RECEIVE_BUFFER is not 0, it is the size of the kernel's receive buffer, in bytes. */
void tls_connect(struct tls_client *client, int port, const char *priorities,
                 int receive_buffer);

/* The same without the handshake: returns the result of gnutls_handshake(). RESUME,
 * unless it is NULL, is what gnutls_session_get_data2() returned for an earlier one. */
int tls_try_connect(struct tls_client *client, int port, const char *priorities,
                    int receive_buffer, const gnutls_datum_t *resume);

/* Closes the connection, without close_notify. */
void tls_close(struct tls_client *client);

/* Sends TEXT. */
void tls_send(struct tls_client *client, const char *text);

/* Reads up to SIZE bytes. Returns their number; 0 after close_notify; or a negative
 * error of GnuTLS, GNUTLS_E_PREMATURE_TERMINATION for an end without close_notify. */
long tls_read(struct tls_client *client, char *to, size_t size);

/* Sends GET with TARGET and reads the head of the response to *HEAD (or NULL). Returns
 * the status. Does not read beyond the head. */
int tls_get(struct tls_client *client, const char *target, char head[4096]);

#endif
