/*
 * The client reads the time from crier_now() and waits on a timer of the kernel. The
 * linker replaces both calls by functions of this file (--wrap): crier_now() is ahead
 * of the kernel's clock by the time that was skipped, and timers expire earlier by as
 * much.
 */
#include <config.h>

#include "client_fixture.h"

#include "client.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

/* The names that the linker's --wrap gives them. */
uint64_t __real_crier_now(void);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *new,
                           struct itimerspec *old);
uint64_t __wrap_crier_now(void);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new,
                           struct itimerspec *old);

/* More calls than any client needs that is not in an endless loop. */
#define CALLS_MAX 1000

struct foreign server;
struct crier_client_options options;
struct crier_client *client;

static int descriptors_before;

/* ---- the clock -------------------------------------------------------- */

static _Atomic uint64_t skipped; /* ms */

/* The timer that this thread set last. */
static _Thread_local int timer;
static _Thread_local struct itimerspec timer_at;

uint64_t __wrap_crier_now(void)
{
    return __real_crier_now() + skipped;
}

static int set_timer(void)
{
    struct itimerspec real = timer_at;
    int64_t ms = timer_at.it_value.tv_sec * 1000 +
                 timer_at.it_value.tv_nsec / 1000000 - (int64_t)skipped;

    if ((timer_at.it_value.tv_sec | timer_at.it_value.tv_nsec) != 0) {
        ms = ms > 0 ? ms : 1; /* zero would disarm the timer */
        real.it_value.tv_sec = ms / 1000;
        real.it_value.tv_nsec = ms % 1000 * 1000000;
    }
    return __real_timerfd_settime(timer, TFD_TIMER_ABSTIME, &real, NULL);
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new,
                           struct itimerspec *old)
{
    /* no check: it allocates, which may be made to fail */
    if (flags != TFD_TIMER_ABSTIME || old != NULL)
        abort();
    timer = fd;
    timer_at = *new;
    return set_timer();
}

void skip(uint64_t ms)
{
    skipped += ms;
    ck_assert_int_eq(set_timer(), 0);
}

/* ---- the fixture ------------------------------------------------------ */

int descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    ck_assert_ptr_nonnull(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

void client_fixture_setup(void)
{
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    descriptors_before = descriptors();
    foreign_start(&server);
    options = (struct crier_client_options){.url = server.url, .retry = 1};
    client = NULL;
}

void client_fixture_teardown(void)
{
    crier_client_free(client);
    foreign_stop(&server);
    ck_assert_int_eq(descriptors(), descriptors_before);
}

TCase *client_fixture_case(Suite *suite, const char *name)
{
    TCase *tcase = add_case(suite, name);

    tcase_add_checked_fixture(tcase, client_fixture_setup, client_fixture_teardown);
    return tcase;
}

void start(void)
{
    ck_assert_int_eq(crier_client_new(&options, &client), 0);
}

/* ---- messages --------------------------------------------------------- */

struct crier_message take(void)
{
    struct pollfd poller = {.fd = crier_client_fd(client), .events = POLLIN};
    struct crier_message message;
    int result;

    while ((result = crier_client_next(client, &message)) == 0)
        ck_assert_msg(poll(&poller, 1, PATIENCE) == 1, "nothing comes");
    ck_assert_msg(result == 1, "%s", crier_error_text(result));
    ck_assert_ptr_nonnull(message.data);
    ck_assert_uint_eq(message.data[message.length], '\0');
    ck_assert_ptr_nonnull(message.type);
    ck_assert_ptr_nonnull(message.id);
    ck_assert_ptr_nonnull(message.reason);
    return message;
}

struct crier_message expect(enum crier_kind kind)
{
    struct crier_message message = take();

    ck_assert_msg(message.kind == kind,
                  "wanted a message of kind %d, not %d: %s%s", kind,
                  message.kind, message.data, message.reason);
    return message;
}

struct crier_message expect_event(const char *data)
{
    struct crier_message message = expect(CRIER_EVENT);

    ck_assert_str_eq(message.data, data);
    return message;
}

/* Checks what errors have in common. */
static struct crier_message expect_failure(enum crier_kind kind, int error)
{
    struct crier_message message = expect(kind);

    ck_assert_msg(message.error == error, "wanted '%s', not '%s' (%s)",
                  crier_error_text(error), crier_error_text(message.error),
                  message.reason);
    ck_assert_str_ne(message.reason, "");
    ck_assert_str_eq(message.data, "");
    return message;
}

struct crier_message expect_error(int error)
{
    return expect_failure(CRIER_ERROR, error);
}

struct crier_message expect_closed(int error)
{
    struct crier_message message = expect_failure(CRIER_CLOSED, error), none;

    ck_assert_uint_eq(message.retry, 0);
    ck_assert_int_eq(crier_client_next(client, &none), CRIER_ERR_CLOSED);
    return message;
}

void settle(void)
{
    struct pollfd poller = {.fd = crier_client_fd(client), .events = POLLIN};
    struct crier_message message;
    int calls = 0;

    do {
        ck_assert_int_eq(crier_client_next(client, &message), 0);
        ck_assert_int_lt(calls++, CALLS_MAX);
    } while (poll(&poller, 1, 0) == 1);
}

/* ---- the server ------------------------------------------------------- */

void wait_readable(void)
{
    struct pollfd poller = {.fd = crier_client_fd(client), .events = POLLIN};

    ck_assert_int_eq(poll(&poller, 1, PATIENCE), 1);
}

int find_connection(void)
{
    struct sockaddr_in address;
    socklen_t size;
    int fd;

    for (fd = 0; fd < 1024; fd++) {
        size = sizeof address;
        if (getpeername(fd, (struct sockaddr *)&address, &size) == 0 &&
            address.sin_family == AF_INET &&
            ntohs(address.sin_port) == server.port)
            return fd;
    }
    ck_abort_msg("there is no connection to the server");
}

void wait_received(void)
{
    struct pollfd poller = {.fd = find_connection(), .events = POLLIN};

    ck_assert_int_eq(poll(&poller, 1, PATIENCE), 1);
}

void work_until_asked(size_t n)
{
    struct pollfd poller = {.fd = crier_client_fd(client), .events = POLLIN};

    while (foreign_requests(&server) < n) {
        settle();
        poll(&poller, 1, 1);
    }
}

void check_wait(uint64_t wait, uint64_t wanted)
{
    ck_assert_uint_ge(wait, wanted);
    ck_assert_uint_le(wait, wanted + wanted / 2);
}

size_t make_event(uint64_t number, char *bytes)
{
    return (size_t)sprintf(bytes, "id: %llu\ndata: %0990llu\n\n",
                           (unsigned long long)number,
                           (unsigned long long)number);
}

void expect_made(uint64_t from, uint64_t count)
{
    struct crier_message message;
    uint64_t number;

    for (number = from; number < from + count; number++) {
        message = expect(CRIER_EVENT);
        ck_assert_uint_eq(message.length, 990);
        ck_assert_uint_eq(strtoull(message.data, NULL, 10), number);
        ck_assert_uint_eq(strtoull(message.id, NULL, 10), number);
    }
}
