/* Tests helpers that other tests rely on, and whose mistakes would show as rare
 * failures of those. */
#include <config.h>

#include "support/client.h"
#include "support/port.h"
#include "support/redis_server.h"
#include "support/runner.h"
#include "support/spawn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- ports ------------------------------------------------------------ */

/* More than the ports that the kernel chooses from by default: after so many
 * connections clients have got each of them. */
#define TRIES 30000

static int bind_port(int port, bool listens)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        (!listens || listen(fd, 1) == 0))
        return fd;
    close(fd);
    return -1;
}

/* Returns a port from the range for clients on which no server listens. */
static int client_port(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int listener, port = port_hold(&listener);
    struct client client;

    ck_assert_int_eq(listen(listener, 1), 0);
    client_connect(&client, port);
    getsockname(client.fd, (struct sockaddr *)&address, &size);
    client_reset(&client);
    close(listener);
    return ntohs(address.sin_port);
}

START_TEST(a_client_is_not_connected_to_itself)
{
    struct client client;
    int port = client_port(), i;

    for (i = 0; i < TRIES; i++)
        ck_assert(!client_try_connect(&client, port));
}
END_TEST

START_TEST(a_port_that_is_held_is_there_for_its_server_alone)
{
    struct client client;
    int held, port = port_hold(&held), server, i;

    ck_assert_int_ne(port, 0);
    for (i = 0; i < TRIES; i++) {
        ck_assert(!client_try_connect(&client, port));
        if (i % 1000 != 0)
            continue;
        server = bind_port(port, true);
        ck_assert_int_ge(server, 0);
        close(server);
    }
    close(held);
}
END_TEST

/* ---- programs --------------------------------------------------------- */

static int run(const char *const *words, bool group)
{
    const struct spawn spawn = {.words = words, .group = group};
    int status = 0;
    pid_t pid = 0;

    ck_assert_int_eq(spawn_program(&spawn, &pid), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static atomic_bool ending;

/* Takes locks of the C library, as the threads of a test do. */
static void *keep_locks(void *unused)
{
    (void)unused;
    while (!atomic_load(&ending))
        free(malloc(100000));
    return NULL;
}

START_TEST(a_program_starts_beside_threads)
{
    const char *const words[] = {"true", NULL};
    pthread_t threads[4];
    size_t i;

    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, keep_locks, NULL);
    for (i = 0; i < 200; i++)
        ck_assert_int_eq(run(words, false), 0);
    atomic_store(&ending, true);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(no_program_is_an_error)
{
    const char *const words[] = {"/nowhere", NULL};
    const struct spawn spawn = {.words = words};
    pid_t pid = 0;

    ck_assert_int_eq(spawn_program(&spawn, &pid), -ENOENT);
}
END_TEST

/* This process ignores SIGPIPE and blocks SIGTERM; a program must not inherit that. */
START_TEST(a_program_has_the_usual_signals)
{
    static const char *const words[][6] = {
        {"sh", "-c", "kill -PIPE $$"}, {"sh", "-c", "kill -TERM $$"}};
    sigset_t term;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &term, NULL), 0);
    ck_assert_int_eq(run(words[_i], false), -1);
}
END_TEST

START_TEST(a_group_of_its_own)
{
    const char *const words[] = {
        "sh", "-c", "read -r _ _ _ _ group _ </proc/$$/stat; test $group = $$",
        NULL};

    ck_assert_int_eq(run(words, false), 1);
    ck_assert_int_eq(run(words, true), 0);
}
END_TEST

/* A child of this process starts a program and ends at once: then the program ends,
 * too, and with it the last writing end of a pipe closes. */
START_TEST(a_program_dies_with_the_one_that_started_it)
{
    const char *const words[] = {"sleep", "1000", NULL};
    struct pollfd end = {.events = POLLIN};
    int ends[2];
    pid_t child, pid;

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    child = fork(); /* there are no threads here */
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        const struct spawn spawn = {
            .words = words, .files = {0, ends[1], 0}, .death = SIGKILL};

        _exit(spawn_program(&spawn, &pid) != 0);
    }
    close(ends[1]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    end.fd = ends[0];
    ck_assert_int_eq(poll(&end, 1, PATIENCE), 1);
    close(ends[0]);
}
END_TEST

/* ---- Redis ------------------------------------------------------------ */

START_TEST(a_redis_keeps_what_it_wrote_through_a_kill)
{
    const struct redis_options options = {
        .tcp = _i != 0, .password = "secret", .appendfsync = "always"};
    struct redis_server server;

    redis_start(&server, &options);
    ck_assert_int_eq(redis_ask_number(&server, "INCR %s", "n"), 1);
    redis_kill(&server);
    redis_restart(&server);
    ck_assert_int_eq(redis_ask_number(&server, "INCR %s", "n"), 2);
    redis_pause(&server);
    redis_resume(&server);
    redis_stop(&server);
    redis_restart(&server);
    ck_assert_int_eq(redis_ask_number(&server, "INCR %s", "n"), 3);
    redis_remove(&server);
}
END_TEST

START_TEST(a_sentinel_knows_its_master_and_a_replica_follows)
{
    const struct redis_options options = {.tcp = true, .password = "secret"};
    struct redis_options replicas = options;
    struct redis_server master, replica, sentinel;
    const struct redis_watch watch = {
        .name = "main", .master = &master, .quorum = 1, .down = 1000, .password = "p"};
    redisReply *reply;

    redis_start(&master, &options);
    replicas.replica_of = &master;
    redis_start(&replica, &replicas);
    redis_start_sentinel(&sentinel, &watch);
    redis_do(&master, "SET n 7");
    redis_wait_replicas(&master, 1);
    reply = redis_ask(&replica, "GET n");
    ck_assert_str_eq(reply->str, "7");
    freeReplyObject(reply);
    reply = redis_ask(&sentinel, "SENTINEL get-master-addr-by-name main");
    ck_assert_int_eq(atoi(reply->element[1]->str), master.port);
    freeReplyObject(reply);
    redis_remove(&sentinel);
    redis_remove(&replica);
    redis_remove(&master);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("support");
    TCase *c = add_case(s, "support");

    tcase_add_test(c, a_client_is_not_connected_to_itself);
    tcase_add_test(c, a_port_that_is_held_is_there_for_its_server_alone);
    tcase_add_test(c, a_program_starts_beside_threads);
    tcase_add_test(c, no_program_is_an_error);
    tcase_add_loop_test(c, a_program_has_the_usual_signals, 0, 2);
    tcase_add_test(c, a_group_of_its_own);
    tcase_add_test(c, a_program_dies_with_the_one_that_started_it);
    tcase_add_loop_test(c, a_redis_keeps_what_it_wrote_through_a_kill, 0, 2);
    tcase_add_test(c, a_sentinel_knows_its_master_and_a_replica_follows);
    return s;
}

RUN_SUITE(suite)
