/*
 * The harness's part of the contract, see harness.h. A report must come on the
 * connection that brought the one before, and with the next number; both are
 * looked at here, so that every test looks at them.
 */
#include <config.h>

#include "harness.h"

#include "../support/spawn.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ms: some hundred times what a connection takes. */
#define LONG_ENOUGH 200

/* ---- the service ------------------------------------------------------ */

void service_start(struct service *service)
{
    const char *program = getenv("CONTRACT_SERVICE");
    const char *const words[] = {program, "0", NULL};
    struct spawn spawn = {.words = words};
    char line[128];
    FILE *output;
    int ends[2];

    ck_assert_msg(program != NULL, "CONTRACT_SERVICE is not set: run make "
                                   "check");
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    setenv("no_proxy", "*", 1);
    spawn.files[STDOUT_FILENO] = ends[1];
    ck_assert_int_eq(spawn_program(&spawn, &service->pid), 0);
    close(ends[1]);
    output = fdopen(ends[0], "r");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, output));
    ck_assert_int_eq(
        sscanf(line, "listening on http://127.0.0.1:%d\n", &service->port), 1);
    fclose(output);
}

void service_stop(struct service *service)
{
    int status;

    ck_assert_int_eq(service_ask(service, "DELETE", "/", NULL), 204);
    ck_assert_int_eq(waitpid(service->pid, &status, 0), service->pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "it ended with %d", status);
}

int service_ask(struct service *service, const char *method,
                const char *target, const char *body)
{
    return fetch(service->port, method, target, "", body, NULL);
}

/* ---- servers ---------------------------------------------------------- */

void server_open(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(
        bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(server->fd, SOMAXCONN), 0);
    getsockname(server->fd, (struct sockaddr *)&address, &length);
    server->port = ntohs(address.sin_port);
}

void server_close(struct server *server)
{
    close(server->fd);
}

/* Whether somebody connects within MS. */
static bool somebody(struct server *server, int ms)
{
    struct pollfd poll_for = {.fd = server->fd, .events = POLLIN};

    return poll(&poll_for, 1, ms) == 1;
}

/* Takes the request line and the headers. */
static void take_head(struct client *client)
{
    size_t length = 0;
    char *line;

    do {
        line = client_line(client);
        ck_assert_msg(line != NULL, "the request ends in its head");
        length += (size_t)snprintf(client->head + length,
                                   sizeof client->head - length, "%s\n", line);
        ck_assert_uint_lt(length, sizeof client->head);
        free(line);
    } while (strcmp(client->head + length - 2, "\r\n") != 0 ||
             client->head[length - 3] != '\n');
}

static void accept_one(struct server *server, struct client *client)
{
    memset(client, 0, sizeof *client);
    ck_assert_msg(somebody(server, PATIENCE), "nobody connects");
    client->fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(client->fd, 0);
    client->bytes = calloc(1, 1);
}

void server_accept(struct server *server, struct client *client)
{
    accept_one(server, client);
    take_head(client);
}

void server_stream(struct server *server, struct client *client)
{
    server_accept(server, client);
    client_send(client, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                        "Content-Type: text/event-stream\r\n\r\n");
}

void server_expect_nobody(struct server *server)
{
    ck_assert_msg(!somebody(server, LONG_ENOUGH), "somebody connects");
}

/* ---- a stream --------------------------------------------------------- */

void subscription_start(struct subscription *subscription, struct service *service,
                        const char *more)
{
    struct client client;
    char *params, *answer;
    int port;

    memset(subscription, 0, sizeof *subscription);
    subscription->service = service;
    server_open(&subscription->server);
    server_open(&subscription->reports);
    ck_assert_int_gt(asprintf(&params,
                              "{\"streamUrl\":\"http://127.0.0.1:%d/stream\","
                              "\"callbackUrl\":\"http://127.0.0.1:%d/reports\""
                              ",\"tag\":\"a test\",\"initialDelayMs\":0,"
                              "\"readTimeoutMs\":null%s}",
                              subscription->server.port, subscription->reports.port,
                              more),
                     0);
    client_connect(&client, service->port);
    ck_assert_int_eq(client_request(&client, "POST", "/", "", params), 201);
    answer = client_body(&client);
    ck_assert_int_eq(sscanf(client_header(&client, "Location"),
                            "http://127.0.0.1:%d%63s", &port,
                            subscription->target),
                     2);
    ck_assert_int_eq(port, service->port);
    client_close(&client);
    free(answer);
    free(params);
}

void subscription_stop(struct subscription *subscription)
{
    ck_assert_int_eq(
        service_ask(subscription->service, "DELETE", subscription->target, NULL), 204);
}

void subscription_done(struct subscription *subscription)
{
    server_close(&subscription->server);
    server_close(&subscription->reports);
    if (subscription->connected)
        client_close(&subscription->reporter);
}

void subscription_begin(struct subscription *subscription, struct service *service,
                        const char *more)
{
    subscription_start(subscription, service, more);
    server_stream(&subscription->server, &subscription->stream);
}

void subscription_break(struct subscription *subscription)
{
    client_close(&subscription->stream);
    subscription_expect_error(subscription);
    server_stream(&subscription->server, &subscription->stream);
}

void subscription_end(struct subscription *subscription)
{
    subscription_stop(subscription);
    client_close(&subscription->stream);
    subscription_done(subscription);
}

void subscription_command(struct subscription *subscription, const char *command)
{
    ck_assert_int_eq(
        service_ask(subscription->service, "POST", subscription->target, command),
        202);
}

char *subscription_take_report(struct subscription *subscription)
{
    struct client *reporter = &subscription->reporter;
    char line[64];

    if (!subscription->connected)
        accept_one(&subscription->reports, reporter);
    subscription->connected = true;
    take_head(reporter);
    snprintf(line, sizeof line, "POST /reports/%d HTTP/1.1\r\n",
             ++subscription->told);
    ck_assert_msg(strncmp(reporter->head, line, strlen(line)) == 0,
                  "not %s but %s", line, reporter->head);
    ck_assert_str_eq(client_header(reporter, "Content-Type"),
                     "application/json");
    return client_body(reporter);
}

void subscription_answer_report(struct subscription *subscription)
{
    client_send(&subscription->reporter, "HTTP/1.1 202 Accepted\r\n"
                                     "Content-Length: 0\r\n\r\n");
}

/* Takes the next report, which must be of the kind KIND. To be let go. */
static json_t *expect(struct subscription *subscription, const char *kind)
{
    char *body = subscription_take_report(subscription);
    json_t *report = json_loads(body, JSON_ALLOW_NUL, NULL);

    ck_assert_msg(report != NULL, "not JSON: %s", body);
    ck_assert_msg(
        strcmp(json_string_value(json_object_get(report, "kind")), kind) == 0,
        "not of kind %s: %s", kind, body);
    free(body);
    subscription_answer_report(subscription);
    return report;
}

void subscription_expect_event(struct subscription *subscription, const char *type,
                               const char *data, const char *id)
{
    json_t *report = expect(subscription, "event");
    json_t *event = json_object_get(report, "event");

    ck_assert_str_eq(json_string_value(json_object_get(event, "type")), type);
    ck_assert_str_eq(json_string_value(json_object_get(event, "data")), data);
    ck_assert_str_eq(json_string_value(json_object_get(event, "id")), id);
    json_decref(report);
}

void subscription_expect_comment(struct subscription *subscription, const char *comment)
{
    json_t *report = expect(subscription, "comment");

    ck_assert_str_eq(json_string_value(json_object_get(report, "comment")),
                     comment);
    json_decref(report);
}

void subscription_expect_error(struct subscription *subscription)
{
    json_t *report = expect(subscription, "error");

    ck_assert_uint_gt(json_string_length(json_object_get(report, "error")), 0);
    json_decref(report);
}
