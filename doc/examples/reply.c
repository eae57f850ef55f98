/* Sends two events as response to each request. Enter stops ./reply 8081 */
#include <crier_server.h>
#include <stdio.h>

static enum MHD_Result greet(struct crier_request *request)
{
    struct crier_reply *reply = crier_reply_new();

    crier_reply_printf(reply, "greeting", "hello, world");
    crier_reply_printf(reply, NULL, "this is %s", request->path);
    return crier_reply_respond(reply, request->connection);
}

int main(int argc, char **argv)
{
    struct crier_server server = {.port = argv[argc - 1], .handle = greet};
    int error = crier_server_start(&server);

    fprintf(stderr, "%s\n", error == 0 ? server.url : crier_error_text(error));
    if (error == 0)
        getchar();
    crier_server_stop(&server);
    return error != 0;
}
