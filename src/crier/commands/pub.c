/*
 * crier pub: one update, from the command line or from standard input.
 *
 * What comes from standard input loses one line end at its end, as with
 * $(...): so `echo hello | crier pub news` publishes what `crier pub news
 * hello` does, and a file that is published is what `crier sub` prints.
 */
#include <config.h>

#include "pub.h"

#include "crier/cli/help.h"
#include "pub_input.h"
#include "base/json_read.h"
#include "pub_lines.h"
#include "crier/cli/note.h"
#include "crier/output/print.h"
#include "crier/cli/printable.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAYS_MAX ((uint64_t)36500 * 24 * 3600 * 1000)
#define TIMEOUT_DEFAULT 30000

enum {
    OPT_EVENT = CONF_OWN,
    OPT_ID,
    OPT_RETRY,
    OPT_JSON,
    OPT_LINES,
    OPT_DEDUPE,
    OPT_TIMEOUT
};

static const struct option options[] = {
    {"event", required_argument, NULL, OPT_EVENT},
    {"id", required_argument, NULL, OPT_ID},
    {"retry", required_argument, NULL, OPT_RETRY},
    {"json", no_argument, NULL, OPT_JSON},
    {"lines", no_argument, NULL, OPT_LINES},
    {"dedupe", no_argument, NULL, OPT_DEDUPE},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    CONF_OPTIONS,
};

/* ---- the command line ------------------------------------------------- */

static enum conf_result set_timeout(struct pub *pub, const char *value)
{
    enum conf_result result =
        conf_time("--timeout", value, 0, DAYS_MAX,
                  "a time, such as 500ms, 10s or 2h, or 0", &pub->timeout);

    if (pub->timeout == 0)
        pub->timeout = UINT64_MAX;
    return result;
}

static enum conf_result set(void *closure, struct conf *conf, int code,
                            char *value)
{
    struct pub *pub = closure;

    (void)conf;
    switch (code) {
    case CONF_ARGUMENT:
        if (pub->topics == NULL)
            pub->topics = value;
        else
            pub->words[pub->word_count++] = value;
        return CONF_RUN;
    case OPT_EVENT:
        pub->type = value;
        return CONF_RUN;
    case OPT_ID:
        pub->id = value;
        return CONF_RUN;
    case OPT_RETRY:
        pub->with_retry = true;
        return conf_time("--retry", value, 0, CRIER_RETRY_MAX,
                         "a time up to 24 days, such as 500ms or 10s",
                         &pub->retry);
    case OPT_JSON:
        pub->json = true;
        return CONF_RUN;
    case OPT_LINES:
        pub->lines = true;
        return CONF_RUN;
    case OPT_DEDUPE:
        pub->dedupe = true;
        return CONF_RUN;
    default: /* OPT_TIMEOUT */
        return set_timeout(pub, value);
    }
}

/* Whether all that was said goes together. */
static enum conf_result check(const struct conf *conf, const struct pub *pub)
{
    bool is_dash = pub->word_count == 1 && strcmp(pub->words[0], "-") == 0;
    const char *type = conf_header(conf, "Content-Type");

    if (pub->topics == NULL)
        return conf_mistake("where to? Name a topic (crier pub --help)");
    if (pub->json && pub->lines)
        return conf_mistake("--json and --lines do not go together");
    if (pub->json && pub->word_count == 0)
        return conf_mistake("--json needs KEY=VALUE");
    if (!pub->json && pub->word_count > 1)
        return conf_mistake("unexpected argument '%s'", pub->words[1]);
    if (pub->lines && pub->word_count != 0 && !is_dash)
        return conf_mistake("--lines reads standard input; "
                            "unexpected argument '%s'",
                            pub->words[0]);
    if (pub->lines && pub->id != NULL)
        return conf_mistake("--id is for one update, not for --lines");
    if (pub->dedupe && pub->id == NULL)
        return conf_mistake("--dedupe needs an --id");
    if (type != NULL) /* crierd would take what crier writes for data */
        return conf_mistake("--header '%s' is not for pub: data are text, or "
                            "an object with --json",
                            type);
    return CONF_RUN;
}

/* ---- the data --------------------------------------------------------- */

/* Appends STRING, LENGTH bytes, as a string of JSON. */
static enum conf_result add_string(struct text *text, const char *word,
                                   const char *string, size_t length)
{
    json_t *value = json_stringn(string, length);
    char *dumped = json_dumps(value, JSON_ENCODE_ANY);

    json_decref(value);
    if (dumped == NULL)
        return conf_mistake("'%s' is not UTF-8", word);
    text_puts(text, dumped);
    free(dumped);
    return CONF_RUN;
}

/* Whether one of the first COUNT words has the key of LENGTH bytes of KEY. */
static bool is_known(const struct pub *pub, size_t count, const char *key,
                     size_t length)
{
    size_t i, other;

    for (i = 0; i < count; i++) {
        other = strcspn(pub->words[i], "=");
        if (other != 0 && pub->words[i][other - 1] == ':')
            other--;
        if (other == length && strncmp(pub->words[i], key, length) == 0)
            return true;
    }
    return false;
}

/* Whether VALUE is JSON that jansson can hold; a mistake is told of WORD. */
static enum conf_result check_json(const char *word, const char *value)
{
    const size_t flags =
        JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
    json_error_t error;
    json_t *parsed = json_read(value, strlen(value), flags, &error);

    if (parsed != NULL) {
        json_decref(parsed);
        return CONF_RUN;
    }
    switch (json_error_code(&error)) {
    case json_error_numeric_overflow:
        return conf_mistake("a number is too large in '%s'", word);
    case json_error_stack_overflow:
        return conf_mistake("%s in '%s'", error.text, word);
    case json_error_null_byte_in_key:
        return conf_mistake("a key has a NUL in '%s'", word);
    default:
        return conf_bad("the value of", word, "JSON");
    }
}

/* Appends word number I, KEY=TEXT or KEY:=JSON, as a member of an object. JSON
 * stays as it is written. */
static enum conf_result add_member(const struct pub *pub, size_t i,
                                   struct text *text)
{
    const char *word = pub->words[i];
    size_t key = strcspn(word, "=");
    const char *value = word + key + 1;
    bool raw = key > 0 && word[key - 1] == ':';

    if (word[key] == '\0' || key == raw)
        return conf_bad("the argument", word, "KEY=VALUE");
    key -= raw;
    if (is_known(pub, i, word, key))
        return conf_mistake("the key of '%s' is given twice", word);
    if (i != 0)
        text_puts(text, ",");
    if (add_string(text, word, word, key) != CONF_RUN)
        return CONF_BAD;
    text_puts(text, ":");
    if (!raw)
        return add_string(text, word, value, strlen(value));
    if (check_json(word, value) != CONF_RUN)
        return CONF_BAD;
    text_puts(text, value);
    return CONF_RUN;
}

static enum conf_result make_object(const struct pub *pub, struct text *text)
{
    size_t i;

    text_puts(text, "{");
    for (i = 0; i < pub->word_count; i++)
        if (add_member(pub, i, text) != CONF_RUN)
            return CONF_BAD;
    text_puts(text, "}");
    return CONF_RUN;
}

/* Takes one line end off the end of TEXT: LF, CRLF or CR, as in data. */
static void cut_end(struct text *text)
{
    if (text->length != 0 && text->bytes[text->length - 1] == '\n')
        text->length--;
    if (text->length != 0 && text->bytes[text->length - 1] == '\r')
        text->length--;
}

/* Reads standard input into TEXT. Returns the exit status. */
static int read_input(const struct conf *conf, struct text *text)
{
    struct input input = {0};
    int error;

    if (!conf->quiet && isatty(STDIN_FILENO))
        note("reading from the terminal; end with Ctrl-D");
    error = input_all(&input, CRIER_EVENT_MAX);
    if (error == -EFBIG)
        note_error("%s", crier_error_text(CRIER_ERR_TOO_LARGE));
    else if (error != 0)
        note_error("cannot read standard input: %s", strerror(-error));
    *text = input.text;
    cut_end(text);
    return error != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Fills TEXT with what is to be published. Returns the exit status. */
static int make_data(const struct conf *conf, const struct pub *pub,
                     struct text *text)
{
    if (pub->json)
        return make_object(pub, text) == CONF_RUN ? EXIT_SUCCESS : EXIT_USAGE;
    if (pub->word_count == 0 || strcmp(pub->words[0], "-") == 0)
        return read_input(conf, text);
    text_puts(text, pub->words[0]);
    return EXIT_SUCCESS;
}

/* ---- publishing ------------------------------------------------------- */

static void told_to_wait(void *closure, const char *reason, uint64_t retry)
{
    const struct conf *conf = closure;
    struct text wait = {0};

    text_seconds(&wait, retry);
    note("%s: %s; again in %s", conf->server, reason, wait.bytes);
    text_done(&wait);
}

void pub_options(const struct conf *conf, const struct pub *pub,
                 struct crier_publisher_options *publisher)
{
    *publisher = (struct crier_publisher_options){
        .server = conf->server,
        .topics = pub->topics,
        .timeout = pub->timeout,
        .strict = pub->id != NULL && !pub->dedupe,
        .on_retry = told_to_wait,
        .closure = (void *)conf,
    };
    conf_http(conf, false, &publisher->http);
}

int pub_failed(const struct conf *conf, const struct pub *pub, int error,
               const char *reason)
{
    switch (error) {
    case CRIER_ERR_URL:
        note_error("%s: %s", conf->server, reason);
        return EXIT_USAGE;
    case CRIER_ERR_TOPIC:
    case CRIER_ERR_MANY_TOPICS:
        note_error("'%s': %s", pub->topics, reason);
        return EXIT_USAGE;
    case CRIER_ERR_INVALID: /* all that can be so is on the command line */
    case CRIER_ERR_ID:
    case CRIER_ERR_NEWLINE:
        note_error("%s", reason);
        return EXIT_USAGE;
    case -ETIMEDOUT:
        note_error("%s: %s; the time is up", conf->server, reason);
        return EXIT_TIME;
    case CRIER_ERR_EXISTS:
    case CRIER_ERR_STATUS:
    case CRIER_ERR_ENCODING:
        note_error("%s: %s", conf->server, reason);
        return EXIT_FAILURE;
    default:
        note_error("%s", reason);
        return EXIT_FAILURE;
    }
}

/* Says that all went well. */
static void tell(const struct conf *conf,
                 const struct crier_published *published)
{
    struct text text = {0};

    if (conf->quiet)
        return;
    if (!isatty(STDOUT_FILENO)) {
        print("%s\n", published->id);
    } else if (published->duplicate) {
        text_harmless(&text, published->id, strlen(published->id), NULL);
        print("%s was there already\n", text.bytes);
    } else {
        text_harmless(&text, published->id, strlen(published->id), NULL);
        print("published %s to %zu\n", text.bytes, published->subscribers);
    }
    text_done(&text);
}

static int publish(const struct conf *conf, const struct pub *pub,
                   const struct text *data)
{
    struct crier_event *event = crier_event_new();
    struct crier_publisher_options publisher;
    struct crier_published published;
    int error;

    if (event == NULL) {
        note_error("out of memory");
        return EXIT_FAILURE;
    }
    crier_event_data(event, data->length != 0 ? data->bytes : "",
                     data->length);
    if (pub->type != NULL)
        crier_event_type(event, pub->type);
    if (pub->id != NULL)
        crier_event_id(event, pub->id, strlen(pub->id));
    if (pub->with_retry)
        crier_event_retry(event, (uint32_t)pub->retry);
    pub_options(conf, pub, &publisher);
    error = crier_publish(&publisher, event, &published);
    crier_event_free(event);
    if (error != 0)
        return pub_failed(conf, pub, error, published.reason);
    tell(conf, &published);
    return EXIT_SUCCESS;
}

static int run(const struct conf *conf, const struct pub *pub)
{
    struct text data = {0};
    int status;

    if (pub->lines)
        return lines_run(conf, pub);
    status = make_data(conf, pub, &data);
    if (status == EXIT_SUCCESS)
        status = publish(conf, pub, &data);
    text_done(&data);
    return status;
}

int pub_run(int argc, char **argv)
{
    struct pub pub = {.words = calloc((size_t)argc, sizeof *pub.words),
                      .timeout = TIMEOUT_DEFAULT};
    const struct conf_command mine = {help_pub, options, set, &pub};
    struct conf conf = {0};
    enum conf_result result;
    int status = EXIT_SUCCESS;

    if (pub.words == NULL) {
        note_error("out of memory");
        return EXIT_FAILURE;
    }
    result = conf_parse(&conf, &mine, argc, argv);
    if (result == CONF_RUN)
        result = check(&conf, &pub);
    if (result == CONF_BAD)
        status = EXIT_USAGE;
    else if (result == CONF_RUN)
        status = run(&conf, &pub);
    conf_done(&conf);
    free(pub.words);
    return status;
}
