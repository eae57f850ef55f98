/*
 * A fuzz target for the event-stream parser. Of the input, three bytes say how, the
 * rest is the stream (a digit each in the seed corpus, corpus/parser):
 *
 *   1  the limit of a line, 2  of an event: 0 the default, else one of `limits`
 *   3  how it is cut: 0 byte by byte, else at random by this seed
 *
 * What must hold:
 *
 *   - the cuts make no difference, and neither does what the parser read before;
 *   - texts are UTF-8, hold no line end and have a NUL behind them;
 *   - limits are kept, and a line that is within its limit is no error;
 *   - an event that is encoded again is read as the same.
 */
#include <config.h>

#include "fuzz.h"

#include "crier_client.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static const size_t limits[8] = {0, 1, 2, 8, 16, 64, 256, 1024};

/* ---- what was told ---------------------------------------------------- */

struct record {
    char *bytes;
    size_t length, room;
};

static void put(struct record *record, const void *bytes, size_t length)
{
    while (record->room - record->length < length) {
        record->room = record->room != 0 ? 2 * record->room : 1024;
        record->bytes = realloc(record->bytes, record->room);
        MUST(record->bytes != NULL);
    }
    if (length != 0)
        memcpy(record->bytes + record->length, bytes, length);
    record->length += length;
}

static void put_text(struct record *record, const char *text, size_t length)
{
    put(record, &length, sizeof length);
    put(record, text, length);
}

static void put_string(struct record *record, const char *string)
{
    put_text(record, string != NULL ? string : "\n",
             string != NULL ? strlen(string) : 1);
}

static void put_message(struct record *record,
                        const struct crier_message *message)
{
    put(record, &message->kind, sizeof message->kind);
    put(record, &message->has_id, sizeof message->has_id);
    put(record, &message->retry, sizeof message->retry);
    put_text(record, message->data, message->length);
    put_text(record, message->type, message->type_length);
    put_string(record, message->id);
    put_string(record, message->topics);
    put_string(record, message->time);
}

/* ---- reading ---------------------------------------------------------- */

struct reading {
    struct crier_parser *parser;
    struct crier_parser_options options;
    unsigned cut; /* 0 for byte by byte, UINT_MAX for none */
    struct record record;
    int result;
    const struct crier_message *original; /* of check_same() */
    unsigned same;                        /* how often that was called */
    void (*check)(struct reading *reading,
                  const struct crier_message *message);
};

static unsigned draw(unsigned *state)
{
    *state = *state * 1103515245U + 12345U;
    return *state >> 16;
}

static size_t next_cut(unsigned cut, unsigned *state, size_t left)
{
    size_t length = cut == 0 ? 1 : draw(state) % (1 + cut % 16);

    return cut == UINT32_MAX || length > left ? left : length;
}

/* Reads the stream, each chunk in memory of its own that is gone afterwards. */
static void read_on(struct reading *reading, const char *stream, size_t length)
{
    unsigned state = reading->cut;
    struct crier_message message;
    size_t at = 0, chunk, left;
    const char *bytes;
    char *copy;

    reading->result = 0;
    while (at < length && reading->result == 0) {
        chunk = left = next_cut(reading->cut, &state, length - at);
        bytes = copy = malloc(chunk != 0 ? chunk : 1);
        MUST(copy != NULL);
        memcpy(copy, stream + at, chunk);
        while ((reading->result = crier_parser_next(reading->parser, &bytes,
                                                    &left, &message)) > 0) {
            MUST(bytes + left == copy + chunk && bytes > copy);
            if (reading->check != NULL)
                reading->check(reading, &message);
            put_message(&reading->record, &message);
        }
        if (reading->result == 0)
            MUST(left == 0 && bytes == copy + chunk);
        free(copy);
        at += chunk;
    }
    put(&reading->record, &reading->result, sizeof reading->result);
    put_string(&reading->record, crier_parser_id(reading->parser));
}

static void begin(struct reading *reading)
{
    MUST(crier_parser_new(&reading->options, &reading->parser) == 0);
}

static void end(struct reading *reading)
{
    crier_parser_free(reading->parser);
    free(reading->record.bytes);
}

/* ---- what must hold --------------------------------------------------- */

static bool one_line(const char *text, size_t length)
{
    return length == 0 || (memchr(text, '\n', length) == NULL &&
                           memchr(text, '\r', length) == NULL);
}

static void check_text(const char *text, size_t length)
{
    MUST(text[length] == '\0');
    MUST(crier_utf8_valid(text, length));
}

static void check_string(const char *string)
{
    check_text(string, strlen(string));
    MUST(one_line(string, strlen(string)));
}

/* What the limit of an event counts. A type that is not there is "message". */
static size_t size_of(const struct crier_message *message)
{
    size_t size = message->length;

    if (strcmp(message->type, "message") != 0)
        size += message->type_length;
    if (message->has_id)
        size += strlen(message->id);
    if (message->topics != NULL)
        size += strlen(message->topics);
    if (message->time != NULL)
        size += strlen(message->time);
    return size;
}

static void check_same(struct reading *again,
                       const struct crier_message *message)
{
    const struct crier_message *original = again->original;

    again->same++;
    MUST(message->kind == CRIER_EVENT && message->has_id);
    MUST(message->length == original->length);
    MUST(memcmp(message->data, original->data, message->length) == 0);
    MUST(strcmp(message->id, original->id) == 0);
    if (strlen(original->type) == original->type_length)
        MUST(strcmp(message->type, original->type) == 0);
}

/* Encodes MESSAGE, an event, and reads that. */
static void encode_again(const struct crier_message *message)
{
    struct reading again = {
        .cut = UINT32_MAX, .original = message, .check = check_same};
    struct crier_event *event = crier_event_new();
    struct crier_frame *frame;
    const char *bytes;
    size_t length;

    MUST(event != NULL);
    crier_event_data(event, message->data, message->length);
    crier_event_id(event, message->id, strlen(message->id));
    crier_event_type(event, message->type); /* up to a NUL */
    MUST(crier_event_encode(event, &frame) == 0);
    bytes = crier_frame_bytes(frame, &length);
    begin(&again);
    read_on(&again, bytes, length);
    MUST(again.result == 0 && again.same == 1);
    end(&again);
    crier_frame_unref(frame);
    crier_event_free(event);
}

static void check_message(struct reading *reading,
                          const struct crier_message *message)
{
    size_t max_line = reading->options.max_line;
    size_t max_event = reading->options.max_event;

    check_text(message->data, message->length);
    check_text(message->type, message->type_length);
    MUST(one_line(message->type, message->type_length));
    check_string(message->id);
    MUST(message->reason != NULL);
    if (message->kind == CRIER_COMMENT) {
        MUST(one_line(message->data, message->length));
        MUST(max_line == 0 || message->length <= 3 * max_line);
    } else if (message->kind == CRIER_EVENT) {
        MUST(memchr(message->data, '\r', message->length) == NULL);
        MUST(max_event == 0 || size_of(message) <= max_event);
        if (message->topics != NULL)
            check_string(message->topics);
        if (message->time != NULL)
            check_string(message->time);
        encode_again(message);
    } else {
        MUST(message->kind == CRIER_RETRY && message->length == 0);
    }
}

/* The length of the longest line, one that is not ended included. */
static size_t longest_line(const char *stream, size_t length)
{
    size_t longest = 0, line = 0, i;

    for (i = 0; i < length; i++) {
        line = stream[i] == '\n' || stream[i] == '\r' ? 0 : line + 1;
        if (line > longest)
            longest = line;
    }
    return longest;
}

static void check_result(const struct reading *reading, size_t longest)
{
    size_t max_line = reading->options.max_line;

    MUST(reading->result == 0 || reading->result == CRIER_ERR_MAX_LINE ||
         reading->result == CRIER_ERR_MAX_EVENT);
    if (reading->result == CRIER_ERR_MAX_EVENT)
        MUST(reading->options.max_event != 0);
    else
        MUST((reading->result == CRIER_ERR_MAX_LINE) ==
             (max_line != 0 && longest > max_line));
}

/* ---- the target ------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct reading whole = {.cut = UINT32_MAX, .check = check_message};
    struct reading cut = {0}, next = {.cut = UINT32_MAX};
    const char *stream;

    if (size < 3)
        return 0;
    stream = (const char *)input + 3;
    whole.options.max_line = limits[input[0] % 8];
    whole.options.max_event = limits[input[1] % 8];
    cut.options = next.options = whole.options;
    cut.cut = input[2] % 16;

    begin(&whole);
    read_on(&whole, stream, size - 3);
    check_result(&whole, longest_line(stream, size - 3));

    begin(&cut);
    read_on(&cut, stream, size - 3);
    MUST(cut.record.length == whole.record.length);
    MUST(memcmp(cut.record.bytes, whole.record.bytes, cut.record.length) == 0);

    /* Once more, after it, and where nothing but the id is known. */
    begin(&next);
    MUST(crier_parser_set_id(next.parser, crier_parser_id(cut.parser)) == 0);
    read_on(&next, stream, size - 3);
    crier_parser_begin(cut.parser);
    cut.record.length = 0;
    read_on(&cut, stream, size - 3);
    MUST(cut.record.length == next.record.length);
    MUST(memcmp(cut.record.bytes, next.record.bytes, cut.record.length) == 0);

    end(&whole);
    end(&cut);
    end(&next);
    return 0;
}
