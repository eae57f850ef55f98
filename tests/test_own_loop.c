/*
 * A program that runs libmicrohttpd's loop itself, on a thread of its own: streams
 * work there when it says how its connections are resumed.
 */
#include <config.h>

#include "support/client.h"
#include "support/runner.h"
#include "support/site.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct crier_shards *shards;
static struct crier_stream *stream;
static struct MHD_Daemon *mhd;
static struct signal_box opened;
static int wake_fd, last_error;
static atomic_bool stopping;
static pthread_t thread;

static void resume(struct MHD_Connection *connection)
{
    uint64_t one = 1;

    MHD_resume_connection(connection);
    ck_assert_int_eq(write(wake_fd, &one, sizeof one), sizeof one);
}

static enum MHD_Result handle(void *closure, struct MHD_Connection *connection,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *length, void **context)
{
    struct MHD_Response *response;

    (void)closure;
    (void)url;
    (void)method;
    (void)version;
    (void)data;
    (void)length;
    (void)context;
    last_error =
        crier_stream_new(shards, connection, NULL, &stream, &response);
    if (last_error != 0)
        return site_status(connection, 500);
    box_put(&opened, 0);
    return site_queue(connection, response);
}

/* As libmicrohttpd's manual describes external polling. */
static void *run(void *closure)
{
    struct pollfd wanted[] = {
        {.fd = MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
         .events = POLLIN},
        {.fd = wake_fd, .events = POLLIN},
    };
    MHD_UNSIGNED_LONG_LONG wait;
    uint64_t count;

    while (!atomic_load(&stopping)) {
        if (MHD_get_timeout(mhd, &wait) != MHD_YES)
            wait = PATIENCE;
        (void)poll(wanted, 2, (int)wait);
        if ((wanted[1].revents & POLLIN) != 0)
            ck_assert_int_eq(read(wake_fd, &count, sizeof count),
                             sizeof count);
        MHD_run(mhd);
    }
    return closure;
}

/* Starts with OPTIONS; the port. */
static int start(const struct crier_shards_options *options)
{
    ck_assert_int_eq(crier_shards_new(options, &shards), 0);
    box_init(&opened);
    atomic_store(&stopping, false);
    wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0,
                              NULL, NULL, handle, NULL, MHD_OPTION_END);
    ck_assert_ptr_nonnull(mhd);
    ck_assert_int_eq(pthread_create(&thread, NULL, run, NULL), 0);
    return MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static void stop(void)
{
    uint64_t one = 1;

    ck_assert_uint_eq(crier_shards_drain(shards, 0, 0, PATIENCE), 0);
    atomic_store(&stopping, true);
    ck_assert_int_eq(write(wake_fd, &one, sizeof one), sizeof one);
    pthread_join(thread, NULL);
    MHD_stop_daemon(mhd);
    crier_shards_free(shards);
    box_done(&opened);
    close(wake_fd);
}

START_TEST(streams_work)
{
    const struct crier_shards_options options = {.threads = 1,
                                                 .resume = resume};
    struct crier_event *event = crier_event_new();
    struct crier_frame *frame;
    struct client client;
    int port = start(&options);

    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(crier_event_text(event, "hello"), 0);
    ck_assert_int_eq(crier_event_encode(event, &frame), 0);
    client_connect(&client, port);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
    box_wait(&opened, 1);
    ck_assert_int_eq(crier_stream_send(stream, frame), 0);
    free(client_until(&client, "data: hello"));
    /* Its end goes by libmicrohttpd, on the thread that has to be woken. */
    crier_stream_close(stream);
    client_expect_end(&client);
    client_close(&client);
    crier_stream_unref(stream);
    crier_frame_unref(frame);
    crier_event_free(event);
    stop();
}
END_TEST

START_TEST(who_does_not_say_how_is_refused)
{
    const struct crier_shards_options options = {.threads = 1};
    int port = start(&options);

    ck_assert_int_eq(fetch(port, "GET", "/", "", NULL, NULL), 500);
    ck_assert_int_eq(last_error, CRIER_ERR_DAEMON);
    stop();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("a loop of one's own");
    TCase *c = add_case(s, "own loop");

    tcase_add_test(c, streams_work);
    tcase_add_test(c, who_does_not_say_how_is_refused);
    return s;
}

RUN_SUITE(suite)
