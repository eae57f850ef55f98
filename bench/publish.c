/*
 * A publisher that sends requests on one connection without waiting for responses
 * (pipelining, RFC 9112 section 9.3.2). The caller decides how many are in flight. A
 * response other than 2xx is a fault, unless the caller handles responses.
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

#define HEAD_SIZE 1024
#define ANSWERS_SIZE ((size_t)256 * 1024)

bool publish_flush(struct publish *publish)
{
    ssize_t done;

    while (publish->out_sent < publish->out_length) {
        done = send(publish->watch.fd, publish->out + publish->out_sent,
                    publish->out_length - publish->out_sent, MSG_NOSIGNAL);
        if (done < 0 && errno == EAGAIN)
            return load_watch(publish->load, &publish->watch, EPOLLIN | EPOLLOUT);
        if (done < 0)
            return publish->calls != NULL
                       ? publish->calls->ended(publish, errno)
                       : fault("cannot publish: %s", strerror(errno));
        publish->out_sent += (size_t)done;
    }
    publish->out_sent = publish->out_length = 0;
    return true;
}

/* Counts a response and passes it to the caller. Returns whether the run goes on. */
static bool count_response(struct publish *publish, const char *response,
                           const char *body, size_t length)
{
    int status = (int)strtol(response + strcspn(response, " "), NULL, 10);

    publish->responses++;
    publish->load->progress++;
    if (publish->calls != NULL)
        return publish->calls->responded(publish, status, body, length);
    return status / 100 == 2 ||
           fault("publishing failed: %.*s", (int)strcspn(response, "\r\n"), response);
}

/* Reads the first response and sets *USED to its length, 0 if it is incomplete. */
static bool read_response(struct publish *publish, const char *bytes, size_t length,
                          size_t *used)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *end = memmem(bytes, length, "\r\n\r\n", 4), *field;
    size_t body;

    *used = 0;
    if (end == NULL)
        return true;
    end += 4;
    field = memmem(bytes, (size_t)(end - bytes), name, sizeof name - 1);
    if (field == NULL)
        return fault("a response without a length: %.*s", (int)strcspn(bytes, "\r\n"),
                     bytes);
    body = strtoul(field + sizeof name - 1, NULL, 10);
    if (length < (size_t)(end - bytes) + body)
        return true;
    *used = (size_t)(end - bytes) + body;
    return count_response(publish, bytes, end, body);
}

static bool on_publish_ready(struct watch *watch, uint32_t events)
{
    struct publish *publish = (struct publish *)watch;
    size_t begin = 0, used;
    ssize_t got;

    if ((events & EPOLLOUT) &&
        (!load_watch(publish->load, watch, EPOLLIN) || !publish_flush(publish)))
        return false;
    if (watch->fd < 0) /* the connection ended, and was closed */
        return true;
    got = recv(watch->fd, publish->in + publish->in_length,
               ANSWERS_SIZE - 1 - publish->in_length, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0)
        return publish->calls != NULL
                   ? publish->calls->ended(publish, got < 0 ? errno : 0)
                   : fault("the server ended the publisher's connection");
    publish->in_length += (size_t)got;
    publish->in[publish->in_length] = '\0';
    do {
        if (!read_response(publish, publish->in + begin, publish->in_length - begin,
                           &used))
            return false;
        begin += used;
    } while (used != 0);
    publish->in_length -= begin;
    memmove(publish->in, publish->in + begin, publish->in_length + 1);
    return true;
}

bool publish_adopt(struct publish *publish, struct load *load, int fd)
{
    memset(publish, 0, sizeof *publish);
    publish->load = load;
    publish->watch.ready = on_publish_ready;
    publish->watch.fd = fd;
    publish->in = malloc(ANSWERS_SIZE);
    if (publish->in == NULL)
        return fault("out of memory");
    return fd >= 0 && load_watch(load, &publish->watch, EPOLLIN);
}

bool publish_open(struct publish *publish, struct load *load, unsigned port)
{
    return publish_adopt(publish, load, load_connect(port, 0, 0));
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

bool publish_add_request(struct publish *publish, const char *method,
                         const char *target, const char *type, const char *data,
                         size_t length)
{
    size_t size = publish->out_length + HEAD_SIZE + length;
    char *grown;
    int head;

    if (size > publish->out_capacity) {
        grown = realloc(publish->out, size * 2);
        if (grown == NULL)
            return fault("out of memory");
        publish->out = grown;
        publish->out_capacity = size * 2;
    }
    head = snprintf(publish->out + publish->out_length, HEAD_SIZE,
                    "%s %s HTTP/1.1\r\n"
                    "Host: 127.0.0.1\r\n"
                    "Content-Type: %s\r\n"
                    "Content-Length: %zu\r\n%s%s%s\r\n",
                    method, target, type, length,
                    publish->token != NULL ? "Authorization: Bearer " : "",
                    publish->token != NULL ? publish->token : "",
                    publish->token != NULL ? "\r\n" : "");
    if (head >= HEAD_SIZE)
        return fault("the head of a request is too long");
    memcpy(publish->out + publish->out_length + head, data, length);
    publish->out_length += (size_t)head + length;
    publish->sent++;
    return true;
}

bool publish_add_update(struct publish *publish, const char *topic, const char *data,
                        size_t length)
{
    char target[HEAD_SIZE];

    snprintf(target, sizeof target, "/topics/%s%s", topic,
             publish->private ? "?private=1" : "");
    return publish_add_request(publish, "POST", target, "text/plain", data, length);
}

bool publish_wait(struct publish *publish, uint64_t left)
{
    while (publish->sent - publish->responses > left)
        if (!load_step(publish->load, 100, "responses to a publisher"))
            return false;
    return true;
}
