/*
 * An update: a frame with its topics, its id and its position.
 *
 * Its frame is text/event-stream, which nearly all clients want, and the only form in
 * which the journal holds an update. The other formats are made from it: once for all
 * live subscribers, and then kept with the update; for each subscriber that reads the
 * past, and then not kept. Such a frame is easy to parse, since each of its lines is
 * "name: value". A topic cannot end the line of a field: it has no control characters.
 *
 * The publisher makes an update with everything but its place. The journal places it;
 * from then on it does not change, except that the frames of other formats are each set
 * once.
 */
#include <config.h>

#include "update.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What retention counts for an update beside its bytes. */
#define OVERHEAD 128

struct crier__update *crier__update_new(const struct crier__topics *topics,
                                        const char *id,
                                        struct crier_frame *body)
{
    size_t size = crier__topics_bytes(topics);
    size_t id_size = id != NULL ? strlen(id) + 1 : CRIER__EPOCH_SIZE + 24;
    struct crier__update *update = calloc(1, sizeof *update + size + id_size);

    if (update == NULL)
        return NULL;
    atomic_init(&update->references, 1);
    update->topics = (struct crier__topics *)update->tail;
    memcpy(update->tail, topics, size);
    update->id = (char *)update->tail + size;
    if (id != NULL)
        memcpy(update->id, id, id_size);
    update->given = id != NULL;
    update->hidden = crier__topics_hidden(topics);
    update->frame = crier_frame_ref(body);
    return update;
}

struct crier__update *crier__update_ref(struct crier__update *update)
{
    atomic_fetch_add_explicit(&update->references, 1, memory_order_relaxed);
    return update;
}

void crier__update_unref(struct crier__update *update)
{
    int i;

    if (update == NULL ||
        atomic_fetch_sub_explicit(&update->references, 1,
                                  memory_order_acq_rel) != 1)
        return;
    crier_frame_unref(update->frame);
    for (i = 0; i < CRIER_FORMATS - 1; i++)
        crier_frame_unref(atomic_load(&update->other[i]));
    free(update);
}

int crier__update_place(struct crier__update *update, const char *epoch,
                        uint64_t position, int64_t time)
{
    char made[CRIER__ID_SIZE];
    const char *id = update->id;
    struct crier_frame *frame, *body = update->frame;
    size_t length;

    if (!update->given) {
        crier__id_make(made, epoch, position);
        id = made;
    }
    length = strlen(id);
    frame = crier__frame_new(4 + length + 1 + body->length);
    if (frame == NULL)
        return -ENOMEM;
    memcpy(frame->bytes, "id: ", 4);
    memcpy(frame->bytes + 4, id, length);
    frame->bytes[4 + length] = '\n';
    memcpy(frame->bytes + 5 + length, body->bytes, body->length);
    if (!update->given)
        memcpy(update->id, made, length + 1);
    update->head = 5 + length;
    update->position = position;
    update->time = time;
    update->frame = frame;
    crier_frame_unref(body);
    return 0;
}

bool crier__update_body_valid(const char *body, size_t length)
{
    return length != 0 && body[length - 1] == '\n' &&
           (length == 1 ||
            (body[0] != '\n' &&
             memmem(body, length, "\n\n", 2) == body + length - 2)) &&
           memchr(body, '\r', length) == NULL &&
           crier_utf8_valid(body, length);
}

const char *crier__update_body(const struct crier__update *update,
                               size_t *length)
{
    *length = update->frame->length - update->head;
    return update->frame->bytes + update->head;
}

size_t crier__update_cost(const struct crier__update *update)
{
    return update->frame->length - update->head + update->topics->size - 1 +
           (update->given ? strlen(update->id) : 0) + OVERHEAD;
}

/* ---- ids -------------------------------------------------------------- */

bool crier_id_valid(const char *id, size_t length)
{
    return id != NULL && length != 0 && length < CRIER__ID_SIZE && id[0] != '#' &&
           id[0] != ' ' && id[length - 1] != ' ' &&
           crier_utf8_valid(id, length) && !crier__utf8_control(id, length);
}

void crier__id_make(char id[CRIER__ID_SIZE], const char *epoch,
                    uint64_t position)
{
    snprintf(id, CRIER__ID_SIZE, "#%s-%" PRIu64, epoch, position);
}

bool crier__id_read(const char *id, const char *epoch, uint64_t *position)
{
    size_t length = strlen(epoch);
    char again[CRIER__ID_SIZE];

    if (id[0] != '#' || strncmp(id + 1, epoch, length) != 0 ||
        id[length + 1] != '-')
        return false;
    *position = strtoull(id + length + 2, NULL, 10);
    crier__id_make(again, epoch, *position);
    return strcmp(id, again) == 0 && *position <= INT64_MAX;
}

/* ---- other forms ------------------------------------------------------ */

/* The fields of a frame of ours. */
struct fields {
    const char *type;
    size_t type_length;
    uint64_t retry;
    bool has_retry;
    struct crier__buffer data; /* the lines, each with its LF */
};

/* Whether the line of LENGTH bytes at LINE is the field NAME; its value. */
static bool is_field(const char *line, size_t length, const char *name,
                     const char **value, size_t *value_length)
{
    size_t own = strlen(name);

    if (length <= own || memcmp(line, name, own) != 0 || line[own] != ':')
        return false;
    own += length > own + 1 && line[own + 1] == ' ' ? 2 : 1;
    *value = line + own;
    *value_length = length - own;
    return true;
}

static int read_fields(const struct crier__update *update,
                       struct fields *fields)
{
    const char *line, *end, *stop, *value;
    size_t length, digits;
    int error = 0;

    line = crier__update_body(update, &length);
    end = line + length;
    for (; line < end && error == 0; line = stop + 1) {
        stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            break;
        length = (size_t)(stop - line);
        if (is_field(line, length, "data", &value, &length)) {
            error = crier__buffer_add(&fields->data, value, length);
            if (error == 0)
                error = crier__buffer_add(&fields->data, "\n", 1);
        } else if (is_field(line, length, "event", &value, &length)) {
            fields->type = value;
            fields->type_length = length;
        } else if (is_field(line, length, "retry", &value, &length)) {
            fields->has_retry =
                crier__number_scan(value, length, &digits, &fields->retry);
        }
    }
    return error;
}

static json_t *topics_array(const struct crier__topics *topics)
{
    json_t *array = json_array();
    const char *name;

    if (array == NULL)
        return NULL;
    CRIER__TOPICS_EACH (topics, name)
        if (json_array_append_new(array, json_string(name)) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *as_object(const struct crier__update *update,
                         const struct fields *fields)
{
    size_t length = fields->data.length;
    char time[CRIER__CLOCK_TEXT_SIZE];
    json_t *object;

    crier__clock_text(update->time, time);
    object = json_pack("{s:s, s:I, s:s, s:o}", "id", update->id, "position",
                       (json_int_t)update->position, "time", time, "topics",
                       topics_array(update->topics));
    if (object == NULL)
        return NULL;
    if ((fields->type != NULL &&
         json_object_set_new(object, "event",
                             json_stringn(fields->type,
                                          fields->type_length)) != 0) ||
        (fields->has_retry &&
         json_object_set_new(object, "retry",
                             json_integer((json_int_t)fields->retry)) != 0) ||
        (update->is_private &&
         json_object_set_new(object, "private", json_true()) != 0) ||
        (update->last &&
         json_object_set_new(object, "last", json_true()) != 0) ||
        json_object_set_new(object, "data",
                            json_stringn(length != 0 ? fields->data.bytes : "",
                                         length != 0 ? length - 1 : 0)) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static struct crier_frame *as_json(const struct crier__update *update,
                                   const struct fields *fields)
{
    json_t *object = as_object(update, fields);
    struct crier_frame *frame;
    size_t length;
    char *text;

    if (object == NULL)
        return NULL;
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text == NULL)
        return NULL;
    length = strlen(text);
    text[length] = '\n'; /* in the place of the NUL */
    frame = crier__frame_of(text, length + 1);
    free(text);
    return frame;
}

/* Writes TOPICS to TEXT as the field "topics" has them: with commas between them, and
 * with "%2C" for a comma in a name. Returns the length, TEXT may be NULL. */
static size_t write_topics(const struct crier__topics *topics, char *text)
{
    size_t length = 0;
    unsigned i;

    for (i = 0; i + 1 < topics->size; i++) {
        if (topics->names[i] != ',') {
            if (text != NULL)
                text[length] = topics->names[i] != '\0' ? topics->names[i] : ',';
            length++;
            continue;
        }
        if (text != NULL)
            memcpy(text + length, "%2C", 3);
        length += 3;
    }
    return length;
}

/* The frame with the fields "topics" and "time" in front. */
static struct crier_frame *as_full(const struct crier__update *update)
{
    static const char field[] = "topics: ";
    const struct crier_frame *body = update->frame;
    struct crier_frame *frame;
    char time[CRIER__CLOCK_TEXT_SIZE], line[48];
    size_t length;
    char *at;

    crier__clock_text(update->time, time);
    length = (size_t)snprintf(line, sizeof line, "\ntime: %s\n", time);
    frame = crier__frame_new(sizeof field - 1 +
                             write_topics(update->topics, NULL) + length +
                             body->length);
    if (frame == NULL)
        return NULL;
    at = frame->bytes;
    memcpy(at, field, sizeof field - 1);
    at += sizeof field - 1;
    at += write_topics(update->topics, at);
    memcpy(at, line, length);
    memcpy(at + length, body->bytes, body->length);
    return frame;
}

/* A new frame of UPDATE in FORMAT, which is not EVENTS. */
static struct crier_frame *convert_frame(const struct crier__update *update,
                                         enum crier_format format)
{
    struct fields fields = {0};
    struct crier_frame *frame = NULL;

    if (format == CRIER_FORMAT_FULL)
        return as_full(update);
    if (read_fields(update, &fields) == 0)
        frame = format == CRIER_FORMAT_JSON
                    ? as_json(update, &fields)
                    : crier__frame_of(fields.data.bytes, fields.data.length);
    crier__buffer_done(&fields.data);
    return frame;
}

struct crier_frame *crier__update_copy(struct crier__update *update,
                                       enum crier_format format)
{
    struct crier_frame *frame = update->frame;

    if (format != CRIER_FORMAT_EVENTS)
        frame = atomic_load(&update->other[format - 1]);
    return frame != NULL ? crier_frame_ref(frame) : convert_frame(update, format);
}

struct crier_frame *crier__update_frame(struct crier__update *update,
                                        enum crier_format format)
{
    struct crier_frame *frame, *none = NULL;

    if (format == CRIER_FORMAT_EVENTS)
        return update->frame;
    frame = atomic_load(&update->other[format - 1]);
    if (frame != NULL)
        return frame;
    frame = convert_frame(update, format);
    if (frame != NULL &&
        !atomic_compare_exchange_strong(&update->other[format - 1], &none,
                                        frame)) {
        crier_frame_unref(frame); /* another thread was faster */
        frame = none;
    }
    return frame;
}
