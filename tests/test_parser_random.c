/*
 * The parser reads what the encoder writes: random events, encoded, come out as they
 * were set, with any line ends and cuts.
 *
 * Encoding normalises: each LF, CRLF and CR in data becomes LF; each line of a comment
 * is a comment, with the space that the encoder puts before it; an event without data
 * is not returned, but its id counts.
 *
 * Every run prints its seed; CRIER_SEED=N repeats it.
 */
#include <config.h>

#include "support/parsing.h"
#include "support/runner.h"

#include <string.h>

#define ROUNDS 3000
#define EVENTS_MAX 6
#define TEXT_MAX 4096

static unsigned state; /* of the generator */

static unsigned below(unsigned n)
{
    return (unsigned)rand_r(&state) % n;
}

struct text {
    char bytes[TEXT_MAX];
    size_t length;
};

static void add(struct text *text, const char *bytes, size_t length)
{
    ck_assert_uint_lt(text->length + length, sizeof text->bytes);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

/* A code point at random, as UTF-8. */
static size_t any_character(char *bytes)
{
    static const unsigned most[] = {0x80, 0x800, 0x10000, 0x110000};
    unsigned c = below(most[below(4)]);

    if (c >= 0xd800 && c < 0xe000)
        c -= 0x800;
    if (c < 0x80 && c != '\0' && c != '\r' && c != '\n') {
        bytes[0] = (char)c;
        return 1;
    }
    if (c < 0x80)
        c = 0x80;
    if (c < 0x800) {
        bytes[0] = (char)(0xc0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        bytes[0] = (char)(0xe0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    bytes[0] = (char)(0xf0 | c >> 18);
    bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
    bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
    bytes[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* A text at random: what is special more often than what is not. LINES: it may have
 * line ends; NUL: it may have those. */
static void any_text(struct text *text, bool lines, bool nul)
{
    static const char *const special[] = {" ",
                                          ":",
                                          "data: ",
                                          "id",
                                          "event:",
                                          "retry: 1",
                                          "\t",
                                          ": ",
                                          "\xef\xbb\xbf",
                                          "\xef\xbf\xbd",
                                          "\xe2\x80\xa8",
                                          "\xc2\x85"};
    static const char *const ends[] = {"\n", "\r", "\r\n", "\n\n", "\n\r"};
    unsigned pieces = below(4) == 0 ? below(100) : below(8), i;
    char bytes[4];

    text->length = 0;
    text->bytes[0] = '\0';
    for (i = 0; i < pieces; i++) {
        unsigned kind = below(8);
        const char *piece = kind < 3 ? special[below(12)] : ends[below(5)];

        if (kind < 3 || (lines && kind == 3))
            add(text, piece, strlen(piece));
        else if (nul && kind == 4)
            add(text, "", 1);
        else
            add(text, bytes, any_character(bytes));
    }
}

/* TEXT with its line ends made LF. */
static void normalise(struct text *text)
{
    size_t from, to = 0;
    bool cr = false; /* the last one was */

    for (from = 0; from < text->length; from++) {
        char c = text->bytes[from];

        if (c != '\n' || !cr)
            text->bytes[to++] = c == '\r' ? '\n' : c;
        cr = c == '\r';
    }
    text->length = to;
    text->bytes[to] = '\0';
}

/* ---- events ----------------------------------------------------------- */

static char last[TEXT_MAX]; /* the last event id */

/* Logs the messages that a comment TEXT makes. */
static void expect_comment(struct text *text, json_t *expected)
{
    const char *at, *end;
    char line[TEXT_MAX + 1];

    normalise(text);
    for (at = text->bytes;; at = end + 1) {
        end = at + strcspn(at, "\n");
        snprintf(line, sizeof line, "%s%.*s", end > at ? " " : "",
                 (int)(end - at), at);
        json_array_append_new(expected, log_comment(line, strlen(line)));
        if (*end == '\0')
            return;
    }
}

/* Sets at least one field of EVENT, and logs in EXPECTED the messages that it makes. */
static void any_event(struct crier_event *event, json_t *expected)
{
    static struct text text, type;
    unsigned fields = 1 + below(31);
    bool has_id = (fields & 4) != 0;
    uint32_t retry;

    crier_event_reset(event);
    type.length = 0;
    if (fields & 1) {
        any_text(&text, true, false);
        crier_event_comment(event, text.bytes);
        expect_comment(&text, expected);
    }
    if (fields & 2) {
        any_text(&type, false, false);
        crier_event_type(event, type.bytes);
    }
    if (has_id) {
        any_text(&text, false, false);
        crier_event_id(event, text.bytes, text.length);
        memcpy(last, text.bytes, text.length + 1);
    }
    if (fields & 8) {
        retry = below(1U << 31);
        crier_event_retry(event, retry);
        json_array_append_new(expected, log_retry(retry));
    }
    /* (A type may be empty: alone it would be nothing.) */
    if ((fields & 16) || fields == 2) {
        any_text(&text, true, true);
        crier_event_data(event, text.bytes, text.length);
        normalise(&text);
        if (type.length == 0)
            add(&type, "message", 7);
        json_array_append_new(expected,
                              log_event(type.bytes, type.length, text.bytes,
                                        text.length, last, has_id));
    }
}

/* ---- streams ---------------------------------------------------------- */

static struct {
    char bytes[EVENTS_MAX * 8 * TEXT_MAX];
    size_t length;
} stream;

/* Appends FRAME to the stream. The line ends are LF, or something else at random:
 * but for a LF after a CR, which would be one with it. */
static void add_frame(struct crier_frame *frame, bool other_ends)
{
    static const char *const ends[] = {"\r\n", "\r", "\n"};
    const char *bytes, *end;
    size_t length, i;
    bool after_cr;

    bytes = crier_frame_bytes(frame, &length);
    for (i = 0; i < length; i++) {
        ck_assert_uint_lt(stream.length + 2, sizeof stream.bytes);
        if (bytes[i] != '\n' || !other_ends) {
            stream.bytes[stream.length++] = bytes[i];
            continue;
        }
        after_cr =
            stream.length > 0 && stream.bytes[stream.length - 1] == '\r';
        end = ends[below(after_cr ? 2 : 3)];
        memcpy(stream.bytes + stream.length, end, strlen(end));
        stream.length += strlen(end);
    }
}

/* Some events, encoded, cut and read. */
static void play(unsigned seed)
{
    struct cuts cuts = {.how = AT_RANDOM, .seed = seed};
    struct crier_event *event = crier_event_new();
    struct crier_parser *parser = parser_new(0, 0);
    json_t *expected = json_array(), *log = json_array();
    struct crier_frame *frame;
    unsigned events, i;
    bool other_ends;

    ck_assert_ptr_nonnull(event);
    state = seed;
    last[0] = '\0';
    stream.length = 0;
    events = 1 + below(EVENTS_MAX);
    other_ends = below(2) == 0;
    cuts.low = below(2) == 0;
    if (below(4) == 0) {
        memcpy(stream.bytes, "\xef\xbb\xbf", 3);
        stream.length = 3;
    }
    for (i = 0; i < events; i++) {
        any_event(event, expected);
        ck_assert_int_eq(crier_event_encode(event, &frame), 0);
        add_frame(frame, other_ends);
        crier_frame_unref(frame);
    }
    ck_assert_int_eq(feed(parser, stream.bytes, stream.length, cuts, log), 0);
    log_check(log, expected, "CRIER_SEED=%u", seed);
    ck_assert_str_eq(crier_parser_id(parser), last);
    json_decref(expected);
    json_decref(log);
    crier_parser_free(parser);
    crier_event_free(event);
}

START_TEST(what_is_written_is_read)
{
    unsigned seed = test_seed(), i;

    printf("CRIER_SEED=%u\n", seed);
    fflush(stdout);
    for (i = 0; i < ROUNDS; i++)
        play(seed + i);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("parser, at random");

    tcase_add_test(add_case(s, "round trips"), what_is_written_is_read);
    return s;
}

RUN_SUITE(suite)
