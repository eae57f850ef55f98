/*
 * fork() in a program that serves streams: in the child every function says so at
 * once, whatever locks the parent's threads held, and the parent does not notice. And
 * fork() before that, as daemon() does it, costs nothing.
 *
 * This is the one test that forks a process with threads: it is what is tested.
 */
#include <config.h>

#include "crier_client.h"
#include "support/client.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/site.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct site site;
static struct crier_hub *hub;
static struct crier_journal *journal; /* of no hub */
static struct crier_journal *memory;  /* of no hub, and without threads */
static struct crier_broadcaster *broadcaster;
static struct crier_stream *stream;
static struct crier_client *subscriber;
static struct crier_publisher *publisher;
static struct crier_event *event;
static struct crier_frame *frame;
static struct client client;
static struct signal_box closed;

static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    const struct crier_stream_options options = {.on_closed = box_closed,
                                                 .closure = &closed};
    const struct crier_subscribe_options follow = {.topics = "a"};
    struct MHD_Response *response;

    (void)path;
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    ck_assert_int_eq(crier_hub_subscribe(hub, stream, &follow), 0);
    return site_queue(connection, response);
}

static struct crier_journal *open_journal(const char *name)
{
    struct crier_journal *opened;
    char path[100];

    snprintf(path, sizeof path, "%s/%s", scratch, name);
    ck_assert_int_eq(crier_journal_sqlite(path, NULL, &opened, NULL, 0), 0);
    return opened;
}

static void start(void)
{
    const struct crier_client_options reach = {.url = "http://127.0.0.1:1/"};
    const struct crier_publisher_options press = {
        .server = "http://127.0.0.1:1", .topics = "a"};

    box_init(&closed);
    memset(&site, 0, sizeof site);
    site.answer = answer;
    site_start(&site, NULL);
    ck_assert_int_eq(
        crier_hub_new(site.shards, open_journal("a"), NULL, &hub), 0);
    journal = open_journal("b");
    ck_assert_int_eq(crier_journal_memory(NULL, &memory), 0);
    ck_assert_int_eq(crier_broadcaster_new(site.shards, NULL, &broadcaster),
                     0);
    ck_assert_int_eq(crier_client_new(&reach, &subscriber), 0);
    ck_assert_int_eq(crier_publisher_new(&press, &publisher), 0);
    event = crier_event_new();
    ck_assert_int_eq(crier_event_text(event, "x"), 0);
    frame = frame_of("x");
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
}

/* All that can be done works. */
static void use(void)
{
    int error;

    do /* threads of a test may have left the journal something to do */
        error = crier_stream_send(stream, frame);
    while (error == CRIER_ERR_MAX_BACKLOG && sched_yield() == 0);
    ck_assert_int_eq(error, 0);
    client_expect(&client, "data: x");
    ck_assert_int_eq(crier_hub_publish(hub, "a", event, NULL), 0);
    client_expect_event(&client, "data: x");
    ck_assert_uint_eq(crier_hub_count(hub, "a"), 1);
    ck_assert_int_eq(crier_broadcaster_send(broadcaster, frame), 0);
}

static void stop(void)
{
    crier_publisher_free(publisher);
    crier_client_free(subscriber);
    crier_frame_unref(frame);
    crier_event_free(event);
    client_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    crier_stream_unref(stream);
    crier_broadcaster_free(broadcaster);
    crier_journal_free(memory);
    crier_journal_free(journal);
    crier_hub_close(hub);
    site_stop(&site);
    crier_hub_free(hub);
    box_done(&closed);
}

/* ---- in the child ------------------------------------------------------ */

/* A child takes no memory: when it is forked, another thread of its parent may hold a lock
 * of the allocator, which no thread of the child gives back. (libc unlocks its own
 * allocator in the child; those of the sanitizers stay locked.) The macros of check take
 * memory even when their condition holds, so these are used instead. */
#define IN_CHILD(condition) require_in_child(condition, __LINE__, #condition)
#define FORKED(call) IN_CHILD((call) == CRIER_ERR_FORKED)

/* Ends the child with a message, unless the condition HOLDS. */
static void require_in_child(bool holds, int line, const char *condition)
{
    if (!holds)
        _exit(dprintf(STDOUT_FILENO, "%s:%d: does not hold in the child: %s\n",
                      __FILE__, line, condition) < 0
                  ? 2
                  : 1);
}

static void refuse(void)
{
    const struct crier_list_options list = {.topics = "*", .limit = 1};
    const char *const topic = "a";
    const struct crier_subscribe_options follow = {.topics = "a"};
    struct crier_client_callbacks callbacks = {.on_event = NULL};
    struct crier_published published;
    struct crier_broadcaster *other;
    struct crier_progress progress;
    struct crier_message message;
    struct crier_status status;

    FORKED(crier_stream_send(stream, frame));
    FORKED(crier_broadcaster_new(site.shards, NULL, &other));
    FORKED(crier_broadcaster_join(broadcaster, stream, NULL, NULL));
    FORKED(crier_broadcaster_leave(broadcaster, stream));
    FORKED(crier_broadcaster_send(broadcaster, frame));
    FORKED(crier_broadcaster_send_to(broadcaster, "a", frame));
    FORKED(crier_hub_publish(hub, "a", event, NULL));
    FORKED(crier_hub_publish_to(hub, &topic, 1, event, NULL));
    FORKED(crier_hub_subscribe(hub, stream, &follow));
    FORKED(crier_hub_can_subscribe(hub, &follow));
    FORKED(crier_hub_change(hub, stream, "b"));
    FORKED(crier_hub_list(hub, &list, NULL, NULL));
    FORKED(crier_hub_forget(hub, "a", NULL, NULL));
    FORKED(crier_client_set_url(subscriber, "http://127.0.0.1:1/"));
    FORKED(crier_client_next(subscriber, &message));
    FORKED(crier_client_run(subscriber, &callbacks));
    FORKED(crier_publisher_add(publisher, event));
    FORKED(crier_publisher_try(publisher, event));
    FORKED(crier_publisher_finish(publisher, &published));
    crier_hub_status(hub, &status);
    IN_CHILD(status.error == CRIER_ERR_FORKED);
    crier_publisher_progress(publisher, &progress);
    IN_CHILD(progress.added == 0);
    IN_CHILD(crier_shards_count(site.shards) == 0);
    IN_CHILD(crier_broadcaster_count(broadcaster) == 0);
    IN_CHILD(crier_broadcaster_count_of(broadcaster, "a") == 0);
    IN_CHILD(crier_hub_count(hub, "a") == 0);
}

static void give_back(void)
{
    struct crier_hub *made;

    FORKED(crier_hub_new(site.shards, memory, NULL, &made));
    crier_client_restart(subscriber);
    crier_client_close(subscriber);
    crier_client_free(subscriber);
    crier_publisher_free(publisher);
    crier_stream_notify(stream);
    crier_stream_close(stream);
    crier_stream_unref(stream);
    crier_broadcaster_free(broadcaster);
    crier_hub_close(hub);
    IN_CHILD(crier_shards_drain(site.shards, 0, 0, UINT32_MAX) == 0);
    crier_shards_free(site.shards);
    crier_hub_free(hub);
    crier_journal_free(journal);
}

static void refuse_and_close(void)
{
    refuse();
    crier_publisher_free(publisher);
    crier_client_free(subscriber);
    crier_stream_close(stream);
    crier_hub_close(hub);
    IN_CHILD(crier_shards_drain(site.shards, 0, 0, UINT32_MAX) == 0);
    crier_shards_free(site.shards);
    crier_hub_free(hub);
    crier_journal_free(journal);
}

/* ---- the tests --------------------------------------------------------- */

/* Has a child run DO; what does not end in it fails. */
static void in_child(void (*what)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        signal(SIGALRM, SIG_DFL); /* check's would end the parent */
        alarm((unsigned)PATIENCE / 1000);
        what();
        _exit(0);
    }
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the child ended with the status %#x", (unsigned)status);
}

START_TEST(a_child_is_refused_and_the_parent_goes_on)
{
    scratch_make();
    start();
    use();
    in_child(refuse);
    use();
    in_child(give_back);
    use();
    stop();
    scratch_remove();
}
END_TEST

/* Threads that take every lock there is, again and again, so that some are held when
 * fork() comes. */
static atomic_bool busy;

static void *take_locks(void *unused)
{
    struct crier_status status;

    (void)unused;
    while (atomic_load(&busy)) {
        sched_yield();
        crier_hub_status(hub, &status);
        (void)crier_hub_count(hub, "a");
        (void)crier_broadcaster_count(broadcaster);
        (void)crier_broadcaster_send(broadcaster, frame);
        crier_hub_publish(hub, "b", event, NULL);
    }
    return NULL;
}

START_TEST(whatever_is_locked_does_not_matter)
{
    pthread_t threads[2];
    int i;

    scratch_make();
    start();
    atomic_store(&busy, true);
    for (i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, take_locks, NULL);
    for (i = 0; i < 20; i++)
        in_child(refuse_and_close);
    atomic_store(&busy, false);
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    use();
    stop();
    scratch_remove();
}
END_TEST

/* A journal of the parent's that has no hub yet has its threads there, too. */
static void make_own(void)
{
    struct crier_shards *shards;
    struct crier_hub *made;

    ck_assert_int_eq(crier_shards_new(NULL, &shards), 0);
    FORKED(crier_hub_new(shards, journal, NULL, &made));
    crier_shards_free(shards);
}

/* The sanitizers let no child of many threads have its own: one forbids it, and the
 * allocator of the other may be locked. */
START_TEST(a_child_may_have_its_own)
{
    scratch_make();
    journal = open_journal("b");
    in_child(make_own);
    crier_journal_free(journal);
    scratch_remove();
}
END_TEST

static void serve(void)
{
    start();
    use();
    in_child(refuse);
    use();
    stop();
}

/* As daemon() does: the fork comes first. Something was made and freed before, so the
 * fork was noticed. */
START_TEST(a_daemon_is_as_good_as_any)
{
    struct crier_client *before;

    ck_assert_int_eq(
        crier_client_new(
            &(struct crier_client_options){.url = "http://127.0.0.1:1/"},
            &before),
        0);
    crier_client_free(before);
    scratch_make();
    in_child(serve);
    scratch_remove();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fork");
    TCase *c = add_case(s, "fork");

    tcase_add_test(c, a_child_is_refused_and_the_parent_goes_on);
    tcase_add_test(c, whatever_is_locked_does_not_matter);
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    puts("NOTE: a child does not have shards of its own here");
    (void)a_child_may_have_its_own;
#else
    tcase_add_test(c, a_child_may_have_its_own);
#endif
    tcase_add_test(c, a_daemon_is_as_good_as_any);
    return s;
}

RUN_SUITE(suite)
