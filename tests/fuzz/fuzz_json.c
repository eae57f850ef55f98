/*
 * A fuzz target for bodies of JSON. The first byte of the input says where it goes,
 * by what it is modulo 3, and the rest is the body:
 *
 *   0 POST /topics/a, 1 POST /chat, 2 POST /chat/nobody (digits in the seed corpus)
 *
 * It goes to the handlers themselves, with a hub and a journal in memory behind them.
 * There is no HTTP: the requests have a carrier of their own. So the target sees each
 * response, and the journal is asked what was published.
 *
 * What must hold:
 *
 *   - only what the grammar of RFC 8259 has is taken, by a reader that is not
 *     jansson's; and of that all is taken in which there is nothing for jansson to
 *     dislike (depth, size of numbers, escapes);
 *   - what is published to a topic is the body without its white space;
 *   - what is published to the chat says the same as the body;
 *   - every answer has its status, and is JSON that says so.
 */
#include <config.h>

#include "fuzz.h"

#include "crierd/http/deferred.h"
#include "crierd/http/request.h"
#include "crierd/http/response.h"
#include "crierd/api/api.h"
#include "crierd/demo/demo.h"
#include "crierd/http/route.h"
#include "base/json_read.h"
#include "libcrier/journal/journal.h"

#include <string.h>

/* ---- the carrier ------------------------------------------------------ */

static unsigned status; /* of the response; 0 before there is one */
static json_t *answer;  /* its body */

static const char *find_header(const struct request *request, const char *name,
                               size_t count)
{
    (void)request;
    return count == 0 && strcmp(name, "Content-Type") == 0 ? "application/json" : NULL;
}

static bool note_response(struct request *request, struct response *response)
{
    (void)request;
    MUST(status == 0 && response->made == NULL);
    status = response->status;
    answer = json_loadb(response->body, response->length, 0, NULL);
    return true;
}

/* The journal is in memory: it answers at once. */
static void never_suspended(struct request *request)
{
    (void)request;
    MUST(false);
}

static void never_resumed(void *carried)
{
    (void)carried;
    MUST(false);
}

static const struct carrier carrier = {.header = find_header,
                                       .respond = note_response,
                                       .suspend = never_suspended,
                                       .resume = never_resumed};

/* ---- the grammar ------------------------------------------------------ */

/* A reader of RFC 8259's grammar, with what it found on its way. */
struct grammar {
    const char *at, *end;
    int depth;
    bool odd; /* what jansson may dislike */
};

static bool read_value(struct grammar *grammar);

static bool take(struct grammar *grammar, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(grammar->end - grammar->at) < length ||
        memcmp(grammar->at, text, length) != 0)
        return false;
    grammar->at += length;
    return true;
}

static void skip_space(struct grammar *grammar)
{
    while (take(grammar, " ") || take(grammar, "\t") || take(grammar, "\n") ||
           take(grammar, "\r"))
        ;
}

static size_t take_digits(struct grammar *grammar)
{
    const char *from = grammar->at;

    while (grammar->at < grammar->end && *grammar->at >= '0' &&
           *grammar->at <= '9')
        grammar->at++;
    return (size_t)(grammar->at - from);
}

static bool read_number(struct grammar *grammar)
{
    const char *from = grammar->at;

    take(grammar, "-");
    if (!take(grammar, "0") && take_digits(grammar) == 0)
        return false;
    if (take(grammar, ".") && take_digits(grammar) == 0)
        return false;
    if (take(grammar, "e") || take(grammar, "E")) {
        grammar->odd = true;
        if (!take(grammar, "+"))
            take(grammar, "-");
        if (take_digits(grammar) == 0)
            return false;
    }
    if (grammar->at - from > 15)
        grammar->odd = true;
    return true;
}

static bool read_escape(struct grammar *grammar)
{
    int i;

    if (!take(grammar, "u"))
        return grammar->at < grammar->end && *grammar->at != '\0' &&
               strchr("\"\\/bfnrt", *grammar->at++) != NULL;
    grammar->odd = true;
    for (i = 0; i < 4; i++)
        if (grammar->at == grammar->end || *grammar->at == '\0' ||
            strchr("0123456789abcdefABCDEF", *grammar->at++) == NULL)
            return false;
    return true;
}

static bool read_string(struct grammar *grammar)
{
    if (!take(grammar, "\""))
        return false;
    while (grammar->at < grammar->end) {
        if (take(grammar, "\""))
            return true;
        if ((unsigned char)*grammar->at < 0x20)
            return false;
        if (*grammar->at++ == '\\' && !read_escape(grammar))
            return false;
    }
    return false;
}

/* The members of an object, or the elements of an array, up to its END. */
static bool read_all(struct grammar *grammar, const char *end, bool names)
{
    skip_space(grammar);
    if (take(grammar, end))
        return true;
    do {
        skip_space(grammar);
        if (names) {
            if (!read_string(grammar))
                return false;
            skip_space(grammar);
            if (!take(grammar, ":"))
                return false;
        }
        if (!read_value(grammar))
            return false;
    } while (take(grammar, ","));
    return take(grammar, end);
}

static bool read_value(struct grammar *grammar)
{
    bool good;

    if (++grammar->depth > JSON_DEPTH_MAX)
        grammar->odd = true;
    skip_space(grammar);
    if (take(grammar, "{"))
        good = read_all(grammar, "}", true);
    else if (take(grammar, "["))
        good = read_all(grammar, "]", false);
    else if (grammar->at < grammar->end && *grammar->at == '"')
        good = read_string(grammar);
    else
        good = take(grammar, "true") || take(grammar, "false") ||
               take(grammar, "null") || read_number(grammar);
    skip_space(grammar);
    grammar->depth--;
    return good;
}

/* Whether BODY is JSON; *ODD when jansson need not think so. */
static bool is_json(const char *body, size_t length, bool *odd)
{
    struct grammar grammar = {.at = body, .end = body + length};
    json_t *string = json_stringn(body, length);
    bool good = read_value(&grammar) && grammar.at == grammar.end &&
                string != NULL; /* which is UTF-8 */

    *odd = grammar.odd;
    json_decref(string);
    return good;
}

/* ---- what was published ----------------------------------------------- */

static struct crier_journal *journal;

static void read_done(struct crier__read *read)
{
    (void)read;
}

/* The data of the last update under TOPIC, new, its length in *LENGTH. */
static char *last_published(const char *topic, const char *type,
                            size_t *length)
{
    struct crier__read_selector selector = {0};
    struct crier__read read = {.done = read_done,
                               .selectors = &selector,
                               .selector_count = 1,
                               .resolve = true,
                               .since = CRIER_SINCE_LAST,
                               .after = journal->ops->last(journal),
                               .number = 1,
                               .max_bytes = 1};
    struct crier_frame *frame;
    const char *body, *fields;
    char *data;

    MUST(crier__selector_init(&selector.selector,
                              &(struct crier_selector){
                                  .match = CRIER_MATCH_EXACT, .text = topic}) == 0);
    journal->ops->read(journal, &read);
    MUST(read.error == 0 && read.count == 1);
    body = crier__update_body(read.updates[0], length);
    fields = type != NULL ? "event: message\n" : "data: ";
    MUST(*length > strlen(fields));
    MUST(strncmp(body, fields, strlen(fields)) == 0);
    frame = crier__update_copy(read.updates[0], CRIER_FORMAT_RAW);
    MUST(frame != NULL);
    *length = frame->length - 1;
    data = malloc(*length + 1);
    MUST(data != NULL);
    memcpy(data, frame->bytes, *length);
    data[*length] = '\0';
    crier_frame_unref(frame);
    crier__update_unref(read.updates[0]);
    return data;
}

/* BODY without the white space between its tokens, new. */
static char *strip(const char *body, size_t length)
{
    char *made = malloc(length + 1), *to = made;
    bool quoted = false;
    size_t i;

    MUST(made != NULL);
    for (i = 0; i < length; i++) {
        if (!quoted && strchr(" \t\n\r", body[i]) != NULL)
            continue;
        *to++ = body[i];
        if (body[i] == '"')
            quoted = !quoted;
        else if (quoted && body[i] == '\\')
            *to++ = body[++i];
    }
    *to = '\0';
    return made;
}

static void check_topic(const char *body, size_t length)
{
    char *right = strip(body, length), *data;
    size_t got;

    MUST(json_object_get(answer, "id") != NULL);
    data = last_published("a", NULL, &got);
    MUST(got == strlen(right) && memcmp(data, right, got) == 0);
    free(right);
    free(data);
}

static void check_chat(const char *body, size_t length)
{
    json_t *right = json_loadb(body, length, 0, NULL), *given;
    static const char *const names[] = {"user", "text"};
    size_t got, i;
    char *data = last_published("$chat", "message", &got);

    given = json_loadb(data, got, 0, NULL);
    MUST(right != NULL && given != NULL);
    for (i = 0; i < 2; i++) {
        MUST(json_string_length(json_object_get(right, names[i])) != 0);
        MUST(json_equal(json_object_get(right, names[i]),
                        json_object_get(given, names[i])));
    }
    MUST(json_string_length(json_object_get(right, "user")) <= 4 * 64);
    MUST(json_object_size(given) == 3);
    json_decref(right);
    json_decref(given);
    free(data);
}

/* ---- the target ------------------------------------------------------- */

static struct conf conf = {.max_update = (size_t)1024 * 1024,
                           .anonymous = CONF_ANONYMOUS_ALL,
                           .auth_cookie = "mercureAuthorization"};
static struct server server = {.conf = &conf};
static struct demo *demo;

static void stop(void)
{
    crier_hub_close(server.hub);
    crier_shards_free(server.shards);
    demo_close(demo);
    crier_hub_free(server.hub);
}

static void start(void)
{
    const struct crier_shards_options one = {.threads = 1};
    const struct crier_journal_options few = {.retention = {.count = 10}};

    log_set_level(LOG_ERROR);
    MUST(conf_publish(&conf));
    MUST(crier_shards_new(&one, &server.shards) == 0);
    MUST(crier_journal_memory(&few, &journal) == 0);
    MUST(crier_hub_new(server.shards, journal, NULL, &server.hub) == 0);
    conf.data = getenv("DATA");
    MUST(conf.data != NULL);
    demo = demo_open(&server);
    MUST(demo != NULL && atexit(stop) == 0);
    server.tables[0] = (struct route_table){.routes = api_routes};
    server.tables[1] = (struct route_table){.routes = demo_routes,
                                            .context = demo};
}

static void post(const char *target, const char *body, size_t length)
{
    struct request request = {.server = &server,
                              .carrier = &carrier,
                              .method = "POST",
                              .target = target,
                              .body = body,
                              .body_length = length};

    status = 0;
    MUST(route_run(&request));
    route_done(&request);
    MUST(json_is_object(answer));
    if (status != 200)
        MUST(json_integer_value(json_object_get(answer, "status")) == status);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static const char *const targets[] = {"/topics/a", "/chat",
                                          "/chat/nobody"};
    bool good, odd;
    char *body;
    int which;

    if (server.hub == NULL)
        start();
    if (size == 0)
        return 0;
    which = input[0] % 3;
    body = malloc(size); /* ended by a NUL, as http.c does it */
    MUST(body != NULL);
    memcpy(body, input + 1, --size);
    body[size] = '\0';
    good = is_json(body, size, &odd);
    post(targets[which], body, size);
    MUST(status == 400 || (good && status == (which == 2 ? 404 : 200)));
    if (which == 0 && good && !odd)
        MUST(status == 200);
    if (which == 0 && status == 200)
        check_topic(body, size);
    if (which == 1 && status == 200)
        check_chat(body, size);
    json_decref(answer);
    free(body);
    return 0;
}
