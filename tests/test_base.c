/* What every program of the project shares: numbers, tokens, clocks, condition
 * variables, threads, buffers, files. */
#include <config.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/container_of.h"
#include "base/file.h"
#include "base/number.h"
#include "base/random.h"
#include "base/thread.h"
#include "base/token.h"
#include "crier.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- numbers ---------------------------------------------------------- */

START_TEST(a_number)
{
    uint64_t n = 0;

    ck_assert(crier__number_read("0", 0, 10, &n) && n == 0);
    ck_assert(crier__number_read("10", 0, 10, &n) && n == 10);
    ck_assert(crier__number_read("18446744073709551615", 0, UINT64_MAX, &n));
    ck_assert(n == UINT64_MAX);
    ck_assert(crier__number_read("0000000000000000000000007", 0, 10, &n));
    ck_assert_uint_eq(n, 7);
    ck_assert(!crier__number_read("11", 0, 10, &n));
    ck_assert(!crier__number_read("0", 1, 10, &n));
    ck_assert(!crier__number_read("", 0, 10, &n));
    ck_assert(!crier__number_read("-1", 0, UINT64_MAX, &n));
    ck_assert(!crier__number_read(" 1", 0, 10, &n));
    ck_assert(!crier__number_read("+1", 0, 10, &n));
    ck_assert(!crier__number_read("1x", 0, 10, &n));
    ck_assert(!crier__number_read("0x1", 0, 10, &n));
    ck_assert(!crier__number_read("18446744073709551616", 0, UINT64_MAX, &n));
    ck_assert(!crier__number_read("99999999999999999999", 0, UINT64_MAX, &n));
    ck_assert_uint_eq(n, 7);
}
END_TEST

START_TEST(digits_in_front)
{
    uint64_t n = 1;
    size_t digits = 9;

    ck_assert(crier__number_scan("12ab", 4, &digits, &n));
    ck_assert_uint_eq(n, 12);
    ck_assert_uint_eq(digits, 2);
    ck_assert(crier__number_scan("12345", 3, &digits, &n));
    ck_assert_uint_eq(n, 123);
    ck_assert_uint_eq(digits, 3);
    ck_assert(!crier__number_scan("", 0, &digits, &n));
    ck_assert_uint_eq(digits, 0);
    ck_assert(!crier__number_scan("99999999999999999999s", 21, &digits, &n));
    ck_assert_uint_eq(digits, 20);
    ck_assert(n == UINT64_MAX);
}
END_TEST

static const struct {
    const char *text;
    bool valid;
    uint64_t ms;
} times[] = {
    {"0", true, 0},         {"5", true, 5000},
    {"5s", true, 5000},     {"20ms", true, 20},
    {"2m", true, 120000},   {"3h", true, 10800000},
    {"1d", true, 86400000}, {"7d", true, 604800000},
    {"8d", false, 0},       {"604800001ms", false, 0},
    {"", false, 0},         {"s", false, 0},
    {"1 s", false, 0},      {"1S", false, 0},
    {"-1s", false, 0},      {"99999999999999999999s", false, 0},
    {"1w", false, 0},       {"18446744073709551615s", false, 0},
};

START_TEST(a_number_with_a_unit)
{
    uint64_t ms = 1234;

    ck_assert_int_eq(crier__number_read_unit(times[_i].text, crier__time_units,
                                             CRIER__TIME_UNITS, 604800000,
                                             &ms),
                     times[_i].valid);
    ck_assert_uint_eq(ms, times[_i].valid ? times[_i].ms : 1234);
}
END_TEST

/* ---- tokens ----------------------------------------------------------- */

START_TEST(a_token)
{
    static const char all[] = "!#$%&'*+-.^_`|~0123456789"
                              "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char text[2] = "";
    int c;

    ck_assert(crier__token_valid(all));
    ck_assert(!crier__token_valid(""));
    ck_assert(!crier__token_valid("a b"));
    ck_assert_uint_eq(crier__token_length("Content-Type: x"), 12);
    for (c = 1; c < 256; c++) {
        text[0] = (char)c;
        ck_assert_int_eq(crier__token_valid(text), strchr(all, c) != NULL);
    }
}
END_TEST

/* ---- clocks, condition variables, threads ----------------------------- */

START_TEST(a_time_in_words)
{
    char text[CRIER__CLOCK_TEXT_SIZE];

    crier__clock_text(0, text);
    ck_assert_str_eq(text, "1970-01-01T00:00:00.000Z");
    crier__clock_text(1709251199999, text);
    ck_assert_str_eq(text, "2024-02-29T23:59:59.999Z");
}
END_TEST

static const char *const no_times[] = {
    "",
    "2024-02-29T23:59:59Z",
    "2024-02-29T23:59:59.9Z",
    "2024-02-29T23:59:59.9999Z",
    "2024-02-29T23:59:59.999",
    "2024-02-29T23:59:59.999+00:00",
    "2024-02-29 23:59:59.999Z",
    "2024-02-29T23:59:59.9 9Z",
    "2024-02-29T23:59:59.-99Z",
    "2023-02-29T23:59:59.999Z",
    "2024-13-01T00:00:00.000Z",
    "2024-2-29T23:59:59.999Z",
    " 2024-02-29T23:59:59.999Z",
    "1969-12-31T23:59:59.999Z",
    "x",
};

START_TEST(a_written_time_is_read)
{
    static const int64_t moments[] = {0, 1, 999, 1709251199999, 253402300799999};
    char text[CRIER__CLOCK_TEXT_SIZE];
    int64_t time;
    size_t i;

    for (i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        crier__clock_text(moments[i], text);
        ck_assert(crier__clock_read(text, &time));
        ck_assert_int_eq(time, moments[i]);
    }
    for (i = 0; i < sizeof no_times / sizeof no_times[0]; i++)
        ck_assert_msg(!crier__clock_read(no_times[i], &time), "%s", no_times[i]);
}
END_TEST

START_TEST(clocks_agree)
{
    uint64_t before = crier_now(), us = crier__clock_us() / 1000,
             after = crier_now();

    ck_assert_uint_ge(us, before);
    ck_assert_uint_le(us, after);
    ck_assert_int_gt(crier__clock_real(), 1700000000000);
}
END_TEST

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool signalled;
    sigset_t blocked;
};

static void *signal_waiting(void *closure)
{
    struct waiting *waiting = closure;

    pthread_mutex_lock(&waiting->lock);
    pthread_sigmask(SIG_SETMASK, NULL, &waiting->blocked);
    waiting->signalled = true;
    pthread_cond_signal(&waiting->cond);
    pthread_mutex_unlock(&waiting->lock);
    return NULL;
}

START_TEST(a_signal_ends_the_wait)
{
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    sigset_t own;

    ck_assert_int_eq(crier__cond_init(&waiting.cond), 0);
    pthread_mutex_lock(&waiting.lock);
    ck_assert_int_eq(crier__thread_start(&thread, signal_waiting, &waiting),
                     0);
    while (!waiting.signalled)
        ck_assert(crier__cond_wait(&waiting.cond, &waiting.lock, UINT64_MAX));
    pthread_mutex_unlock(&waiting.lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&waiting.cond);
    ck_assert(sigismember(&waiting.blocked, SIGTERM) == 1);
    ck_assert(sigismember(&waiting.blocked, SIGUSR1) == 1);
    pthread_sigmask(SIG_SETMASK, NULL, &own);
    ck_assert(sigismember(&own, SIGTERM) == 0);
}
END_TEST

START_TEST(the_wait_ends_in_time)
{
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER};
    uint64_t until = crier_now() + 20;

    ck_assert_int_eq(crier__cond_init(&waiting.cond), 0);
    pthread_mutex_lock(&waiting.lock);
    while (crier__cond_wait(&waiting.cond, &waiting.lock, until))
        ;
    ck_assert_uint_ge(crier_now(), until);
    ck_assert(!crier__cond_wait(&waiting.cond, &waiting.lock, 0));
    pthread_mutex_unlock(&waiting.lock);
    pthread_cond_destroy(&waiting.cond);
}
END_TEST

START_TEST(how_many_threads)
{
    ck_assert_uint_eq(crier__thread_count(1), 1);
    ck_assert_uint_ge(crier__thread_count(64), 1);
    ck_assert_uint_le(crier__thread_count(64), 64);
}
END_TEST

START_TEST(random_names)
{
    char one[CRIER__RANDOM_NAME_SIZE], other[CRIER__RANDOM_NAME_SIZE];
    bool seen[3] = {false};
    int i;

    ck_assert_int_eq(crier__random_name(one), 0);
    ck_assert_int_eq(crier__random_name(other), 0);
    ck_assert_uint_eq(strspn(one, "0123456789abcdefghjkmnpqrstvwxyz"), 8);
    ck_assert_str_ne(one, other);
    ck_assert_uint_eq(crier__random_below(1), 0);
    for (i = 0; i < 1000; i++)
        seen[crier__random_below(3)] = true;
    ck_assert(seen[0] && seen[1] && seen[2]);
}
END_TEST

/* ---- memory ----------------------------------------------------------- */

START_TEST(a_buffer)
{
    struct crier__buffer buffer = {.max = 100};
    char bytes[64];

    memset(bytes, 'x', sizeof bytes);
    ck_assert_int_eq(crier__buffer_add(&buffer, bytes, 64), 0);
    ck_assert_int_eq(buffer.bytes[64], '\0');
    ck_assert_int_eq(crier__buffer_add(&buffer, bytes, 37),
                     CRIER_ERR_FRAME_SIZE);
    ck_assert_uint_eq(buffer.length, 64);
    ck_assert_int_eq(crier__buffer_add(&buffer, bytes, 36), 0);
    ck_assert_uint_eq(strlen(buffer.bytes), 100);
    crier__buffer_clear(&buffer);
    ck_assert_str_eq(buffer.bytes, "");
    ck_assert_int_eq(crier__buffer_add(&buffer, "ab", 2), 0);
    ck_assert_str_eq(buffer.bytes, "ab");
    crier__buffer_done(&buffer);
    ck_assert_ptr_null(buffer.bytes);
    ck_assert_uint_eq(buffer.max, 100);
}
END_TEST

START_TEST(a_container)
{
    struct waiting waiting;

    ck_assert_ptr_eq(CRIER__CONTAINER_OF(&waiting.cond, struct waiting, cond),
                     &waiting);
}
END_TEST

/* ---- files ------------------------------------------------------------ */

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static const struct {
    const char *path; /* in the directory of the test, or absolute */
    int error;
    const char *text; /* what it holds, or why it is refused */
} files[] = {
    {"five", 0, "12345"},
    {"/dev/null", 0, ""},
    {"six", -EFBIG, "larger than 5 bytes"},
    {"none", -ENOENT, "No such file or directory"},
    {"pipe", -EINVAL, "not a regular file"},
    {"socket", -EINVAL, "not a regular file"},
    {"/", -EINVAL, "not a regular file"},
    {"/dev/zero", -EINVAL, "not a regular file"},
};

START_TEST(a_file)
{
    char *text = NULL, why[80];
    size_t length;

    scratch_make();
    ck_assert_int_eq(chdir(scratch), 0);
    scratch_write("five", "12345");
    scratch_write("six", "123456");
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    make_socket("socket");
    ck_assert_int_eq(
        crier__file_load(files[_i].path, 5, &text, &length, why, sizeof why),
        files[_i].error);
    ck_assert_str_eq(text != NULL ? text : why, files[_i].text);
    if (text != NULL)
        ck_assert_uint_eq(length, strlen(text));
    free(text);
    scratch_remove();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("base");
    TCase *c = add_case(s, "base");

    tcase_add_test(c, a_number);
    tcase_add_test(c, digits_in_front);
    tcase_add_loop_test(c, a_number_with_a_unit, 0,
                        (int)(sizeof times / sizeof times[0]));
    tcase_add_test(c, a_token);
    tcase_add_test(c, a_time_in_words);
    tcase_add_test(c, a_written_time_is_read);
    tcase_add_test(c, clocks_agree);
    tcase_add_test(c, a_signal_ends_the_wait);
    tcase_add_test(c, the_wait_ends_in_time);
    tcase_add_test(c, how_many_threads);
    tcase_add_test(c, random_names);
    tcase_add_test(c, a_buffer);
    tcase_add_test(c, a_container);
    tcase_add_loop_test(c, a_file, 0, (int)(sizeof files / sizeof files[0]));
    return s;
}

RUN_SUITE(suite)
