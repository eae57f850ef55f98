/*
 * How the bytes leave: a single frame by a single send(), many by one sendmsg(), and
 * whatever the kernel makes of that, every byte once and in order. The shard's
 * calls are counted, shortened and made to fail by the linker's --wrap. So is the
 * publisher's that wakes the shard looked at.
 */
#include <config.h>

#include "libcrier/hub/hub.h"
#include "support/client.h"
#include "support/runner.h"
#include "support/site.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CLIENTS 3
#define FRAMES 5

static pthread_t tester;      /* whose own calls are let pass */
static atomic_long cap, then; /* of the next send() and the one after that;
                                 negative: -errno; 0: none */
static atomic_int sends, sendmsgs;
static int wakes, locked_wakes; /* by the tester */

static struct site site;
static struct crier_broadcaster *broadcaster;
static struct crier_hub *hub;
static struct crier_stream_options options;
static struct crier_stream *stream; /* the newest but a blocker, a reference */
static struct signal_box closed, blocked, released, capped;

ssize_t __real_send(int fd, const void *bytes, size_t length, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_write(int fd, const void *bytes, size_t length);
ssize_t __wrap_write(int fd, const void *bytes, size_t length);

ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags)
{
    long most;

    if (pthread_equal(pthread_self(), tester))
        return __real_send(fd, bytes, length, flags);
    atomic_fetch_add(&sends, 1);
    most = atomic_exchange(&cap, atomic_exchange(&then, 0));
    if (most != 0)
        box_put(&capped, 0);
    if (most < 0) {
        errno = (int)-most;
        return -1;
    }
    if (most != 0 && length > (size_t)most)
        length = (size_t)most;
    return __real_send(fd, bytes, length, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!pthread_equal(pthread_self(), tester))
        atomic_fetch_add(&sendmsgs, 1);
    return __real_sendmsg(fd, message, flags);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t length)
{
    if (pthread_equal(pthread_self(), tester)) {
        wakes++;
        if (pthread_mutex_trylock(&hub->lock) == 0)
            pthread_mutex_unlock(&hub->lock);
        else
            locked_wakes++;
    }
    return __real_write(fd, bytes, length);
}

/* ---- the site --------------------------------------------------------- */

static void block(void *closure, struct crier_stream *of)
{
    (void)closure;
    (void)of;
    box_put(&blocked, 0);
    box_wait(&released, 1);
}

static void join(struct crier_stream *of, const char *path)
{
    struct crier_frame *hello = frame_of("hello");
    struct crier_subscribe_options subscription = {.topics = "a", .hello = hello};

    if (strcmp(path, "/subscribe") == 0)
        ck_assert_int_eq(crier_hub_subscribe(hub, of, &subscription), 0);
    else
        ck_assert_int_eq(crier_broadcaster_join(broadcaster, of, NULL, hello),
                         0);
    crier_frame_unref(hello);
}

static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    const struct crier_stream_options blocker = {.on_wake = block};
    bool blocks = strcmp(path, "/block") == 0;
    struct MHD_Response *response;
    struct crier_stream *made;

    ck_assert_int_eq(crier_stream_new(of->shards, connection,
                                      blocks ? &blocker : &options, &made,
                                      &response),
                     0);
    if (!blocks) {
        if (strcmp(path, "/alone") != 0)
            join(made, path);
        crier_stream_unref(stream);
        stream = made;
    } else {
        crier_stream_unref(made);
    }
    return site_queue(connection, response);
}

static void setup(void)
{
    const struct crier_broadcaster_options never = {.ping = CRIER_NEVER};
    struct crier_journal *journal;

    tester = pthread_self();
    box_init(&closed);
    box_init(&blocked);
    box_init(&released);
    box_init(&capped);
    options = (struct crier_stream_options){.keep_alive = CRIER_NEVER,
                                            .on_closed = box_closed,
                                            .closure = &closed};
    site = (struct site){.answer = answer};
    site_start(&site, &(struct crier_shards_options){.threads = 1});
    ck_assert_int_eq(crier_broadcaster_new(site.shards, &never, &broadcaster),
                     0);
    ck_assert_int_eq(crier_journal_memory(NULL, &journal), 0);
    ck_assert_int_eq(crier_hub_new(site.shards, journal, NULL, &hub), 0);
}

static void teardown(void)
{
    crier_hub_close(hub);
    crier_stream_unref(stream);
    crier_shards_drain(site.shards, 0, 0, PATIENCE);
    MHD_stop_daemon(site.daemon);
    crier_broadcaster_free(broadcaster);
    crier_shards_free(site.shards);
    crier_hub_free(hub);
    box_done(&closed);
    box_done(&blocked);
    box_done(&released);
    box_done(&capped);
}

/* Joins at PATH. Who has had its hello is sent to by the shard from then on. */
static void open_stream(struct client *client, const char *path)
{
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", path, "", NULL), 200);
    client_expect(client, "data: hello");
}

/* Frames pile up before the shard until release(). */
static void hold_up(struct client *client)
{
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", "/block", "", NULL), 200);
    client_expect_line(client, ":");
    box_wait(&blocked, 1);
}

static void release(void)
{
    box_put(&released, 0);
}

static void broadcast(const char *text)
{
    struct crier_frame *frame = frame_of(text);

    ck_assert_int_gt(crier_broadcaster_send(broadcaster, frame), 0);
    crier_frame_unref(frame);
}

static void publish(const char *text)
{
    struct crier_event *event = crier_event_new();

    ck_assert_ptr_nonnull(event);
    crier_event_text(event, text);
    ck_assert_int_eq(crier_hub_publish(hub, "a", event, NULL), 0);
    crier_event_free(event);
}

/* What a test does with members of the broadcaster, and with subscribers. */
static const struct way {
    const char *path;
    void (*tell)(const char *text);
} ways[] = {{"/member", broadcast}, {"/subscribe", publish}};

static void expect(struct client *client, const char *text)
{
    char *frame = client_event(client, NULL), wanted[64];

    ck_assert_ptr_nonnull(frame);
    snprintf(wanted, sizeof wanted, "data: %s", text);
    ck_assert_str_eq(frame, wanted);
    free(frame);
}

/* ---- the tests -------------------------------------------------------- */

START_TEST(one_frame_is_one_send)
{
    struct crier_frame *frame = frame_of("to the last");
    const struct way *way = &ways[_i];
    struct client clients[CLIENTS];
    int i;

    for (i = 0; i < CLIENTS; i++)
        open_stream(&clients[i], way->path);
    atomic_store(&sends, 0);
    atomic_store(&sendmsgs, 0);
    way->tell("alone");
    for (i = 0; i < CLIENTS; i++)
        expect(&clients[i], "alone");
    ck_assert_int_eq(crier_stream_send(stream, frame), 0);
    expect(&clients[CLIENTS - 1], "to the last");
    crier_frame_unref(frame);
    ck_assert_int_eq(atomic_load(&sends), CLIENTS + 1);
    ck_assert_int_eq(atomic_load(&sendmsgs), 0);
    for (i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
}
END_TEST

START_TEST(what_has_gathered_goes_together)
{
    static const char *const texts[FRAMES] = {"1", "2", "3", "4", "5"};
    const struct way *way = &ways[_i];
    struct client clients[CLIENTS], blocker;
    int i, n;

    for (i = 0; i < CLIENTS; i++)
        open_stream(&clients[i], way->path);
    hold_up(&blocker);
    atomic_store(&sends, 0);
    atomic_store(&sendmsgs, 0);
    for (n = 0; n < FRAMES; n++)
        way->tell(texts[n]);
    release();
    for (i = 0; i < CLIENTS; i++)
        for (n = 0; n < FRAMES; n++)
            expect(&clients[i], texts[n]);
    ck_assert_int_eq(atomic_load(&sends), 0);
    ck_assert_int_eq(atomic_load(&sendmsgs), CLIENTS);
    for (i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
    client_close(&blocker);
}
END_TEST

/* Cut at every place. What it counted for is counted out again, or the stream would
 * soon be full. */
START_TEST(the_rest_of_a_short_send_follows)
{
    const struct way *way = &ways[_i];
    struct crier_frame *frame = frame_of("full?");
    struct client client;
    long at;

    options.max_pending = 400;
    open_stream(&client, way->path);
    for (at = 1; at < 40; at++) {
        atomic_store(&cap, at);
        way->tell("some words of which only a part goes out");
        expect(&client, "some words of which only a part goes out");
        way->tell("more");
        expect(&client, "more");
    }
    ck_assert_int_eq(crier_stream_send(stream, frame), 0);
    expect(&client, "full?");
    crier_frame_unref(frame);
    client_close(&client);
}
END_TEST

START_TEST(nothing_overtakes_the_rest)
{
    const struct way *way = &ways[_i];
    struct client client;

    open_stream(&client, way->path);
    atomic_store(&then, -EAGAIN);
    atomic_store(&cap, 9);
    way->tell("first");
    box_wait(&capped, 2);
    way->tell("second");
    expect(&client, "first");
    expect(&client, "second");
    client_close(&client);
}
END_TEST

START_TEST(a_send_that_must_wait_is_done_again)
{
    static const int errors[] = {EAGAIN, EINTR, ENOBUFS, ENOMEM};
    const struct way *way = &ways[_i];
    struct client client;
    size_t i;

    open_stream(&client, way->path);
    for (i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        atomic_store(&cap, -errors[i]);
        way->tell("again");
        expect(&client, "again");
    }
    client_close(&client);
}
END_TEST

START_TEST(a_dead_connection_ends_the_stream)
{
    static const struct {
        int error, reason;
    } deaths[] = {{ETIMEDOUT, CRIER_REASON_DEAD_PEER},
                  {EPIPE, CRIER_REASON_LEFT}};
    const struct way *way = &ways[_i % 2];
    struct client client;

    open_stream(&client, way->path);
    atomic_store(&cap, -deaths[_i / 2].error);
    way->tell("nobody hears this");
    ck_assert_int_eq(box_wait(&closed, 1), deaths[_i / 2].reason);
    client_expect_end(&client);
    client_close(&client);
}
END_TEST

/* The shard that is woken wants the hub's lock at once. */
/* The first bytes are sent as soon as the headers are out. */
START_TEST(a_client_may_have_left_by_then)
{
    struct client client;

    atomic_store(&cap, -ECONNRESET);
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "GET", "/alone", "", NULL), 200);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    client_expect_end(&client);
    client_close(&client);
}
END_TEST

START_TEST(a_shard_is_woken_with_the_lock_free)
{
    struct client client;
    int i;

    open_stream(&client, "/subscribe");
    for (i = 0; wakes < 20; i++) {
        ck_assert_int_lt(i, 100000);
        publish("wake up");
        expect(&client, "wake up");
    }
    ck_assert_int_eq(locked_wakes, 0);
    client_close(&client);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sending");
    TCase *c = add_case(s, "sending");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, one_frame_is_one_send, 0, 2);
    tcase_add_loop_test(c, what_has_gathered_goes_together, 0, 2);
    tcase_add_loop_test(c, the_rest_of_a_short_send_follows, 0, 2);
    tcase_add_loop_test(c, nothing_overtakes_the_rest, 0, 2);
    tcase_add_loop_test(c, a_send_that_must_wait_is_done_again, 0, 2);
    tcase_add_test(c, a_client_may_have_left_by_then);
    tcase_add_test(c, a_shard_is_woken_with_the_lock_free);
    tcase_add_loop_test(c, a_dead_connection_ends_the_stream, 0, 4);
    return s;
}

RUN_SUITE(suite)
