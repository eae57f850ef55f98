/*
 * What crierd reports to a service manager: the test binds the socket that $NOTIFY_SOCKET
 * names and reads the datagrams.
 */
#include <config.h>

#include "support/client.h"
#include "support/fixture.h"
#include "support/runner.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int manager; /* the socket */
static char name[SCRATCH_SIZE + 16];

/* Binds `manager` to NAME, as in $NOTIFY_SOCKET, which it sets. */
static void bind_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);

    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(manager, 0);
    ck_assert_int_eq(
        bind(manager, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
        0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static void begin(void)
{
    fixture_scratch();
    snprintf(name, sizeof name, "%s/notify", scratch);
    bind_manager();
}

static void end(void)
{
    close(manager);
    scratch_remove();
}

/* Reads the next datagram to TEXT. Returns false when there is none. */
static bool read_notification(char text[512])
{
    ssize_t got = recv(manager, text, 511, 0);

    if (got < 0) {
        ck_assert(errno == EAGAIN || errno == EWOULDBLOCK);
        return false;
    }
    text[got] = '\0';
    return true;
}

/* Waits for a datagram and checks that it begins with TEXT. */
static void expect_notification(const char *text)
{
    struct pollfd wait = {.fd = manager, .events = POLLIN};
    char got[512];

    ck_assert_int_eq(poll(&wait, 1, PATIENCE), 1);
    ck_assert(read_notification(got));
    ck_assert_msg(strncmp(got, text, strlen(text)) == 0, "'%s' came, not '%s'", got,
                  text);
}

/* Reads datagrams until one is TEXT. */
static void wait_for_notification(const char *text)
{
    struct pollfd wait = {.fd = manager, .events = POLLIN};
    char got[512];

    do {
        ck_assert_int_eq(poll(&wait, 1, PATIENCE), 1);
        ck_assert(read_notification(got));
    } while (strcmp(got, text) != 0);
}

/* Reads all datagrams that are there. */
static void drop_notifications(void)
{
    char text[512];

    while (read_notification(text))
        ;
}

static void start_with_file(const char *options)
{
    char all[3 * SCRATCH_SIZE + 128];

    scratch_write("conf", "");
    snprintf(all, sizeof all, "--config %s/conf %s", scratch, options);
    fixture_start(all);
}

/* ---- life ------------------------------------------------------------- */

static void live(void)
{
    start_with_file("");
    expect_notification("READY=1");
    expect_notification("STATUS=0 clients; 0 updates published; journal (memory) ok");
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    expect_notification("RELOADING=1\nMONOTONIC_USEC=");
    expect_notification("READY=1");
    crierd_stop(&crierd);
    expect_notification("STOPPING=1");
}

START_TEST(a_life)
{
    live();
}
END_TEST

START_TEST(an_abstract_name)
{
    close(manager);
    snprintf(name, sizeof name, "@crierd-notify-%d", (int)getpid());
    bind_manager();
    live();
}
END_TEST

/* A reload that changes nothing, for there are mistakes, ends as well. */
START_TEST(a_reload_that_fails)
{
    start_with_file("");
    expect_notification("READY=1");
    expect_notification("STATUS=");
    scratch_write("conf", "nonsense\n");
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    expect_notification("RELOADING=1\nMONOTONIC_USEC=");
    expect_notification("READY=1");
    crierd_stop(&crierd);
}
END_TEST

START_TEST(a_journal_takes_its_time)
{
    fixture_start(journal_option);
    expect_notification("STATUS=opening the journal\nEXTEND_TIMEOUT_USEC=");
    expect_notification("READY=1");
    crierd_stop(&crierd);
}
END_TEST

START_TEST(a_name_that_is_none)
{
    setenv("NOTIFY_SOCKET", "relative", 1);
    fixture_start("");
    ck_assert(crierd_logged(&crierd, "NOTIFY_SOCKET is neither a path nor an abstract "
                                     "name: 'relative'"));
    crierd_stop(&crierd);
}
END_TEST

/* ---- a manager that does not read ------------------------------------- */

/* crierd serves and ends as ever; that it is ready is sent when there is room. */
START_TEST(nobody_reads)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(address.sun_path, name, strlen(name));
    while (sendto(sender, "FULL=1", 6, 0, (struct sockaddr *)&address,
                  sizeof address) == 6)
        ;
    ck_assert(errno == EAGAIN || errno == EWOULDBLOCK);
    close(sender);
    setenv("WATCHDOG_USEC", "400000", 1);
    start_with_file("");
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, NULL), 200);
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    crierd_wait_log(&crierd, "the configuration was reloaded");
    wait_for_notification("READY=1");
    crierd_stop(&crierd);
}
END_TEST

/* ---- the watchdog ----------------------------------------------------- */

START_TEST(the_watchdog_is_answered)
{
    setenv("WATCHDOG_USEC", "400000", 1);
    fixture_start("");
    expect_notification("READY=1");
    expect_notification("WATCHDOG=1");
    expect_notification("STATUS=");
    expect_notification("WATCHDOG=1");
    expect_notification("WATCHDOG=1");
    crierd_stop(&crierd);
}
END_TEST

/* $WATCHDOG_PID says that the watchdog is that of another process. */
START_TEST(another_process_is_watched)
{
    setenv("WATCHDOG_USEC", "400000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    fixture_start("");
    expect_notification("READY=1");
    expect_notification("STATUS=");
    crierd_stop(&crierd);
    expect_notification("STOPPING=1");
}
END_TEST

/* Returns the thread that crierd has started last but AGE. */
static pid_t find_thread(int age)
{
    char path[64];
    pid_t newest[2] = {0}, id;
    struct dirent *entry;
    DIR *list;

    snprintf(path, sizeof path, "/proc/%d/task", (int)crierd.pid);
    list = opendir(path);
    ck_assert_ptr_nonnull(list);
    while ((entry = readdir(list)) != NULL) {
        id = (pid_t)strtol(entry->d_name, NULL, 10);
        if (id > newest[0]) {
            newest[1] = newest[0];
            newest[0] = id;
        } else if (id > newest[1]) {
            newest[1] = id;
        }
    }
    closedir(list);
    return newest[age];
}

/* Stops THREAD. Returns false where that is forbidden. */
static bool stop_thread(pid_t thread)
{
    int status;

    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0)
        return false;
    ck_assert_int_eq(ptrace(PTRACE_INTERRUPT, thread, NULL, NULL), 0);
    ck_assert_int_eq(waitpid(thread, &status, __WALL), thread);
    return true;
}

/* While one thread stands still, the watchdog gets no answer: the last thread is one of the
 * acceptor's, the one before a shard. */
START_TEST(a_thread_that_hangs)
{
    static const char *const complaints[] = {
        "threads that do not answer: 1 of the acceptor's, 0 shards",
        "threads that do not answer: 0 of the acceptor's, 1 shards",
    };
    pid_t thread;

    setenv("WATCHDOG_USEC", "800000", 1);
    start_with_file("--threads 1"); /* without the thread of the demo */
    expect_notification("READY=1");
    thread = find_thread(_i);
    if (!stop_thread(thread)) {
        printf("NOTE: no thread can be stopped here: ptrace() is forbidden\n");
        crierd_stop(&crierd);
        return;
    }
    crierd_wait_log(&crierd, complaints[_i]);
    drop_notifications();
    crierd_wait_lines(&crierd, complaints[_i], 4);
    ck_assert(!read_notification((char[512]){0}));
    ck_assert_int_eq(ptrace(PTRACE_DETACH, thread, NULL, NULL), 0);
    expect_notification("WATCHDOG=1");
    crierd_stop(&crierd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("notify");
    TCase *c = add_case(s, "notify");

    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, a_life);
    tcase_add_test(c, an_abstract_name);
    tcase_add_test(c, a_reload_that_fails);
    tcase_add_test(c, a_journal_takes_its_time);
    tcase_add_test(c, a_name_that_is_none);
    tcase_add_test(c, nobody_reads);
    tcase_add_test(c, the_watchdog_is_answered);
    tcase_add_test(c, another_process_is_watched);
    tcase_add_loop_test(c, a_thread_that_hangs, 0, 2);
    return s;
}

RUN_SUITE(suite)
