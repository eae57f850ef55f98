/*
 * Clients that attack crierd, or do not speak HTTP: each receives an error or is
 * disconnected, and other clients are not affected.
 */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"

#include <string.h>
#include <sys/resource.h>

#define FILES 100
#define HALF_OPEN 80
#define STREAMS 3

static struct crierd crierd;

static void check_serves(void)
{
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, NULL),
                     200);
}

/* Reads to the end of the connection, which must come, into new memory. */
static char *all_of(struct client *client)
{
    char *all = calloc(1, 1), *line;
    size_t length = 0, more;

    while ((line = client_line(client)) != NULL) {
        more = strlen(line);
        all = realloc(all, length + more + 1);
        memcpy(all + length, line, more + 1);
        length += more;
        free(line);
    }
    return all;
}

/* ---- who says nothing ------------------------------------------------- */

static void limit_files(rlim_t files)
{
    const struct rlimit limit = {files, files};

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* More connections than descriptors: crierd closes the idle connections that waited
 * longest, but no streams. */
START_TEST(half_a_head_makes_room)
{
    struct client streams[STREAMS], half[HALF_OPEN];
    int i;

    limit_files(FILES);
    crierd_start(&crierd, "--threads 1");
    for (i = 0; i < STREAMS; i++) {
        client_connect(&streams[i], crierd.port);
        ck_assert_int_eq(
            client_request(&streams[i], "GET", "/topics/x", "", NULL), 200);
    }
    for (i = 0; i < HALF_OPEN; i++) {
        client_connect(&half[i], crierd.port);
        client_send(&half[i], "%s", "POST /topics/x HTTP/1.1\r\nHo");
    }
    for (i = 0; i < 10; i++)
        ck_assert_int_eq(
            fetch(crierd.port, "POST", "/topics/x", "", "hello", NULL), 200);
    ck_assert(client_has(&half[0], PATIENCE));
    ck_assert_ptr_null(client_line(&half[0]));
    for (i = 0; i < 10 * STREAMS; i++)
        client_expect_event(&streams[i % STREAMS], "data: hello");
    for (i = 0; i < HALF_OPEN; i++)
        client_close(&half[i]);
    for (i = 0; i < STREAMS; i++)
        client_close(&streams[i]);
    check_serves();
    crierd_stop(&crierd);
}
END_TEST

/* The same for idle connections of publishers: each new connection closes one of
 * them. */
START_TEST(an_idle_pipeline_makes_room)
{
    struct client pipelines[HALF_OPEN];
    int i, gone = 0;

    limit_files(FILES);
    crierd_start(&crierd, "--threads 1");
    for (i = 0; i < HALF_OPEN; i++) {
        client_connect(&pipelines[i], crierd.port);
        client_send(&pipelines[i], "%s",
                    "POST /topics/x HTTP/1.1\r\nHost: a\r\n"
                    "Content-Length: 2\r\n\r\nhi");
        ck_assert_int_eq(client_head(&pipelines[i]), 200);
        free(client_body(&pipelines[i]));
    }
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, NULL),
                     200);
    ck_assert_ptr_null(client_line(&pipelines[0]));
    for (i = 1; i < HALF_OPEN; i++)
        gone += client_has(&pipelines[i], 0);
    ck_assert_int_lt(gone, HALF_OPEN / 2);
    for (i = 0; i < HALF_OPEN; i++)
        client_close(&pipelines[i]);
    check_serves();
    crierd_stop(&crierd);
}
END_TEST

/* ---- who says too much, or nonsense ----------------------------------- */

static void setup(void)
{
    crierd_start(&crierd, "");
}

static void teardown(void)
{
    check_serves();
    crierd_stop(&crierd);
}

static const struct {
    const char *begin, *line; /* which is repeated */
    size_t size;
} heads[] = {
    {"GET /topics/x HTTP/1.1\r\nHost: a\r\nX: ", "xxxxxxxx", 12288},
    {"GET /topics/x HTTP/1.1\r\nHost: a\r\nX: ", "xxxxxxxx", 64000},
    {"GET /topics/x HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 9000},
    {"GET /topics/x HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 64000},
    {"POST /topics/x HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 9000},
    {"POST /topics/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nX: ",
     "xxxxxxxx", 64000},
};

START_TEST(a_large_head_is_refused)
{
    struct client client;
    char *head = calloc(1, heads[_i].size + 100), *rest;
    size_t length = strlen(heads[_i].begin);

    memcpy(head, heads[_i].begin, length);
    for (; length < heads[_i].size; length += strlen(heads[_i].line))
        memcpy(head + length, heads[_i].line, strlen(heads[_i].line));
    memcpy(head + length, "\r\n\r\n", 4);
    client_connect(&client, crierd.port);
    client_send_bytes(&client, head, length + 4);
    ck_assert_int_eq(client_head(&client), 431);
    rest = all_of(&client);
    ck_assert_ptr_null(strstr(rest, "HTTP/1.1"));
    free(rest);
    free(head);
    client_close(&client);
}
END_TEST

#define VALID                                                                 \
    "POST /topics/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
#define STATUS "HTTP/1.1 "

static const struct {
    const char *bytes;
    size_t length;
} garbage[] = {
#define GARBAGE(text) {text, sizeof text - 1}
    GARBAGE("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03hello"), /* TLS */
    GARBAGE("\0\0\0\0"),
    GARBAGE("\xff\xfe\xfd\r\n\r\n"),
    GARBAGE(" \r\n\r\n"),
    GARBAGE("hello\r\n\r\n"),
    GARBAGE("GET\r\n\r\n"),
    GARBAGE("GET /topics/x HTTP/9.9\r\nHost: a\r\n\r\n"),
    GARBAGE("POST /topics/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    GARBAGE("POST /topics/x HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"),
    GARBAGE("POST /topics/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
            "Transfer-Encoding: chunked\r\n\r\nhi"),
    GARBAGE("POST /topics/x HTTP/1.1\r\nHost: a\r\n"
            "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n"),
};

#define GARBAGES ((int)(sizeof garbage / sizeof garbage[0]))

/* Sends COUNT valid requests to publish and garbage after them. Reads to the end of the
 * connection, which must come before any time-out (30 s), into new memory. */
static char *answers_to(int count, const char *bytes, size_t length)
{
    struct client client;
    char *all, *sent = calloc(1, (size_t)count * strlen(VALID) + length + 1);
    size_t at = 0;
    int i;

    for (i = 0; i < count; i++, at += strlen(VALID))
        memcpy(sent + at, VALID, strlen(VALID));
    memcpy(sent + at, bytes, length);
    client_connect(&client, crierd.port);
    client_send_bytes(&client, sent, at + length);
    all = all_of(&client);
    client_close(&client);
    free(sent);
    return all;
}

static bool is_refusal(const char *answer)
{
    return *answer == '\0' || strncmp(answer, STATUS "400 ", 13) == 0 ||
           strncmp(answer, STATUS "413 ", 13) == 0 ||
           strncmp(answer, STATUS "505 ", 13) == 0;
}

START_TEST(garbage_is_refused_at_once)
{
    char *all = answers_to(0, garbage[_i].bytes, garbage[_i].length);

    ck_assert_msg(is_refusal(all), "answered: %s", all);
    free(all);
}
END_TEST

/* The valid requests are carried out, and their responses come first. */
START_TEST(garbage_behind_what_is_sound)
{
    struct client stream;
    char *all, *at;
    int i;

    client_connect(&stream, crierd.port);
    ck_assert_int_eq(
        client_request(&stream, "GET", "/topics/x", "", NULL), 200);
    all = answers_to(20, garbage[_i].bytes, garbage[_i].length);
    at = all;
    for (i = 0; i < 20; i++) {
        ck_assert_msg(strncmp(at, STATUS "200 ", 13) == 0, "%d: %s", i, at);
        at = strstr(at + 1, STATUS);
        at = at != NULL ? at : all + strlen(all);
    }
    ck_assert_msg(is_refusal(at), "answered: %s", at);
    for (i = 0; i < 20; i++)
        client_expect_event(&stream, "data: hi");
    ck_assert(!client_has(&stream, 0));
    client_close(&stream);
    free(all);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("abuse");
    TCase *c = add_case(s, "files");

    if (getenv("CRIERD_WRAPPER") == NULL) /* valgrind takes some files */
        tcase_add_test(c, half_a_head_makes_room);
    tcase_add_test(c, an_idle_pipeline_makes_room);
    c = add_case(s, "nonsense");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, a_large_head_is_refused, 0,
                        (int)(sizeof heads / sizeof heads[0]));
    tcase_add_loop_test(c, garbage_is_refused_at_once, 0, GARBAGES);
    tcase_add_loop_test(c, garbage_behind_what_is_sound, 0, GARBAGES);
    return s;
}

RUN_SUITE(suite)
