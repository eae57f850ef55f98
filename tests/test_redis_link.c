/*
 * The connections of a node to Redis: against servers of the test's own, which are killed,
 * stopped and replaced, and against a false one, which sends what no server should.
 */
#include <config.h>

#include "base/timer.h"
#include "libcrier/journal/redis/redis_link.h"
#include "support/redis_server.h"
#include "support/runner.h"

#include <crier.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* In ms; only a test that fails takes so long. */
#define PATIENCE 60000
#define SECRET "geheim"
#define PIPELINED 5000

static const char *const keys[] = {"link:a"};
static const char *const channels[] = {"link:feed", "link:other"};

/* ---- the link under test ---------------------------------------------- */

static struct crier__redis_link link_tested;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* Under the lock. */
static unsigned ups, downs, wakes, messages, answered, lost;
static bool was_up, in_order;
static char last_reason[200], last_message[64];
static void (*to_run)(void);

struct numbered {
    struct crier__redis_call call;
    unsigned number;
    unsigned answers;
};

static struct numbered calls[PIPELINED];

static void note_up(struct crier__redis_link *link)
{
    pthread_mutex_lock(&lock);
    ups++;
    was_up = crier__redis_link_is_up(link);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void note_down(struct crier__redis_link *link, const char *reason)
{
    (void)link;
    pthread_mutex_lock(&lock);
    downs++;
    snprintf(last_reason, sizeof last_reason, "%s", reason);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void note_wake(struct crier__redis_link *link)
{
    void (*run)(void);

    (void)link;
    pthread_mutex_lock(&lock);
    run = to_run;
    to_run = NULL;
    pthread_mutex_unlock(&lock);
    if (run != NULL)
        run();
    pthread_mutex_lock(&lock);
    wakes++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void note_message(struct crier__redis_link *link, const char *channel,
                         const char *text, size_t length)
{
    (void)link;
    pthread_mutex_lock(&lock);
    messages++;
    snprintf(last_message, sizeof last_message, "%s %.*s", channel, (int)length, text);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void begin_link(const char *url)
{
    char reason[256];

    memset(&link_tested, 0, sizeof link_tested);
    memset(calls, 0, sizeof calls);
    ups = downs = wakes = messages = answered = lost = 0;
    last_reason[0] = last_message[0] = '\0';
    in_order = true;
    ck_assert_int_eq(crier__redis_url_parse(url, &link_tested.url, reason), 0);
    link_tested.keys = keys;
    link_tested.key_count = 1;
    link_tested.channels = channels;
    link_tested.channel_count = 2;
    link_tested.on_up = note_up;
    link_tested.on_down = note_down;
    link_tested.on_wake = note_wake;
    link_tested.on_message = note_message;
    ck_assert_int_eq(crier__redis_link_start(&link_tested), 0);
}

/* Begins it with the URL of SERVER and MORE behind that. */
static void begin_link_to(const struct redis_server *server, const char *more)
{
    char *base = redis_url(server), *url;

    ck_assert_int_gt(asprintf(&url, "%s%c%s", base, strchr(base, '?') ? '&' : '?', more), 0);
    begin_link(url);
    free(url);
    free(base);
}

static void end_link(void)
{
    crier__redis_link_stop(&link_tested);
    crier__redis_link_free(&link_tested);
    crier__timers_done(&link_tested.timers);
    crier__redis_url_free(link_tested.url);
}

/* Waits until *COUNT is at least GOAL, or until WITHIN ms are over. */
static bool await_within(const unsigned *count, unsigned goal, unsigned within)
{
    struct timespec end;
    bool reached;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += within / 1000;
    pthread_mutex_lock(&lock);
    while (*count < goal && pthread_cond_timedwait(&changed, &lock, &end) == 0)
        ;
    reached = *count >= goal;
    pthread_mutex_unlock(&lock);
    return reached;
}

static void await(const unsigned *count, unsigned goal)
{
    if (!await_within(count, goal, PATIENCE))
        ck_abort_msg("%u of %u; up %u, down %u: %s", *count, goal, ups, downs, last_reason);
}

static void check_reason(const char *expected)
{
    pthread_mutex_lock(&lock);
    ck_assert_ptr_null(strstr(last_reason, SECRET));
    if (strstr(last_reason, expected) == NULL)
        ck_abort_msg("\"%s\" is not in: %s", expected, last_reason);
    pthread_mutex_unlock(&lock);
}

static void run_on_thread(void (*run)(void))
{
    unsigned before;

    pthread_mutex_lock(&lock);
    to_run = run;
    before = wakes;
    pthread_mutex_unlock(&lock);
    crier__redis_link_wake(&link_tested);
    await(&wakes, before + 1);
}

static void take_numbered(struct crier__redis_call *call, redisReply *reply)
{
    struct numbered *numbered = (struct numbered *)call;

    pthread_mutex_lock(&lock);
    numbered->answers++;
    if (reply == NULL)
        lost++;
    else if (numbered->number != answered || reply->type != REDIS_REPLY_INTEGER)
        in_order = false;
    answered += reply != NULL;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void send_words(unsigned index, size_t count, const char *const *words,
                       unsigned within)
{
    struct crier__redis_args args = {0};
    size_t i;

    for (i = 0; i < count; i++)
        crier__redis_arg(&args, words[i], strlen(words[i]));
    calls[index].number = index;
    calls[index].call.on_reply = take_numbered;
    ck_assert_int_eq(crier__redis_command(&link_tested, CRIER__REDIS_WRITER, &args, within,
                                          &calls[index].call),
                     0);
    crier__redis_args_done(&args);
}

static void send_all(void)
{
    unsigned i;

    for (i = 0; i < PIPELINED; i++)
        send_words(i, 2, (const char *const[]){"INCR", "link:n"}, PATIENCE);
}

/* Ten calls that nothing answers. */
static void send_blocked(void)
{
    unsigned i;

    for (i = 0; i < 10; i++)
        send_words(i, 3, (const char *const[]){"BLPOP", "link:none", "0"}, PATIENCE);
}

static void send_urgent(void)
{
    send_words(0, 2, (const char *const[]){"INCR", "link:n"}, 200);
}

static void check_lost(unsigned count)
{
    unsigned i;

    await(&lost, count);
    pthread_mutex_lock(&lock);
    ck_assert_uint_eq(answered, 0);
    ck_assert_uint_eq(lost, count);
    for (i = 0; i < count; i++)
        ck_assert_uint_eq(calls[i].answers, 1);
    pthread_mutex_unlock(&lock);
}

/* ---- a server --------------------------------------------------------- */

static struct redis_server server;

static void start_server(void)
{
    redis_start(&server, NULL);
}

static void start_tcp(const char *password, const struct redis_server *master)
{
    struct redis_options options = {.tcp = true, .password = password,
                                    .replica_of = master};

    redis_start(&server, &options);
}

static void remove_server(void)
{
    if (server.directory[0] != '\0')
        redis_remove(&server);
}

START_TEST(sockets_connect)
{
    begin_link_to(&server, "name=x");
    await(&ups, 1);
    ck_assert(was_up);
    ck_assert_uint_eq(strlen(link_tested.run_id), 40);
    redis_do(&server, "PUBLISH link:feed hello");
    await(&messages, 1);
    ck_assert_str_eq(last_message, "link:feed hello");
    end_link();
    ck_assert_uint_eq(downs, 0);
}
END_TEST

START_TEST(ports_and_passwords_connect)
{
    start_tcp(SECRET, NULL);
    begin_link_to(&server, "db=3");
    await(&ups, 1);
    end_link();
    redis_do(&server, "ACL SETUSER crier on >" SECRET "2 ~* &* +@all");
    snprintf(server.password, sizeof server.password, "wrong-" SECRET);
    begin_link_to(&server, "db=3");
    await(&downs, 1);
    check_reason("it refuses the password: WRONGPASS");
    end_link();
    server.password[0] = '\0';
    begin_link_to(&server, "user=crier&password=" SECRET "2");
    await(&ups, 1);
    end_link();
    begin_link_to(&server, "db=0");
    await(&downs, 1);
    check_reason("NOAUTH");
    end_link();
}
END_TEST

START_TEST(replicas_are_refused)
{
    struct redis_server master;

    start_tcp(NULL, NULL);
    master = server;
    start_tcp(NULL, &master);
    begin_link_to(&server, "db=0");
    await(&downs, 1);
    check_reason("replica");
    end_link();
    redis_remove(&master);
    ck_assert_uint_eq(ups, 0);
}
END_TEST

START_TEST(servers_that_evict_are_refused)
{
    redis_do(&server, "CONFIG SET maxmemory-policy allkeys-lru maxmemory 0");
    begin_link_to(&server, "db=0");
    await(&ups, 1);
    end_link();
    redis_do(&server, "CONFIG SET maxmemory 100mb");
    begin_link_to(&server, "db=0");
    await(&downs, 1);
    check_reason("allkeys-lru, which loses updates");
    redis_do(&server, "CONFIG SET maxmemory-policy noeviction");
    await(&ups, 1);
    end_link();
}
END_TEST

START_TEST(killed_servers_answer_with_null)
{
    char old[41];

    begin_link_to(&server, "db=0");
    await(&ups, 1);
    memcpy(old, link_tested.run_id, sizeof old);
    run_on_thread(send_blocked);
    redis_kill(&server);
    check_lost(10);
    await(&downs, 1);
    redis_restart(&server);
    await(&ups, 2);
    ck_assert_str_ne(old, link_tested.run_id);
    check_lost(10);
    end_link();
}
END_TEST

/* Nothing is open on the connection that is lost, and the others remain. */
START_TEST(one_lost_connection_ends_the_session)
{
    begin_link_to(&server, "db=0");
    await(&ups, 1);
    redis_do(&server, "CLIENT KILL TYPE normal SKIPME yes");
    await(&downs, 1);
    await(&ups, 2);
    end_link();
}
END_TEST

START_TEST(a_lost_feed_ends_the_session)
{
    begin_link_to(&server, "db=0");
    await(&ups, 1);
    redis_do(&server, "CLIENT KILL TYPE pubsub");
    await(&ups, 2);
    end_link();
}
END_TEST

static void run_script(void)
{
    static const struct crier__redis_args none;

    calls[0].call.on_reply = take_numbered;
    ck_assert_int_eq(crier__redis_run(&link_tested, CRIER__REDIS_WRITER, CRIER__REDIS_COUNT,
                                      "link:node", &none, PATIENCE, &calls[0].call),
                     0);
}

START_TEST(flushed_scripts_are_loaded_again)
{
    begin_link_to(&server, "db=0");
    await(&ups, 1);
    redis_do(&server, "SCRIPT FLUSH");
    run_on_thread(run_script);
    await(&answered, 1);
    await(&downs, 1);
    check_reason("NOSCRIPT");
    await(&ups, 2);
    end_link();
}
END_TEST

START_TEST(paused_servers_miss_the_deadline)
{
    begin_link_to(&server, "timeout=500ms");
    await(&ups, 1);
    redis_pause(&server);
    run_on_thread(send_urgent);
    check_lost(1);
    await(&downs, 2);
    check_reason("not answered in time");
    redis_resume(&server);
    await(&ups, 2);
    end_link();
}
END_TEST

START_TEST(many_calls_are_answered_in_order)
{
    begin_link_to(&server, "db=0");
    await(&ups, 1);
    run_on_thread(send_all);
    await(&answered, PIPELINED);
    ck_assert(in_order);
    ck_assert_uint_eq(lost, 0);
    end_link();
}
END_TEST

START_TEST(stop_answers_open_calls)
{
    begin_link_to(&server, "db=0");
    await(&ups, 1);
    run_on_thread(send_blocked);
    end_link();
    check_lost(10);
    ck_assert_uint_eq(downs, 0);
}
END_TEST

static unsigned served; /* the link's thread's */

static void count_served(void)
{
    served++;
}

static void *wake_often(void *closure)
{
    unsigned i;

    for (i = 0; i < 2000; i++)
        crier__redis_link_wake(&link_tested);
    return closure;
}

START_TEST(wakes_come_from_any_thread)
{
    pthread_t threads[4];
    unsigned i;

    begin_link_to(&server, "db=0");
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wake_often, NULL), 0);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    await(&wakes, 1);
    run_on_thread(count_served);
    await(&ups, 1);
    end_link();
    ck_assert_uint_eq(served, 1);
}
END_TEST

START_TEST(refused_connections_back_off)
{
    redis_kill(&server);
    begin_link_to(&server, "db=0");
    ck_assert(!await_within(&downs, 14, 1000));
    await(&downs, 2);
    end_link();
    ck_assert_uint_eq(ups, 0);
}
END_TEST

/* ---- sentinels -------------------------------------------------------- */

START_TEST(sentinels_name_the_master)
{
    struct redis_server master, sentinels[3];
    /* A master that a busy machine does not run for so long is not yet replaced. */
    struct redis_watch watch = {.name = "m", .master = &master, .quorum = 2, .down = 5000};
    char url[160], old[41];
    unsigned i;

    start_tcp(NULL, NULL);
    master = server;
    start_tcp(NULL, &master);
    redis_wait_replicas(&master, 1);
    for (i = 0; i < 3; i++)
        redis_start_sentinel(&sentinels[i], &watch);
    snprintf(url, sizeof url,
             "redis://m?sentinel=127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d&" REDIS_PATIENCE,
             sentinels[0].port, sentinels[1].port, sentinels[2].port);
    begin_link(url);
    await(&ups, 1);
    memcpy(old, link_tested.run_id, sizeof old);
    /* Without each other, and the replica, they would not choose a new master. */
    for (i = 0; i < 3; i++) {
        redisReply *reply = NULL;

        do {
            freeReplyObject(reply);
            reply = redis_ask(&sentinels[i], "SENTINEL CKQUORUM m");
        } while (reply->type == REDIS_REPLY_ERROR);
        do {
            freeReplyObject(reply);
            reply = redis_ask(&sentinels[i], "SENTINEL REPLICAS m");
        } while (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0);
        freeReplyObject(reply);
    }
    redis_kill(&master);
    await(&downs, 1);
    await(&ups, 2);
    ck_assert_str_ne(old, link_tested.run_id);
    end_link();
    snprintf(url, sizeof url, "redis://unknown?sentinel=127.0.0.1:%d", sentinels[0].port);
    begin_link(url);
    await(&downs, 1);
    check_reason("does not know this master");
    end_link();
    for (i = 0; i < 3; i++)
        redis_remove(&sentinels[i]);
    redis_remove(&master);
}
END_TEST

/* ---- a false server --------------------------------------------------- */

#define FALSE_CLIENTS 32
#define OK "+OK\r\n"
#define ID "run_id:0123456789012345678901234567890123456789\r\n"
#define INFO_NEW OK "$70\r\n" ID "redis_version:7.2.4\r\n\r\n"
#define FEED_MESSAGE "*3\r\n$7\r\nmessage\r\n"
#define DEEP "*1\r\n*1\r\n*1\r\n*1\r\n"

static struct {
    const char *writer, *reader, *feed; /* sent when the set-up has come; or NULL */
    const char *reason;
    bool closes;
    const char *more; /* of the URL */
} const falses[] = {
    {"hello\r\n", NULL, NULL, "Protocol error", false, NULL},
    {OK "$100\r\nabc", NULL, NULL, "", true, NULL},
    {"$99999999999\r\nabc", NULL, NULL, "", false, NULL},
    {"*2147483647\r\n", NULL, NULL, "cannot be right", false, NULL},
    {DEEP DEEP DEEP DEEP, NULL, NULL, "", false, NULL},
    {"", NULL, NULL, "", true, NULL},
    {NULL, NULL, NULL, "not answered in time", false, NULL},
    {">2\r\n+a\r\n+b\r\n", NULL, NULL, "", false, NULL},
    {OK ",1.5\r\n", NULL, NULL, "", false, NULL},
    {NULL, INFO_NEW "+more\r\n", NULL, "cannot be right", false, NULL},
    {NULL, INFO_NEW ":1\r\n", NULL, "cannot be right", false, NULL},
    {NULL, INFO_NEW "$-1\r\n", NULL, "cannot be right", false, NULL},
    {NULL, INFO_NEW "-BUSY go\r\n", NULL, "BUSY go", false, NULL},
    {NULL, NULL, INFO_NEW "*1\r\n$9\r\nsubscribe\r\n", "cannot be right", false, NULL},
    {NULL, NULL, INFO_NEW FEED_MESSAGE ":1\r\n:1\r\n", "cannot be right", false, NULL},
    {NULL, NULL, INFO_NEW "*3\r\n:1\r\n:1\r\n:1\r\n", "cannot be right", false, NULL},
    {NULL, NULL, INFO_NEW FEED_MESSAGE "$1\r\nx\r\n$1\r\ny\r\n", "cannot be right", false,
     NULL},
    {NULL, NULL, INFO_NEW "*3\r\n$11\r\nunsubscribe\r\n$9\r\nlink:feed\r\n+a\r\n",
     "cannot be right", false, NULL},
    {NULL, NULL, INFO_NEW FEED_MESSAGE "$9\r\nlink:feed\r\n*0\r\n", "cannot be right",
     false, NULL},
    {NULL, NULL, INFO_NEW "-NOPERM no channels\r\n", "NOPERM no channels", false, NULL},
    {NULL, NULL, INFO_NEW "+fine\r\n", "cannot be right", false, NULL},
    {OK "$70\r\n" ID "redis_version:6.0.1\r\n\r\n", NULL, NULL, "older", false, NULL},
    {OK "$5\r\nwhat?\r\n", NULL, NULL, "does not say which server", false, NULL},
    {OK "*0\r\n", NULL, NULL, "does not say which server", false, NULL},
    {INFO_NEW "*0\r\n", NULL, NULL, "replica", false, NULL},
    {"-ERR a\033[1mb\r\n", NULL, NULL, "ERR a?[1mb", false, NULL},
    {"-ERR unknown command AUTH " SECRET "\r\n", NULL, NULL, "it refuses the password: ERR",
     false, "password=" SECRET},
};

static struct {
    char directory[64], path[80];
    int listener;
    int plan;
    atomic_bool ends;
    pthread_t thread;
    struct pollfd polled[FALSE_CLIENTS];
    nfds_t count;
} impostor;

/* Answers what a client of the false server has sent. Returns whether it stays. */
static bool answer_client(int client)
{
    char got[65536];
    ssize_t length = recv(client, got, sizeof got - 1, MSG_DONTWAIT);
    const char *text;

    if (length <= 0)
        return false;
    got[length] = '\0';
    if (memmem(got, (size_t)length, "INFO", 4) == NULL)
        return true;
    text = memmem(got, (size_t)length, "SUBSCRIBE", 9) != NULL ? falses[impostor.plan].feed
           : memmem(got, (size_t)length, "ROLE", 4) != NULL ? falses[impostor.plan].writer
                                                            : falses[impostor.plan].reader;
    if (text != NULL)
        (void)!send(client, text, strlen(text), MSG_NOSIGNAL);
    return text == NULL || !falses[impostor.plan].closes;
}

static void *run_impostor(void *closure)
{
    nfds_t i;

    while (!atomic_load(&impostor.ends)) {
        if (poll(impostor.polled, impostor.count, 20) <= 0)
            continue;
        for (i = impostor.count - 1; i > 0; i--)
            if (impostor.polled[i].revents != 0 && !answer_client(impostor.polled[i].fd)) {
                close(impostor.polled[i].fd);
                impostor.polled[i] = impostor.polled[--impostor.count];
            }
        if (impostor.polled[0].revents != 0 && impostor.count < FALSE_CLIENTS)
            impostor.polled[impostor.count++] = (struct pollfd){
                .fd = accept(impostor.listener, NULL, NULL), .events = POLLIN};
    }
    for (i = 0; i < impostor.count; i++)
        close(impostor.polled[i].fd);
    return closure;
}

static void start_impostor(int plan)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memset(&impostor, 0, sizeof impostor);
    impostor.plan = plan;
    snprintf(impostor.directory, sizeof impostor.directory, "/tmp/crier-link-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(impostor.directory));
    snprintf(impostor.path, sizeof impostor.path, "%s/s", impostor.directory);
    memcpy(address.sun_path, impostor.path, sizeof impostor.path);
    impostor.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(impostor.listener, 0);
    ck_assert_int_eq(
        bind(impostor.listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(impostor.listener, 16), 0);
    impostor.polled[0] = (struct pollfd){.fd = impostor.listener, .events = POLLIN};
    impostor.count = 1;
    ck_assert_int_eq(pthread_create(&impostor.thread, NULL, run_impostor, NULL), 0);
}

static void end_impostor(void)
{
    atomic_store(&impostor.ends, true);
    pthread_join(impostor.thread, NULL);
    unlink(impostor.path);
    rmdir(impostor.directory);
}

/* The time within which a server must answer counts alone where it does not. */
static const char *choose_timeout(const char *reason)
{
    return *reason == '\0' || strstr(reason, "in time") != NULL ? "timeout=300ms"
                                                                : REDIS_PATIENCE;
}

START_TEST(false_servers_are_left)
{
    char url[160];

    start_impostor(_i);
    snprintf(url, sizeof url, "redis+unix:%s?%s%s%s", impostor.path,
             choose_timeout(falses[_i].reason), falses[_i].more != NULL ? "&" : "", falses[_i].more != NULL ? falses[_i].more : "");
    begin_link(url);
    await(&downs, 2);
    check_reason(falses[_i].reason);
    ck_assert_uint_ne(strlen(last_reason), 0);
    end_link(); /* while it connects, or waits to */
    ck_assert_uint_eq(ups, 0);
    ck_assert_uint_le(downs, 14);
    end_impostor();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("connections to Redis");
    TCase *tcase = add_case(suite, "a server on a socket");

    tcase_add_checked_fixture(tcase, start_server, remove_server);
    tcase_add_test(tcase, sockets_connect);
    tcase_add_test(tcase, servers_that_evict_are_refused);
    tcase_add_test(tcase, killed_servers_answer_with_null);
    tcase_add_test(tcase, one_lost_connection_ends_the_session);
    tcase_add_test(tcase, a_lost_feed_ends_the_session);
    tcase_add_test(tcase, flushed_scripts_are_loaded_again);
    tcase_add_test(tcase, paused_servers_miss_the_deadline);
    tcase_add_test(tcase, many_calls_are_answered_in_order);
    tcase_add_test(tcase, stop_answers_open_calls);
    tcase_add_test(tcase, wakes_come_from_any_thread);
    tcase_add_test(tcase, refused_connections_back_off);

    tcase = add_case(suite, "servers on ports");
    tcase_add_checked_fixture(tcase, NULL, remove_server);
    tcase_add_test(tcase, ports_and_passwords_connect);
    tcase_add_test(tcase, replicas_are_refused);
    tcase_add_test(tcase, sentinels_name_the_master);

    tcase = add_case(suite, "a false server");
    tcase_add_loop_test(tcase, false_servers_are_left, 0, sizeof falses / sizeof falses[0]);
    return suite;
}

static char program[4096];

RUN_SUITE_IF(make_suite, redis_find(program), "there is no redis-server")
