/*
 * Publishing with libcrier, tested with the real crierd: one update and many, refusals,
 * and what a publisher must survive: no server yet, a response that is lost, a crash in
 * the middle.
 */
#include <config.h>

#include "crier_client.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/port.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct crierd crierd;
static struct crier_event *event;
static char server[64];
static char journal[128]; /* the option */
static struct crier_publisher_options options;

static void use_port(int port)
{
    topics_port = port;
    snprintf(server, sizeof server, "http://127.0.0.1:%d", port);
}

static void prepare(void)
{
    event = crier_event_new();
    options = (struct crier_publisher_options){.server = server,
                                               .topics = "news"};
}

static void setup(void)
{
    prepare();
    crierd_start(&crierd, "");
    use_port(crierd.port);
}

static void teardown(void)
{
    crierd_stop(&crierd);
    crier_event_free(event);
}

static void setup_alone(void)
{
    prepare();
    scratch_make();
    snprintf(journal, sizeof journal, "--journal sqlite:%s/journal", scratch);
}

static void teardown_alone(void)
{
    scratch_remove();
    crier_event_free(event);
}

/* ---- one -------------------------------------------------------------- */

START_TEST(one_arrives)
{
    struct crier_published published;
    struct client client;
    char id[256], *frame;

    topics_subscribe(&client, "/topics/sport", "");
    options.topics = "news,sport";
    crier_event_text(event, "two\nlines");
    crier_event_type(event, "goal");
    crier_event_retry(event, 1234);
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    ck_assert_int_eq(published.status, 200);
    ck_assert_uint_eq(published.position, 1);
    ck_assert_uint_eq(published.subscribers, 1);
    ck_assert(!published.duplicate);
    frame = client_event(&client, id);
    ck_assert_str_eq(frame, "event: goal\nretry: 1234\n"
                            "data: two\ndata: lines");
    ck_assert_str_eq(id, published.id);
    free(frame);
    client_close(&client);
    topics_hold("/topics/news?poll=1", "", "two lines ");
}
END_TEST

START_TEST(ids_of_its_own_differ)
{
    struct crier_published first, second;

    crier_event_text(event, "x");
    ck_assert_int_eq(crier_publish(&options, event, &first), 0);
    ck_assert_int_eq(crier_publish(&options, event, &second), 0);
    ck_assert_str_ne(first.id, second.id);
    topics_hold("/topics/news?poll=1", "", "x x ");
}
END_TEST

START_TEST(an_id_is_there)
{
    struct crier_published published;

    crier_event_text(event, "x");
    crier_event_id(event, "i1", 2);
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    ck_assert_str_eq(published.id, "i1");
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    ck_assert(published.duplicate);
    ck_assert_str_eq(published.id, "i1");
    options.topics = "other"; /* there it is somebody else's */
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_EXISTS);
    options.topics = "news";
    options.strict = true;
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_EXISTS);
    ck_assert_int_eq(published.status, 409);
    topics_hold("/topics/news?poll=1", "", "x ");
}
END_TEST

START_TEST(any_name_of_a_topic)
{
    struct crier_published published;

    options.topics = "a b/\xc3\xbc?#%&+";
    crier_event_text(event, "x");
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    topics_hold("/topics/a%20b/%C3%BC%3F%23%25%26%2B?poll=1", "", "x ");
    options.topics = "/,//a//,./..";
    crier_event_text(event, "y");
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    topics_hold("/topics/%2F", "", "y ");
    topics_hold("/topics/%2F%2Fa%2F%2F", "", "y ");
    topics_hold("/topics/%2E%2F%2E%2E", "", "y ");
}
END_TEST

START_TEST(the_server_says_why)
{
    struct crier_published published;

    options.topics = "$chat";
    crier_event_text(event, "x");
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_STATUS);
    ck_assert_int_eq(published.status, 403);
    ck_assert_ptr_nonnull(strstr(published.reason, "are reserved"));
}
END_TEST

/* ---- trouble ---------------------------------------------------------- */

static int retries;

/* Starts crierd when the second attempt has failed. */
static void start_it(void *closure, const char *reason, uint64_t retry)
{
    ck_assert_str_eq(reason, "cannot connect: Connection refused");
    ck_assert_uint_le(retry, 15000);
    if (++retries == 2)
        crierd_start_on(&crierd, *(int *)closure, "");
}

START_TEST(waits_for_the_server)
{
    struct crier_published published;
    int descriptor, port = port_hold(&descriptor);

    use_port(port);
    retries = 0;
    options.on_retry = start_it;
    options.closure = &port;
    crier_event_text(event, "x");
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    ck_assert_int_eq(retries, 2);
    topics_hold("/topics/news?poll=1", "", "x ");
    crierd_stop(&crierd);
    close(descriptor);
}
END_TEST

/* A proxy that passes each request on, but drops the first response. */
static int between;

static void hand_on(int from, int to)
{
    struct pollfd both[2] = {{.fd = from, .events = POLLIN},
                             {.fd = to, .events = POLLIN}};
    char bytes[4096];
    ssize_t length;
    int i;

    while (poll(both, 2, PATIENCE) > 0) {
        for (i = 0; i < 2; i++) {
            if ((both[i].revents & (POLLIN | POLLHUP)) == 0)
                continue;
            length = read(both[i].fd, bytes, sizeof bytes);
            if (length <= 0)
                return;
            if (send(both[1 - i].fd, bytes, (size_t)length, MSG_NOSIGNAL) !=
                length)
                return;
        }
    }
}

/* Passes the request on, waits for its response, and closes the connection. */
static void swallow(int from, int to)
{
    struct pollfd both[2] = {{.fd = from, .events = POLLIN},
                             {.fd = to, .events = POLLIN}};
    char bytes[4096];
    ssize_t length;

    while (poll(both, 2, PATIENCE) > 0 && both[1].revents == 0) {
        length = read(from, bytes, sizeof bytes);
        if (length <= 0 ||
            send(to, bytes, (size_t)length, MSG_NOSIGNAL) != length)
            return;
    }
}

static void *go_between(void *unused)
{
    struct client onward;
    int i, fd;

    (void)unused;
    for (i = 0; i < 2; i++) {
        fd = accept(between, NULL, NULL);
        client_connect(&onward, crierd.port);
        if (i == 0)
            swallow(fd, onward.fd);
        else
            hand_on(fd, onward.fd);
        client_close(&onward);
        close(fd);
    }
    return NULL;
}

static void count_retry(void *closure, const char *reason, uint64_t retry)
{
    (void)reason;
    (void)retry;
    ++*(int *)closure;
}

START_TEST(a_lost_answer_doubles_nothing)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    struct crier_published published;
    pthread_t thread;
    int count = 0;

    between = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(between, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(between, 8), 0);
    getsockname(between, (struct sockaddr *)&address, &size);
    pthread_create(&thread, NULL, go_between, NULL);
    snprintf(server, sizeof server, "http://127.0.0.1:%d/",
             ntohs(address.sin_port));
    options.on_retry = count_retry;
    options.closure = &count;
    options.strict = true; /* the id was not there before the first attempt */
    crier_event_text(event, "x");
    crier_event_id(event, "i", 1);
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    ck_assert_int_eq(count, 1);
    pthread_join(thread, NULL);
    close(between);
    topics_hold("/topics/news?poll=1", "", "x ");
}
END_TEST

/* ---- many ------------------------------------------------------------- */

static void add(struct crier_publisher *publisher, int number)
{
    char text[16];

    snprintf(text, sizeof text, "%d", number);
    crier_event_text(event, text);
    ck_assert_int_eq(crier_publisher_add(publisher, event), 0);
}

/* Fails unless the topic news holds the data 1, 2, ... COUNT. */
static void expect_numbers(int count)
{
    struct client client;
    char *line, expected[16];
    int i;

    topics_subscribe(&client, "/topics/news?poll=1&format=raw", "");
    for (i = 1; i <= count; i++) {
        line = client_line(&client);
        snprintf(expected, sizeof expected, "%d", i);
        ck_assert_ptr_nonnull(line);
        ck_assert_str_eq(line, expected);
        free(line);
    }
    ck_assert_ptr_null(client_line(&client));
    client_close(&client);
}

START_TEST(many_in_order)
{
    struct crier_published published;
    struct crier_publisher *publisher;
    struct crier_progress progress;
    int i, count = 20000;

    ck_assert_int_eq(crier_publisher_new(&options, &publisher), 0);
    for (i = 1; i <= count; i++)
        add(publisher, i);
    ck_assert_int_eq(crier_publisher_finish(publisher, &published), 0);
    ck_assert_int_eq(crier_publisher_add(publisher, event), CRIER_ERR_FINISHED);
    crier_publisher_progress(publisher, &progress);
    ck_assert_uint_eq(progress.added, (uint64_t)count);
    ck_assert_uint_eq(progress.published, (uint64_t)count);
    ck_assert_uint_eq(progress.duplicates, 0);
    ck_assert_uint_eq(progress.retries, 0);
    ck_assert_uint_eq(progress.failed, 0);
    ck_assert_uint_eq(published.position, (uint64_t)count);
    ck_assert_int_eq(published.status, 200);
    crier_publisher_free(publisher);
    expect_numbers(count);
}
END_TEST

/* The last of many is the last update, whatever request it is in; more than max_waiting do
 * not keep each other waiting. */
START_TEST(the_last_of_many_ends_the_topic)
{
    struct crier_publisher *publisher;
    struct crier_published published;
    char text[301], number[16];
    int i;

    memset(text, 'x', 300);
    text[300] = '\0';
    options.last = true;
    options.max_waiting = 100;
    ck_assert_int_eq(crier_publisher_new(&options, &publisher), 0);
    for (i = 0; i < 20; i++) {
        snprintf(number, sizeof number, "%d", i);
        memcpy(text, number, strlen(number));
        crier_event_text(event, text);
        ck_assert_int_eq(crier_publisher_add(publisher, event), 0);
    }
    ck_assert_int_eq(crier_publisher_finish(publisher, &published), 0);
    ck_assert_uint_eq(published.position, 20);
    crier_publisher_free(publisher);
    ck_assert_int_eq(crier_publish(&options, event, &published), CRIER_ERR_TOPIC_ENDED);
    ck_assert_int_eq(published.status, 409);
    options.strict = true;
    ck_assert_int_eq(crier_publish(&options, event, &published), CRIER_ERR_TOPIC_ENDED);
    options.topics = "other";
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    ck_assert_int_eq(crier_publish(&options, event, &published), CRIER_ERR_TOPIC_ENDED);
}
END_TEST

START_TEST(nothing_to_do)
{
    struct crier_published published;
    struct crier_publisher *publisher;

    ck_assert_int_eq(crier_publisher_new(&options, &publisher), 0);
    ck_assert_int_eq(crier_publisher_finish(publisher, &published), 0);
    ck_assert_int_eq(crier_publisher_finish(publisher, NULL), 0);
    crier_publisher_free(publisher);
    options.topics = "";
    ck_assert_int_eq(crier_publisher_new(&options, &publisher),
                     CRIER_ERR_TOPIC);
}
END_TEST

START_TEST(many_are_refused)
{
    struct crier_published published;
    struct crier_publisher *publisher;
    struct crier_progress progress;
    int error = 0;

    options.topics = "$chat";
    options.max_waiting = 100;
    ck_assert_int_eq(crier_publisher_new(&options, &publisher), 0);
    crier_event_text(event, "x");
    while (error == 0) /* it ends, since little may wait */
        error = crier_publisher_add(publisher, event);
    ck_assert_int_eq(error, CRIER_ERR_FINISHED);
    ck_assert_int_eq(crier_publisher_finish(publisher, &published),
                     CRIER_ERR_STATUS);
    ck_assert_int_eq(published.status, 403);
    ck_assert_ptr_nonnull(strstr(published.reason, "are reserved"));
    crier_publisher_progress(publisher, &progress);
    ck_assert_uint_ge(progress.added, 1);
    ck_assert_uint_eq(progress.failed, progress.added);
    ck_assert_uint_eq(progress.published, 0);
    crier_publisher_free(publisher);
}
END_TEST

/* A server that takes little in a request. */
START_TEST(requests_become_smaller)
{
    struct crier_published published;
    struct crier_publisher *publisher;
    struct crier_progress progress;
    char large[3000];
    int i;

    crierd_start(&crierd, "--max-update 2K");
    use_port(crierd.port);
    ck_assert_int_eq(crier_publisher_new(&options, &publisher), 0);
    for (i = 1; i <= 2000; i++)
        add(publisher, i);
    ck_assert_int_eq(crier_publisher_finish(publisher, NULL), 0);
    crier_publisher_free(publisher);
    expect_numbers(2000);

    ck_assert_int_eq(crier_publisher_new(&options, &publisher), 0);
    memset(large, 'x', sizeof large);
    add(publisher, 2001);
    crier_event_data(event, large, sizeof large);
    ck_assert_int_eq(crier_publisher_add(publisher, event), 0);
    ck_assert_int_eq(crier_publisher_finish(publisher, &published),
                     CRIER_ERR_STATUS);
    ck_assert_int_eq(published.status, 413);
    crier_publisher_progress(publisher, &progress);
    ck_assert_uint_eq(progress.published, 1);
    ck_assert_uint_eq(progress.failed, 1);
    crier_publisher_free(publisher);
    expect_numbers(2001);
    crierd_stop(&crierd);
}
END_TEST

/* Kills crierd in the middle, twice; all is there once and in order. */
START_TEST(many_outlive_a_crash)
{
    struct crier_publisher *publisher;
    struct crier_progress progress;
    int descriptor, port = port_hold(&descriptor), count = 30000, kills = 0, i;

    crierd_start_on(&crierd, port, journal);
    use_port(port);
    options.timeout = UINT64_MAX;
    options.max_waiting = 20000; /* so that adding goes no faster than sending */
    ck_assert_int_eq(crier_publisher_new(&options, &publisher), 0);
    for (i = 1; i <= count; i++) {
        add(publisher, i);
        crier_publisher_progress(publisher, &progress);
        if (kills < 2 && progress.published > (uint64_t)(kills + 1) * 10000) {
            crierd_kill(&crierd);
            crierd_start_on(&crierd, port, journal);
            kills++;
        }
    }
    ck_assert_int_eq(crier_publisher_finish(publisher, NULL), 0);
    crier_publisher_progress(publisher, &progress);
    ck_assert_uint_eq(progress.published, (uint64_t)count);
    ck_assert_int_eq(kills, 2);
    crier_publisher_free(publisher);
    expect_numbers(count);
    crierd_stop(&crierd);
    close(descriptor);
}
END_TEST

static struct crier_publisher *shared;

/* While the server is away no more than may wait is added. */
static void look_and_start(void *closure, const char *reason, uint64_t retry)
{
    struct crier_progress progress;

    (void)reason;
    (void)retry;
    crier_publisher_progress(shared, &progress);
    ck_assert_uint_le(progress.added, 1000 / 20 + 1);
    if (++retries == 2)
        crierd_start_on(&crierd, *(int *)closure, "");
}

START_TEST(little_waits)
{
    int descriptor, port = port_hold(&descriptor), i;

    use_port(port);
    retries = 0;
    options.on_retry = look_and_start;
    options.closure = &port;
    options.max_waiting = 1000;
    ck_assert_int_eq(crier_publisher_new(&options, &shared), 0);
    for (i = 1; i <= 500; i++)
        add(shared, i);
    ck_assert_int_eq(crier_publisher_finish(shared, NULL), 0);
    crier_publisher_free(shared);
    expect_numbers(500);
    crierd_stop(&crierd);
    close(descriptor);
}
END_TEST

START_TEST(free_does_not_wait)
{
    struct crier_publisher *publisher;
    int descriptor;

    use_port(port_hold(&descriptor));
    options.timeout = UINT64_MAX;
    ck_assert_int_eq(crier_publisher_new(&options, &publisher), 0);
    add(publisher, 1);
    crier_publisher_free(publisher); /* or the test's time is up */
    close(descriptor);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("publisher");
    TCase *one = add_case(suite, "a server that is there");
    TCase *alone = add_case(suite, "a server that comes and goes");

    tcase_add_checked_fixture(one, setup, teardown);
    tcase_add_test(one, one_arrives);
    tcase_add_test(one, ids_of_its_own_differ);
    tcase_add_test(one, an_id_is_there);
    tcase_add_test(one, any_name_of_a_topic);
    tcase_add_test(one, the_server_says_why);
    tcase_add_test(one, a_lost_answer_doubles_nothing);
    tcase_add_test(one, many_in_order);
    tcase_add_test(one, the_last_of_many_ends_the_topic);
    tcase_add_test(one, nothing_to_do);
    tcase_add_test(one, many_are_refused);
    tcase_add_checked_fixture(alone, setup_alone, teardown_alone);
    tcase_add_test(alone, waits_for_the_server);
    tcase_add_test(alone, requests_become_smaller);
    tcase_add_test(alone, many_outlive_a_crash);
    tcase_add_test(alone, little_waits);
    tcase_add_test(alone, free_does_not_wait);
    return suite;
}

RUN_SUITE(make_suite)
