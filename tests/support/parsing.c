/*
 * Feeds chunks of a stream to a parser, in memory that detects mistakes in every build.
 * Each chunk ends (or begins) at an inaccessible page, so that a read beyond it
 * crashes. It is read-only during the call; after the call the bytes that were read are
 * overwritten, and a chunk that is used up becomes inaccessible. That detects a parser
 * that keeps pointers into its input.
 *
 * What it tells is kept as JSON, in which strings may hold NUL and must be UTF-8.
 */
#include <config.h>

#include "parsing.h"

#include "runner.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- memory ----------------------------------------------------------- */

static struct {
    char *room; /* between two pages that are never accessible */
    size_t size;
} place;

static void protect(int protection)
{
    ck_assert_int_eq(mprotect(place.room, place.size, protection), 0);
}

/* Makes the memory large enough for a chunk of LENGTH bytes. */
static void make_room(size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *all;

    if (place.size >= length && place.room != NULL)
        return;
    if (place.room != NULL)
        munmap(place.room - page, place.size + 2 * page);
    place.size = (length / page + 1) * page;
    all = mmap(NULL, place.size + 2 * page, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(all != MAP_FAILED);
    place.room = all + page;
}

/* ---- messages --------------------------------------------------------- */

static json_t *string(const char *text, size_t length)
{
    json_t *made = json_stringn(text, length);

    ck_assert_msg(made != NULL, "a text is not UTF-8");
    return made;
}

json_t *log_event(const char *type, size_t type_length, const char *data,
                  size_t length, const char *id, bool has_id)
{
    json_t *made =
        json_pack("{s:o,s:o,s:s}", "event", string(type, type_length), "data",
                  string(data, length), "id", id);

    if (has_id)
        json_object_set_new(made, "has_id", json_true());
    return made;
}

json_t *log_comment(const char *text, size_t length)
{
    return json_pack("{s:o}", "comment", string(text, length));
}

json_t *log_retry(uint64_t retry)
{
    char digits[32];

    snprintf(digits, sizeof digits, "%" PRIu64, retry);
    return json_pack("{s:s}", "retry", digits);
}

static json_t *log_message(const struct crier_message *message)
{
    json_t *made;

    if (message->kind == CRIER_COMMENT)
        return log_comment(message->data, message->length);
    if (message->kind == CRIER_RETRY)
        return log_retry(message->retry);
    ck_assert_int_eq(message->kind, CRIER_EVENT);
    made = log_event(message->type, message->type_length, message->data,
                     message->length, message->id, message->has_id);
    if (message->topics != NULL)
        json_object_set_new(made, "topics", json_string(message->topics));
    if (message->time != NULL)
        json_object_set_new(made, "time", json_string(message->time));
    return made;
}

/* Checks what must hold for every message of PARSER. */
static void check_message(const struct crier_parser *parser,
                          const struct crier_message *message)
{
    ck_assert_int_eq(message->data[message->length], '\0');
    ck_assert_int_eq(message->type[message->type_length], '\0');
    ck_assert_str_eq(message->id, crier_parser_id(parser));
    ck_assert_str_eq(message->reason, "");
    ck_assert_int_eq(message->error, 0);
    ck_assert_int_eq(message->status, 0);
    if (message->kind != CRIER_RETRY)
        ck_assert_uint_eq(message->retry, 0);
    if (message->kind == CRIER_RETRY)
        ck_assert_uint_eq(message->length, 0);
    if (message->kind != CRIER_EVENT) {
        ck_assert(!message->has_id);
        ck_assert_ptr_null(message->topics);
        ck_assert_ptr_null(message->time);
    }
}

/* ---- feeding ---------------------------------------------------------- */

unsigned test_seed(void)
{
    const char *given = getenv("CRIER_SEED");

    return given != NULL ? (unsigned)strtoul(given, NULL, 10)
                         : (unsigned)time(NULL);
}

struct crier_parser *parser_new(size_t max_line, size_t max_event)
{
    const struct crier_parser_options options = {.max_line = max_line,
                                                 .max_event = max_event};
    struct crier_parser *parser;

    ck_assert_int_eq(crier_parser_new(&options, &parser), 0);
    return parser;
}

static int feed_chunk(struct crier_parser *parser, const char *chunk,
                      size_t length, bool low, json_t *log)
{
    struct crier_message message;
    const char *bytes, *before, *end;
    char *start;
    size_t left = length;
    int result;

    make_room(length);
    protect(PROT_READ | PROT_WRITE);
    start = low ? place.room : place.room + place.size - length;
    memcpy(start, chunk, length);
    bytes = start;
    end = start + length;
    for (;;) {
        before = bytes;
        protect(PROT_READ);
        result = crier_parser_next(parser, &bytes, &left, &message);
        protect(PROT_READ | PROT_WRITE);
        ck_assert(bytes >= before && bytes <= end &&
                  left == (size_t)(end - bytes));
        if (result == 0)
            ck_assert_uint_eq(left, 0);
        if (result == 1)
            ck_assert(bytes > before &&
                      (bytes[-1] == '\n' || bytes[-1] == '\r'));
        memset(start + (before - start), 0xa5, (size_t)(bytes - before));
        if (bytes == end)
            protect(PROT_NONE);
        if (result != 1)
            break;
        check_message(parser, &message);
        json_array_append_new(log, log_message(&message));
    }
    protect(PROT_NONE);
    return result;
}

/* Returns the length of the next chunk, AT bytes from the beginning of the stream and
 * LEFT bytes before its end. */
static size_t next_cut(struct cuts *cuts, size_t at, size_t left)
{
    size_t length = left;

    if (cuts->how == BY_BYTE)
        length = 1;
    else if (cuts->how == IN_TWO && at == 0)
        length = cuts->at;
    else if (cuts->how == AT_RANDOM)
        length = (size_t)rand_r(&cuts->seed) %
                 (rand_r(&cuts->seed) % 4 == 0 ? 300 : 12);
    return length < left ? length : left;
}

int feed(struct crier_parser *parser, const char *stream, size_t length,
         struct cuts cuts, json_t *log)
{
    size_t at = 0, chunk;
    int result = 0;

    while (at < length && result == 0) {
        chunk = next_cut(&cuts, at, length - at);
        result = feed_chunk(parser, stream + at, chunk, cuts.low, log);
        at += chunk;
        if (cuts.how == IN_TWO)
            cuts.at = length; /* the rest, also when the first part is empty */
    }
    return result;
}

void log_check(const json_t *log, const json_t *expected, const char *format,
               ...)
{
    char *got, *wanted, words[300];
    va_list values;

    if (json_equal(log, expected))
        return;
    va_start(values, format);
    vsnprintf(words, sizeof words, format, values);
    va_end(values);
    got = json_dumps(log, JSON_ENSURE_ASCII);
    wanted = json_dumps(expected, JSON_ENSURE_ASCII);
    ck_abort_msg("%s:\ngot      %s\nexpected %s", words, got, wanted);
}
