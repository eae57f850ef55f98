/*
 * What is found in the first bytes of a connection. A head that pipelines take must be one
 * about which no two servers could disagree; so most of this is about what they do not
 * take.
 */
#include <config.h>

#include "crierd/http/classify.h"
#include "support/runner.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN "POST /topics/x HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define LENGTH "Content-Length: 2\r\n"

static const struct route routes[] = {
    {.method = "POST", .path = "/topics/**", .pipelined = true},
    {.method = "GET", .path = "/topics/**", .streams = true},
    {.method = "GET", .path = "/ticks", .streams = true},
    {0},
};

static const struct route_table tables[] = {{routes, NULL}, {NULL, NULL}};

static struct head head;

/* Whether a head is unwanted while its body is to come; counts how often that is asked. */
static bool unwanted;
static unsigned asked;

static bool ask_unwanted(void *closure, const struct head *asked_head)
{
    ck_assert_ptr_eq(closure, &asked);
    ck_assert_ptr_eq(asked_head, &head);
    ck_assert_str_eq(head_field(&head, "Host", 0), "a");
    asked++;
    return unwanted;
}

/* Reads TEXT from memory that ends at its last byte. */
static enum head_kind read_exact(const char *text, size_t length)
{
    char *bytes = malloc(length + 1); /* + 1: none is no memory */
    enum head_kind kind;

    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes + 1, text, length);
    kind = head_read(&head, tables, bytes + 1, length, ask_unwanted, &asked);
    if (kind != HEAD_PLAIN)
        ck_assert(memcmp(bytes + 1, text, length) == 0);
    free(bytes);
    return kind;
}

START_TEST(a_plain_request_is_taken_apart)
{
    char bytes[] = "POST /topics/a,b?event=c%20d HTTP/1.1\r\n"
                   "Host: a:1\r\n"
                   "accept:*/*\r\n"
                   "Event-Type: \t x y\r\n"
                   "Empty:\r\n"
                   "Blank:   \r\n"
                   "Connection: Keep-Alive\r\n"
                   "Content-length: 007\r\n\r\n"
                   "one\ntwoPOST";

    ck_assert_int_eq(head_read(&head, tables, bytes, sizeof bytes - 1, NULL,
                               NULL),
                     HEAD_PLAIN);
    ck_assert_str_eq(head.target, "/topics/a,b?event=c%20d");
    ck_assert_uint_eq(head.body_length, 7);
    ck_assert_int_eq(strncmp(bytes + head.length, "one\ntwoPOST", 11), 0);
    ck_assert_str_eq(head_field(&head, "HOST", 0), "a:1");
    ck_assert_str_eq(head_field(&head, "Accept", 0), "*/*");
    ck_assert_str_eq(head_field(&head, "event-type", 0), "x y");
    ck_assert_str_eq(head_field(&head, "Empty", 0), "");
    ck_assert_str_eq(head_field(&head, "Blank", 0), "");
    ck_assert_ptr_null(head_field(&head, "Event", 0));
}
END_TEST

/* A head that is cut anywhere is incomplete; the bytes behind a head are not read. */
START_TEST(parts_are_parts)
{
    static const char text[] = BEGIN HOST LENGTH "\r\nab";
    size_t length;

    for (length = 0; length < sizeof text - 1; length++)
        ck_assert_int_eq(read_exact(text, length), HEAD_PARTIAL);
    ck_assert_int_eq(read_exact(text, length), HEAD_PLAIN);
}
END_TEST

static const char *const others[] = {
    "GET /topics/x HTTP/1.1\r\n" HOST "\r\n",
    "PUT /topics/x HTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "POST /topics HTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "POST /chat HTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "POST  /topics/x HTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "post /topics/x HTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "\r\nPOST /topics/x HTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "POST http://a/topics/x HTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "POST /topics/x HTTP/1.0\r\n" HOST LENGTH "\r\nab",
    "POST /topics/x HTTP/1.1 \r\n" HOST LENGTH "\r\nab",
    "POST /topics/x  HTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "POST /topics/x\tHTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "POST /topics/\xc3\xa4 HTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "POST /topics/x y HTTP/1.1\r\n" HOST LENGTH "\r\nab",
    "POST /topics/x HTTP/1.1\n" HOST LENGTH "\r\nab",
    BEGIN "Host: a\n" LENGTH "\r\nab",
    BEGIN HOST LENGTH "\nab",
    BEGIN HOST LENGTH "\n\r\nab",
    BEGIN HOST "A: b\rC: d\r\n" LENGTH "\r\nab",
    BEGIN HOST "A: b\x01\r\n" LENGTH "\r\nab",
    BEGIN HOST "A: b\tc\r\n" LENGTH "\r\nab",
    BEGIN HOST "A: b\x7f\r\n" LENGTH "\r\nab",
    BEGIN HOST "A: b \r\n" LENGTH "\r\nab",
    BEGIN HOST "A : b\r\n" LENGTH "\r\nab",
    BEGIN HOST ": b\r\n" LENGTH "\r\nab",
    BEGIN HOST "A b\r\n" LENGTH "\r\nab",
    BEGIN HOST "A: b\r\n c\r\n" LENGTH "\r\nab",
    BEGIN " " HOST LENGTH "\r\nab",
    BEGIN LENGTH "\r\nab",
    BEGIN HOST "\r\nab",
    BEGIN HOST HOST LENGTH "\r\nab",
    BEGIN "Host:\r\n" LENGTH "\r\nab",
    BEGIN "Host: a b\r\n" LENGTH "\r\nab",
    BEGIN "Host: a/b\r\n" LENGTH "\r\nab",
    BEGIN HOST LENGTH LENGTH "\r\nab",
    BEGIN HOST "Content-Length: 2, 2\r\n\r\nab",
    BEGIN HOST "Content-Length: +2\r\n\r\nab",
    BEGIN HOST "Content-Length: -2\r\n\r\nab",
    BEGIN HOST "Content-Length: 0x2\r\n\r\nab",
    BEGIN HOST "Content-Length: 2.0\r\n\r\nab",
    BEGIN HOST "Content-Length:\r\n\r\nab",
    BEGIN HOST "Content-Length: 32769\r\n\r\nab",
    BEGIN HOST "Content-Length: 18446744073709551618\r\n\r\nab",
    BEGIN HOST LENGTH "Transfer-Encoding: chunked\r\n\r\nab",
    BEGIN HOST LENGTH "transfer-encoding: identity\r\n\r\nab",
    BEGIN HOST LENGTH "Expect: 100-continue\r\n\r\nab",
    BEGIN HOST LENGTH "Upgrade: h2c\r\n\r\nab",
    BEGIN HOST LENGTH "Trailer: a\r\n\r\nab",
    BEGIN HOST LENGTH "Connection: close\r\n\r\nab",
    BEGIN HOST LENGTH "Connection: keep-alive, Upgrade\r\n\r\nab",
    BEGIN HOST LENGTH "Content-Type: text/event-stream\r\n\r\nab",
    BEGIN HOST LENGTH "Content-Type: Text/Event-Stream;a=b\r\n\r\nab",
    BEGIN HOST LENGTH "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\nI:\r\n"
        "J:\r\nK:\r\nL:\r\nM:\r\nN:\r\nO:\r\nP:\r\nQ:\r\nR:\r\nS:\r\nT:\r\n"
        "U:\r\nV:\r\nW:\r\n\r\nab",
};

START_TEST(whatever_else_is_left_as_it_was)
{
    ck_assert_int_eq(read_exact(others[_i], strlen(others[_i])), HEAD_OTHER);
}
END_TEST

START_TEST(an_unwanted_body_is_not_waited_for)
{
    const char text[] = BEGIN HOST LENGTH "\r\n" "ab";
    size_t length = sizeof text - 1;

    unwanted = true;
    asked = 0;
    ck_assert_int_eq(read_exact(text, length), HEAD_PLAIN);
    ck_assert_int_eq(read_exact(text, length - 3), HEAD_PARTIAL);
    ck_assert_uint_eq(asked, 0);
    ck_assert_int_eq(read_exact(text, length - 1), HEAD_OTHER);
    ck_assert_int_eq(read_exact(text, length - 2), HEAD_OTHER);
    ck_assert_uint_eq(asked, 2);
    unwanted = false;
    ck_assert_int_eq(read_exact(text, length - 1), HEAD_PARTIAL);
}
END_TEST

START_TEST(a_nul_is_no_end)
{
    static const char inside[] = BEGIN HOST "A: b\0c\r\n" LENGTH "\r\nab";
    static const char first[] = "POST /topics/\0x HTTP/1.1\r\n" HOST LENGTH
                                "\r\nab";

    ck_assert_int_eq(read_exact(inside, sizeof inside - 1), HEAD_OTHER);
    ck_assert_int_eq(read_exact(first, sizeof first - 1), HEAD_OTHER);
}
END_TEST

/* A head that never ends is not incomplete for ever. */
START_TEST(a_head_has_a_largest_size)
{
    static char text[2 * HEAD_MAX];

    memset(text, 'x', sizeof text);
    memcpy(text, "POST /topics/", 13);
    ck_assert_int_eq(read_exact(text, HEAD_MAX - 1), HEAD_PARTIAL);
    ck_assert_int_eq(read_exact(text, HEAD_MAX), HEAD_OTHER);
    ck_assert_int_eq(read_exact(text, sizeof text), HEAD_OTHER);
}
END_TEST

static const struct {
    const char *text;
    size_t length;
} ends[] = {
    {"", 0},
    {"GET / HTTP/1.1\r\n", 0},
    {"GET / HTTP/1.1\r\n\r", 0},
    {"GET / HTTP/1.1\r\n\r\nmore", 18},
    {"GET / HTTP/1.1\n\nmore", 16},
    {"GET / HTTP/1.1\nA: b\r\n\nmore", 22},
    {"GET / HTTP/1.1\n\r\nmore", 17},
    {"GET / HTTP/1.1\r\n\r \r\n", 0},
};

START_TEST(the_end_of_a_head_is_found)
{
    ck_assert_uint_eq(head_length(ends[_i].text, strlen(ends[_i].text)),
                      ends[_i].length);
}
END_TEST

static const struct {
    const char *text;
    bool ended;
    enum service_verdict verdict;
} begins[] = {
    {"", false, SERVICE_CLOSE},
    {"GE", false, SERVICE_WAIT},
    {"GE", true, SERVICE_CLOSE},
    {"\r\n", false, SERVICE_WAIT},
    {"\r\nGET / HT", false, SERVICE_WAIT},
    {"GET / HTTP/1.1\r\n\r\n", false, SERVICE_TAKE},
    {"GET / HTTP/1.1\r\n\r\n", true, SERVICE_TAKE},
    {" GET", false, SERVICE_REFUSE},
    {"GET/ ", false, SERVICE_REFUSE},
    {" GET /\r\n", false, SERVICE_TAKE},     /* libmicrohttpd refuses a line */
    {"\x16\x03\x01", false, SERVICE_REFUSE}, /* TLS */
};

START_TEST(a_request_begins_with_a_word)
{
    ck_assert_int_eq(classify_head(begins[_i].text, strlen(begins[_i].text),
                                   begins[_i].ended),
                     begins[_i].verdict);
}
END_TEST

START_TEST(no_head_has_a_nul)
{
    static const char nul[] = "\0";
    static const char inside[] = "GET / HTTP/1.1\r\nA: \0\r\n\r\n";
    static const char behind[] = "POST / HTTP/1.1\r\nA: b\r\n\r\n\0";

    ck_assert_int_eq(classify_head(nul, 1, false), SERVICE_REFUSE);
    ck_assert_int_eq(classify_head(inside, sizeof inside - 1, false),
                     SERVICE_REFUSE);
    ck_assert_int_eq(classify_head(behind, sizeof behind - 1, false),
                     SERVICE_TAKE);
}
END_TEST

/* A body of the largest size goes to libmicrohttpd, which refuses it. */
START_TEST(a_head_without_end_is_taken)
{
    static char text[HEAD_MAX];

    memset(text, 'x', sizeof text);
    ck_assert_int_eq(classify_head(text, HEAD_MAX - 1, false), SERVICE_WAIT);
    ck_assert_int_eq(classify_head(text, HEAD_MAX, false), SERVICE_TAKE);
}
END_TEST

static size_t need_of(const char *text)
{
    return head_need(tables, text, strlen(text));
}

static const char *const whole[] = {
    "GET /topics HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nAccept: text/html\r\n\r\n",
    "POST /topics/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /topics/x HTTP/1.1\r\nHost: a\r\ncontent-length: 9\r\n\r\n",
    "GET /topics/x HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n",
    "GET /topics/x HTTP/1.1\r\nHost: a\rContent-Length: 9\r\n\r\n",
    /* Lines that not every server reads alike. */
    "GET /topics/x HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n",
    "GET /topics/x HTTP/1.1\r\nHost: a\r\nA: b\r\n\tc\r\n\r\n",
    "GET /topics/x HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n",
    "GET /topics/x HTTP/1.1\r\nHost: a\r\nA: b\r\r\n\r\n",
};

START_TEST(what_may_be_no_stream_needs_all)
{
    ck_assert_uint_eq(need_of(whole[_i]), SIZE_MAX);
}
END_TEST

START_TEST(a_nul_needs_all)
{
    const char text[] = "GET /topics/x HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n";

    ck_assert_uint_eq(head_need(tables, text, sizeof text - 1), SIZE_MAX);
}
END_TEST

/* A head with the fields that most clients send, and then FIELDS. */
#define LONG "0123456789012345678901234567890123456789012345678901234567"
#define TOPIC(FIELDS)                                                         \
    "GET /topics/x HTTP/1.1\r\nHost: a\r\n"                                   \
    "User-Agent: " LONG "\r\nReferer: " LONG LONG LONG LONG LONG "\r\n" FIELDS "\r\n"

START_TEST(what_a_stream_needs)
{
    size_t least = need_of(TOPIC(""));

    ck_assert_uint_lt(least, 1600);
    ck_assert_uint_lt(need_of("GET /chat HTTP/1.1\r\nHost: a\r\n"
                              "Accept: text/event-stream\r\n\r\n"),
                      1536);
    /* libmicrohttpd keeps a field and a record of it. */
    ck_assert_uint_eq(need_of(TOPIC("A: 345678901234\r\n")), least + 16 + 64);
    /* It keeps and copies a cookie, and has records of it and of its parts. */
    ck_assert_uint_eq(need_of(TOPIC("cOOKIE: a=1;b=2;c=3;d=4;e=5678\r\n")),
                      least + 32 + 32 + 6 * 64);
    ck_assert_uint_eq(need_of(TOPIC("Cookie: a=1,b=23\r\n")),
                      least + 16 + 32 + 3 * 64);
    /* In other fields it does not look for parts. */
    ck_assert_uint_eq(need_of(TOPIC("A: b=1;?&,90123\r\n")), least + 16 + 64);
    /* It keeps a query, but does not parse it (mhd_cut_query()). */
    ck_assert_uint_eq(
        need_of("GET /topics/x?a&b&c=0123456789 HTTP/1.1\r\nHost: a\r\n\r\n"),
        need_of("GET /topics/x HTTP/1.1\r\nHost: a\r\n\r\n") + 16);
    /* The routes say whether a path is a stream. */
    ck_assert_uint_lt(need_of("GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n"), 1536);
    ck_assert_uint_lt(need_of("GET /ticks?a HTTP/1.1\r\nHost: a\r\n\r\n"),
                      1536);
    ck_assert_uint_eq(need_of("GET /ticksy HTTP/1.1\r\nHost: a\r\n\r\n"),
                      SIZE_MAX);
    ck_assert_uint_eq(need_of("GET /ticks/a HTTP/1.1\r\nHost: a\r\n\r\n"),
                      SIZE_MAX);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("classify");
    TCase *c = add_case(s, "head");

    tcase_add_test(c, a_plain_request_is_taken_apart);
    tcase_add_test(c, parts_are_parts);
    tcase_add_loop_test(c, whatever_else_is_left_as_it_was, 0,
                        (int)(sizeof others / sizeof others[0]));
    tcase_add_test(c, an_unwanted_body_is_not_waited_for);
    tcase_add_test(c, a_nul_is_no_end);
    tcase_add_test(c, a_head_has_a_largest_size);
    tcase_add_loop_test(c, the_end_of_a_head_is_found, 0,
                        (int)(sizeof ends / sizeof ends[0]));
    tcase_add_loop_test(c, a_request_begins_with_a_word, 0,
                        (int)(sizeof begins / sizeof begins[0]));
    tcase_add_test(c, no_head_has_a_nul);
    tcase_add_test(c, a_head_without_end_is_taken);
    tcase_add_loop_test(c, what_may_be_no_stream_needs_all, 0,
                        (int)(sizeof whole / sizeof whole[0]));
    tcase_add_test(c, a_nul_needs_all);
    tcase_add_test(c, what_a_stream_needs);
    return s;
}

RUN_SUITE(suite)
