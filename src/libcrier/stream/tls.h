#ifndef CRIER_TLS_H
#define CRIER_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The most bytes of a record (RFC 8446, section 5.1). */
#define CRIER__TLS_RECORD 16384

/* A gnutls_session_t. */
struct gnutls_session_int;

/* How a transport uses the GnuTLS session of a connection that is libmicrohttpd's; see
 * the top of tls.c. All of these need the session for themselves: they are called under
 * the lock of the transport, while the connection is parked or in the content reader. */

/* Sends up to LENGTH (at most CRIER__TLS_RECORD, at least 1) of BYTES as one record.
 * Returns how many bytes of the stream are with the kernel by that. -EAGAIN when the
 * kernel does not take all of the record: GnuTLS keeps it, and the next call must pass
 * the same bytes or a part of them that begins with the first one; it returns the number
 * of the bytes in the record that was kept. -ENOMEM, -ETIMEDOUT, or -EPIPE for any other
 * error: nothing can be sent any more. */
ssize_t crier__tls_send(struct gnutls_session_int *session, const char *bytes,
                        size_t length);

/* Handles what the client has sent, and counts its records in *HEARD; after a maximum it
 * reads no more. Not while GnuTLS keeps a record. Returns 0; -EPIPE when the client has
 * left; -EPROTO when it breaks the protocol, and when it wants to renegotiate. */
int crier__tls_hear(struct gnutls_session_int *session, int fd, uint16_t *heard);

#endif
