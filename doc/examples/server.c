/*
 * A server with topics. GET /TOPIC subscribes, and resumes after the id in the
 * header Last-Event-ID; POST /TOPIC publishes, and the response follows when
 * the journal has stored the update:
 *
 *   curl -N http://127.0.0.1:8081/news
 *   curl -d hello http://127.0.0.1:8081/news
 *
 * The journal is in memory, or in FILE. Ctrl-C stops ./server 8081 [FILE]
 */
#define _POSIX_C_SOURCE 200809L /* for sigwait() */

#include <crier_server.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static enum MHD_Result handle_request(struct crier_request *request)
{
    struct crier_hub *hub = request->server->hub;
    const struct crier_subscribe_options options = {.topics =
                                                        request->path + 1};

    if (strcmp(request->method, "POST") == 0)
        return crier_request_publish(request, hub, options.topics, NULL, NULL);
    if (strcmp(request->method, "GET") == 0 ||
        strcmp(request->method, "HEAD") == 0)
        return crier_hub_respond(hub, request->connection, &options, NULL);
    return crier_status_respond(request->connection, MHD_HTTP_NOT_IMPLEMENTED,
                                "GET subscribes, POST publishes");
}

/* Makes the hub, with its journal in FILE, or in memory if FILE is NULL. */
static int make_hub(struct crier_server *server, const char *file)
{
    struct crier_journal *journal;
    int error = crier_shards_new(NULL, &server->shards);

    if (error == 0)
        error = file == NULL
                    ? crier_journal_memory(NULL, &journal)
                    : crier_journal_sqlite(file, NULL, &journal, NULL, 0);
    if (error == 0)
        error = crier_hub_new(server->shards, journal, NULL, &server->hub);
    return error;
}

/* Blocks the signals that stop the server, for sigwait(). */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    sigprocmask(SIG_BLOCK, signals, NULL);
}

int main(int argc, char **argv)
{
    struct crier_server server = {.handle = handle_request};
    sigset_t signals;
    int number, error;

    if (argc < 2) {
        fprintf(stderr, "usage: %s PORT [FILE]\n", argv[0]);
        return 2;
    }
    block_signals(&signals);
    server.port = argv[1];
    error = make_hub(&server, argv[2]);
    if (error == 0)
        error = crier_server_start(&server);
    fprintf(stderr, "%s\n", error == 0 ? server.url : crier_error_text(error));
    if (error == 0)
        sigwait(&signals, &number);
    crier_server_stop(&server); /* publishers get their responses first */
    return error != 0;
}
