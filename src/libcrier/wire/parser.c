/*
 * The event-stream interpretation of WHATWG HTML, section 9.2.6.
 *
 * The standard decodes the stream as UTF-8 first and then splits it into lines. This
 * parser splits first, and decodes the value of a field when its line is complete. The
 * result is the same: a line end is ASCII, and an ASCII byte always ends a sequence of
 * UTF-8, even a broken one.
 *
 * A line that lies within the bytes of one call is read in place; only a line that is
 * cut off at their end is copied (`line`). An event is collected field by field
 * (`data`, `type`, `id`, `topics`, `time`), each with a NUL behind it once it is
 * reported. The next call clears what was reported, not earlier: it is borrowed.
 *
 * There are two ids: `id` is the value of the last id field; it becomes `last` when its
 * event is complete, even if that has no data and is not reported. So the id of an
 * event that was cut off does not count.
 *
 * Rejected: callbacks, which would need a way to stop inside them, to continue later
 * and to pass an error through.
 */
#include <config.h>

#include "base/buffer.h"
#include "base/number.h"
#include "crier_client.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX ((size_t)1024 * 1024 * 1024)

/* A buffer that a large line or event has made larger than this is freed. */
#define KEEP ((size_t)64 * 1024)

/* How many bytes are searched at a time. */
#define BLOCK ((size_t)256)

static const char bom[3] = {'\xef', '\xbb', '\xbf'};

struct crier_parser {
    size_t max_line, max_event;
    struct crier__buffer line; /* the beginning of a line that is cut off */
    struct crier__buffer data; /* each line with its LF */
    struct crier__buffer type, id, last, topics, time;
    struct crier__buffer comment;
    bool has_id;
    bool first; /* in the first line, which may begin with a BOM */
    bool cr;    /* the last byte was a CR, to which a LF belongs */
    bool reported; /* the event was reported: the next call clears it */
    int error;
};

/* ---- its life --------------------------------------------------------- */

int crier_parser_new(const struct crier_parser_options *options,
                     struct crier_parser **parser)
{
    size_t max_line = options != NULL ? options->max_line : 0;
    size_t max_event = options != NULL ? options->max_event : 0;
    struct crier_parser *made;

    if (parser == NULL)
        return CRIER_ERR_NULL;
    if (max_line > LIMIT_MAX || max_event > LIMIT_MAX)
        return CRIER_ERR_INVALID;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->max_line = max_line != 0 ? max_line : CRIER_EVENT_MAX;
    made->max_event = max_event != 0 ? max_event : CRIER_EVENT_MAX;
    made->line.max = made->max_line;
    made->comment.max = 3 * made->max_line + 1; /* see add_decoded() */
    made->data.max = made->type.max = made->id.max = made->last.max =
        made->topics.max = made->time.max = made->max_event + 1;
    made->first = true;
    *parser = made;
    return 0;
}

void crier_parser_free(struct crier_parser *parser)
{
    if (parser == NULL)
        return;
    crier__buffer_done(&parser->line);
    crier__buffer_done(&parser->data);
    crier__buffer_done(&parser->type);
    crier__buffer_done(&parser->id);
    crier__buffer_done(&parser->last);
    crier__buffer_done(&parser->topics);
    crier__buffer_done(&parser->time);
    crier__buffer_done(&parser->comment);
    free(parser);
}

/* Empties BUFFER, and frees it when it is large. */
static void clear_buffer(struct crier__buffer *buffer)
{
    if (buffer->capacity > KEEP)
        crier__buffer_done(buffer);
    else
        crier__buffer_clear(buffer);
}

/* Drops the event, complete or not. */
static void clear_event(struct crier_parser *parser)
{
    clear_buffer(&parser->data);
    clear_buffer(&parser->type);
    clear_buffer(&parser->topics);
    clear_buffer(&parser->time);
    parser->has_id = false;
    parser->reported = false;
}

void crier_parser_begin(struct crier_parser *parser)
{
    if (parser == NULL)
        return;
    clear_event(parser);
    clear_buffer(&parser->line);
    parser->first = true;
    parser->cr = false;
    parser->error = 0;
}

/* ---- text ------------------------------------------------------------- */

/* Appends LENGTH bytes at TEXT to BUFFER, decoded as UTF-8: invalid bytes become
 * U+FFFD, one for each maximal subpart (Encoding standard, UTF-8 decoder). */
static int add_decoded(struct crier__buffer *buffer, const char *text,
                       size_t length)
{
    size_t good;
    int error;

    for (;;) {
        good = crier__utf8_prefix(text, length);
        error = crier__buffer_add(buffer, text, good);
        if (error != 0 || good == length)
            return error;
        text += good;
        length -= good;
        error = crier__buffer_add(buffer, "\xef\xbf\xbd", 3);
        if (error != 0)
            return error;
        good = crier__utf8_broken(text, length);
        text += good;
        length -= good;
    }
}

/* Writes the bytes of BUFFER as a string to *STRING. Its NUL is not counted. */
static int terminate_string(struct crier__buffer *buffer, const char **string)
{
    int error = crier__buffer_add(buffer, "", 1);

    if (error != 0)
        return error;
    buffer->length--;
    *string = buffer->bytes;
    return 0;
}

/* Whether the event is within its limit. */
static int check_event(const struct crier_parser *parser)
{
    size_t length = parser->type.length + parser->topics.length +
                    parser->time.length +
                    (parser->has_id ? parser->id.length : 0);

    if (parser->data.length != 0)
        length += parser->data.length - 1; /* the last LF is not part of it */
    return length > parser->max_event ? CRIER_ERR_MAX_EVENT : 0;
}

/* Returns ERROR, that of adding to the event, or the error of the limit of events. */
static int check_event_size(const struct crier_parser *parser, int error)
{
    if (error == CRIER_ERR_FRAME_SIZE)
        return CRIER_ERR_MAX_EVENT;
    return error != 0 ? error : check_event(parser);
}

/* Replaces the content of BUFFER, a part of the event, by VALUE. */
static int set_buffer(struct crier_parser *parser, struct crier__buffer *buffer,
                      const char *value, size_t length)
{
    crier__buffer_clear(buffer);
    return check_event_size(parser, add_decoded(buffer, value, length));
}

/* ---- fields ----------------------------------------------------------- */

static int add_data(struct crier_parser *parser, const char *value,
                    size_t length)
{
    int error = add_decoded(&parser->data, value, length);

    if (error == 0)
        error = crier__buffer_add(&parser->data, "\n", 1);
    return check_event_size(parser, error);
}

static int set_id(struct crier_parser *parser, const char *value,
                  size_t length)
{
    if (length != 0 && memchr(value, '\0', length) != NULL)
        return 0;
    parser->has_id = true;
    return set_buffer(parser, &parser->id, value, length);
}

/* Reads digits only. A number that is too large becomes UINT64_MAX. */
static bool read_retry(const char *value, size_t length, uint64_t *retry)
{
    size_t digits;
    uint64_t number;

    (void)crier__number_scan(value, length, &digits, &number);
    if (digits == 0 || digits != length)
        return false;
    *retry = number;
    return true;
}

static bool is_field_name(const char *line, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(line, name, length) == 0;
}

/* Takes the field NAME with its VALUE. 1 when there is something to report. */
static int take_field(struct crier_parser *parser, const char *name,
                      size_t name_length, const char *value, size_t length,
                      struct crier_message *message)
{
    if (is_field_name(name, name_length, "data"))
        return add_data(parser, value, length);
    if (is_field_name(name, name_length, "event"))
        return set_buffer(parser, &parser->type, value, length);
    if (is_field_name(name, name_length, "id"))
        return set_id(parser, value, length);
    if (is_field_name(name, name_length, "topics"))
        return set_buffer(parser, &parser->topics, value, length);
    if (is_field_name(name, name_length, "time"))
        return set_buffer(parser, &parser->time, value, length);
    if (is_field_name(name, name_length, "retry") &&
        read_retry(value, length, &message->retry)) {
        message->kind = CRIER_RETRY;
        return 1;
    }
    return 0;
}

static int take_comment(struct crier_parser *parser, const char *text,
                        size_t length, struct crier_message *message)
{
    int error;

    clear_buffer(&parser->comment);
    error = add_decoded(&parser->comment, text, length);
    if (error == 0)
        error = terminate_string(&parser->comment, &message->data);
    message->length = parser->comment.length;
    message->kind = CRIER_COMMENT;
    return error != 0 ? error : 1;
}

/* ---- events ----------------------------------------------------------- */

/* Makes the id of a complete event the last one. */
static int commit_id(struct crier_parser *parser)
{
    struct crier__buffer last = parser->last;
    const char *string;
    int error;

    if (!parser->has_id)
        return 0;
    error = terminate_string(&parser->id, &string);
    if (error != 0)
        return error;
    parser->last = parser->id;
    parser->id = last;
    clear_buffer(&parser->id);
    return 0;
}

const char *crier_parser_id(const struct crier_parser *parser)
{
    return parser != NULL && parser->last.length != 0 ? parser->last.bytes
                                                      : "";
}

int crier_parser_set_id(struct crier_parser *parser, const char *id)
{
    size_t length;
    int error;

    if (parser == NULL || id == NULL)
        return CRIER_ERR_NULL;
    length = strlen(id);
    if (strpbrk(id, "\r\n") != NULL)
        return CRIER_ERR_NEWLINE;
    if (!crier_utf8_valid(id, length))
        return CRIER_ERR_UTF8;
    if (length > parser->max_event)
        return CRIER_ERR_MAX_EVENT;
    clear_event(parser);
    crier__buffer_clear(&parser->id);
    error = crier__buffer_add(&parser->id, id, length);
    parser->has_id = error == 0;
    if (error == 0)
        error = commit_id(parser);
    parser->has_id = false;
    return error;
}

/* The same for an extra field; NULL when it is absent or empty. */
static int terminate_optional(struct crier__buffer *buffer, const char **string)
{
    return buffer->length != 0 ? terminate_string(buffer, string) : 0;
}

/* Fills MESSAGE with the event, which is complete and has data. */
static int fill_event(struct crier_parser *parser,
                      struct crier_message *message)
{
    int error = 0;

    parser->reported = true;
    message->kind = CRIER_EVENT;
    message->has_id = parser->has_id;
    parser->data.bytes[parser->data.length - 1] = '\0'; /* the last LF */
    message->data = parser->data.bytes;
    message->length = parser->data.length - 1;
    if (parser->type.length != 0) {
        message->type_length = parser->type.length;
        error = terminate_string(&parser->type, &message->type);
    }
    if (error == 0)
        error = terminate_optional(&parser->topics, &message->topics);
    if (error == 0)
        error = terminate_optional(&parser->time, &message->time);
    return error;
}

/* Ends the event at an empty line. 1 when it is to be reported. Its id is committed
 * last, when nothing can fail any more: a client resumes before an event that was not
 * reported. */
static int dispatch_event(struct crier_parser *parser, struct crier_message *message)
{
    bool has_data = parser->data.length != 0;
    int error = has_data ? fill_event(parser, message) : 0;

    if (error == 0)
        error = commit_id(parser);
    if (!has_data)
        clear_event(parser);
    return error != 0 ? error : has_data;
}

/* Takes one whole LINE without its end. 1 when there is something to report. */
static int take_line(struct crier_parser *parser, const char *line,
                     size_t length, struct crier_message *message)
{
    const char *colon, *value;
    size_t name_length = length;

    if (length > parser->max_line)
        return CRIER_ERR_MAX_LINE;
    if (parser->first && length >= sizeof bom &&
        memcmp(line, bom, sizeof bom) == 0) {
        line += sizeof bom;
        length -= sizeof bom;
        name_length = length;
    }
    parser->first = false;
    if (length == 0)
        return dispatch_event(parser, message);
    if (line[0] == ':')
        return take_comment(parser, line + 1, length - 1, message);
    colon = memchr(line, ':', length);
    value = line + length;
    if (colon != NULL) {
        name_length = (size_t)(colon - line);
        value = colon + 1;
        if (value < line + length && value[0] == ' ')
            value++;
    }
    return take_field(parser, line, name_length, value,
                      (size_t)(line + length - value), message);
}

/* ---- bytes ------------------------------------------------------------ */

/* Returns where the first line in the LENGTH bytes ends; NULL when it does not.
 * Searches block by block: searching for a LF to the end, for each of many lines that
 * end with CR, would take time in the square of their number. */
static const char *find_line_end(const char *bytes, size_t length)
{
    const char *lf, *cr;
    size_t block;

    for (; length != 0; bytes += block, length -= block) {
        block = length < BLOCK ? length : BLOCK;
        lf = memchr(bytes, '\n', block);
        cr = memchr(bytes, '\r', lf != NULL ? (size_t)(lf - bytes) : block);
        if (cr != NULL || lf != NULL)
            return cr != NULL ? cr : lf;
    }
    return NULL;
}

/* Keeps the beginning of a line that continues in the next call. */
static int keep_line(struct crier_parser *parser, const char *bytes, size_t length)
{
    int error = crier__buffer_add(&parser->line, bytes, length);

    return error == CRIER_ERR_FRAME_SIZE ? CRIER_ERR_MAX_LINE : error;
}

/* Takes the line that was kept, with the LENGTH bytes that end it. */
static int take_kept_line(struct crier_parser *parser, const char *bytes,
                          size_t length, struct crier_message *message)
{
    int result = keep_line(parser, bytes, length);

    if (result == 0)
        result = take_line(parser, parser->line.bytes, parser->line.length,
                           message);
    clear_buffer(&parser->line);
    return result;
}

/* Reads the next line, or the part of it that is there. 1 when there is something to
 * report. */
static int parse_step(struct crier_parser *parser, const char **bytes,
                      size_t *length, struct crier_message *message)
{
    const char *start = *bytes, *end;
    size_t line;

    if (parser->cr && start[0] == '\n') {
        parser->cr = false;
        ++*bytes;
        --*length;
        return 0;
    }
    end = find_line_end(start, *length);
    line = end != NULL ? (size_t)(end - start) : *length;
    *bytes += line + (end != NULL);
    *length -= line + (end != NULL);
    parser->cr = end != NULL && *end == '\r';
    if (end == NULL)
        return keep_line(parser, start, line);
    if (parser->line.length != 0)
        return take_kept_line(parser, start, line, message);
    return take_line(parser, start, line, message);
}

int crier_parser_next(struct crier_parser *parser, const char **bytes,
                      size_t *length, struct crier_message *message)
{
    int result;

    if (parser == NULL || bytes == NULL || length == NULL || message == NULL ||
        (*bytes == NULL && *length != 0))
        return CRIER_ERR_NULL;
    result = parser->error;
    if (parser->reported)
        clear_event(parser);
    *message = (struct crier_message){.data = "",
                                      .type = "message",
                                      .type_length = 7,
                                      .id = "",
                                      .reason = ""};
    while (result == 0 && *length != 0)
        result = parse_step(parser, bytes, length, message);
    if (result < 0)
        parser->error = result;
    message->id = crier_parser_id(parser);
    return result;
}
