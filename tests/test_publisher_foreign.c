/*
 * A publisher and a server that is not crierd, that sends what crierd would not, or
 * that is away: which responses count, and what the publisher sends again.
 */
#include <config.h>

#include "crier_client.h"
#include "support/client.h"
#include "support/coding.h"
#include "support/foreign.h"
#include "support/port.h"
#include "support/runner.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct foreign server;
static struct crier_event *event;
static struct crier_publisher_options options;
static struct crier_published published;

static void setup(void)
{
    foreign_start(&server);
    event = crier_event_new();
    ck_assert_ptr_nonnull(event);
    crier_event_text(event, "x");
    crier_event_id(event, "i", 1);
    options = (struct crier_publisher_options){
        .server = server.url, .topics = "t", .timeout = (uint64_t)PATIENCE};
}

static void teardown(void)
{
    crier_event_free(event);
    foreign_stop(&server);
}

#define DONE                                                                  \
    "{\"published\":1,\"duplicates\":0,\"id\":\"i\",\"position\":1,"            \
    "\"subscribers\":0}"

static size_t make_words(uint64_t number, char *bytes)
{
    (void)number;
    return (size_t)sprintf(bytes, "%01000d", 0);
}

/* ---- refusals --------------------------------------------------------- */

/* Its status says enough, however much it says, and if it never ends. */
START_TEST(a_refusal_is_one_from_its_headers_on)
{
    foreign_say(&server, "HTTP/1.1 403 Forbidden\r\n\r\n");
    if (_i == 1)
        foreign_make(&server, make_words, 200);
    if (_i == 1)
        foreign_close(&server);
    if (_i == 2)
        foreign_reset(&server);
    options.timeout = UINT64_MAX;
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_STATUS);
    ck_assert_int_eq(published.status, 403);
    ck_assert_uint_eq(foreign_requests(&server), 1);
}
END_TEST

/* A server that responds so is not crierd, or has lost something. */
START_TEST(an_answer_must_be_crierds)
{
    static const char *const answers[] = {
        "", "{}", "[]", "{\"id\":\"i\"}", "{\"id\":\"i\",\"published\":0}",
        "{\"id\":\"i\",\"published\":-1}", "{\"published\":1}",
        "{\"id\":1,\"published\":1}"};

    foreign_answer(&server, "200 OK", "", answers[_i]);
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_STATUS);
    ck_assert_str_eq(published.reason, "the response is not crierd's");
}
END_TEST

/* A proxy may encode a response although the client did not accept that. */
START_TEST(an_answer_may_be_encoded)
{
    const char *coding = _i == 0 ? "gzip" : "compress";
    char bytes[256];
    size_t length = coding_write(CODING_GZIP, true, DONE, bytes);

    foreign_say(&server,
                "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n"
                "Content-Length: %zu\r\n\r\n",
                coding, length);
    foreign_say_bytes(&server, bytes, length);
    foreign_keep(&server);
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     _i == 0 ? 0 : CRIER_ERR_ENCODING);
    ck_assert_int_eq(published.status, 200);
    ck_assert_str_eq(published.id, _i == 0 ? "i" : "");
    ck_assert_ptr_nonnull(strstr(published.reason, _i == 0 ? "" : "compress"));
    ck_assert(!foreign_has(foreign_request(&server, 0), "Accept-Encoding"));
    ck_assert_uint_eq(foreign_requests(&server), 1);
}
END_TEST

/* It has been read as far as it matters, and the publication is not repeated. */
START_TEST(an_answer_without_end_is_not_crierds)
{
    foreign_say(&server, "HTTP/1.1 200 OK\r\n\r\n");
    foreign_make(&server, make_words, UINT64_MAX);
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_STATUS);
    ck_assert_str_eq(published.reason, "the response is not crierd's");
    ck_assert_uint_eq(foreign_requests(&server), 1);
}
END_TEST

/* A server cannot have more than it was sent, or all that it refuses. */
START_TEST(counts_are_plausible)
{
    struct crier_publisher *publisher;
    struct crier_progress progress;

    foreign_answer(&server, "400 Bad Request", "",
                   "{\"published\":1000000,\"duplicates\":2000000}");
    ck_assert_int_eq(crier_publisher_new(&options, &publisher), 0);
    ck_assert_int_eq(crier_publisher_add(publisher, event), 0);
    ck_assert_int_eq(crier_publisher_finish(publisher, &published),
                     CRIER_ERR_STATUS);
    crier_publisher_progress(publisher, &progress);
    ck_assert_uint_eq(progress.published, 0);
    ck_assert_uint_eq(progress.duplicates, 0);
    ck_assert_uint_eq(progress.failed, 1);
    crier_publisher_free(publisher);
}
END_TEST

/* ---- once more -------------------------------------------------------- */

/* An invalid response does not count; the update may be published already. */
START_TEST(no_answer_is_asked_for_again)
{
    static const char *const rubbish[] = {
        "", "data: what?\n\n", "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n"};

    foreign_say(&server, "%s", rubbish[_i]);
    foreign_close(&server);
    foreign_answer(&server, "200 OK", "", DONE);
    options.strict = true;
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    ck_assert_str_eq(foreign_request(&server, 0)->target, "/topics/t");
    ck_assert_str_eq(foreign_request(&server, 1)->target,
                     "/topics/t?dedupe=1");
}
END_TEST

static int asked; /* how often jansson has asked for memory; at first in vain */

static void *fail_once(size_t size)
{
    if (asked++ != 0)
        return malloc(size);
    errno = ENOMEM;
    return NULL;
}

/* A response that cannot be read for want of memory does not count either. */
START_TEST(short_memory_for_the_answer)
{
    foreign_answer(&server, "200 OK", "", DONE);
    foreign_answer(&server, "200 OK", "", DONE);
    json_set_alloc_funcs(fail_once, free);
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    ck_assert_int_gt(asked, 1);
    ck_assert_str_eq(foreign_request(&server, 1)->target,
                     "/topics/t?dedupe=1");
}
END_TEST

/* A server that begins to listen only when it was asked for in vain. */
struct late {
    int descriptor;
    pthread_t thread;
    char request[1024];
};

static void *serve_once(void *closure)
{
    struct late *late = closure;
    static const char answer[] =
        "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n";
    int fd = accept(late->descriptor, NULL, NULL);
    size_t length = 0;
    ssize_t got;

    while (strstr(late->request, "\r\n\r\n") == NULL &&
           (got = recv(fd, late->request + length,
                       sizeof late->request - 1 - length, 0)) > 0)
        length += (size_t)got;
    ck_assert_int_eq(send(fd, answer, strlen(answer), 0), strlen(answer));
    close(fd);
    return NULL;
}

static void start_late(void *closure, const char *reason, uint64_t retry)
{
    struct late *late = closure;

    (void)reason;
    (void)retry;
    ck_assert_int_eq(listen(late->descriptor, 16), 0);
    ck_assert_int_eq(pthread_create(&late->thread, NULL, serve_once, late), 0);
}

/* Where nobody listens nothing has been published: the id may not be there. */
START_TEST(strict_until_it_is_sent)
{
    struct late late = {0};
    char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%d",
             port_hold(&late.descriptor));
    options.server = url;
    options.strict = true;
    options.on_retry = start_late;
    options.closure = &late;
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_EXISTS);
    pthread_join(late.thread, NULL);
    ck_assert_msg(strncmp(late.request, "POST /topics/t HTTP/1.1\r\n", 25) == 0,
                  "%s", late.request);
    close(late.descriptor);
}
END_TEST

START_TEST(mistakes_are_named)
{
    crier_event_reset(event);
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_EMPTY);
    crier_event_type(event, "t");
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_EMPTY);
    crier_event_text(event, "x");
    crier_event_id(event, "#1", 2);
    ck_assert_int_eq(crier_publish(&options, event, &published), CRIER_ERR_ID);
    crier_event_reset(event);
    crier_event_text(event, "x");
    options.topics = "a,,b";
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_TOPIC);
    ck_assert_str_eq(published.reason, crier_error_text(CRIER_ERR_TOPIC));
    options.topics = "t";
    options.server = "gopher://x";
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_URL);
    options.server = server.url;
    options.http.token = "a\r\nb: c";
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_INVALID);
    ck_assert_uint_eq(foreign_requests(&server), 0);
}
END_TEST

static uint64_t last_wait;

static void on_retry_near_the_end(void *closure, const char *reason,
                                  uint64_t retry)
{
    (void)closure;
    (void)reason;
    last_wait = retry;
}

/* How long the publisher was going to wait. */
static void note_pause(void *closure, const char *reason, uint64_t wait)
{
    (void)reason;
    *(uint64_t *)closure = wait;
}

/* The server knows when it will take more. Its refusal is final where that is too late. */
START_TEST(too_much_is_sent_again_when_it_fits)
{
    uint64_t wait = 0;

    options.on_retry = note_pause;
    options.closure = &wait;
    foreign_answer(&server, "429 Too Many Requests",
                   _i == 0 ? "Retry-After: 1\r\n" : "Retry-After: 3600\r\n", "");
    foreign_answer(&server, "200 OK", "", DONE);
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     _i == 0 ? 0 : CRIER_ERR_STATUS);
    ck_assert_int_eq(published.status, _i == 0 ? 200 : 429);
    ck_assert_uint_eq(wait, _i == 0 ? 1000 : 0);
    ck_assert_uint_eq(foreign_requests(&server), _i == 0 ? 2 : 1);
}
END_TEST

/* It is tried up to the end of the time, not up to the last wait before. */
START_TEST(the_time_is_up)
{
    uint64_t began = crier_now();
    char url[64];
    int descriptor;

    snprintf(url, sizeof url, "http://127.0.0.1:%d",
             port_hold(&descriptor));
    options.server = url;
    options.timeout = 2000;
    options.on_retry = on_retry_near_the_end;
    ck_assert_int_eq(crier_publish(&options, event, &published), -ETIMEDOUT);
    ck_assert_uint_ge(crier_now() - began, 1750);
    ck_assert_uint_le(last_wait, 1000);
    ck_assert_int_eq(published.status, 0);
    /* The last attempt may have begun too late to be refused. */
    ck_assert_msg(strcmp(published.reason, "cannot connect: Connection refused") == 0 ||
                      strcmp(published.reason, "there was no response in time") == 0,
                  "%s", published.reason);
    close(descriptor);
}
END_TEST

/* There are no responses, so nothing that was added is done. */
START_TEST(one_may_try_without_waiting)
{
    struct crier_progress progress;
    struct crier_publisher *publisher;
    char url[64];
    int descriptor, i, error;

    snprintf(url, sizeof url, "http://127.0.0.1:%d",
             port_hold(&descriptor));
    options.server = url;
    options.max_waiting = 1000;
    ck_assert_int_eq(crier_publisher_new(&options, &publisher), 0);
    for (i = 0; (error = crier_publisher_try(publisher, event)) == 0; i++)
        ck_assert_int_lt(i, 1000);
    ck_assert_int_eq(error, CRIER_ERR_MAX_WAITING);
    crier_publisher_progress(publisher, &progress);
    ck_assert_uint_eq(progress.added, (uint64_t)i);
    crier_publisher_free(publisher);
    close(descriptor);
}
END_TEST

START_TEST(a_server_has_no_query)
{
    static const char *const ends[] = {"?a=b", "/#x", "/a?"};
    char url[96];

    snprintf(url, sizeof url, "%s%s", server.url, ends[_i]);
    options.server = url;
    ck_assert_int_eq(crier_publish(&options, event, &published),
                     CRIER_ERR_URL);
    ck_assert_uint_eq(foreign_requests(&server), 0);
}
END_TEST

/* A redirect is no response to the update; its target may take its time. */
START_TEST(a_redirect_is_followed)
{
    foreign_answer(&server, "307 Temporary Redirect",
                   "Location: /elsewhere\r\n", "");
    foreign_answer(&server, "200 OK", "", DONE);
    ck_assert_int_eq(crier_publish(&options, event, &published), 0);
    ck_assert_str_eq(foreign_request(&server, 1)->method, "POST");
    ck_assert_str_eq(foreign_request(&server, 1)->target, "/elsewhere");
    ck_assert_ptr_nonnull(strstr(foreign_request(&server, 1)->body, "data: x"));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("publisher, foreign server");
    TCase *c = add_case(s, "answers");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, a_refusal_is_one_from_its_headers_on, 0, 3);
    tcase_add_loop_test(c, an_answer_must_be_crierds, 0, 8);
    tcase_add_loop_test(c, an_answer_may_be_encoded, 0, 2);
    tcase_add_test(c, an_answer_without_end_is_not_crierds);
    tcase_add_test(c, counts_are_plausible);
    tcase_add_loop_test(c, no_answer_is_asked_for_again, 0, 4);
    tcase_add_test(c, short_memory_for_the_answer);
    tcase_add_test(c, strict_until_it_is_sent);
    tcase_add_test(c, a_redirect_is_followed);
    tcase_add_test(c, mistakes_are_named);
    tcase_add_loop_test(c, too_much_is_sent_again_when_it_fits, 0, 2);
    tcase_add_test(c, the_time_is_up);
    tcase_add_test(c, one_may_try_without_waiting);
    tcase_add_loop_test(c, a_server_has_no_query, 0, 3);
    return s;
}

RUN_SUITE(suite)
