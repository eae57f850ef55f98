/*
 * The scripted server's threads: one accepts, and one for each connection reads a
 * request and then performs the steps of its response as the test adds them
 * (foreign_script.c). All responses are in one list of steps, one after the other.
 */
#include <config.h>

#include "foreign.h"

#include "client.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE_MAX ((size_t)64 * 1024)
#define BLOCK_MAX (2 * PIECE_MAX)

struct foreign_connection {
    struct foreign *server;
    pthread_t thread;
    int number, fd;
    char *bytes; /* received and not yet read */
    size_t length;
};

/* ---- requests --------------------------------------------------------- */

static bool receive(struct foreign_connection *connection)
{
    char block[65536];
    ssize_t got = recv(connection->fd, block, sizeof block, 0);

    if (got <= 0)
        return false;
    connection->bytes =
        realloc(connection->bytes, connection->length + (size_t)got + 1);
    memcpy(connection->bytes + connection->length, block, (size_t)got);
    connection->length += (size_t)got;
    connection->bytes[connection->length] = '\0';
    return true;
}

/* Takes the first LENGTH bytes as a string, receiving what is missing. */
static char *take(struct foreign_connection *connection, size_t length)
{
    char *taken;

    while (connection->length < length)
        if (!receive(connection))
            return NULL;
    taken = malloc(length + 1);
    if (length != 0)
        memcpy(taken, connection->bytes, length);
    taken[length] = '\0';
    connection->length -= length;
    if (length != 0)
        memmove(connection->bytes, connection->bytes + length,
                connection->length + 1);
    return taken;
}

static char *take_head(struct foreign_connection *connection)
{
    char *end = NULL;

    while (connection->length == 0 ||
           (end = strstr(connection->bytes, "\r\n\r\n")) == NULL)
        if (!receive(connection))
            return NULL;
    return take(connection, (size_t)(end - connection->bytes) + 4);
}

static void free_request(struct foreign_request *request)
{
    free(request->method);
    free(request->target);
    free(request->head);
    free(request->body);
    free(request);
}

/* Reads the next request; NULL when the connection ends. */
static struct foreign_request *
read_request(struct foreign_connection *connection)
{
    struct foreign_request *request;
    char *head = take_head(connection);
    char version;

    if (head == NULL)
        return NULL;
    request = calloc(1, sizeof *request);
    request->connection = connection->number;
    ck_assert_msg(sscanf(head, "%ms %ms HTTP/1.%c\r\n", &request->method,
                         &request->target, &version) == 3,
                  "not a request: %s", head);
    request->head = strdup(strstr(head, "\r\n") + 2);
    free(head);
    if (foreign_has(request, "Content-Length"))
        request->length =
            strtoul(foreign_header(request, "Content-Length"), NULL, 10);
    request->body = take(connection, request->length);
    if (request->body == NULL) {
        free_request(request);
        return NULL;
    }
    return request;
}

/* ---- answers ---------------------------------------------------------- */

static bool ends(const struct foreign_step *step)
{
    return step->what != FOREIGN_SAY && step->what != FOREIGN_MAKE;
}

/* Waits until the test adds a step. */
static void wait_for_step(struct foreign *server)
{
    size_t count = server->step_count;
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1 + PATIENCE / 1000;
    while (server->step_count == count && !server->stopping && error == 0)
        error = pthread_cond_timedwait(&server->changed, &server->lock,
                                       &until);
    ck_assert_msg(error == 0, "nobody says what the answer is to be");
}

/* Records REQUEST, and returns the first step of its response once that is known. */
static size_t find_answer(struct foreign *server,
                          struct foreign_request *request)
{
    size_t before, at = 0;

    pthread_mutex_lock(&server->lock);
    before = server->request_count++;
    server->requests = realloc(
        server->requests, server->request_count * sizeof *server->requests);
    server->requests[before] = request;
    pthread_cond_broadcast(&server->changed);
    while (before != 0 && !server->stopping) {
        if (at == server->step_count)
            wait_for_step(server);
        else if (ends(&server->steps[at++]))
            before--;
    }
    pthread_mutex_unlock(&server->lock);
    return at;
}

/* Waits for step number AT and copies it. Returns false when the server stops. */
static bool get_step(struct foreign *server, size_t at,
                     struct foreign_step *step)
{
    bool found;

    pthread_mutex_lock(&server->lock);
    while (at >= server->step_count && !server->stopping)
        wait_for_step(server);
    found = !server->stopping;
    if (found)
        *step = server->steps[at];
    pthread_mutex_unlock(&server->lock);
    return found;
}

static bool transmit(struct foreign_connection *connection, const char *bytes,
                     size_t length)
{
    struct foreign *server = connection->server;
    ssize_t sent;

    while (length != 0) {
        sent = send(connection->fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
        pthread_mutex_lock(&server->lock);
        server->sent += (uint64_t)sent;
        pthread_mutex_unlock(&server->lock);
    }
    return true;
}

static bool transmit_made(struct foreign_connection *connection,
                          const struct foreign_step *step)
{
    char *block = malloc(BLOCK_MAX);
    size_t length = 0;
    uint64_t number = 0;
    bool good = true;

    while (good && number < step->count) {
        length += step->make(number++, block + length);
        if (length > BLOCK_MAX - PIECE_MAX) {
            good = transmit(connection, block, length);
            length = 0;
        }
    }
    good = good && transmit(connection, block, length);
    free(block);
    return good;
}

static void hold(struct foreign_connection *connection)
{
    struct foreign *server = connection->server;

    while (receive(connection))
        continue;
    pthread_mutex_lock(&server->lock);
    if (!server->stopping)
        server->left++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void tear(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

/* Sends the response that begins at step AT. Returns whether the connection stays
 * open. */
static bool answer(struct foreign_connection *connection, size_t at)
{
    struct foreign_step step;

    while (get_step(connection->server, at++, &step)) {
        switch (step.what) {
        case FOREIGN_SAY:
            if (!transmit(connection, step.bytes, step.length))
                return false;
            break;
        case FOREIGN_MAKE:
            if (!transmit_made(connection, &step))
                return false;
            break;
        case FOREIGN_KEEP:
            return true;
        case FOREIGN_HOLD:
            hold(connection);
            return false;
        case FOREIGN_RESET:
            tear(connection->fd);
            return false;
        case FOREIGN_CLOSE:
            return false;
        }
    }
    return false;
}

/* ---- threads ---------------------------------------------------------- */

static void *serve(void *closure)
{
    struct foreign_connection *connection = closure;
    struct foreign *server = connection->server;
    struct foreign_request *request;

    do
        request = read_request(connection);
    while (request != NULL &&
           answer(connection, find_answer(server, request)));
    pthread_mutex_lock(&server->lock);
    close(connection->fd);
    connection->fd = -1;
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static void *accept_all(void *closure)
{
    struct foreign *server = closure;
    struct foreign_connection *connection;
    int fd;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        /* each piece is sent by itself */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        connection = calloc(1, sizeof *connection);
        connection->server = server;
        connection->fd = fd;
        pthread_mutex_lock(&server->lock);
        connection->number = (int)server->connection_count++;
        server->connections =
            realloc(server->connections,
                    server->connection_count * sizeof *server->connections);
        server->connections[connection->number] = connection;
        pthread_create(&connection->thread, NULL, serve, connection);
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

static void start(struct foreign *server, const struct sockaddr *address,
                  socklen_t length, const char *host)
{
    struct sockaddr_in6 bound; /* in both families the port is in one place */
    pthread_condattr_t attributes;

    memset(server, 0, sizeof *server);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&server->lock, NULL);
    server->listener =
        socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_msg(bind(server->listener, address, length) == 0 &&
                      listen(server->listener, 64) == 0,
                  "no server: %s", strerror(errno));
    length = sizeof bound;
    getsockname(server->listener, (struct sockaddr *)&bound, &length);
    server->port = ntohs(bound.sin6_port);
    snprintf(server->url, sizeof server->url, "http://%s:%d", host,
             server->port);
    ck_assert_int_eq(
        pthread_create(&server->thread, NULL, accept_all, server), 0);
}

void foreign_start(struct foreign *server)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr =
                                            htonl(INADDR_LOOPBACK)};

    start(server, (const struct sockaddr *)&address, sizeof address,
          "127.0.0.1");
}

bool foreign_start_6(struct foreign *server)
{
    const struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                         .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = probe >= 0 && bind(probe, (const struct sockaddr *)&address,
                                    sizeof address) == 0;

    if (probe >= 0)
        close(probe);
    if (there)
        start(server, (const struct sockaddr *)&address, sizeof address,
              "[::1]");
    return there;
}

void foreign_stop(struct foreign *server)
{
    size_t i;

    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    for (i = 0; i < server->connection_count; i++) {
        pthread_mutex_lock(&server->lock);
        if (server->connections[i]->fd >= 0)
            shutdown(server->connections[i]->fd, SHUT_RDWR);
        pthread_mutex_unlock(&server->lock);
        pthread_join(server->connections[i]->thread, NULL);
        free(server->connections[i]->bytes);
        free(server->connections[i]);
    }
    free(server->connections);
    for (i = 0; i < server->request_count; i++)
        free_request(server->requests[i]);
    free(server->requests);
    for (i = 0; i < server->step_count; i++)
        free(server->steps[i].bytes);
    free(server->steps);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
}
