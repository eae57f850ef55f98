/*
 * The test's side of the scripted server: it adds the steps of responses, and reads
 * what the server recorded.
 */
#include <config.h>

#include "foreign.h"

#include "client.h"
#include "text.h"

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- responses -------------------------------------------------------- */

static void add(struct foreign *server, struct foreign_step step)
{
    pthread_mutex_lock(&server->lock);
    server->steps = realloc(server->steps, (server->step_count + 1) *
                                               sizeof *server->steps);
    server->steps[server->step_count++] = step;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

void foreign_say_bytes(struct foreign *server, const char *bytes,
                       size_t length)
{
    char *copy = malloc(length + 1);

    memcpy(copy, bytes, length);
    add(server, (struct foreign_step){
                    .what = FOREIGN_SAY, .bytes = copy, .length = length});
}

void foreign_say(struct foreign *server, const char *format, ...)
{
    struct foreign_step step = {.what = FOREIGN_SAY};
    va_list arguments;

    va_start(arguments, format);
    step.bytes = text_format(format, arguments, &step.length);
    va_end(arguments);
    add(server, step);
}

void foreign_make(struct foreign *server,
                  size_t (*make)(uint64_t number, char *bytes), uint64_t count)
{
    add(server,
        (struct foreign_step){.what = FOREIGN_MAKE, .make = make, .count = count});
}

void foreign_stream(struct foreign *server)
{
    foreign_say(server, "HTTP/1.1 200 OK\r\n"
                        "Content-Type: text/event-stream\r\n\r\n");
}

void foreign_answer(struct foreign *server, const char *status,
                    const char *headers, const char *body)
{
    foreign_say(server, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s",
                status, strlen(body), headers, body);
    foreign_keep(server);
}

void foreign_close(struct foreign *server)
{
    add(server, (struct foreign_step){.what = FOREIGN_CLOSE});
}

void foreign_reset(struct foreign *server)
{
    add(server, (struct foreign_step){.what = FOREIGN_RESET});
}

void foreign_keep(struct foreign *server)
{
    add(server, (struct foreign_step){.what = FOREIGN_KEEP});
}

void foreign_hold(struct foreign *server)
{
    add(server, (struct foreign_step){.what = FOREIGN_HOLD});
}

/* ---- what the server recorded ----------------------------------------- */

/* Waits until *COUNT is at least N; the lock is held. */
static void wait_for(struct foreign *server, const size_t *count, size_t n,
                     const char *what)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE / 1000;
    while (*count < n && pthread_cond_timedwait(&server->changed,
                                                &server->lock,
                                                &until) != ETIMEDOUT)
        continue;
    ck_assert_msg(*count >= n, "waited in vain for %zu %s, had %zu", n, what,
                  *count);
}

const struct foreign_request *foreign_request(struct foreign *server,
                                              size_t n)
{
    const struct foreign_request *request;

    pthread_mutex_lock(&server->lock);
    wait_for(server, &server->request_count, n + 1, "requests");
    request = server->requests[n];
    pthread_mutex_unlock(&server->lock);
    return request;
}

size_t foreign_requests(struct foreign *server)
{
    size_t count;

    pthread_mutex_lock(&server->lock);
    count = server->request_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

uint64_t foreign_sent(struct foreign *server)
{
    uint64_t sent;

    pthread_mutex_lock(&server->lock);
    sent = server->sent;
    pthread_mutex_unlock(&server->lock);
    return sent;
}

void foreign_wait_left(struct foreign *server, size_t n)
{
    pthread_mutex_lock(&server->lock);
    wait_for(server, &server->left, n, "connections closed");
    pthread_mutex_unlock(&server->lock);
}

/* Returns the first header NAME from AT on, NULL if there is none. */
static const char *find_header(const char *at, const char *name)
{
    size_t length = strlen(name);

    for (; *at != '\0' && strncmp(at, "\r\n", 2) != 0;
         at = strstr(at, "\r\n") + 2)
        if (strncasecmp(at, name, length) == 0 && at[length] == ':')
            return at;
    return NULL;
}

bool foreign_has(const struct foreign_request *request, const char *name)
{
    return find_header(request->head, name) != NULL;
}

const char *foreign_header(const struct foreign_request *request,
                           const char *name)
{
    static _Thread_local char value[4096];
    const char *at = find_header(request->head, name);

    ck_assert_msg(at != NULL, "no header %s in: %s", name, request->head);
    at += strlen(name) + 1;
    at += strspn(at, " ");
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
    at = find_header(strstr(at, "\r\n") + 2, name);
    ck_assert_msg(at == NULL, "more than one %s in: %s", name, request->head);
    return value;
}
