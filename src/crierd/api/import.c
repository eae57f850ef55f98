/*
 * POST /import: publishes updates that another journal has exported (GET /export), one a
 * line, with the ids, times and topics that they had there.
 *
 * The body is one batch of a journal that may be of any size: the client cuts it into
 * bodies of its own choice. It is read twice. First every line is checked, and the body is
 * refused as a whole, with the number of the line, where one is wrong. Then its updates go
 * to the hub one after the other, in order, and after an error no more of them. So what a
 * refused or broken request has published is always the beginning of its body. Rejected:
 * to keep what was read the first time. jansson takes many times the memory of the text,
 * and reading is cheap beside publishing.
 *
 * An update whose id the journal holds, with the same topics, is skipped, so that an import
 * can be repeated. An id that the journal itself has made says that the update comes from
 * here, and is skipped, too.
 *
 * The reports of Mercure subscriptions and what else is reserved for crierd itself tell of
 * clients of the other crierd; they are skipped.
 */
#include <config.h>

#include "import.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "batch.h"
#include "crierd/http/respond.h"
#include "mercure_name.h"
#include "parameter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As many topics as an update may have. */
#define TOPICS_MAX 100

/* The longest id, and a NUL. */
#define ID_SIZE 256

/* Room for what is wrong with a line. */
#define WRONG_SIZE 200

/* A line, and the update in it. All texts are borrowed from OBJECT. */
struct import_line {
    json_t *object; /* owned; NULL: the line is empty, or no update */
    const char *id;
    const char *topics[TOPICS_MAX];
    size_t topic_count;
    int64_t time;
    const json_t *type, *data; /* strings; TYPE may be NULL */
    const json_t *retry;       /* an integer, or NULL */
    bool is_private, last;
    bool skipped; /* it is reserved for crierd itself */
};

/* Walks over the lines of a body. */
struct import_reader {
    const char *at, *end;
    size_t number; /* of the current line, from 1 */
    char wrong[WRONG_SIZE]; /* with it; "" for nothing */
};

/* ---- one line ----------------------------------------------------------- */

/* Notes what is wrong with the line. Returns false. */
__attribute__((format(printf, 2, 3))) static bool
note_wrong(struct import_reader *reader, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reader->wrong, sizeof reader->wrong, format, arguments);
    va_end(arguments);
    return false;
}

/* Whether VALUE is a string without NUL and line ends. */
static bool is_line(const json_t *value)
{
    return json_is_string(value) &&
           strcspn(json_string_value(value), "\r\n") == json_string_length(value);
}

/* Takes the member NAME, which is one line of text, into *TEXT. */
static bool read_text(struct import_reader *reader, const struct import_line *line,
                      const char *name, const char **text)
{
    const json_t *value = json_object_get(line->object, name);

    if (!is_line(value))
        return note_wrong(reader, "%s is %s", name,
                          value == NULL ? "missing" : "not one line of text without NUL");
    *text = json_string_value(value);
    return true;
}

/* Takes the member NAME, which is a boolean or absent. */
static bool read_flag(struct import_reader *reader, const struct import_line *line,
                      const char *name, bool *flag)
{
    const json_t *value = json_object_get(line->object, name);

    *flag = json_is_true(value);
    return value == NULL || json_is_boolean(value) ||
           note_wrong(reader, "%s is not true or false", name);
}

/* Whether only crierd itself publishes under the name TOPIC. */
static bool is_reserved_topic(const char *topic)
{
    return parameter_is_name_reserved(topic, false) ||
           mercure_topic_is_reserved(topic, strlen(topic), MERCURE_SUBSCRIPTIONS);
}

static bool take_topics(struct import_reader *reader, struct import_line *line)
{
    const json_t *array = json_object_get(line->object, "topics"), *value;
    size_t i;

    line->topic_count = json_array_size(array);
    if (line->topic_count < 1 || line->topic_count > TOPICS_MAX)
        return note_wrong(reader, "topics is not an array of 1 to %d names",
                          TOPICS_MAX);
    json_array_foreach (array, i, value) {
        if (!json_is_string(value) ||
            !crier_topic_valid(json_string_value(value), json_string_length(value)))
            return note_wrong(reader, "topics: %s", crier_error_text(CRIER_ERR_TOPIC));
        line->topics[i] = json_string_value(value);
        line->skipped |= is_reserved_topic(line->topics[i]);
    }
    return true;
}

/* Whether ID may be the id of an update of another journal. */
static bool is_import_id(const char *id)
{
    size_t length = strlen(id);

    return id[0] == '#' ? length < ID_SIZE && crier_id_valid(id + 1, length - 1)
                        : crier_id_valid(id, length);
}

/* Reads id, topics and time, which every update has. */
static bool read_place(struct import_reader *reader, struct import_line *line)
{
    const char *time;

    if (!read_text(reader, line, "id", &line->id) || !take_topics(reader, line) ||
        !read_text(reader, line, "time", &time))
        return false;
    if (!is_import_id(line->id))
        return note_wrong(reader, "id is not valid: %s", crier_error_text(CRIER_ERR_ID));
    return (crier__clock_read(time, &line->time) && line->time > 0) ||
           note_wrong(reader, "time is not one such as 2026-01-31T23:59:59.999Z");
}

/* Reads what makes up the event. */
static bool read_content(struct import_reader *reader, struct import_line *line)
{
    const json_t *object = line->object;

    line->data = json_object_get(object, "data");
    line->type = json_object_get(object, "event");
    line->retry = json_object_get(object, "retry");
    if (!json_is_string(line->data))
        return note_wrong(reader, "data is not a text");
    if (line->type != NULL && !is_line(line->type))
        return note_wrong(reader, "event is not one line of text without NUL");
    if (line->retry != NULL && (!json_is_integer(line->retry) ||
                                json_integer_value(line->retry) < 0 ||
                                json_integer_value(line->retry) > CRIER_RETRY_MAX))
        return note_wrong(reader, "retry is not a number from 0 to %u", CRIER_RETRY_MAX);
    if (line->type != NULL)
        line->skipped |= parameter_is_type_reserved(json_string_value(line->type),
                                                    json_string_length(line->type));
    return read_flag(reader, line, "private", &line->is_private) &&
           read_flag(reader, line, "last", &line->last);
}

/* Whether a line of an export may have a member NAME. */
static bool is_known_name(const char *name)
{
    static const char *const known[] = {"id", "position", "time", "topics", "event",
                                        "retry", "private", "last", "data"};
    size_t i;

    for (i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

/* Whether OBJECT has no member that an export would not have: a name that is misspelled
 * must not be ignored. */
static bool check_names(struct import_reader *reader, json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach (object, name, value)
        if (!is_known_name(name))
            return note_wrong(reader, "an update has no '%.40s'", name);
    return true;
}

/* Whether OBJECT is what an export says beside the updates: a gap, or its end. */
static bool is_remark(const json_t *object)
{
    const char *event = json_string_value(json_object_get(object, "event"));

    return json_object_get(object, "id") == NULL && event != NULL &&
           (strcmp(event, "end") == 0 || strcmp(event, "gap") == 0);
}

/* Reads the LENGTH bytes at TEXT into *LINE, whose object the caller frees in any case.
 * False when something is wrong. */
static bool parse_line(struct import_reader *reader, const char *text, size_t length,
                      struct import_line *line)
{
    json_error_t error;

    *line = (struct import_line){0};
    while (length != 0 && memchr(" \t\r", text[length - 1], 3) != NULL)
        length--;
    if (length == 0)
        return true;
    line->object =
        json_read(text, length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (line->object == NULL)
        return note_wrong(reader, "it is not JSON: %s", error.text);
    if (!json_is_object(line->object))
        return note_wrong(reader, "it is not an object");
    if (is_remark(line->object)) {
        json_decref(line->object);
        line->object = NULL;
        return true;
    }
    return check_names(reader, line->object) && read_place(reader, line) &&
           read_content(reader, line);
}

/* Reads the next line that has an update into *LINE, whose object the caller frees in any
 * case. False at the end, or with reader->wrong. */
static bool read_next_update(struct import_reader *reader, struct import_line *line)
{
    const char *begin, *stop;
    bool good = true;

    line->object = NULL;
    while (good && line->object == NULL && reader->at < reader->end) {
        begin = reader->at;
        stop = memchr(begin, '\n', (size_t)(reader->end - begin));
        if (stop == NULL)
            stop = reader->end;
        reader->at = stop < reader->end ? stop + 1 : stop;
        reader->number++;
        good = parse_line(reader, begin, (size_t)(stop - begin), line);
    }
    return good && line->object != NULL;
}

/* ---- the check ---------------------------------------------------------- */

/* A new object that says which line is wrong; NULL when memory is short. */
static json_t *line_member(size_t number)
{
    return json_pack("{s:I}", "line", (json_int_t)number);
}

static struct import_reader begin_reading(const struct request *request)
{
    return (struct import_reader){.at = request->body,
                                  .end = request->body + request->body_length};
}

/* Checks the body of REQUEST, and writes how many updates are to be published to *COUNT.
 * Returns false after it has sent an error. */
static bool check_lines(struct request *request, size_t *count)
{
    struct import_reader reader = begin_reading(request);
    struct import_line line;
    size_t places = 0;
    bool more = true;

    *count = 0;
    while (more && *count <= IMPORT_MAX && places <= IMPORT_PLACES) {
        more = read_next_update(&reader, &line);
        if (more) {
            *count += !line.skipped;
            places += line.topic_count;
        }
        json_decref(line.object);
    }
    if (reader.wrong[0] != '\0')
        request->result = respond_problem_with(
            request, MHD_HTTP_BAD_REQUEST, line_member(reader.number), "line %zu: %s",
            reader.number, reader.wrong);
    else if (more)
        request->result = respond_problem(request, MHD_HTTP_CONTENT_TOO_LARGE,
                                          "the body has more than %d updates, or than "
                                          "%d topics of updates",
                                          IMPORT_MAX, IMPORT_PLACES);
    return reader.wrong[0] == '\0' && !more;
}

/* ---- publishing ---------------------------------------------------------- */

/* The value of the response: how many updates were imported, how many were there already
 * or are reserved, and how many have another time than in their first journal. */
static json_t *describe_import(const struct batch *batch)
{
    return json_pack("{s:I, s:I, s:I}", "imported",
                     (json_int_t)(batch->published - batch->duplicates), "skipped",
                     (json_int_t)(batch->duplicates + batch->skipped), "adjusted",
                     (json_int_t)batch->adjusted);
}

static bool respond_import(struct request *request, const struct deferred *deferred)
{
    size_t line = (size_t)deferred->number;

    if (deferred->error == 0)
        return respond_json(request, MHD_HTTP_OK, json_incref(deferred->value));
    if (line == 0 || deferred->value == NULL ||
        json_object_set_new(deferred->value, "line", json_integer(deferred->number)) != 0)
        return respond_error(request, deferred->error);
    return respond_failure_of(request, "line", line, deferred->error, deferred->reason,
                              deferred->value);
}

/* Sets EVENT to the content of LINE. */
static int set_event(struct crier_event *event, const struct import_line *line)
{
    crier_event_reset(event);
    if (line->type != NULL)
        crier_event_type(event, json_string_value(line->type));
    if (line->retry != NULL)
        crier_event_retry(event, (uint32_t)json_integer_value(line->retry));
    crier_event_data(event, json_string_value(line->data),
                     json_string_length(line->data));
    /* The first error is kept, and returned when the event is published. */
    return crier_event_id(event, line->id, strlen(line->id));
}

/* Publishes LINE as ITEM. CRIER_ERR_EXISTS: the journal itself has made it. */
static int publish_line(struct crier_hub *hub, struct crier_event *event,
                        const struct import_line *line, struct batch_item *item)
{
    const struct crier_publish_options options = {.dedupe = true,
                                                  .is_private = line->is_private,
                                                  .last = line->last,
                                                  .time = line->time,
                                                  .on_done = batch_note,
                                                  .closure = item};
    int error = set_event(event, line);

    return error != 0 ? error
                      : crier_hub_publish_to(hub, line->topics, line->topic_count,
                                             event, &options);
}

/* Publishes the updates of the body of REQUEST, which is checked, or those before the
 * first error. */
static void submit_updates(struct batch *batch, struct request *request,
                           struct crier_event *event)
{
    struct import_reader reader = begin_reading(request);
    struct batch_item *item = batch->items;
    struct import_line line;
    int error = 0;

    while (error == 0 && !batch_has_failed(batch) &&
           read_next_update(&reader, &line)) {
        if (!line.skipped) {
            item->number = reader.number;
            item->time = line.time;
            error = publish_line(request->server->hub, event, &line, item);
            item += error == 0;
        }
        if (line.skipped || error == CRIER_ERR_EXISTS) {
            batch->skipped++;
            error = 0;
        }
        json_decref(line.object);
    }
    /* The lines have been checked, so only short memory makes one wrong here. */
    if (reader.wrong[0] != '\0' && item < batch->items + batch->count) {
        item->number = reader.number;
        error = -ENOMEM;
    }
    batch_submitted(batch, (size_t)(item - batch->items), error);
}

bool import_handle(struct request *request)
{
    struct crier_event *event;
    struct deferred *deferred;
    struct batch *batch;
    size_t count;
    bool ready;

    if (!check_lines(request, &count))
        return request->result;
    deferred = deferred_new(request, respond_import);
    batch = deferred != NULL ? batch_new(deferred, count, describe_import) : NULL;
    event = crier_event_new();
    ready = batch != NULL && event != NULL;
    if (ready)
        submit_updates(batch, request, event);
    else
        batch_free(batch);
    crier_event_free(event);
    return ready ? deferred_wait(request) : respond_error(request, -ENOMEM);
}
