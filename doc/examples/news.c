/* One topic: GET subscribes, POST publishes. Enter stops ./news 8081 */
#include <crier_server.h>
#include <stdio.h>
#include <string.h>

static enum MHD_Result handle_request(struct crier_request *request)
{
    const struct crier_subscribe_options news = {.topics = "news"};
    struct crier_hub *hub = request->server->hub;

    if (strcmp(request->method, "POST") == 0)
        return crier_request_publish(request, hub, "news", NULL, NULL);
    return crier_hub_respond(hub, request->connection, &news, NULL);
}

int main(int argc, char **argv)
{
    struct crier_server server = {.port = argv[argc - 1],
                                  .handle = handle_request};
    struct crier_journal *journal = NULL;
    int error = crier_shards_new(NULL, &server.shards);

    if (error == 0)
        error = crier_journal_memory(NULL, &journal);
    if (error == 0)
        error = crier_hub_new(server.shards, journal, NULL, &server.hub);
    if (error == 0)
        error = crier_server_start(&server);
    fprintf(stderr, "%s\n", error == 0 ? server.url : crier_error_text(error));
    if (error == 0)
        getchar();
    crier_server_stop(&server);
    return error != 0;
}
