#ifndef TESTS_CONTRACT_HARNESS_H
#define TESTS_CONTRACT_HARNESS_H

#include "../support/client.h"

#include <sys/types.h>

/*
 * The harness's part of the contract: $CONTRACT_SERVICE in a process of its own; and
 * for each stream a server that sends it and a server that takes reports, with plain
 * sockets. Nothing happens there but what a test calls, so the service waits for the
 * test and never the other way round.
 */
struct service {
    pid_t pid;
    int port;
};

/* Starts it on a free port. */
void service_start(struct service *service);

/* Asks it to quit, and fails unless it does, with status 0. */
void service_stop(struct service *service);

/* Sends METHOD and BODY (or NULL) to TARGET there and returns the status. */
int service_ask(struct service *service, const char *method,
                const char *target, const char *body);

/* A server socket on a free port. */
struct server {
    int fd;
    int port;
};

void server_open(struct server *server);
void server_close(struct server *server);

/* Takes the next connection, and of its request all but the body: it is in the
 * client's head. */
void server_accept(struct server *server, struct client *client);

/* The same, and answers with the begin of a stream that ends with the
 * connection. */
void server_stream(struct server *server, struct client *client);

/* Fails when a connection comes within a time that is long for a machine. */
void server_expect_nobody(struct server *server);

/* A stream that the service subscribes to. */
struct subscription {
    struct service *service;
    char target[64];        /* of the stream at the service */
    struct server server;   /* where it connects to, for /stream */
    struct client stream;   /* its connection there; a test's to open */
    struct server reports;  /* where it tells what it saw */
    struct client reporter; /* its connection there */
    bool connected;         /* there is one */
    int told;               /* how many reports came */
};

/* Makes the service subscribe to a stream, with the further parameters MORE (members of
 * a JSON object with a comma before each, or ""; they win). */
void subscription_start(struct subscription *subscription, struct service *service,
                        const char *more);

/* Makes the service stop it and fails when it does not. */
void subscription_stop(struct subscription *subscription);

/* Closes what the test has of it. */
void subscription_done(struct subscription *subscription);

/* All of it for a test that has one stream: starts it and opens it as `stream`;
 * closes that, takes the error that is told of, opens the next one; and stops. */
void subscription_begin(struct subscription *subscription, struct service *service,
                        const char *more);
void subscription_break(struct subscription *subscription);
void subscription_end(struct subscription *subscription);

/* Sends a command, and fails when it is not accepted. */
void subscription_command(struct subscription *subscription, const char *command);

/* Takes the next report, in parts: all of it; and the answer to it. The body, to
 * be freed. */
char *subscription_take_report(struct subscription *subscription);
void subscription_answer_report(struct subscription *subscription);

/* Takes the next report and fails unless it is that. */
void subscription_expect_event(struct subscription *subscription, const char *type,
                               const char *data, const char *id);
void subscription_expect_comment(struct subscription *subscription, const char *comment);
void subscription_expect_error(struct subscription *subscription);

#endif
