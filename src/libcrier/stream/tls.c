/*
 * How a shard uses the GnuTLS session of a parked connection.
 *
 * The session is libmicrohttpd's: it makes the handshake, receives the request and sends
 * the head of the response with it, over the connection's own socket (which does not
 * block) and without corking. While the connection is parked, libmicrohttpd does not use
 * the session, and its buffers of bytes to send are empty, for the same reason that the
 * socket is idle then. So the shard may use it, until the connection is resumed.
 *
 * GnuTLS sends a record whole. When the kernel takes only a part of it, GnuTLS keeps the
 * rest, and the next send completes it, whatever is passed to that; it returns the number
 * of bytes in the completed record. So the frames of a record stay pending until then:
 * what is pending is what the client may lack, and libmicrohttpd is not resumed to end
 * the body while GnuTLS keeps anything. (With kernel TLS GnuTLS keeps nothing, and sends
 * what is passed; so the same bytes are passed again instead of none.)
 *
 * Nothing is received while GnuTLS keeps a record. The client may have asked for a key
 * update, and GnuTLS (3.7.9 and 3.8.9) answers at the next send: it first copies the
 * bytes of that call, to encrypt them with the new keys. If this call only repeats an
 * earlier one, the same bytes are sent twice.
 *
 * A client of a stream has nothing to say but that it leaves (close_notify) or wants new
 * keys; bytes behind its request are dropped. It might send more than that to keep the
 * shard busy, so the shard reads only a number of records in the life of a stream.
 * Later ones stay in the kernel, whose buffer bounds them, as they do without TLS; the
 * end of the connection is noticed nevertheless. GnuTLS refuses many key updates within
 * a second by itself.
 *
 * An alert that is received leaves the session unusable, but for warnings of TLS 1.2.
 * Renegotiation, which TLS 1.2 has, is refused by ending the connection, as
 * libmicrohttpd does.
 */
#include <config.h>

#include "tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <sys/ioctl.h>

/* The most records, or parts of records, that are read from a client. */
#define HEARD_MAX 256

ssize_t crier__tls_send(struct gnutls_session_int *session, const char *bytes,
                        size_t length)
{
    ssize_t sent;

    do {
        errno = 0;
        sent = gnutls_record_send(session, bytes, length);
    } while (sent == GNUTLS_E_INTERRUPTED);
    if (sent >= 0)
        return sent;
    if (sent == GNUTLS_E_AGAIN)
        return -EAGAIN;
    if (sent == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    return errno == ETIMEDOUT ? -ETIMEDOUT : -EPIPE;
}

/* Whether the kernel holds bytes from the client. GnuTLS asks for a call once more after
 * it has handled a key update, too, and epoll does not report again what was there. */
static bool has_input(int fd)
{
    int waiting = 0;

    return ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

/* Returns the error for RESULT, with which receiving has ended. */
static int judge_end(int result)
{
    switch (result) {
    case 0: /* close_notify */
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
    case GNUTLS_E_PREMATURE_TERMINATION:
    case GNUTLS_E_PULL_ERROR:
        return -EPIPE;
    case GNUTLS_E_MEMORY_ERROR:
        return -ENOMEM;
    default:
        return -EPROTO;
    }
}

int crier__tls_hear(struct gnutls_session_int *session, int fd, uint16_t *heard)
{
    char bytes[2048];
    ssize_t got;

    while (*heard < HEARD_MAX) {
        ++*heard;
        got = gnutls_record_recv(session, bytes, sizeof bytes);
        if (got == 0 || got == GNUTLS_E_REHANDSHAKE ||
            gnutls_error_is_fatal((int)got) != 0)
            return judge_end((int)got);
        if (got == GNUTLS_E_AGAIN && !has_input(fd))
            break;
    }
    return 0;
}
