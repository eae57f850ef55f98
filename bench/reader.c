/*
 * A connection that reads a stream: connects, sends a request, and reads the response
 * headers and then messages, by libcrier's parser, so the stream is read as the
 * standard says. Of the headers only the status and the end matter.
 *
 * The owner writes the request and checks the messages.
 */
#include <config.h>

#include "reader.h"

#include "fault.h"
#include "usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t)256 * 1024)

static char block[BLOCK_SIZE];

static bool parse_stream(struct reader *reader, const char *bytes, size_t length)
{
    struct crier_message message;
    uint64_t now = usage_now();
    int result = 0;

    while (reader->watch.fd >= 0 &&
           (result = crier_parser_next(reader->parser, &bytes, &length, &message)) > 0)
        if (!reader->calls->received(reader, &message, now))
            return false;
    return result >= 0 || fault("the response is not a stream (%d)", result);
}

/* ---- TLS ---------------------------------------------------------------- */

/* Makes a session, which does not check the server's certificate. */
static bool open_session(struct reader *reader)
{
    static gnutls_certificate_credentials_t credentials;

    if (credentials == NULL &&
        gnutls_certificate_allocate_credentials(&credentials) != 0)
        return fault("out of memory");
    if (gnutls_init(&reader->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK |
                                          GNUTLS_NO_SIGNAL) != 0 ||
        gnutls_set_default_priority(reader->session) != 0 ||
        gnutls_credentials_set(reader->session, GNUTLS_CRD_CERTIFICATE, credentials) !=
            0)
        return fault("cannot use TLS");
    gnutls_transport_set_int(reader->session, reader->watch.fd);
    return true;
}

static void close_session(struct reader *reader)
{
    if (reader->session != NULL)
        gnutls_deinit(reader->session);
    reader->session = NULL;
}

/* Goes on with the handshake. */
static bool shake_hands(struct reader *reader)
{
    int result = gnutls_handshake(reader->session);

    if (result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED)
        return load_watch(reader->load, &reader->watch,
                          gnutls_record_get_direction(reader->session) != 0 ? EPOLLOUT
                                                                            : EPOLLIN);
    if (result < 0)
        return fault("the TLS handshake failed: %s", gnutls_strerror(result));
    reader->connecting = false;
    return load_watch(reader->load, &reader->watch, EPOLLIN) &&
           reader->calls->connected(reader);
}

/* Receives as recv() does. */
static ssize_t receive_bytes(struct reader *reader)
{
    ssize_t got;

    if (!reader->tls)
        return recv(reader->watch.fd, block, sizeof block, 0);
    got = gnutls_record_recv(reader->session, block, sizeof block);
    if (got >= 0)
        return got;
    errno = got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED ? EAGAIN : EPROTO;
    return -1;
}

/* ---- reading ------------------------------------------------------------ */

/* The connection has been made, and with TLS the handshake begins. */
static bool begin_session(struct reader *reader)
{
    if (reader->tls)
        return (reader->session != NULL || open_session(reader)) && shake_hands(reader);
    reader->connecting = false;
    return load_watch(reader->load, &reader->watch, EPOLLIN) &&
           reader->calls->connected(reader);
}

/* Reads response headers. Returns how many bytes they were. */
static size_t skip_head(struct reader *reader, const char *bytes, size_t length)
{
    size_t used;

    for (used = 0; used < length && reader->ends < 4; used++) {
        if (reader->length < sizeof reader->begin - 1)
            reader->begin[reader->length++] = bytes[used];
        if (bytes[used] == "\r\n\r\n"[reader->ends])
            reader->ends++;
        else
            reader->ends = bytes[used] == '\r';
    }
    return used;
}

static bool on_reader_ready(struct watch *watch, uint32_t events)
{
    struct reader *reader = (struct reader *)watch;
    size_t used = 0;
    ssize_t got;

    if (reader->connecting && ((events & EPOLLOUT) || reader->session != NULL) &&
        !(events & (EPOLLERR | EPOLLHUP)))
        return begin_session(reader);
    got = receive_bytes(reader);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0)
        return reader->calls->ended(reader, got < 0 ? errno : 0);
    reader->load->bytes += (uint64_t)got;
    if (reader->ends < 4) {
        used = skip_head(reader, block, (size_t)got);
        if (reader->ends == 4 && !reader->calls->opened(reader))
            return false;
    }
    return parse_stream(reader, block + used, (size_t)got - used);
}

bool reader_init(struct reader *reader, struct load *load,
                 const struct reader_calls *calls)
{
    memset(reader, 0, sizeof *reader);
    reader->watch.fd = -1;
    reader->watch.ready = on_reader_ready;
    reader->load = load;
    reader->calls = calls;
    return crier_parser_new(NULL, &reader->parser) == 0 || fault("out of memory");
}

void reader_done(struct reader *reader)
{
    if (reader->parser == NULL)
        return;
    reader_close(reader, false);
    crier_parser_free(reader->parser);
    reader->parser = NULL;
}

bool reader_adopt(struct reader *reader, int fd)
{
    reader->length = reader->ends = 0;
    memset(reader->begin, 0, sizeof reader->begin);
    reader->connecting = true;
    crier_parser_begin(reader->parser);
    reader->watch.fd = fd;
    return fd >= 0 && load_watch(reader->load, &reader->watch, EPOLLOUT);
}

bool reader_connect(struct reader *reader, unsigned port, size_t from, int window)
{
    return reader_adopt(reader, load_connect(port, from, window));
}

bool reader_send_request(struct reader *reader, const char *head, size_t length)
{
    ssize_t sent = reader->tls ? gnutls_record_send(reader->session, head, length)
                               : send(reader->watch.fd, head, length, MSG_NOSIGNAL);

    return sent == (ssize_t)length ||
           (sent < 0 && (errno == ECONNRESET || errno == EPIPE)) ||
           fault("cannot send a request: %s", strerror(errno));
}

bool reader_pause(struct reader *reader, bool paused)
{
    return load_watch(reader->load, &reader->watch, paused ? 0 : EPOLLIN);
}

int reader_status(const struct reader *reader)
{
    static const char version[] = "HTTP/1.1 ";

    return strncmp(reader->begin, version, sizeof version - 1) == 0
               ? (int)strtol(reader->begin + sizeof version - 1, NULL, 10)
               : 0;
}

void reader_close(struct reader *reader, bool gently)
{
    struct linger reset = {.l_onoff = 1};

    if (reader->watch.fd < 0)
        return;
    if (!gently)
        (void)setsockopt(reader->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close_session(reader);
    close(reader->watch.fd);
    reader->watch.fd = -1;
}
