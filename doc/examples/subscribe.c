/* Follows a stream of whatever server: ./follow http://127.0.0.1:8080/topics/news
 * When the connection breaks it comes back, and goes on where it was. */
#include <crier_client.h>
#include <stdio.h>

static void on_event(void *closure, struct crier_client *client, const struct crier_message *event)
{
    (void)closure;
    (void)client;
    printf("%s: %s\n", event->type, event->data);
    fflush(stdout);
}

static void on_error(void *closure, struct crier_client *client, const struct crier_message *error)
{
    (void)closure;
    (void)client;
    fprintf(stderr, "%s; again in %.1f s\n", error->reason, (double)error->retry / 1000);
}

int main(int argc, char **argv)
{
    struct crier_client_options options = {.url = argv[argc - 1], .persist = true};
    struct crier_client_callbacks callbacks = {.on_event = on_event, .on_error = on_error};
    struct crier_client *client;
    int error = crier_client_new(&options, &client);

    if (error == 0) {
        error = crier_client_run(client, &callbacks);
        crier_client_free(client);
    }
    if (error != 0)
        fprintf(stderr, "%s\n", crier_error_text(error));
    return error != 0;
}
