/* A complete SSE server on port 8081: GET /TOPIC follows, POST /TOPIC publishes, Enter or the end of its
 * input ends it. It counts on a journal in memory, and takes bodies of one piece (some KiB); topics.c more. */
#include <crier.h>
#include <stdio.h>
#include <stdlib.h>

static struct crier_shards *shards;
static struct crier_hub *hub;

static enum MHD_Result follow(struct MHD_Connection *to, const char *topic, const char *id)
{
    struct crier_follow_options options = {.topics = topic, .id = id};
    struct crier_stream *stream;
    struct MHD_Response *response;
    enum MHD_Result result = MHD_NO;

    options.since = id != NULL ? CRIER_SINCE_ID : CRIER_SINCE_NOW;
    if (crier_stream_new(shards, to, NULL, &stream, &response) != 0)
        return MHD_NO;
    if (crier_hub_follow(hub, stream, &options) == 0)
        result = MHD_queue_response(to, MHD_HTTP_OK, response);
    crier_stream_unref(stream), MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *ok, struct MHD_Connection *from, const char *url, const char *method,
                              const char *version, const char *data, size_t *length, void **event)
{
    const char *all = MHD_lookup_connection_value(from, MHD_HEADER_KIND, "Content-Length");

    if (*event == NULL)
        return (*event = crier_event_new()) != NULL ? MHD_YES : MHD_NO;
    if (*length != 0 && (all == NULL || strtoul(all, NULL, 10) != *length))
        return MHD_NO; /* a piece of it would be published */
    if (*length != 0)
        return crier_event_data(*event, data, *length), *length = 0, MHD_YES;
    if (*method == 'G')
        return follow(from, url + 1, MHD_lookup_connection_value(from, MHD_HEADER_KIND, "Last-Event-ID"));
    return (void)version, MHD_queue_response(from, crier_hub_publish(hub, url + 1, *event, NULL) ? 400 : 200, ok);
}

static void done(void *ok, struct MHD_Connection *of, void **event, enum MHD_RequestTerminationCode how)
{
    (void)ok, (void)of, (void)how, crier_event_free(*event);
}

int main(void)
{
    struct MHD_Response *ok = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    struct crier_journal *journal;
    struct MHD_Daemon *daemon;

    if (crier_shards_new(NULL, &shards) || crier_journal_memory(NULL, &journal) ||
        crier_hub_new(shards, journal, NULL, &hub) ||
        (daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 8081, NULL, NULL,
                                   handle, ok, MHD_OPTION_NOTIFY_COMPLETED, done, NULL, MHD_OPTION_END)) == NULL)
        return fputs("it cannot start: is port 8081 taken?\n", stderr), 1;
    (void)getchar();
    crier_hub_close(hub);
    crier_shards_drain(shards, 1000, 5000, 1000);
    MHD_stop_daemon(daemon);
    crier_shards_free(shards);
    crier_hub_free(hub), MHD_destroy_response(ok);
}
