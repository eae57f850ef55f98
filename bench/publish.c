/*
 * A publisher: requests one behind the other on one connection, without
 * waiting for the answers (pipelining, RFC 9112 section 9.3.2). How many are
 * in flight is its user's choice. An answer that is not 2xx is a fault.
 */
#include <config.h>

#include "publish.h"

#include "fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_SIZE 256
#define ANSWERS_SIZE ((size_t)256 * 1024)

bool publish_flush(struct publish *publish)
{
    ssize_t done;

    while (publish->out_sent < publish->out_length) {
        done = send(publish->watch.fd, publish->out + publish->out_sent,
                    publish->out_length - publish->out_sent, MSG_NOSIGNAL);
        if (done < 0 && errno == EAGAIN)
            return load_watch(publish->load, &publish->watch,
                              EPOLLIN | EPOLLOUT);
        if (done < 0)
            return fault("cannot publish: %s", strerror(errno));
        publish->out_sent += (size_t)done;
    }
    publish->out_sent = publish->out_length = 0;
    return true;
}

/* The length of the first answer, 0 when it is not whole; counts it. */
static size_t read_answer(struct publish *publish, const char *bytes,
                          size_t length)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *end = memmem(bytes, length, "\r\n\r\n", 4), *field;
    size_t whole;

    if (end == NULL)
        return 0;
    field = memmem(bytes, (size_t)(end - bytes), name, sizeof name - 1);
    if (strncmp(bytes, "HTTP/1.1 2", 10) != 0 || field == NULL) {
        (void)fault("publishing failed: %.*s", (int)strcspn(bytes, "\r\n"),
                    bytes);
        return 0;
    }
    whole = strtoul(field + sizeof name - 1, NULL, 10);
    whole += (size_t)(end - bytes) + 4;
    if (length < whole)
        return 0;
    publish->answered++;
    publish->load->progress++;
    return whole;
}

static bool ready(struct watch *watch, uint32_t events)
{
    struct publish *publish = (struct publish *)watch;
    size_t begin = 0, used;
    ssize_t got;

    if ((events & EPOLLOUT) && (!load_watch(publish->load, watch, EPOLLIN) ||
                                !publish_flush(publish)))
        return false;
    got = recv(watch->fd, publish->in + publish->in_length,
               ANSWERS_SIZE - 1 - publish->in_length, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0)
        return fault("the server ended the publisher's connection");
    publish->in_length += (size_t)got;
    publish->in[publish->in_length] = '\0';
    while ((used = read_answer(publish, publish->in + begin,
                               publish->in_length - begin)) != 0)
        begin += used;
    publish->in_length -= begin;
    memmove(publish->in, publish->in + begin, publish->in_length + 1);
    return *fault_text() == '\0';
}

bool publish_open(struct publish *publish, struct load *load, unsigned port)
{
    memset(publish, 0, sizeof *publish);
    publish->load = load;
    publish->watch.ready = ready;
    publish->watch.fd = load_connect(port, 0);
    publish->in = malloc(ANSWERS_SIZE);
    if (publish->in == NULL)
        return fault("memory is short");
    return publish->watch.fd >= 0 &&
           load_watch(load, &publish->watch, EPOLLIN);
}

void publish_close(struct publish *publish)
{
    if (publish->load != NULL && publish->watch.fd >= 0)
        close(publish->watch.fd);
    publish->watch.fd = -1;
    free(publish->in);
    free(publish->out);
    publish->in = publish->out = NULL;
}

bool publish_put(struct publish *publish, const char *topic, const char *data,
                 size_t length)
{
    size_t room = publish->out_length + HEAD_SIZE + length;
    char *grown;
    int head;

    if (room > publish->out_room) {
        grown = realloc(publish->out, room * 2);
        if (grown == NULL)
            return fault("memory is short");
        publish->out = grown;
        publish->out_room = room * 2;
    }
    head = snprintf(publish->out + publish->out_length, HEAD_SIZE,
                    "POST /topics/%s HTTP/1.1\r\n"
                    "Host: 127.0.0.1\r\n"
                    "Content-Type: text/plain\r\n"
                    "Content-Length: %zu\r\n\r\n",
                    topic, length);
    memcpy(publish->out + publish->out_length + head, data, length);
    publish->out_length += (size_t)head + length;
    publish->sent++;
    return true;
}

bool publish_wait(struct publish *publish, uint64_t left)
{
    while (publish->sent - publish->answered > left)
        if (!load_step(publish->load, 100, "answers to a publisher"))
            return false;
    return true;
}
