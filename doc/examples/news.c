/* One topic: GET follows it, POST publishes to it. Enter stops ./news 8081 */
#include <crier_server.h>
#include <stdio.h>
#include <string.h>

static enum MHD_Result handle(struct crier_request *request)
{
    const struct crier_subscribe_options news = {.topics = "news"};
    struct crier_hub *hub = request->server->hub;

    if (strcmp(request->method, "POST") == 0)
        return crier_request_publish(request, hub, "news", NULL, NULL);
    return crier_hub_respond(hub, request->connection, &news, NULL);
}

int main(int argc, char **argv)
{
    struct crier_server server = {.port = argv[argc - 1], .handle = handle};
    struct crier_journal *journal;
    int error = crier_shards_new(NULL, &server.shards);

    if (error == 0 && (error = crier_journal_memory(NULL, &journal)) == 0)
        error = crier_hub_new(server.shards, journal, NULL, &server.hub);
    if (error == 0 && (error = crier_server_start(&server)) == 0)
        getchar();
    crier_server_stop(&server);
    return error != 0;
}
