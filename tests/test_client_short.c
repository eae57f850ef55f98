/*
 * A client without enough memory or kernel resources: it reconnects or reports the
 * error, and does not crash, hang or leak.
 */
#include <config.h>

#include "support/client.h"
#include "support/client_fixture.h"
#include "support/oom.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

/* What the linker's --wrap makes of the names. */
CURLMcode __real_curl_multi_socket_action(CURLM *multi, curl_socket_t socket,
                                          int what, int *running);
CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t socket,
                                          int what, int *running);
CURLcode __real_curl_easy_pause(CURL *handle, int what);
CURLcode __wrap_curl_easy_pause(CURL *handle, int what);
int __real_epoll_ctl(int set, int what, int descriptor,
                     struct epoll_event *event);
int __wrap_epoll_ctl(int set, int what, int descriptor,
                     struct epoll_event *event);

/* libcurl's allocations fail, too, but not those of its transfers: it does not
 * survive each of them (7.88). These calls fail as a whole instead. */
static bool in_transfer;
static int failing[3]; /* the how many-th call from now on fails, once */
enum { ACTION, PAUSE, WATCH };

static void *curl_malloc(size_t size)
{
    return in_transfer ? malloc(size) : oom_malloc(size);
}

static void *curl_calloc(size_t count, size_t size)
{
    return in_transfer ? calloc(count, size) : oom_calloc(count, size);
}

static void *curl_realloc(void *old, size_t size)
{
    return in_transfer ? realloc(old, size) : oom_realloc(old, size);
}

static char *curl_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = curl_malloc(size);

    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

static bool fails(int what)
{
    return failing[what] != 0 && --failing[what] == 0;
}

CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t socket,
                                          int what, int *running)
{
    CURLMcode result;

    if (fails(ACTION))
        return CURLM_OUT_OF_MEMORY;
    in_transfer = true;
    result = __real_curl_multi_socket_action(multi, socket, what, running);
    in_transfer = false;
    return result;
}

CURLcode __wrap_curl_easy_pause(CURL *handle, int what)
{
    return fails(PAUSE) ? CURLE_OUT_OF_MEMORY
                        : __real_curl_easy_pause(handle, what);
}

int __wrap_epoll_ctl(int set, int what, int descriptor,
                     struct epoll_event *event)
{
    if (!fails(WATCH))
        return __real_epoll_ctl(set, what, descriptor, event);
    if (what == EPOLL_CTL_MOD) /* so what is tried next fails, too */
        failing[WATCH] = 1;
    errno = ENOSPC;
    return -1;
}

/* Reads the stream until its last event. Returns how it ended. There is no
 * check in here, because check allocates, too. */
static int read_stream(void)
{
    struct pollfd poller = {.events = POLLIN};
    struct crier_message message = {0};
    int result = crier_client_new(&options, &client);

    if (result != 0)
        return result;
    poller.fd = crier_client_fd(client);
    while (message.kind != CRIER_CLOSED) {
        result = crier_client_next(client, &message);
        if (result < 0 || (result == 0 && poll(&poller, 1, PATIENCE) != 1))
            return -ETIME;
        if (result == 1 && message.kind == CRIER_EVENT &&
            strcmp(message.type, "last") == 0)
            crier_client_close(client);
    }
    return message.error;
}

/* Whether a failure was requested and has not happened yet. */
static bool still_armed(void)
{
    void *probe;
    int i;

    for (i = 0; i < 100; i++) {
        probe = oom_malloc(1);
        if (probe == NULL)
            return true;
        free(probe);
    }
    return false;
}

/* A server of its own for each try, whose stream has all there is. */
static void serve_again(void)
{
    int i;

    foreign_stop(&server);
    foreign_start(&server);
    options.url = server.url;
    for (i = 0; i < 4; i++) {
        foreign_answer(&server, "302 Found", "Location: /b\r\n", "");
        foreign_answer(&server, "200 OK",
                       "Content-Type: text/event-stream\r\n",
                       ": comment\nid: 1\ndata: a\n\ndata: b\n\n");
        foreign_stream(&server);
        foreign_say(&server,
                    "retry: 2\nevent: last\ntopics: a\nid: 2\n"
                    "data: %0400000d\n\n",
                    0);
        foreign_close(&server);
    }
}

/* Each allocation fails once. A client that was made gets to the end all the same,
 * or says what is missing. */
START_TEST(short_memory)
{
    static const char *const headers[] = {"X: 1", "Last-Event-ID: 0", NULL};
    int result = -1, ended = 0, refused = 0;
    bool armed = false;
    long n;

    curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, free, curl_realloc,
                         curl_strdup, curl_calloc);
    options.reconnect = CRIER_RECONNECT_ALWAYS;
    options.body = "body";
    options.body_length = 4;
    options.http.headers = headers;
    options.http.token = "secret";
    for (n = 1; !armed; n++) {
        serve_again();
        client = NULL;
        oom_after(n);
        result = read_stream();
        armed = still_armed();
        oom_never();
        ck_assert_msg(result == 0 || result == -ENOMEM, "%ld: %d, %s", n,
                      result, crier_error_text(result));
        ended += result == -ENOMEM && client != NULL;
        refused += client == NULL;
        crier_client_free(client);
    }
    client = NULL;
    curl_global_cleanup();
    ck_assert_int_eq(result, 0);
    ck_assert_int_gt(ended, 2);
    ck_assert_int_gt(refused, 10);
}
END_TEST

/* It reconnects after an error of the system or of libcurl. */
START_TEST(short_of_something_else)
{
    int n, result, left = 0;

    for (n = 1; left == 0; n++) {
        serve_again();
        ck_assert_int_lt(n, 10000);
        failing[_i] = n;
        result = read_stream();
        /* a client needs a set of its own to begin with */
        ck_assert_msg(result == 0 || (_i == WATCH && client == NULL &&
                                      result == -ENOSPC),
                      "%d: %s", n, crier_error_text(result));
        left = failing[_i];
        failing[_i] = 0;
        crier_client_free(client);
        client = NULL;
    }
    ck_assert_int_gt(n, 2);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client short");
    TCase *c = client_fixture_case(s, "short");

    tcase_add_test(c, short_memory);
    tcase_add_loop_test(c, short_of_something_else, 0, 3);
    return s;
}

RUN_SUITE(suite)
