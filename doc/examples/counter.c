/* Counts seconds for each client. Enter stops ./counter 8081 */
#include <crier_server.h>
#include <stdio.h>

static void send_count(void *closure, struct crier_stream *stream)
{
    unsigned *count = closure;

    if (crier_stream_printf(stream, NULL, "%u", *count) == 0)
        ++*count; /* a slow client gets the same number later */
    crier_stream_wake(stream, crier_now() + 1000);
}

static enum MHD_Result open_stream(struct crier_request *request)
{
    const struct crier_stream_options options = {
        .keep_alive = 10000, .on_wake = send_count, .state = sizeof(unsigned)};

    return crier_stream_respond(request->server->shards, request->connection,
                                &options);
}

int main(int argc, char **argv)
{
    struct crier_server server = {.port = argc > 1 ? argv[1] : "8081",
                                  .handle = open_stream};
    int error = crier_server_start(&server);

    fprintf(stderr, "%s\n", error == 0 ? server.url : crier_error_text(error));
    if (error == 0)
        getchar();
    crier_server_stop(&server);
    return error != 0;
}
