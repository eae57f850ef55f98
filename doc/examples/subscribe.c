/* Prints the events of a stream: ./subscribe http://127.0.0.1:8080/topics/news
 * After a lost connection it reconnects and resumes. */
#include <crier_client.h>
#include <stdio.h>

static void print_event(void *closure, struct crier_client *client,
                        const struct crier_message *event)
{
    (void)closure;
    (void)client;
    printf("%s: %s\n", event->type, event->data);
    fflush(stdout);
}

static void print_error(void *closure, struct crier_client *client,
                        const struct crier_message *error)
{
    (void)closure;
    (void)client;
    fprintf(stderr, "%s; reconnecting in %.1f s\n", error->reason,
            (double)error->retry / 1000);
}

int main(int argc, char **argv)
{
    struct crier_client_options options = {.persist = true};
    struct crier_client_callbacks callbacks = {.on_event = print_event,
                                               .on_error = print_error};
    struct crier_client *client;
    int error;

    if (argc != 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    options.url = argv[1];
    error = crier_client_new(&options, &client);
    if (error == 0) {
        error = crier_client_run(client, &callbacks);
        crier_client_free(client);
    }
    if (error != 0)
        fprintf(stderr, "%s\n", crier_error_text(error));
    return error != 0;
}
