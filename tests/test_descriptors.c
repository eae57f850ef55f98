/*
 * Descriptors: the sum that crierd makes of its own is what it has open, and the number
 * of clients that it announces is right at every limit of open files.
 */
#include <config.h>

#include "crier.h"
#include "crierd/http/http.h"
#include "crierd/net/descriptors.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Clients that are refused and stay, and others that do. */
#define EXTRA 8

/* Connections without a request: twice as many as there are beside the streams where
 * the limit is low. */
#define IDLE 16

/* A head of which crierd does not think that it belongs to a short-lived connection. */
static char large_head[2200];

static struct crierd crierd;

/* crierd gets the descriptors 0 to 2, and no other one of ours. */
static void keep_ours(void)
{
    int fd;

    for (fd = 3; fd < 1024; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    strcpy(large_head, "X: ");
    memset(large_head + 3, 'x', sizeof large_head - 6);
    strcpy(large_head + sizeof large_head - 3, "\r\n");
}

static void limit_files(size_t files)
{
    const struct rlimit limit = {files, files};

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static struct listener listener;
static const struct listeners listeners = {.list = &listener, .count = 1};

/* Of a crierd that found the descriptors 0 to 2, and listens. */
static struct descriptors_needs needs_of(unsigned count, bool journal_file)
{
    return (struct descriptors_needs){.found = 4,
                                      .threads = count,
                                      .http = http_descriptors(&listeners, count),
                                      .journal_file = journal_file};
}

/* ---- those of its own --------------------------------------------------- */

static size_t count_open(void)
{
    struct dirent *entry;
    char path[64];
    size_t count = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)crierd.pid);
    dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* Waits until crierd has as many descriptors open as it reckons. */
static void check_own(const struct descriptors_needs *needs)
{
    size_t own = descriptors_own(needs);
    uint64_t begun = crier_now();

    while (count_open() != own)
        ck_assert_msg(crier_now() - begun < (uint64_t)PATIENCE,
                      "%zu are open with %u threads, and not %zu",
                      count_open(), needs->threads, own);
}

START_TEST(the_sum_of_its_own)
{
    const struct descriptors_needs needs =
        needs_of((unsigned)_i / 2 + 1, _i % 2 != 0);
    char options[128];
    size_t length;

    scratch_make();
    length = (size_t)snprintf(options, sizeof options, "--threads %u",
                              needs.threads);
    if (needs.journal_file)
        snprintf(options + length, sizeof options - length,
                 " --journal sqlite:%s/journal", scratch);
    crierd_start(&crierd, options);
    fetch(crierd.port, "POST", "/topics/x", "", "hello", NULL);
    fetch(crierd.port, "GET", "/topics/x?poll=1", "", NULL, NULL);
    fetch(crierd.port, "GET", "/", "", NULL, NULL);
    check_own(&needs);
    crierd_stop(&crierd);
    scratch_remove();
}
END_TEST

/* ---- clients ------------------------------------------------------------ */

/* Connects and asks for TARGET with HEADERS. Returns the status. */
static int ask(struct client *client, const char *target, const char *headers)
{
    client_connect(client, crierd.port);
    return client_request(client, "GET", target, headers, NULL);
}

static void check_health(void)
{
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, NULL),
                     200);
}

/* Starts crierd with OPTIONS. Returns how many clients it says that there may be; 0
 * when it refuses to start. */
static int announced(const char *options)
{
    static const char says[] = "at most ";
    char *at;
    int clients, status;

    if (!crierd_try_start(&crierd, options, &status)) {
        ck_assert_int_eq(status, 1);
        return 0;
    }
    pthread_mutex_lock(&crierd.lock);
    at = strstr(crierd.log, says);
    ck_assert_ptr_nonnull(at);
    clients = atoi(at + strlen(says));
    pthread_mutex_unlock(&crierd.lock);
    return clients;
}

/* crierd accepts as many streams as it announced and then responds with 503. It
 * responds to other requests all the time, also while clients that it refused stay
 * connected. */
static void fill(int clients, int extra)
{
    struct client *streams = calloc((size_t)clients, sizeof *streams);
    struct client refused[EXTRA], others[EXTRA];
    int i;

    for (i = 0; i < clients; i++) {
        ck_assert_int_eq(ask(&streams[i], "/topics/x", ""), 200);
        check_health();
    }
    for (i = 0; i < extra; i++) {
        ck_assert_int_eq(
            ask(&refused[i], "/topics/x", i % 2 == 0 ? "" : large_head), 503);
        ck_assert_int_eq(ask(&others[i], "/healthz", ""), 200);
        ck_assert_str_eq(client_header(&others[i], "Connection"), "close");
    }
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/x", "", "hello", NULL), 200);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/", "", NULL, NULL), 200);
    for (i = 0; i < clients; i++) {
        client_expect_event(&streams[i], "data: hello");
        client_close(&streams[i]);
    }
    for (i = 0; i < extra; i++) {
        client_close(&refused[i]);
        client_close(&others[i]);
    }
    free(streams);
}

static const int limits[] = {40,  42,  44,  47,  50,  55,  60,  64,  68, 75,
                             80,  90,  100, 128, 150, 200, 256, 500};
static const unsigned threads[] = {1, 2, 4};

#define LIMITS ((int)(sizeof limits / sizeof limits[0]))
#define THREADS ((int)(sizeof threads / sizeof threads[0]))

START_TEST(the_announced_number)
{
    size_t limit = (size_t)limits[_i / THREADS];
    const struct descriptors_needs needs =
        needs_of(threads[_i % THREADS], false);
    struct descriptors descriptors;
    char options[32];
    int clients;

    snprintf(options, sizeof options, "--threads %u", needs.threads);
    limit_files(limit);
    clients = announced(options);
    if (descriptors_divide(&descriptors, &needs, limit) != 0) {
        ck_assert_int_eq(clients, 0);
        return;
    }
    ck_assert_int_ge(clients, 8);
    fill(clients, EXTRA);
    crierd_stop(&crierd);
}
END_TEST

/* At the lowest limit there is. */
START_TEST(the_lowest_limit)
{
    const struct descriptors_needs needs =
        needs_of(threads[_i % THREADS], _i >= THREADS);
    struct descriptors descriptors;
    char options[128];

    scratch_make();
    snprintf(options, sizeof options, "--threads %u --journal %s%s%s",
             needs.threads, needs.journal_file ? "sqlite:" : "memory",
             needs.journal_file ? scratch : "",
             needs.journal_file ? "/journal" : "");
    limit_files(descriptors_divide(&descriptors, &needs, 0));
    ck_assert_int_eq(announced(options), 8);
    fill(8, EXTRA);
    crierd_stop(&crierd);
    scratch_remove();
}
END_TEST

/* Connections that wait for another request make room for streams. */
START_TEST(idle_connections_make_room)
{
    struct client idle[IDLE];
    int clients, i;

    limit_files(80);
    clients = announced("--threads 1");
    for (i = 0; i < IDLE; i++) {
        ck_assert_int_eq(ask(&idle[i], "/healthz", ""), 200);
        free(client_body(&idle[i]));
        ck_assert_str_ne(client_header(&idle[i], "Connection"), "close");
    }
    fill(clients, 2);
    for (i = 0; i < IDLE; i++)
        client_close(&idle[i]);
    crierd_stop(&crierd);
}
END_TEST

/* What crierd was started with counts. */
START_TEST(descriptors_that_were_there)
{
    int before, i;

    limit_files(80);
    before = announced("--threads 1");
    crierd_stop(&crierd);
    for (i = 0; i < 10; i++)
        ck_assert_int_ge(open("/dev/null", O_RDONLY), 0);
    ck_assert_int_eq(announced("--threads 1"), before - 10);
    for (i = 3; i < 80; i++)
        (void)fcntl(i, F_SETFD, FD_CLOEXEC);
    fill(before - 10, EXTRA);
    crierd_stop(&crierd);
}
END_TEST

START_TEST(too_few_are_refused_in_a_line)
{
    const struct descriptors_needs needs = needs_of(2, false);
    struct descriptors descriptors;
    size_t needed = descriptors_divide(&descriptors, &needs, 10);
    char says[128], options[] = "--listen 127.0.0.1:0 --threads 2";

    limit_files(needed - 1);
    snprintf(says, sizeof says,
             "the open-file limit of %zu is too low: 2 threads need %zu",
             needed - 1, needed);
    crierd_spawn(&crierd, options);
    crierd_wait_log(&crierd, says);
    ck_assert_ptr_eq(strchr(crierd.log, '\n') + 1,
                     crierd.log + crierd.length);
    ck_assert_int_eq(crierd_wait(&crierd), 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("descriptors");
    TCase *c = add_case(s, "descriptors");

    tcase_add_checked_fixture(c, keep_ours, NULL);
    tcase_add_loop_test(c, the_sum_of_its_own, 0, 12);
    tcase_add_loop_test(c, the_announced_number, 0, LIMITS * THREADS);
    tcase_add_loop_test(c, the_lowest_limit, 0, 2 * THREADS);
    tcase_add_test(c, idle_connections_make_room);
    tcase_add_test(c, descriptors_that_were_there);
    tcase_add_test(c, too_few_are_refused_in_a_line);
    return s;
}

RUN_SUITE_IF(suite, getenv("CRIERD_WRAPPER") == NULL,
             "valgrind takes some of the descriptors")
