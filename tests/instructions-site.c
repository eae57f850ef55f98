/*
 * What test_instructions counts where crierd does not lead: a server with one
 * broadcaster. GET / hears it, GET /send sends it one frame, and GET /healthz
 * runs the function that the count is told at, as in crierd. It takes crierd's
 * options and heeds none of them.
 */
#include <config.h>

#include "crier.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct site {
    struct crier_shards *shards;
    struct crier_broadcaster *broadcaster;
    struct crier_frame *frame;
};

/* Not to be made a part of its caller: valgrind looks for its name. */
__attribute__((noinline)) enum MHD_Result
health_get(struct MHD_Connection *connection);

static enum MHD_Result answer(struct MHD_Connection *connection,
                              unsigned status)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, status, response);

    MHD_destroy_response(response);
    return result;
}

enum MHD_Result health_get(struct MHD_Connection *connection)
{
    return answer(connection, MHD_HTTP_OK);
}

static enum MHD_Result hear(struct site *site,
                            struct MHD_Connection *connection)
{
    const struct crier_stream_options options = {.keep_alive = CRIER_NEVER};
    struct MHD_Response *response;
    struct crier_stream *stream;
    enum MHD_Result result = MHD_NO;

    if (crier_stream_new(site->shards, connection, &options, &stream,
                         &response) != 0)
        return MHD_NO;
    if (crier_broadcaster_join(site->broadcaster, stream, NULL, NULL) == 0)
        result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    crier_stream_unref(stream);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *closure, struct MHD_Connection *connection,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *length, void **context)
{
    struct site *site = closure;

    (void)method;
    (void)version;
    (void)data;
    (void)length;
    if (*context == NULL) {
        *context = site;
        return MHD_YES;
    }
    if (strcmp(url, "/healthz") == 0)
        return health_get(connection);
    if (strcmp(url, "/send") != 0)
        return hear(site, connection);
    return answer(connection,
                  crier_broadcaster_send(site->broadcaster, site->frame) >= 0
                      ? MHD_HTTP_OK
                      : MHD_HTTP_SERVICE_UNAVAILABLE);
}

static struct MHD_Daemon *start(struct site *site)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct crier_shards_options options = {.threads = 1};
    char text[101];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    if (crier_shards_new(&options, &site->shards) != 0 ||
        crier_broadcaster_new(site->shards, NULL, &site->broadcaster) != 0 ||
        crier_frame_text(NULL, text, &site->frame) != 0)
        return NULL;
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
        NULL, handle, site, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END);
}

int main(void)
{
    struct site site = {NULL, NULL, NULL};
    const union MHD_DaemonInfo *info;
    struct MHD_Daemon *daemon;
    sigset_t signals;
    int number;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    daemon = start(&site);
    if (daemon == NULL)
        return EXIT_FAILURE;
    info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    fprintf(stderr, "listening on http://127.0.0.1:%u/\n",
            (unsigned)info->port);
    sigwait(&signals, &number);
    crier_shards_drain(site.shards, 0, 0, 1000);
    MHD_stop_daemon(daemon);
    crier_shards_free(site.shards);
    crier_broadcaster_free(site.broadcaster);
    crier_frame_unref(site.frame);
    return EXIT_SUCCESS;
}
