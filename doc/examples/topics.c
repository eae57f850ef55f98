/* A server of topics. curl -N http://127.0.0.1:8081/news follows one, and goes on
 * after Last-Event-ID; curl -d hello http://127.0.0.1:8081/news publishes, and
 * is answered when the journal has it, in memory or in a file. Ctrl-C ends it. */
#include <crier.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct post { /* what is to be published, and the answer when it is there */
    unsigned status;
    size_t length;
    char body[65536];
    struct MHD_Connection *connection;
};

static struct crier_shards *shards;
static struct crier_hub *hub;

static enum MHD_Result follow(struct MHD_Connection *connection,
                              const char *topics, const char *id)
{
    const struct crier_follow_options options = {
        .topics = topics,
        .since = id != NULL ? CRIER_SINCE_ID : CRIER_SINCE_NOW,
        .id = id,
    };
    struct MHD_Response *response;
    struct crier_stream *stream;
    enum MHD_Result result = MHD_NO; /* closes the connection */

    if (crier_stream_new(shards, connection, NULL, &stream, &response) != 0)
        return result;
    if (crier_hub_follow(hub, stream, &options) == 0)
        result = MHD_queue_response(connection, 200, response);
    crier_stream_unref(stream);
    MHD_destroy_response(response); /* not queued, it ends the stream */
    return result;
}

/* On any thread: MHD is to call handle() again, which answers. */
static void published(void *closure, const struct crier_receipt *receipt)
{
    struct post *post = closure;

    post->status = receipt->error == 0 ? 200 : 503;
    MHD_resume_connection(post->connection);
}

static enum MHD_Result publish(struct post *post, const char *topics)
{
    const struct crier_publish_options options = {.on_done = published,
                                                  .closure = post};
    struct crier_event *event = crier_event_new();

    if (event == NULL)
        return MHD_NO;
    crier_event_data(event, post->body, post->length);
    MHD_suspend_connection(post->connection); /* before it is resumed */
    if (crier_hub_publish(hub, topics, event, &options) != 0) {
        post->status = 400;
        MHD_resume_connection(post->connection);
    }
    crier_event_free(event);
    return MHD_YES;
}

static enum MHD_Result answer(const struct post *post)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result =
        MHD_queue_response(post->connection, post->status, response);

    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *closure, struct MHD_Connection *connection,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *length, void **context)
{
    struct post *post = *context;

    (void)closure, (void)version;
    if (strcmp(method, "POST") != 0)
        return follow(connection, url + 1,
                      MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                  "Last-Event-ID"));
    if (post == NULL) { /* the headers are in */
        *context = post = calloc(1, sizeof *post);
        if (post != NULL)
            post->connection = connection;
        return post != NULL ? MHD_YES : MHD_NO;
    }
    if (*length == 0) /* all is in, or the journal has answered */
        return post->status == 0 ? publish(post, url + 1) : answer(post);
    if (*length > sizeof post->body - post->length)
        post->status = 413; /* too much: the rest is let pass */
    if (post->status == 0) {
        memcpy(post->body + post->length, data, *length);
        post->length += *length;
    }
    *length = 0;
    return MHD_YES;
}

static void completed(void *closure, struct MHD_Connection *connection,
                      void **context, enum MHD_RequestTerminationCode why)
{
    (void)closure, (void)connection, (void)why;
    free(*context);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 8081, number;
    struct crier_journal *journal;
    struct MHD_Daemon *daemon;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (crier_shards_new(NULL, &shards) != 0 ||
        crier_journal_memory(NULL, &journal) != 0 ||
        crier_hub_new(shards, journal, NULL, &hub) != 0)
        return 1;
    daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME,
        (uint16_t)port, NULL, NULL, handle, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
    if (daemon == NULL) {
        fprintf(stderr, "it cannot start: is port %d taken?\n", port);
        return 1;
    }
    fprintf(stderr, "listening on http://127.0.0.1:%d/\n",
            MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    sigwait(&signals, &number);
    crier_hub_close(hub); /* answers all who wait for the journal */
    crier_shards_drain(shards, 1000, 5000, 1000);
    MHD_stop_daemon(daemon);
    crier_shards_free(shards);
    crier_hub_free(hub);
    return 0;
}
