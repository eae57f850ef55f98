/*
 * Streams and error responses that a server sends in a content coding although the
 * client did not accept one (RFC 9110 12.5.3 allows that).
 */
#include <config.h>

#include "support/client.h"
#include "support/coding.h"
#include "support/client_fixture.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define STREAM "Content-Type: text/event-stream\r\n"

/* Begins a response with STATUS in CODINGS. */
static void begin(const char *status, const char *codings)
{
    foreign_say(&server,
                "HTTP/1.1 %s\r\n%sContent-Encoding: %s\r\n\r\n", status,
                status[0] == '2' ? STREAM : "", codings);
}

static void say_coded(enum coding coding, bool first, const char *text)
{
    char bytes[256];

    foreign_say_bytes(&server, bytes,
                      coding_write(coding, first, text, bytes));
}

/* ---- what is decoded -------------------------------------------------- */

START_TEST(an_event_is_told_when_it_has_come)
{
    const enum coding coding = (enum coding)_i;
    struct crier_message message;

    begin("200 OK", coding_name(coding));
    if (coding != CODING_IDENTITY)
        say_coded(coding, true, ": hello\n");
    start();
    if (!coding_is_built_in(coding)) {
        printf("libcurl does not decode %s here\n", coding_name(coding));
        message = expect_closed(CRIER_ERR_ENCODING);
        ck_assert_ptr_nonnull(strstr(message.reason, coding_name(coding)));
        return;
    }
    expect(CRIER_OPEN);
    if (coding != CODING_IDENTITY)
        expect(CRIER_COMMENT);
    say_coded(coding, false, "id: 1\ndata: a\n\n");
    expect_event("a");
    settle();
    say_coded(coding, false, "data: b");
    settle();
    say_coded(coding, false, "c\n\n");
    message = expect_event("bc");
    ck_assert_str_eq(message.id, "1");
    foreign_close(&server);
    expect_error(CRIER_ERR_ENDED);
}
END_TEST

START_TEST(a_coding_in_a_coding)
{
    char inner[256], outer[256];
    size_t length = coding_write(CODING_DEFLATE, true, "data: a\n\n", inner);

    /* a block of gzip around it */
    memcpy(outer, "\x1f\x8b\x08\0\0\0\0\0\0\x03\0", 11);
    outer[11] = (char)length;
    outer[12] = 0;
    outer[13] = (char)~length;
    outer[14] = (char)0xff;
    memcpy(outer + 15, inner, length);
    begin("200 OK", _i == 0 ? "deflate,GZIP" : "deflate\r\n"
                                               "content-encoding: X-Gzip");
    foreign_say_bytes(&server, outer, 15 + length);
    start();
    expect(CRIER_OPEN);
    expect_event("a");
}
END_TEST

/* Asked for by the program. */
START_TEST(a_program_may_ask_for_a_coding)
{
    const char *headers[] = {"Accept-Encoding: gzip", NULL};

    options.http.headers = headers;
    begin("200 OK", "gzip");
    say_coded(CODING_GZIP, true, "data: a\n\n");
    start();
    expect(CRIER_OPEN);
    expect_event("a");
    ck_assert_str_eq(foreign_header(foreign_request(&server, 0),
                                    "Accept-Encoding"),
                     "gzip");
}
END_TEST

START_TEST(a_refusal_is_decoded)
{
    struct crier_message message;

    begin("404 Not Found", "gzip");
    say_coded(CODING_GZIP, true, "{\"detail\":\"no such stream\"}");
    foreign_close(&server);
    start();
    message = expect_closed(CRIER_ERR_STATUS);
    ck_assert_str_eq(message.reason, "404: no such stream");
}
END_TEST

/* ---- what is not ------------------------------------------------------ */

START_TEST(another_coding_is_named)
{
    static const char *const codings[][2] = {
        {"compress", "compress"},   {"gzip, foo", "foo"},
        {"foo,gzip", "foo"},        {"gzip\r\nContent-Encoding: foo", "foo"},
        {"gzipped", "gzipped"},     {"gzi", "gzi"},
        {"gzip;q=1", "gzip;q=1"},   {"br2", "br2"},
        {"foo\r\nX-A: b", " foo,"},
    };
    struct crier_message message;

    options.persist = true;
    begin("200 OK", codings[_i][0]);
    say_coded(CODING_IDENTITY, true, "data: a\n\n");
    foreign_hold(&server);
    start();
    message = expect_closed(CRIER_ERR_ENCODING);
    ck_assert_msg(strstr(message.reason, codings[_i][1]) != NULL,
                  "the reason is: %s", message.reason);
    ck_assert_int_eq(message.status, 200);
    foreign_wait_left(&server, 1);
    ck_assert_uint_eq(foreign_requests(&server), 1);
}
END_TEST

/* That it is refused counts more than that its words cannot be read. */
START_TEST(a_refusal_in_another_coding)
{
    struct crier_message message;

    begin("404 Not Found", "compress");
    foreign_say(&server, "\x1f\x9d\x90");
    foreign_close(&server);
    start();
    message = expect_closed(CRIER_ERR_STATUS);
    ck_assert_ptr_nonnull(strstr(message.reason, "status 404"));
}
END_TEST

/* It is no text, and the server may do better the next time. */
START_TEST(what_cannot_be_decoded_is_an_error)
{
    begin("200 OK", "gzip");
    foreign_say(&server, "data: a\n\ndata: b\n\n");
    foreign_close(&server);
    foreign_stream(&server);
    foreign_say(&server, "data: c\n\n");
    start();
    expect(CRIER_OPEN);
    ck_assert_ptr_nonnull(
        strstr(expect_error(CRIER_ERR_NETWORK).reason, "encoding"));
    expect(CRIER_OPEN);
    expect_event("c");
}
END_TEST

/* ---- much in few bytes ------------------------------------------------ */

/* A copy of 258 bytes from 9 bytes back, by the fixed codes of RFC 1951 3.2.6: the
 * length 258 is 11000101, the distance 9 to 12 is 00110 and two bits more. */
static const char copy[] = "110001010011000";
#define COPY_BITS (sizeof copy - 1)
#define COPY_LENGTH 258
#define COPIES 2000

/* Writes a block of COPIES copies to BYTES, and returns its length. */
static size_t make_copies(char *bytes)
{
    static const char begin[] = "010"; /* not the last block; fixed codes */
    const size_t bits = 3 + COPIES * COPY_BITS;
    size_t at;
    bool bit;

    memset(bytes, 0, bits / 8 + 1);
    for (at = 0; at < bits; at++) {
        bit = (at < 3 ? begin[at] : copy[(at - 3) % COPY_BITS]) == '1';
        bytes[at / 8] = (char)(bytes[at / 8] | bit << at % 8);
    }
    return bits / 8 + 1;
}

/* 4 KB that decode to 500 KB: nothing is lost, however slowly they are taken. */
START_TEST(a_dense_stream_comes_whole)
{
    static char bytes[64 + COPIES * COPY_BITS / 8];
    const char *event = "data: x\n\n";
    size_t length = coding_write(CODING_GZIP, true, event, bytes);
    size_t i;

    begin("200 OK", "gzip");
    length += make_copies(bytes + length);
    foreign_say_bytes(&server, bytes, length);
    foreign_close(&server);
    start();
    expect(CRIER_OPEN);
    for (i = 0; i <= COPIES * COPY_LENGTH / strlen(event); i++)
        expect_event("x");
    expect_error(CRIER_ERR_ENDED);
}
END_TEST

/* How much memory the process has had at once, in MiB; 0 with a sanitizer, whose own
 * memory says nothing. */
static long most_memory(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    struct rusage usage;

    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss / 1024;
#endif
}

#define BOMB_MAX 200 /* MiB, that is less than any of the bombs */

/* Blocks of zstd, each of 128 KiB of one byte. */
static size_t make_lines(uint64_t number, char *bytes)
{
    (void)number;
    memcpy(bytes, "\x02\0\x10\n", 4);
    return 4;
}

/* Some KiB that decode to some GiB are not followed, and not asked for again. */
START_TEST(a_bomb_is_refused)
{
    struct crier_message message;
    long before = most_memory();

    if (!coding_is_built_in(CODING_ZSTD)) {
        printf("SKIPPED: libcurl does not decode zstd here\n");
        return;
    }
    options.persist = true;
    begin("200 OK", "zstd");
    say_coded(CODING_ZSTD, true, "data: a\n\n");
    start();
    expect(CRIER_OPEN);
    expect_event("a");
    foreign_make(&server, make_lines, 100000);
    foreign_hold(&server);
    message = expect_closed(CRIER_ERR_ENCODING);
    ck_assert_ptr_nonnull(strstr(message.reason, "decodes to too much"));
    ck_assert_int_lt(most_memory() - before, BOMB_MAX);
    ck_assert_uint_eq(foreign_requests(&server), 1);
}
END_TEST

/* What a refusal says is bounded, too. */
START_TEST(a_bomb_in_a_refusal)
{
    long before = most_memory();

    if (!coding_is_built_in(CODING_ZSTD)) {
        printf("SKIPPED: libcurl does not decode zstd here\n");
        return;
    }
    begin("404 Not Found", "zstd");
    say_coded(CODING_ZSTD, true, "no\n");
    foreign_make(&server, make_lines, 100000);
    foreign_hold(&server);
    start();
    expect_closed(CRIER_ERR_STATUS);
    ck_assert_int_lt(most_memory() - before, BOMB_MAX);
}
END_TEST

/* ---- all -------------------------------------------------------------- */

static Suite *suite(void)
{
    Suite *s = suite_create("client coding");
    TCase *c = client_fixture_case(s, "decoded");

    tcase_add_loop_test(c, an_event_is_told_when_it_has_come, 0, CODINGS);
    tcase_add_loop_test(c, a_coding_in_a_coding, 0, 2);
    tcase_add_test(c, a_program_may_ask_for_a_coding);
    tcase_add_test(c, a_refusal_is_decoded);
    c = client_fixture_case(s, "not decoded");
    tcase_add_loop_test(c, another_coding_is_named, 0, 9);
    tcase_add_test(c, a_refusal_in_another_coding);
    tcase_add_test(c, what_cannot_be_decoded_is_an_error);
    c = client_fixture_case(s, "dense");
    tcase_add_test(c, a_dense_stream_comes_whole);
    tcase_add_test(c, a_bomb_is_refused);
    tcase_add_test(c, a_bomb_in_a_refusal);
    return s;
}

RUN_SUITE(suite)
