#include <config.h>

#include "client.h"

#include "text.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

int client_patience(void)
{
    const char *patience = getenv("CRIER_PATIENCE");

    return patience != NULL ? (int)strtol(patience, NULL, 10) : 60000;
}

/* Whether FD is connected to itself. If no server listens, the kernel may choose the
 * port that a client connects to as the client's own port, and connect the socket to
 * itself. */
static bool is_own_peer(int fd)
{
    struct sockaddr_in own, peer;
    socklen_t own_size = sizeof own, peer_size = sizeof peer;

    return getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 &&
           own.sin_port == peer.sin_port &&
           own.sin_addr.s_addr == peer.sin_addr.s_addr;
}

/* Makes close() reset the connection FD, which leaves no state on its port. */
static void end_by_reset(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

/* 0, or -errno of connect(). */
static int try_connect(struct client *client, int port, int receive_buffer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    memset(client, 0, sizeof *client);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_msg(client->fd >= 0, "socket: %s", strerror(errno));
    if (receive_buffer != 0)
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                   sizeof receive_buffer);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) !=
        0)
        return -errno;
    if (is_own_peer(client->fd)) {
        end_by_reset(client->fd);
        return -ECONNREFUSED;
    }
    client->bytes = calloc(1, 1);
    return 0;
}

void client_connect_small(struct client *client, int port, int receive_buffer)
{
    int error = try_connect(client, port, receive_buffer);

    ck_assert_msg(error == 0, "connect to port %d: %s", port,
                  strerror(-error));
}

bool client_try_connect(struct client *client, int port)
{
    if (try_connect(client, port, 0) == 0)
        return true;
    close(client->fd);
    return false;
}

void client_connect(struct client *client, int port)
{
    client_connect_small(client, port, 0);
}

void client_close(struct client *client)
{
    close(client->fd);
    free(client->bytes);
    client->bytes = NULL;
}

void client_reset(struct client *client)
{
    end_by_reset(client->fd);
    client_close(client);
}

/* ---- bytes ------------------------------------------------------------ */

void client_send_bytes(struct client *client, const char *bytes,
                       size_t length)
{
    ssize_t sent;

    while (length != 0) {
        sent = send(client->fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0 && client->torn)
            return;
        ck_assert_msg(sent > 0, "send: %s", strerror(errno));
        bytes += sent;
        length -= (size_t)sent;
    }
}

void client_send(struct client *client, const char *format, ...)
{
    va_list arguments;
    size_t length;
    char *text;

    va_start(arguments, format);
    text = text_format(format, arguments, &length);
    va_end(arguments);
    client_send_bytes(client, text, length);
    free(text);
}

bool client_has(struct client *client, int ms)
{
    struct pollfd poll_for = {.fd = client->fd, .events = POLLIN};

    return client->length != 0 || client->eof || poll(&poll_for, 1, ms) == 1;
}

/* Receives some more. */
static void receive(struct client *client)
{
    struct pollfd poll_for = {.fd = client->fd, .events = POLLIN};
    char block[65536];
    ssize_t got;

    ck_assert_msg(poll(&poll_for, 1, PATIENCE) == 1,
                  "nothing came; have so far: %s", client->bytes);
    got = recv(client->fd, block, sizeof block, 0);
    if (got <= 0) {
        client->eof = true;
        return;
    }
    client->bytes =
        realloc(client->bytes, client->length + (size_t)got + 1);
    memcpy(client->bytes + client->length, block, (size_t)got);
    client->length += (size_t)got;
    client->bytes[client->length] = '\0';
}

/* Takes the first LENGTH bytes. */
static char *take(struct client *client, size_t length)
{
    char *taken = malloc(length + 1);

    memcpy(taken, client->bytes, length);
    taken[length] = '\0';
    client->length -= length;
    memmove(client->bytes, client->bytes + length, client->length + 1);
    return taken;
}

/* Receives until END is there, and returns its place; NULL at the end of the
 * connection. */
static char *receive_until(struct client *client, const char *end)
{
    size_t from = 0, back = strlen(end);
    char *found;

    for (;;) {
        found = memmem(client->bytes + from, client->length - from, end,
                       back);
        if (found != NULL || client->eof)
            return found;
        from = client->length > back ? client->length - back : 0;
        receive(client);
    }
}

/* ---- HTTP ------------------------------------------------------------- */

int client_head(struct client *client)
{
    char *end = receive_until(client, "\r\n\r\n"), *head;
    int status = 0;

    if (end == NULL && client->torn)
        return 0;
    ck_assert_msg(end != NULL, "no response but: '%s'", client->bytes);
    head = take(client, (size_t)(end - client->bytes) + 4);
    snprintf(client->head, sizeof client->head, "%s", head);
    free(head);
    ck_assert_msg(sscanf(client->head, "HTTP/1.%*d %d", &status) == 1,
                  "not HTTP: %s", client->head);
    return status;
}

int client_request(struct client *client, const char *method,
                   const char *target, const char *headers, const char *body)
{
    if (body == NULL)
        client_send(client, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                    method, target, headers);
    else
        client_send(client,
                    "%s %s HTTP/1.1\r\nHost: localhost\r\n"
                    "Content-Length: %zu\r\n%s\r\n%s",
                    method, target, strlen(body), headers, body);
    return client_head(client);
}

const char *client_header(struct client *client, const char *name)
{
    static _Thread_local char value[2048];
    size_t length = strlen(name);
    char *line = strstr(client->head, "\r\n");

    for (; line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) != 0 ||
            line[2 + length] != ':')
            continue;
        line += 3 + length;
        line += strspn(line, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r"), line);
        return value;
    }
    return "";
}

char *client_bytes(struct client *client, size_t length)
{
    while (client->length < length && !client->eof)
        receive(client);
    ck_assert_msg(client->length >= length,
                  "the body ends after %zu of %zu bytes", client->length,
                  length);
    return take(client, length);
}

char *client_body(struct client *client)
{
    const char *length = client_header(client, "Content-Length");

    if (*length != '\0')
        return client_bytes(client, strtoul(length, NULL, 10));
    while (!client->eof)
        receive(client);
    return take(client, client->length);
}

/* ---- streams ---------------------------------------------------------- */

char *client_line(struct client *client)
{
    char *end = receive_until(client, "\n"), *line;

    if (end == NULL)
        return NULL;
    line = take(client, (size_t)(end - client->bytes) + 1);
    line[strlen(line) - 1] = '\0';
    return line;
}

/* Drops empty comments: the first bytes of a stream, and pings. */
static void drop_pings(struct client *client)
{
    char *end;

    while ((end = receive_until(client, "\n")) == client->bytes + 1 &&
           client->bytes[0] == ':')
        free(take(client, 2));
}

char *client_frame(struct client *client)
{
    char *end, *frame;

    drop_pings(client);
    end = receive_until(client, "\n\n");
    if (end == NULL && (client->bytes[0] == ':' ||
                        strncmp(client->bytes, "retry: ", 7) == 0))
        return client_line(client);
    if (end == NULL) {
        ck_assert_msg(client->length == 0 || client->torn, "half a frame: '%s'",
                      client->bytes);
        return NULL;
    }
    frame = take(client, (size_t)(end - client->bytes) + 2);
    frame[strlen(frame) - 2] = '\0';
    return frame;
}

char *client_any_frame(struct client *client)
{
    char *frame = client_frame(client);

    ck_assert_msg(frame != NULL, "the stream ended");
    return frame;
}

void client_expect(struct client *client, const char *text)
{
    char *frame = client_frame(client);

    ck_assert_msg(frame != NULL, "the stream ended before '%s'", text);
    ck_assert_str_eq(frame, text);
    free(frame);
}

char *client_event(struct client *client, char id[256])
{
    char *frame = client_frame(client), *end;

    if (id != NULL)
        id[0] = '\0';
    if (frame == NULL || strncmp(frame, "id: ", 4) != 0)
        return frame;
    end = strchr(frame, '\n');
    if (end == NULL)
        end = frame + strlen(frame);
    else
        *end++ = '\0';
    if (id != NULL)
        snprintf(id, 256, "%s", frame + 4);
    memmove(frame, end, strlen(end) + 1);
    return frame;
}

void client_expect_line(struct client *client, const char *text)
{
    char *line = client_line(client);

    ck_assert_msg(line != NULL, "the stream ended before the line '%s'", text);
    ck_assert_str_eq(line, text);
    free(line);
}

void client_expect_event(struct client *client, const char *text)
{
    char id[256];
    char *frame = client_event(client, id);

    ck_assert_ptr_nonnull(frame);
    ck_assert_str_eq(frame, text);
    ck_assert_msg(id[0] == '#', "id '%s'", id);
    free(frame);
}

char *client_until(struct client *client, const char *text)
{
    char *frame;

    for (;;) {
        frame = client_frame(client);
        ck_assert_msg(frame != NULL, "the stream ended before '%s'", text);
        if (strstr(frame, text) != NULL)
            return frame;
        free(frame);
    }
}

void client_expect_end(struct client *client)
{
    char *frame;

    while ((frame = client_frame(client)) != NULL)
        free(frame);
}

int fetch(int port, const char *method, const char *target,
          const char *headers, const char *body, char **answer)
{
    struct client client;
    char *got;
    int status;

    client_connect(&client, port);
    status = client_request(&client, method, target, headers, body);
    if (strcmp(method, "HEAD") != 0 && status != 204 && status != 304) {
        got = client_body(&client);
        if (answer != NULL)
            *answer = got;
        else
            free(got);
    }
    client_close(&client);
    return status;
}
