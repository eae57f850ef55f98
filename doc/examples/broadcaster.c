/* POST /broadcast/TEXT sends to GET /events. Enter stops ./broadcaster 8081 */
#include <crier_server.h>
#include <stdio.h>
#include <string.h>

static struct crier_broadcaster *events;
static struct crier_frame *hello;

static enum MHD_Result handle_request(struct crier_request *request)
{
    struct MHD_Connection *connection = request->connection;
    long sent;

    if (strcmp(request->path, "/events") == 0)
        return crier_broadcaster_respond(events, connection, NULL, hello);
    if (strcmp(request->method, "POST") != 0 ||
        strncmp(request->path, "/broadcast/", 11) != 0)
        return crier_status_respond(connection, MHD_HTTP_NOT_FOUND,
                                    "GET /events or POST /broadcast/TEXT");
    sent = crier_broadcaster_printf(events, NULL, "%s", request->path + 11);
    if (sent < 0)
        return crier_error_respond(connection, (int)sent, NULL);
    return crier_status_respond(connection, MHD_HTTP_OK, "sent to %ld", sent);
}

int main(int argc, char **argv)
{
    struct crier_server server = {.port = argc > 1 ? argv[1] : "8081",
                                  .handle = handle_request};
    int error = crier_shards_new(NULL, &server.shards);

    if (error == 0)
        error = crier_broadcaster_new(server.shards, NULL, &events);
    if (error == 0)
        error = crier_frame_text(NULL, "connected", &hello);
    if (error == 0)
        error = crier_server_start(&server);
    fprintf(stderr, "%s\n", error == 0 ? server.url : crier_error_text(error));
    if (error == 0)
        getchar();
    crier_server_stop(&server);
    crier_broadcaster_free(events);
    crier_frame_unref(hello);
    return error != 0;
}
