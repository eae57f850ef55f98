/*
 * crier pub: one update, from the command line or from standard input.
 *
 * One line end at the end of standard input is removed, as with $(...): `echo hello |
 * crier pub news` publishes the same as `crier pub news hello`, and a published file is
 * what `crier sub` prints.
 */
#include <config.h>

#include "pub.h"

#include "base/json_read.h"
#include "crier/cli/note.h"
#include "crier/cli/print.h"
#include "crier/cli/printable.h"
#include "pub_input.h"
#include "pub_lines.h"
#include "pub_options.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the data ----------------------------------------------------------- */

/* Appends LENGTH bytes as a JSON string. */
static enum options_result add_string(struct text *text, const char *word,
                                      const char *string, size_t length)
{
    json_t *value = json_stringn(string, length);
    char *dumped = json_dumps(value, JSON_ENCODE_ANY);

    json_decref(value);
    if (dumped == NULL)
        return options_report("'%s' is not UTF-8", word);
    text_add_string(text, dumped);
    free(dumped);
    return OPTIONS_RUN;
}

/* Returns whether one of the first COUNT words has the key at KEY, of LENGTH bytes. */
static bool is_known(const struct pub_options *pub, size_t count, const char *key,
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

/* Checks that jansson can hold the JSON in VALUE; reports a mistake in WORD. */
static enum options_result check_json(const char *word, const char *value)
{
    const size_t flags = JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
    json_error_t error;
    json_t *parsed = json_read(value, strlen(value), flags, &error);

    if (parsed != NULL) {
        json_decref(parsed);
        return OPTIONS_RUN;
    }
    switch (json_error_code(&error)) {
    case json_error_numeric_overflow:
        return options_report("a number is too large in '%s'", word);
    case json_error_stack_overflow:
        return options_report("%s in '%s'", error.text, word);
    case json_error_null_byte_in_key:
        return options_report("a key has a NUL in '%s'", word);
    default:
        return options_reject("the value of", word, "JSON");
    }
}

/* Appends word I, KEY=TEXT or KEY:=JSON, as a member of an object. JSON is copied
 * unchanged. */
static enum options_result add_member(const struct pub_options *pub, size_t i,
                                      struct text *text)
{
    const char *word = pub->words[i];
    size_t key = strcspn(word, "=");
    const char *value = word + key + 1;
    bool raw = key > 0 && word[key - 1] == ':';

    if (word[key] == '\0' || key == raw)
        return options_reject("the argument", word, "KEY=VALUE");
    key -= raw;
    if (is_known(pub, i, word, key))
        return options_report("the key of '%s' is given twice", word);
    if (i != 0)
        text_add_string(text, ",");
    if (add_string(text, word, word, key) != OPTIONS_RUN)
        return OPTIONS_BAD;
    text_add_string(text, ":");
    if (!raw)
        return add_string(text, word, value, strlen(value));
    if (check_json(word, value) != OPTIONS_RUN)
        return OPTIONS_BAD;
    text_add_string(text, value);
    return OPTIONS_RUN;
}

static enum options_result make_object(const struct pub_options *pub, struct text *text)
{
    size_t i;

    text_add_string(text, "{");
    for (i = 0; i < pub->word_count; i++)
        if (add_member(pub, i, text) != OPTIONS_RUN)
            return OPTIONS_BAD;
    text_add_string(text, "}");
    return OPTIONS_RUN;
}

/* Removes one line end at the end of TEXT: LF, CRLF or CR, as in event data. */
static void cut_line_end(struct text *text)
{
    if (text->length != 0 && text->bytes[text->length - 1] == '\n')
        text->length--;
    if (text->length != 0 && text->bytes[text->length - 1] == '\r')
        text->length--;
}

/* Reads standard input into TEXT. Returns the exit status. */
static int read_input(const struct options *options, struct text *text)
{
    struct pub_input input = {0};
    int error;

    if (!options->quiet && isatty(STDIN_FILENO))
        note("reading from the terminal; end with Ctrl-D");
    error = pub_input_read_all(&input, CRIER_EVENT_MAX);
    if (error == -EFBIG)
        note_error("%s", crier_error_text(CRIER_ERR_FRAME_SIZE));
    else if (error != 0)
        note_error("cannot read standard input: %s", strerror(-error));
    *text = input.text;
    cut_line_end(text);
    return error != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Fills TEXT with the data to publish. Returns the exit status. */
static int make_data(const struct options *options, const struct pub_options *pub,
                     struct text *text)
{
    if (pub->json)
        return make_object(pub, text) == OPTIONS_RUN ? EXIT_SUCCESS : EXIT_USAGE;
    if (pub->word_count == 0 || strcmp(pub->words[0], "-") == 0)
        return read_input(options, text);
    text_add_string(text, pub->words[0]);
    return EXIT_SUCCESS;
}

/* ---- publishing --------------------------------------------------------- */

/* Reports success. */
static void print_published(const struct options *options,
                            const struct crier_published *published)
{
    struct text text = {0};

    if (options->quiet)
        return;
    if (!isatty(STDOUT_FILENO)) {
        print_text("%s\n", published->id);
    } else if (published->duplicate) {
        text_add_printable(&text, published->id, strlen(published->id), NULL);
        print_text("%s already exists\n", text.bytes);
    } else {
        text_add_printable(&text, published->id, strlen(published->id), NULL);
        print_text("published %s to %zu subscriber%s\n", text.bytes,
                   published->subscribers, published->subscribers == 1 ? "" : "s");
    }
    text_done(&text);
}

static int publish_update(const struct options *options, const struct pub_options *pub,
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
    crier_event_data(event, data->length != 0 ? data->bytes : "", data->length);
    if (pub->type != NULL)
        crier_event_type(event, pub->type);
    if (pub->id != NULL)
        crier_event_id(event, pub->id, strlen(pub->id));
    if (pub->with_retry)
        crier_event_retry(event, (uint32_t)pub->retry);
    pub_options_for_publisher(options, pub, &publisher);
    error = crier_publish(&publisher, event, &published);
    crier_event_free(event);
    if (error != 0)
        return pub_options_report(options, pub, error, published.reason);
    print_published(options, &published);
    return EXIT_SUCCESS;
}

static int run_pub(const struct options *options, const struct pub_options *pub)
{
    struct text data = {0};
    int status;

    if (pub->lines)
        return pub_lines_run(options, pub);
    status = make_data(options, pub, &data);
    if (status == EXIT_SUCCESS)
        status = publish_update(options, pub, &data);
    text_done(&data);
    return status;
}

int pub_run(int argc, char **argv)
{
    struct pub_options pub;
    struct options options;
    enum options_result result = pub_options_parse(&pub, &options, argc, argv);
    int status = EXIT_SUCCESS;

    if (result == OPTIONS_BAD)
        status = EXIT_USAGE;
    else if (result == OPTIONS_RUN)
        status = run_pub(&options, &pub);
    options_done(&options);
    pub_options_done(&pub);
    return status;
}
