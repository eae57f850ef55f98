/*
 * contract-service: shows libcrier's client to LaunchDarkly's sse-contract-tests.
 *
 *     tests/contract-service 8000 &
 *     sse-contract-tests --url http://127.0.0.1:8000 --stop-service-at-end
 *
 * The harness is an SSE server; it tells this service by HTTP where to connect,
 * and is told by HTTP what came (docs/service_spec.md there). PORT 0 takes a free
 * one. It listens on 127.0.0.1 alone: it connects wherever it is told to.
 *
 * One thread of libmicrohttpd answers one request at a time, and only it touches
 * the table of streams, so there is no lock; main takes it over when that thread
 * has ended. A stream that has ended by itself stays until it is deleted. The
 * streams are in contract/stream.c.
 */
#include <config.h>

#include "contract/stream.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <microhttpd.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_MAX 100

#define BODY_MAX ((size_t)16 * 1024 * 1024)

struct service {
    struct stream *streams[STREAMS_MAX];
    unsigned long started; /* how many streams there were */
    sem_t quit;
};

/* A request as it comes in. */
struct request {
    char *body;
    size_t length, room;
    bool lost; /* the body did not fit */
    bool last; /* when this is answered, the service quits */
};

static const char capabilities[] =
    "{\"capabilities\":[\"bom\",\"comments\",\"event-type-listeners\","
    "\"headers\",\"last-event-id\",\"post\",\"read-timeout\",\"report\","
    "\"restart\",\"server-directed-shutdown-request\"]}";

/* ---- answers ---------------------------------------------------------- */

/* Answers with the header NAME, unless that is NULL, and BODY (copied). */
static enum MHD_Result answer(struct MHD_Connection *connection,
                              unsigned status, const char *name,
                              const char *value, const char *body)
{
    enum MHD_Result result = MHD_NO;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);

    if (response == NULL)
        return MHD_NO;
    if (name == NULL || MHD_add_response_header(response, name, value))
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection,
                              unsigned status, const char *why)
{
    return answer(connection, status, MHD_HTTP_HEADER_CONTENT_TYPE,
                  "text/plain", why);
}

static enum MHD_Result not_allowed(struct MHD_Connection *connection,
                                   const char *allow)
{
    return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                  MHD_HTTP_HEADER_ALLOW, allow, "");
}

static int port_of(struct MHD_Daemon *daemon)
{
    return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static struct MHD_Daemon *daemon_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON)
        ->daemon;
}

/* ---- requests --------------------------------------------------------- */

/* The place of the stream of this NUMBER; of 0, a free one; or NULL. */
static struct stream **find(struct service *service, unsigned long number)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct stream **place = &service->streams[i];

        if (number == (*place == NULL ? 0 : stream_number(*place)))
            return place;
    }
    return NULL;
}

static enum MHD_Result create(struct service *service,
                              struct MHD_Connection *connection,
                              const json_t *params)
{
    struct stream **place = find(service, 0);
    unsigned status = MHD_HTTP_SERVICE_UNAVAILABLE;
    const char *why = "there are too many streams";
    char location[64];

    if (place != NULL)
        status = stream_start(params, service->started + 1, place, &why);
    if (status != MHD_HTTP_CREATED)
        return refuse(connection, status, why);
    service->started++;
    snprintf(location, sizeof location, "http://127.0.0.1:%d/streams/%lu",
             port_of(daemon_of(connection)), service->started);
    return answer(connection, status, MHD_HTTP_HEADER_LOCATION, location, "");
}

static enum MHD_Result command(struct stream *stream,
                               struct MHD_Connection *connection,
                               const json_t *what)
{
    const char *why = "";
    unsigned status = stream_command(stream, what, &why);

    return status < 300 ? answer(connection, status, NULL, NULL, "")
                        : refuse(connection, status, why);
}

/* A request to "/". */
static enum MHD_Result handle_root(struct service *service,
                                   struct MHD_Connection *connection,
                                   const char *method, struct request *request,
                                   const json_t *body)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0)
        return answer(connection, MHD_HTTP_OK, MHD_HTTP_HEADER_CONTENT_TYPE,
                      "application/json", capabilities);
    if (strcmp(method, MHD_HTTP_METHOD_POST) == 0)
        return create(service, connection, body);
    if (strcmp(method, MHD_HTTP_METHOD_DELETE) != 0)
        return not_allowed(connection, "GET, POST, DELETE");
    request->last = true;
    return answer(connection, MHD_HTTP_NO_CONTENT, NULL, NULL, "");
}

/* A request to a stream, whose place this is. */
static enum MHD_Result handle_stream(struct stream **place,
                                     struct MHD_Connection *connection,
                                     const char *method, const json_t *body)
{
    if (strcmp(method, MHD_HTTP_METHOD_POST) == 0)
        return command(*place, connection, body);
    if (strcmp(method, MHD_HTTP_METHOD_DELETE) != 0)
        return not_allowed(connection, "POST, DELETE");
    stream_stop(*place);
    *place = NULL;
    return answer(connection, MHD_HTTP_NO_CONTENT, NULL, NULL, "");
}

/* The number in "/streams/NUMBER", 0 for other paths. */
static unsigned long number_in(const char *path)
{
    static const char before[] = "/streams/";
    const char *digits = path + sizeof before - 1;

    if (strncmp(path, before, sizeof before - 1) != 0 || digits[0] == '0' ||
        digits[strspn(digits, "0123456789")] != '\0')
        return 0;
    return strtoul(digits, NULL, 10);
}

static enum MHD_Result handle(struct service *service,
                              struct MHD_Connection *connection,
                              const char *path, const char *method,
                              struct request *request)
{
    unsigned long number = number_in(path);
    struct stream **place = number != 0 ? find(service, number) : NULL;
    enum MHD_Result result;
    json_t *body;

    if (place == NULL && strcmp(path, "/") != 0)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "there is no stream");
    if (request->lost)
        return refuse(connection, 413, "the body is too large");
    body = json_loadb(request->body != NULL ? request->body : "",
                      request->length, JSON_ALLOW_NUL, NULL);
    if (body == NULL && strcmp(method, MHD_HTTP_METHOD_POST) == 0)
        return refuse(connection, MHD_HTTP_BAD_REQUEST,
                      "the body is not JSON");
    if (place == NULL)
        result = handle_root(service, connection, method, request, body);
    else
        result = handle_stream(place, connection, method, body);
    json_decref(body);
    return result;
}

/* ---- libmicrohttpd ---------------------------------------------------- */

/* Makes room for LENGTH bytes more of the body, and for as many again: a sanitizer copies
 * all of it each time. */
static bool make_room(struct request *request, size_t length)
{
    char *longer;

    if (length > BODY_MAX - request->length)
        return false;
    if (length <= request->room - request->length)
        return true;
    longer = realloc(request->body, 2 * (request->length + length));
    if (longer == NULL)
        return false;
    request->body = longer;
    request->room = 2 * (request->length + length);
    return true;
}

/* Keeps more of the body. */
static void receive(struct request *request, const char *bytes, size_t length)
{
    if (!make_room(request, length)) {
        request->lost = true;
        return;
    }
    memcpy(request->body + request->length, bytes, length);
    request->length += length;
}

static enum MHD_Result on_request(void *closure,
                                  struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  const char *version, const char *bytes,
                                  size_t *length, void **context)
{
    struct request *request = *context;

    (void)version;
    if (request == NULL) {
        *context = calloc(1, sizeof *request);
        return *context != NULL ? MHD_YES : MHD_NO;
    }
    if (*length == 0)
        return handle(closure, connection, path, method, request);
    receive(request, bytes, *length);
    *length = 0;
    return MHD_YES;
}

/* Now the answer is sent. */
static void on_completed(void *closure, struct MHD_Connection *connection,
                         void **context, enum MHD_RequestTerminationCode how)
{
    struct service *service = closure;
    struct request *request = *context;

    (void)connection;
    (void)how;
    if (request == NULL)
        return;
    if (request->last)
        sem_post(&service->quit);
    free(request->body);
    free(request);
}

/* ---- main ------------------------------------------------------------- */

/* Works until it is told to quit. */
static int serve(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct service service = {0};
    struct MHD_Daemon *daemon;

    sem_init(&service.quit, 0, 0);
    daemon = MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG,
        port, NULL, NULL, on_request, &service, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, &service, MHD_OPTION_END);
    if (daemon != NULL) {
        printf("listening on http://127.0.0.1:%d\n", port_of(daemon));
        fflush(stdout);
        while (sem_wait(&service.quit) != 0 && errno == EINTR)
            continue;
        MHD_stop_daemon(daemon);
    }
    for (size_t i = 0; i < STREAMS_MAX; i++)
        if (service.streams[i] != NULL)
            stream_stop(service.streams[i]);
    sem_destroy(&service.quit);
    return daemon != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    int status;

    if (end == NULL || end == argv[1] || *end != '\0' || port > UINT16_MAX) {
        fprintf(stderr, "usage: contract-service PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    status = serve((uint16_t)port);
    curl_global_cleanup();
    return status;
}
