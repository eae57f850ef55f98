/* Streams in a program with an event loop of its own, here poll(2).
 *
 * libmicrohttpd must have its own thread: idle streams are suspended
 * connections, and a daemon in the program's loop would not notice when they
 * are resumed. But the loop may accept the connections and add them to the
 * daemon, and none of its calls for streams block.
 * curl -N http://127.0.0.1:8081/ prints a number each second. Ctrl-C stops. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <crier.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct crier_shards *shards;
static struct crier_broadcaster *clients;

/* Opens a stream. Runs on libmicrohttpd's thread. */
static enum MHD_Result open_stream(void *closure,
                                   struct MHD_Connection *connection,
                                   const char *url, const char *method,
                                   const char *version, const char *data,
                                   size_t *length, void **context)
{
    struct MHD_Response *response;
    struct crier_stream *stream;
    enum MHD_Result result = MHD_NO; /* closes the connection */

    (void)closure;
    (void)url;
    (void)method;
    (void)version;
    (void)data;
    (void)length;
    (void)context;
    if (crier_stream_new(shards, connection, NULL, &stream, &response) != 0)
        return MHD_NO;
    if (crier_broadcaster_join(clients, stream, NULL, NULL) == 0)
        result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    crier_stream_unref(stream);
    MHD_destroy_response(response); /* ends the stream if it was not queued */
    return result;
}

/* ---- the loop --------------------------------------------------------- */

static void accept_client(int listener, struct MHD_Daemon *daemon)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int client = accept(listener, (struct sockaddr *)&address, &length);

    if (client >= 0) /* the daemon closes it, also on failure */
        MHD_add_connection(daemon, client, (struct sockaddr *)&address, length);
}

static void send_number(int timer)
{
    static unsigned long long number;
    struct crier_frame *frame;
    unsigned long long ticks;
    char text[32];

    if (read(timer, &ticks, sizeof ticks) != sizeof ticks)
        return;
    number += ticks;
    snprintf(text, sizeof text, "%llu", number);
    if (crier_frame_text(NULL, text, &frame) != 0)
        return;
    crier_broadcaster_send(clients, frame);
    crier_frame_unref(frame);
}

/* Runs until a signal arrives. */
static void run_loop(int listener, int timer, int signals,
                     struct MHD_Daemon *daemon)
{
    struct pollfd polled[] = {{.fd = listener, .events = POLLIN},
                              {.fd = timer, .events = POLLIN},
                              {.fd = signals, .events = POLLIN}};

    while (poll(polled, 3, -1) > 0 || errno == EINTR) {
        if (polled[0].revents != 0)
            accept_client(listener, daemon);
        if (polled[1].revents != 0)
            send_number(timer);
        if (polled[2].revents != 0)
            return;
    }
}

/* ---- start and stop --------------------------------------------------- */

static int open_listener(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, SOMAXCONN) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return -1;
    fprintf(stderr, "listening on http://127.0.0.1:%d/\n",
            ntohs(address.sin_port));
    return listener;
}

static int open_timer(void)
{
    const struct itimerspec second = {{.tv_sec = 1}, {.tv_sec = 1}};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    timerfd_settime(timer, 0, &second, NULL);
    return timer;
}

static int open_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before starting threads */
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
    int signals = open_signals(), timer = open_timer(), listener;
    struct MHD_Daemon *daemon;

    if (crier_shards_new(NULL, &shards) != 0 ||
        crier_broadcaster_new(shards, NULL, &clients) != 0)
        return 1;
    /* libmicrohttpd 0.9.75 leaves a lock locked after a connection beyond its
     * limit, so there is none here; max_streams limits the streams. */
    daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_NO_LISTEN_SOCKET,
        0, NULL, NULL, open_stream, NULL, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)INT_MAX, MHD_OPTION_END);
    listener = open_listener(argc > 1 ? atoi(argv[1]) : 8081);
    if (daemon == NULL || listener < 0) {
        fprintf(stderr, "cannot start: is the port in use?\n");
        return 1;
    }
    run_loop(listener, timer, signals, daemon);
    close(listener);
    crier_shards_drain(shards, 1000, 5000, 1000);
    MHD_stop_daemon(daemon);
    crier_broadcaster_free(clients);
    crier_shards_free(shards);
    return 0;
}
