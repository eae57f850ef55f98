/*
 * What depends on the version of libmicrohttpd.
 *
 * It is decided when crierd runs, not when it is built: 0.9.75 and 1.0 have the same
 * soname, so a crierd that was built on Debian 12 runs with the library of Debian 13.
 *
 * 1.0 reads requests as RFC 9112 wants it, and level 1 of its client discipline refuses
 * what level 0 mends: lines that go on in the next (section 5.2), LF without CR, white
 * space in a target. 0.9.75 does not know that option, and does not start with it; what
 * its parser lets through is found by framing.c and lines.c.
 */
#include <config.h>

#include "mhd.h"

#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>

/* MHD_OPTION_CLIENT_DISCIPLINE_LVL, which the header of 0.9.75 does not have. */
#define CLIENT_DISCIPLINE ((enum MHD_OPTION)38)

/* So many pieces are read and dropped. */
#define ROUNDS 64

bool mhd_is_old(void)
{
    return strncmp(MHD_get_version(), "0.", 2) == 0;
}

struct MHD_OptionItem *mhd_options(void)
{
    static struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    static struct MHD_OptionItem strict[] = {{CLIENT_DISCIPLINE, 1, NULL},
                                             {MHD_OPTION_END, 0, NULL}};

    return mhd_is_old() ? none : strict;
}

static int socket_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection,
                                   MHD_CONNECTION_INFO_CONNECTION_FD)
        ->connect_fd;
}

void mhd_send_past(struct MHD_Connection *connection, const char *bytes,
                   size_t length)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    ssize_t sent;

    if (info == NULL) {
        (void)send(socket_of(connection), bytes, length,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
        return;
    }
    while (length != 0) { /* a client may want records of less than 16 KiB */
        sent = gnutls_record_send(info->tls_session, bytes, length);
        if (sent <= 0)
            return;
        bytes += sent;
        length -= (size_t)sent;
    }
    (void)gnutls_bye(info->tls_session, GNUTLS_SHUT_WR);
}

void mhd_end_with(struct MHD_Connection *connection, const char *response,
                  size_t length)
{
    int fd = socket_of(connection);
    char rest[4096];
    int rounds = 0;

    mhd_send_past(connection, response, length);
    /* With bytes unread, closing would reset the connection; but not all that a client goes
     * on sending is read. */
    while (rounds++ < ROUNDS &&
           recv(fd, rest, sizeof rest, MSG_DONTWAIT) == (ssize_t)sizeof rest)
        ;
    (void)shutdown(fd, SHUT_RDWR);
}

/* crierd reads the query by itself (uri.c), from a copy. libmicrohttpd reads it, too,
 * after the callback, and that does nothing but harm:
 *
 *   - Each argument takes memory of the connection. Where there is none left, 0.9.75
 *     never answers the request.
 *   - 1.0.1 takes the end of the last field for the end of the head, and where there is
 *     no field that of the last argument. When that has no value ("?a"), and fewer than
 *     1500 bytes are left of the buffer, it moves the buffer to the address 1 and
 *     crashes; when it has one, it lets what follows overwrite the version (end of
 *     get_req_headers() in its connection.c).
 *
 * TARGET is const, but stands in the memory of the connection, which libmicrohttpd
 * writes to next: both versions put a NUL in place of the question mark, and read on
 * behind it up to a NUL. */
void mhd_cut_query(const char *target)
{
    char *query = strchr(target, '?');

    if (query != NULL && query[1] != '\0')
        query[1] = '\0';
}
