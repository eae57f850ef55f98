/*
 * A fuzz target for the event builder, the encoder and the forms of an update. The
 * input is a program for the builder: a byte that says which call, by what it is
 * modulo 8, and for those that take a text a byte for its length and the text:
 *
 *   0 data, 1 type, 2 id, 3 retry (the text is a number), 4 comment,
 *   5 reset, 6 encode, 7 as 0, but the text has 64 bytes for each it would have
 *
 * (in the seed corpus a letter each that fits: H, A, J, C, D, M, N, O). After the last
 * one it is encoded once more. One parser reads all that came of it.
 *
 * What must hold:
 *
 *   - a setter refuses what is to be refused, for the right reason, and the first
 *     reason is the encoder's;
 *   - the parser reads back what was set, and nothing else;
 *   - the check of bulk bodies takes what can be published, and nothing else;
 *   - an update in each of its forms tells the same.
 */
#include <config.h>

#include "fuzz.h"

#include "crier_client.h"
#include "crierd/api/bulk.h"
#include "libcrier/wire/event.h"
#include "libcrier/wire/update.h"

#include <string.h>

#define TOPICS "$a,b"
#define TOPICS_JSON "[\"$a\",\"b\"]"

/* What was set, as it must be read back. */
struct model {
    char *data, *comment, *type, *id;
    size_t length; /* of data */
    bool retry_set;
    uint32_t retry;
    int error;
};

struct build {
    struct crier_event *event;
    struct model model;
    struct crier_parser *parser;
    char *last_id;
};

/* ---- the model -------------------------------------------------------- */

static char *copy(const char *text, size_t length)
{
    char *made = malloc(length + 1);

    MUST(made != NULL);
    memcpy(made, text, length);
    made[length] = '\0';
    return made;
}

static void set(char **field, const char *text, size_t length)
{
    free(*field);
    *field = text != NULL ? copy(text, length) : NULL;
}

static void forget(struct model *model)
{
    set(&model->data, NULL, 0);
    set(&model->comment, NULL, 0);
    set(&model->type, NULL, 0);
    set(&model->id, NULL, 0);
    memset(model, 0, sizeof *model);
}

/* jansson has a validator of its own. */
static bool is_utf8(const char *text, size_t length)
{
    json_t *string = json_stringn(text, length);

    json_decref(string);
    return string != NULL;
}

static bool one_line(const char *text, size_t length)
{
    return memchr(text, '\n', length) == NULL &&
           memchr(text, '\r', length) == NULL;
}

/* Makes every line end in TEXT an LF; the new length. */
static size_t join_lines(char *text, size_t length)
{
    size_t to = 0, i;

    for (i = 0; i < length; i++) {
        if (text[i] == '\r' && i + 1 < length && text[i + 1] == '\n')
            continue;
        text[to++] = text[i] == '\r' ? '\n' : text[i];
    }
    text[to] = '\0';
    return to;
}

/* ---- building --------------------------------------------------------- */

/* What a setter answered; whether it took its text. */
static bool took(struct build *build, int error, int right)
{
    MUST(error == right);
    if (build->model.error == 0)
        build->model.error = error;
    return error == 0;
}

static void set_data(struct build *build, const char *text, size_t length)
{
    int right = is_utf8(text, length) ? 0 : CRIER_ERR_UTF8;
    struct model *model = &build->model;

    if (!took(build, crier_event_data(build->event, text, length), right))
        return;
    set(&model->data, text, length);
    model->length = join_lines(model->data, length);
}

static void set_comment(struct build *build, const char *text)
{
    size_t length = strlen(text);
    int right = is_utf8(text, length) ? 0 : CRIER_ERR_UTF8;

    if (!took(build, crier_event_comment(build->event, text), right))
        return;
    set(&build->model.comment, text, length);
    join_lines(build->model.comment, length);
}

static void set_type(struct build *build, const char *text)
{
    size_t length = strlen(text);
    int right = !is_utf8(text, length)    ? CRIER_ERR_UTF8
                : !one_line(text, length) ? CRIER_ERR_NEWLINE
                                          : 0;

    if (took(build, crier_event_type(build->event, text), right))
        set(&build->model.type, text, length);
}

static void set_id(struct build *build, const char *text, size_t length)
{
    int right = memchr(text, '\0', length) != NULL ? CRIER_ERR_NUL
                : !is_utf8(text, length)           ? CRIER_ERR_UTF8
                : !one_line(text, length)          ? CRIER_ERR_NEWLINE
                                                   : 0;

    if (took(build, crier_event_id(build->event, text, length), right))
        set(&build->model.id, text, length);
}

static void set_retry(struct build *build, const char *text)
{
    uint32_t retry = (uint32_t)strtoul(text, NULL, 10);
    int right = retry <= CRIER_RETRY_MAX ? 0 : CRIER_ERR_INVALID;

    if (!took(build, crier_event_retry(build->event, retry), right))
        return;
    build->model.retry_set = true;
    build->model.retry = retry;
}

/* ---- reading back ----------------------------------------------------- */

static void check_data(const struct model *model,
                       const struct crier_message *message)
{
    bool typed = model->type != NULL && model->type[0] != '\0';

    MUST(message->length == model->length);
    MUST(memcmp(message->data, model->data, model->length) == 0);
    MUST(strcmp(message->type, typed ? model->type : "message") == 0);
}

/* The next message of what is read, which must be there. */
static void next(struct build *build, const char **bytes, size_t *length,
                 enum crier_kind kind, struct crier_message *message)
{
    MUST(crier_parser_next(build->parser, bytes, length, message) == 1);
    MUST(message->kind == kind);
}

static void read_comments(struct build *build, const char **bytes,
                          size_t *length)
{
    const char *line = build->model.comment;
    struct crier_message message;
    size_t part;

    for (; line != NULL; line = line[part] != '\0' ? line + part + 1 : NULL) {
        part = strcspn(line, "\n");
        next(build, bytes, length, CRIER_COMMENT, &message);
        MUST(message.length == part + (part != 0)); /* and the space */
        MUST(memcmp(message.data + (part != 0), line, part) == 0);
    }
}

static void read_back(struct build *build, const char *bytes, size_t length)
{
    const struct model *model = &build->model;
    struct crier_message message;

    read_comments(build, &bytes, &length);
    if (model->retry_set) {
        next(build, &bytes, &length, CRIER_RETRY, &message);
        MUST(message.retry == model->retry);
    }
    if (model->id != NULL)
        set(&build->last_id, model->id, strlen(model->id));
    if (model->data != NULL) {
        next(build, &bytes, &length, CRIER_EVENT, &message);
        check_data(model, &message);
        MUST(message.has_id == (model->id != NULL));
        MUST(strcmp(message.id, build->last_id) == 0);
        MUST(message.topics == NULL && message.time == NULL);
    }
    MUST(crier_parser_next(build->parser, &bytes, &length, &message) == 0);
    MUST(length == 0);
    MUST(strcmp(crier_parser_id(build->parser), build->last_id) == 0);
}

/* ---- bulk bodies ------------------------------------------------------ */

/* What crier_id_valid() documents, said once more; the setter has made sure of
 * UTF-8. */
static bool can_be_published(const char *id)
{
    size_t length, i;

    if (id == NULL)
        return true;
    length = strlen(id);
    if (length == 0 || length > 255 || id[0] == '#')
        return false;
    for (i = 0; i < length; i++)
        if ((unsigned char)id[i] < ' ' || id[i] == 0x7f ||
            (id[i] == '\xc2' && (unsigned char)id[i + 1] < 0xa0))
            return false;
    return id[0] != ' ' && id[length - 1] != ' ';
}

static void check_bulk(const struct model *model, const char *bytes,
                       size_t length)
{
    bool field = model->retry_set || model->id != NULL ||
                 (model->type != NULL && model->type[0] != '\0');
    bool reserved = model->type != NULL && strcmp(model->type, "mercure") == 0;
    bool good = can_be_published(model->id) && !reserved &&
                (model->data != NULL || !field);
    struct bulk_check check;

    bulk_check(&check, bytes, length);
    MUST((check.wrong == NULL) == good);
    MUST(check.events == (good && model->data != NULL));
    bulk_check(&check, bytes, length - 1); /* without its end */
    MUST(check.wrong != NULL || model->data == NULL);
}

/* ---- forms of an update ----------------------------------------------- */

/* The one event in FRAME, which must be MODEL's. */
static void check_frame(const struct model *model,
                        const struct crier_frame *frame,
                        const struct crier__update *update, bool full)
{
    struct crier_parser *parser;
    struct crier_message message;
    const char *bytes;
    size_t length;
    int events = 0;

    MUST(frame != NULL);
    bytes = crier_frame_bytes(frame, &length);
    MUST(crier_parser_new(NULL, &parser) == 0);
    while (crier_parser_next(parser, &bytes, &length, &message) > 0) {
        if (message.kind != CRIER_EVENT)
            continue;
        events++;
        check_data(model, &message);
        MUST(message.has_id && strcmp(message.id, update->id) == 0);
        MUST((message.topics != NULL) == full);
        MUST(!full || strcmp(message.topics, TOPICS) == 0);
        MUST(!full || strcmp(message.time, "2001-09-09T01:46:40.007Z") == 0);
    }
    MUST(events == 1 && length == 0);
    crier_parser_free(parser);
}

static void check_json(const struct model *model,
                       const struct crier_frame *frame,
                       const struct crier__update *update)
{
    bool typed = model->type != NULL && model->type[0] != '\0';
    size_t length;
    const char *bytes;
    json_t *object, *right = json_pack(
        "{s:s, s:i, s:s, s:s%, s:o, s:s*}", "id", update->id, "position", 7,
        "time", "2001-09-09T01:46:40.007Z", "data", model->data, model->length,
        "topics", json_loads(TOPICS_JSON, 0, NULL), "event",
        typed ? model->type : NULL);
    MUST(frame != NULL);
    bytes = crier_frame_bytes(frame, &length);
    object = json_loadb(bytes, length, JSON_ALLOW_NUL, NULL);

    if (model->retry_set)
        json_object_set_new(right, "retry", json_integer(model->retry));
    MUST(length > 0 && memchr(bytes, '\n', length) == bytes + length - 1);
    MUST(right != NULL && json_equal(object, right));
    json_decref(right);
    json_decref(object);
}

static void check_update(const struct build *build)
{
    const struct model *model = &build->model;
    struct crier__topics *topics;
    struct crier__update *update;
    struct crier_frame *body, *raw;

    MUST(crier__event_body(build->event, &body) == 0);
    MUST(crier__topics_parse(TOPICS, &topics) == 0);
    update = crier__update_new(topics, crier__event_id(build->event), body);
    free(topics);
    crier_frame_unref(body);
    MUST(update != NULL);
    MUST(crier__update_place(update, "epoch", 7, 1000000000007) == 0);
    MUST(strcmp(update->id, model->id != NULL ? model->id : "#epoch-7") == 0);
    check_frame(model, crier__update_frame(update, CRIER_FORMAT_EVENTS),
                update, false);
    check_frame(model, crier__update_frame(update, CRIER_FORMAT_FULL), update,
                true);
    check_json(model, crier__update_frame(update, CRIER_FORMAT_JSON), update);
    raw = crier__update_frame(update, CRIER_FORMAT_RAW);
    MUST(raw != NULL);
    MUST(raw->length == model->length + 1);
    MUST(memcmp(raw->bytes, model->data, model->length) == 0);
    MUST(raw->bytes[model->length] == '\n');
    crier__update_unref(update);
}

/* ---- the target ------------------------------------------------------- */

static void encode(struct build *build)
{
    const struct model *model = &build->model;
    bool empty = model->data == NULL && model->comment == NULL &&
                 model->id == NULL && !model->retry_set &&
                 (model->type == NULL || model->type[0] == '\0');
    struct crier_frame *frame;
    const char *bytes;
    size_t length;
    int right = model->error != 0 ? model->error
                : empty           ? CRIER_ERR_EMPTY
                                  : 0;

    MUST(crier_event_encode(build->event, &frame) == right);
    if (right != 0)
        return;
    bytes = crier_frame_bytes(frame, &length);
    read_back(build, bytes, length);
    check_bulk(model, bytes, length);
    if (model->data != NULL && can_be_published(model->id))
        check_update(build);
    crier_frame_unref(frame);
}

/* The text of LENGTH bytes at BYTES, TIMES times. */
static void set_many(struct build *build, const uint8_t *bytes, size_t length,
                     int times)
{
    char *text = malloc(times * length + 1);
    int i;

    MUST(text != NULL);
    for (i = 0; i < times; i++)
        memcpy(text + i * length, bytes, length);
    set_data(build, text, times * length);
    free(text);
}

static void call(struct build *build, int which, const uint8_t *bytes,
                 size_t length)
{
    char *text = copy((const char *)bytes, length);

    if (which == 0 || which == 7)
        set_many(build, bytes, length, which == 0 ? 1 : 64);
    else if (which == 1)
        set_type(build, text);
    else if (which == 2)
        set_id(build, text, length);
    else if (which == 3)
        set_retry(build, text);
    else
        set_comment(build, text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    const uint8_t *end = input + size;
    struct build build = {.event = crier_event_new()};
    size_t length;
    int which;

    MUST(crier_parser_new(NULL, &build.parser) == 0 && build.event != NULL);
    build.last_id = copy("", 0);
    while (input < end) {
        which = *input++ % 8;
        if (which == 5) {
            crier_event_reset(build.event);
            forget(&build.model);
        } else if (which == 6) {
            encode(&build);
        } else if (input < end) {
            length = *input++;
            if (length > (size_t)(end - input))
                length = (size_t)(end - input);
            call(&build, which, input, length);
            input += length;
        }
    }
    encode(&build);
    forget(&build.model);
    crier_parser_free(build.parser);
    crier_event_free(build.event);
    free(build.last_id);
    return 0;
}
