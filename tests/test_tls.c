/*
 * Streams over TLS, where nothing may be sent past MHD. curl is the client; where
 * it or MHD's TLS is missing the test is skipped, and says so.
 */
#include <config.h>

#include "support/certificate.h"
#include "support/client.h"
#include "support/runner.h"
#include "support/site.h"
#include "support/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct crier_stream *stream;
static struct signal_box opened, closed, logged;
static struct site site;
static FILE *curl; /* what it prints */
static pid_t pid;  /* its process */

static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    const struct crier_stream_options options = {.on_closed = box_closed,
                                                 .closure = &closed,
                                                 .max_pending = 100000000,
                                                 .keep_alive = CRIER_NEVER};
    struct MHD_Response *response;
    enum MHD_Result result;

    (void)path;
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    result = site_queue(connection, response);
    box_put(&opened, 0);
    return result;
}

/* Counts what libmicrohttpd logs of an error of the program's. It sends the bytes itself
 * here, so it may also log that a client has gone in the middle of a send. */
static void log_line(void *closure, const char *format, va_list arguments)
{
    (void)closure;
    vprintf(format, arguments);
    if (strstr(format, "application reported error") != NULL)
        box_put(&logged, 0);
}

/* Reads a line and fails unless it is WANTED. */
static void expect_line(const char *wanted)
{
    char line[256];

    ck_assert_ptr_nonnull(fgets(line, sizeof line, curl));
    ck_assert_str_eq(line, wanted);
}

static void start_curl(void)
{
    char url[64];
    const char *const words[] = {"curl", "-skN", url, NULL};
    struct spawn spawn = {.words = words};
    int ends[2];

    snprintf(url, sizeof url, "https://127.0.0.1:%d/", site.port);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    spawn.files[STDOUT_FILENO] = ends[1];
    ck_assert_int_eq(spawn_program(&spawn, &pid), 0);
    close(ends[1]);
    curl = fdopen(ends[0], "r");
}

/* Waits for the end of curl. The status of waitpid(). */
static int end_curl(void)
{
    int status;

    fclose(curl);
    curl = NULL;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* The client leaves, also when it is in the middle of writing. */
static void leave(void)
{
    kill(pid, SIGKILL);
    end_curl();
}

static void setup(void)
{
    box_init(&opened);
    box_init(&closed);
    box_init(&logged);
    site = (struct site){.answer = answer,
                         .key = key,
                         .certificate = certificate,
                         .log = log_line};
    site_start(&site, NULL);
    start_curl();
    box_wait(&opened, 1);
    expect_line(":\n"); /* a stream begins with that */
}

static void teardown(void)
{
    if (curl != NULL)
        leave();
    crier_stream_unref(stream);
    site_stop(&site);
    box_done(&opened);
    box_done(&closed);
    box_done(&logged);
}

static void send_text(const char *text)
{
    struct crier_frame *frame = frame_of(text);

    ck_assert_int_eq(crier_stream_send(stream, frame), 0);
    crier_frame_unref(frame);
}

/* Reads a frame of one line and fails unless its data is TEXT. */
static void expect(const char *text)
{
    char wanted[256];

    snprintf(wanted, sizeof wanted, "data: %s\n", text);
    expect_line(wanted);
    expect_line("\n");
}

/* All of it goes through MHD, whose pieces the kernel would hold back for 200 ms
 * if nothing were done. */
START_TEST(frames_come_at_once)
{
    uint64_t begun, took, least = UINT64_MAX;
    char text[32];
    int i;

    for (i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "frame %d", i);
        begun = crier_now();
        send_text(text);
        expect(text);
        took = crier_now() - begun;
        if (took < least)
            least = took;
    }
    ck_assert_uint_lt(least, 150);
}
END_TEST

/* Others are sent a broadcast at once, past MHD. */
START_TEST(broadcasts_come_by_tls_too)
{
    const struct crier_broadcaster_options never = {.ping = CRIER_NEVER};
    struct crier_frame *frame = frame_of("to all");
    struct crier_broadcaster *broadcaster;
    int i;

    ck_assert_int_eq(
        crier_broadcaster_new(site.shards, &never, &broadcaster), 0);
    ck_assert_int_eq(
        crier_broadcaster_join(broadcaster, stream, NULL, NULL), 0);
    send_text("first");
    expect("first");
    for (i = 0; i < 5; i++) {
        ck_assert_int_eq(crier_broadcaster_send(broadcaster, frame), 1);
        expect("to all");
    }
    crier_frame_unref(frame);
    crier_stream_close(stream);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_APP);
    crier_broadcaster_free(broadcaster);
}
END_TEST

START_TEST(large_frames_come_whole)
{
    const size_t length = 3000000;
    char *text = malloc(length + 1), *got = malloc(length + 9);
    size_t i, at = 0, part;

    for (i = 0; i < length; i++)
        text[i] = (char)('!' + (i * 31 + i / 251) % 90);
    text[length] = '\0';
    send_text(text);
    crier_stream_close(stream);
    while ((part = fread(got + at, 1, length + 9 - at, curl)) > 0)
        at += part;
    ck_assert_uint_eq(at, length + strlen("data: \n\n"));
    ck_assert_mem_eq(got + 6, text, length);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_APP);
    free(text);
    free(got);
}
END_TEST

/* More than the kernel and curl hold: 60 MB. */
static void send_much(void)
{
    const size_t length = 10000000;
    char *text = malloc(length + 1);
    int i;

    memset(text, 'x', length);
    text[length] = '\0';
    for (i = 0; i < 6; i++)
        send_text(text);
    free(text);
}

START_TEST(a_client_that_leaves_is_no_error)
{
    char bytes[1000];

    if (_i == 1) {
        send_much();
        ck_assert_uint_eq(fread(bytes, 1, sizeof bytes, curl), sizeof bytes);
    }
    leave();
    box_wait(&closed, 1);
    crier_shards_drain(site.shards, 0, 0, PATIENCE);
    ck_assert_int_eq(box_count(&logged), 0);
}
END_TEST

/* There is no close_notify where the client lacks something: RFC 9112, section 9.8. */
START_TEST(a_client_sees_that_it_lacks_something)
{
    char bytes[4096];
    int status;

    send_much();
    ck_assert_uint_eq(fread(bytes, 1, sizeof bytes, curl), sizeof bytes);
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0, 50), 1);
    while (fread(bytes, 1, sizeof bytes, curl) > 0)
        continue;
    status = end_curl();
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 56); /* receiving has failed */
}
END_TEST

START_TEST(drain_says_goodbye)
{
    char line[64];
    unsigned retry;

    ck_assert_uint_eq(crier_shards_drain(site.shards, 5, 9, PATIENCE), 0);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, curl));
    ck_assert_int_eq(sscanf(line, "retry: %u", &retry), 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("tls");
    TCase *c = add_case(s, "tls");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, frames_come_at_once);
    tcase_add_test(c, broadcasts_come_by_tls_too);
    tcase_add_test(c, large_frames_come_whole);
    tcase_add_loop_test(c, a_client_that_leaves_is_no_error, 0, 2);
    tcase_add_test(c, a_client_sees_that_it_lacks_something);
    tcase_add_test(c, drain_says_goodbye);
    return s;
}

RUN_SUITE_IF(suite,
             MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES &&
                 system("curl --version >/dev/null 2>&1") == 0,
             "no curl, or a libmicrohttpd without TLS")
