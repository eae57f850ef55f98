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

    if (reader->connecting && (events & EPOLLOUT) &&
        !(events & (EPOLLERR | EPOLLHUP))) {
        reader->connecting = false;
        return load_watch(reader->load, watch, EPOLLIN) &&
               reader->calls->connected(reader);
    }
    got = recv(watch->fd, block, sizeof block, 0);
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

bool reader_connect(struct reader *reader, unsigned port, size_t from, int window)
{
    reader->length = reader->ends = 0;
    memset(reader->begin, 0, sizeof reader->begin);
    reader->connecting = true;
    crier_parser_begin(reader->parser);
    reader->watch.fd = load_connect(port, from, window);
    return reader->watch.fd >= 0 && load_watch(reader->load, &reader->watch, EPOLLOUT);
}

bool reader_send_request(struct reader *reader, const char *head, size_t length)
{
    return send(reader->watch.fd, head, length, MSG_NOSIGNAL) == (ssize_t)length ||
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
    close(reader->watch.fd);
    reader->watch.fd = -1;
}
