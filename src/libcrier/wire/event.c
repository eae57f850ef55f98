/*
 * The event builder and the encoder of the event stream format (WHATWG HTML, 9.2.5
 * "Parsing an event stream", read backwards).
 *
 * Data and comment become their wire lines when they are set, so that encoding only
 * joins buffers. Text from outside must never start a field of its own: a parser ends a
 * line at LF, at CRLF and at a lone CR, so text is split at all three; a type or id,
 * which cannot be split, is refused when it holds one.
 *
 * Every field is written as "name: value" with one space. A parser removes exactly one,
 * so a value that itself starts with a space survives. A field without a value is
 * written as "name:".
 */
#include <config.h>

#include "event.h"

#include "frame.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct crier_event {
    struct crier__buffer comment; /* whole lines */
    struct crier__buffer data;    /* whole lines */
    struct crier__buffer type;    /* the value */
    struct crier__buffer id;      /* the value */
    uint32_t retry;
    bool has_comment, has_data, has_id, has_retry;
    int error; /* the first error of a setter */
};

struct crier_event *crier_event_new(void)
{
    return calloc(1, sizeof(struct crier_event));
}

void crier_event_free(struct crier_event *event)
{
    if (event == NULL)
        return;
    crier__buffer_done(&event->comment);
    crier__buffer_done(&event->data);
    crier__buffer_done(&event->type);
    crier__buffer_done(&event->id);
    free(event);
}

void crier_event_reset(struct crier_event *event)
{
    if (event == NULL)
        return;
    crier__buffer_clear(&event->comment);
    crier__buffer_clear(&event->data);
    crier__buffer_clear(&event->type);
    crier__buffer_clear(&event->id);
    event->has_comment = event->has_data = false;
    event->has_id = event->has_retry = false;
    event->error = 0;
}

/* Remembers ERROR if it is the first one, and returns it. */
static int mark_error(struct crier_event *event, int error)
{
    if (event != NULL && event->error == 0)
        event->error = error;
    return error;
}

/* ---- lines ------------------------------------------------------------ */

/* Appends "NAME: VALUE" and LF, or "NAME:" and LF for an empty value. */
static int add_field_line(struct crier__buffer *out, const char *name,
                          const char *value, size_t length)
{
    int error = crier__buffer_add(out, name, strlen(name));

    if (error == 0)
        error = crier__buffer_add(out, ": ", length != 0 ? 2 : 1);
    if (error == 0)
        error = crier__buffer_add(out, value, length);
    if (error == 0)
        error = crier__buffer_add(out, "\n", 1);
    return error;
}

/* Returns the first C from FROM on, or END. */
static const char *find_byte(const char *from, const char *end, char c)
{
    const char *found = memchr(from, c, (size_t)(end - from));

    return found != NULL ? found : end;
}

/* Appends each line of TEXT as a field NAME: n line ends make n + 1 lines. The next LF
 * and the next CR are each searched once, so the time is linear. */
static int add_field_lines(struct crier__buffer *out, const char *name,
                           const char *text, size_t length)
{
    const char *end = text + length, *stop;
    const char *lf = find_byte(text, end, '\n'), *cr = find_byte(text, end, '\r');
    int error;

    for (;;) {
        stop = lf < cr ? lf : cr;
        error = add_field_line(out, name, text, (size_t)(stop - text));
        if (error != 0 || stop == end)
            return error;
        if (stop == cr && lf == cr + 1 && lf != end) /* CRLF is one end */
            stop = lf;
        text = stop + 1;
        if (lf < text)
            lf = find_byte(text, end, '\n');
        if (cr < text)
            cr = find_byte(text, end, '\r');
    }
}

/* Replaces the lines in FIELD by those of TEXT, or leaves FIELD unchanged. */
static int set_field_lines(struct crier_event *event, struct crier__buffer *field,
                           bool *has, const char *name, const char *text,
                           size_t length)
{
    struct crier__buffer lines = {0};
    int error;

    if (!crier_utf8_valid(text, length))
        return mark_error(event, CRIER_ERR_UTF8);
    error = add_field_lines(&lines, name, text, length);
    if (error != 0) {
        crier__buffer_done(&lines);
        return mark_error(event, error);
    }
    crier__buffer_done(field);
    *field = lines;
    *has = true;
    return 0;
}

/* ---- setters ---------------------------------------------------------- */

int crier_event_data(struct crier_event *event, const char *text,
                     size_t length)
{
    if (event == NULL || (text == NULL && length != 0))
        return mark_error(event, CRIER_ERR_NULL);
    return set_field_lines(event, &event->data, &event->has_data, "data",
                           length != 0 ? text : "", length);
}

int crier_event_text(struct crier_event *event, const char *text)
{
    if (text == NULL)
        return mark_error(event, CRIER_ERR_NULL);
    return crier_event_data(event, text, strlen(text));
}

int crier_event_json(struct crier_event *event, const json_t *value)
{
    char *text;
    int error;

    if (event == NULL || value == NULL)
        return mark_error(event, event == NULL ? CRIER_ERR_NULL : CRIER_ERR_JSON);
    errno = 0; /* jansson does not report why it fails */
    text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL)
        return mark_error(event, errno == ENOMEM ? -ENOMEM : CRIER_ERR_JSON);
    error = crier_event_text(event, text);
    free(text);
    return error;
}

int crier_event_comment(struct crier_event *event, const char *text)
{
    if (event == NULL || text == NULL)
        return mark_error(event, CRIER_ERR_NULL);
    return set_field_lines(event, &event->comment, &event->has_comment, "", text,
                           strlen(text));
}

/* Replaces the value in FIELD, which must stay on one line. */
static int set_field_value(struct crier_event *event, struct crier__buffer *field,
                           const char *value, size_t length)
{
    struct crier__buffer copy = {0};
    int error;

    if (!crier_utf8_valid(value, length))
        return mark_error(event, CRIER_ERR_UTF8);
    if (find_byte(value, value + length, '\n') != value + length ||
        find_byte(value, value + length, '\r') != value + length)
        return mark_error(event, CRIER_ERR_NEWLINE);
    error = crier__buffer_add(&copy, value, length);
    if (error == 0)
        error = crier__buffer_add(&copy, "", 1);
    if (error != 0) {
        crier__buffer_done(&copy);
        return mark_error(event, error);
    }
    copy.length--; /* the value is a string, too */
    crier__buffer_done(field);
    *field = copy;
    return 0;
}

int crier_event_type(struct crier_event *event, const char *type)
{
    if (event == NULL)
        return CRIER_ERR_NULL;
    if (type == NULL)
        type = "";
    return set_field_value(event, &event->type, type, strlen(type));
}

int crier_event_id(struct crier_event *event, const char *id, size_t length)
{
    int error;

    if (length == 0)
        id = "";
    if (event == NULL || id == NULL)
        return mark_error(event, CRIER_ERR_NULL);
    if (memchr(id, '\0', length) != NULL)
        return mark_error(event, CRIER_ERR_NUL);
    error = set_field_value(event, &event->id, id, length);
    if (error == 0)
        event->has_id = true;
    return error;
}

int crier_event_retry(struct crier_event *event, uint32_t milliseconds)
{
    if (event == NULL)
        return CRIER_ERR_NULL;
    if (milliseconds > CRIER_RETRY_MAX)
        return mark_error(event, CRIER_ERR_INVALID);
    event->retry = milliseconds;
    event->has_retry = true;
    return 0;
}

/* ---- encoding --------------------------------------------------------- */

static int write_fields(const struct crier_event *event, bool with_id,
                        struct crier__buffer *out)
{
    char digits[16];
    int length, error;

    error = crier__buffer_add(out, event->comment.bytes,
                              event->comment.length);
    if (error == 0 && event->has_id && with_id)
        error = add_field_line(out, "id", event->id.bytes, event->id.length);
    if (error == 0 && event->type.length != 0)
        error = add_field_line(out, "event", event->type.bytes, event->type.length);
    if (error == 0 && event->has_retry) {
        length = snprintf(digits, sizeof digits, "%lu",
                          (unsigned long)event->retry);
        error = add_field_line(out, "retry", digits, (size_t)length);
    }
    if (error == 0)
        error = crier__buffer_add(out, event->data.bytes, event->data.length);
    if (error == 0)
        error = crier__buffer_add(out, "\n", 1);
    return error;
}

static int write_event(const struct crier_event *event, bool with_id,
                       struct crier__buffer *out)
{
    size_t before = out->length;
    int error;

    if (event->error != 0)
        return event->error;
    if (!event->has_comment && !event->has_data && !event->has_id &&
        !event->has_retry && event->type.length == 0)
        return CRIER_ERR_EMPTY;
    error = write_fields(event, with_id, out);
    if (error != 0)
        out->length = before;
    return error;
}

int crier__event_write(const struct crier_event *event,
                       struct crier__buffer *out)
{
    return write_event(event, true, out);
}

static int encode_frame(const struct crier_event *event, bool with_id,
                        struct crier_frame **frame)
{
    struct crier__buffer out = {0};
    struct crier_frame *made;
    int error = write_event(event, with_id, &out);

    if (error != 0)
        goto done;
    made = crier__frame_new(out.length);
    if (made == NULL) {
        error = -ENOMEM;
        goto done;
    }
    memcpy(made->bytes, out.bytes, out.length);
    *frame = made;
done:
    crier__buffer_done(&out);
    return error;
}

int crier_event_encode(const struct crier_event *event,
                       struct crier_frame **frame)
{
    if (event == NULL || frame == NULL)
        return CRIER_ERR_NULL;
    return encode_frame(event, true, frame);
}

int crier__event_body(const struct crier_event *event,
                      struct crier_frame **frame)
{
    return encode_frame(event, false, frame);
}

const char *crier__event_id(const struct crier_event *event)
{
    if (!event->has_id)
        return NULL;
    return event->id.length != 0 ? event->id.bytes : "";
}

bool crier__event_has_data(const struct crier_event *event)
{
    return event->has_data;
}

/* Encodes EVENT under TYPE into *FRAME and frees EVENT. */
static int finish_frame(struct crier_event *event, const char *type,
                        struct crier_frame **frame)
{
    int error;

    if (type != NULL)
        crier_event_type(event, type);
    error = crier_event_encode(event, frame);
    crier_event_free(event);
    return error;
}

int crier__frame_data(const char *type, const char *text, size_t length,
                      struct crier_frame **frame)
{
    struct crier_event *event = crier_event_new();

    if (event == NULL)
        return -ENOMEM;
    crier_event_data(event, text, length);
    return finish_frame(event, type, frame);
}

int crier_frame_text(const char *type, const char *text,
                     struct crier_frame **frame)
{
    return text != NULL ? crier__frame_data(type, text, strlen(text), frame)
                        : CRIER_ERR_NULL;
}

int crier_frame_json(const char *type, const json_t *value,
                     struct crier_frame **frame)
{
    struct crier_event *event = crier_event_new();

    if (event == NULL)
        return -ENOMEM;
    crier_event_json(event, value);
    return finish_frame(event, type, frame);
}
