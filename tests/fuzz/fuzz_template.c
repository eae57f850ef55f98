/*
 * A fuzz target for URI templates. The first line of the input is a template, the rest a
 * topic.
 *
 * What must hold:
 *
 *   - a text with an expression is a template for all who ask, or for none;
 *   - matching takes no more than three steps for each state and byte;
 *   - text without braces, and characters that stand for themselves alone, matches itself
 *     and nothing else;
 *   - what a template expands to without any value, and with a short one for each
 *     variable, matches.
 */
#include <config.h>

#include "fuzz.h"

#include "libcrier/wire/selector.h"
#include "libcrier/wire/uri_template.h"

#include <stdbool.h>
#include <string.h>

#define EXPANSION_SIZE 8192

static struct crier__automaton *automaton;

static bool matches(const char *topic, size_t length)
{
    size_t steps = 0;
    bool answer = crier__automaton_match(automaton, topic, length, &steps);

    MUST(steps <= (length + 1) * automaton->count * 3);
    return answer;
}

/* ---- expanding -------------------------------------------------------- */

static size_t append(char *text, size_t length, const char *more, size_t size)
{
    MUST(length + size <= EXPANSION_SIZE);
    memcpy(text + length, more, size);
    return length + size;
}

/* Appends the expression of SIZE bytes at FROM with the value "v" for each variable. */
static size_t expand_one(char *text, size_t length, const char *from, size_t size)
{
    const char *end = from + size - 1, *at = from + 1, *stop;
    char op = strchr("+#./;?&", at[0]) != NULL ? *at++ : 0;
    bool named = op != 0 && strchr(";?&", op) != NULL;
    char between = op == '?' ? '&' : op == 0 || op == '+' || op == '#' ? ',' : op;

    if (op != 0 && op != '+')
        length = append(text, length, &op, 1);
    for (;; at = stop + 1) {
        stop = memchr(at, ',', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        if (named) {
            length = append(text, length, at,
                            strcspn(at, "*:,}"));
            length = append(text, length, "=", 1);
        }
        length = append(text, length, "v", 1);
        if (stop == end)
            return length;
        length = append(text, length, &between, 1);
    }
}

/* Writes to TEXT what TEMPLATE, of LENGTH bytes, expands to. Returns the length. */
static size_t expand(char *text, const char *uri_template, size_t length,
                     bool with_values)
{
    size_t written = 0, at = 0, size;

    while (at < length) {
        size = crier__uri_template_expression(uri_template + at, length - at);
        if (size == 0)
            written = append(text, written, uri_template + at++, 1);
        else if (with_values)
            written = expand_one(text, written, uri_template + at, size);
        at += size;
    }
    return written;
}

/* ---- the target ------------------------------------------------------- */

static void check_template(const char *text, size_t length, const char *topic,
                           size_t topic_length)
{
    static char expansion[EXPANSION_SIZE];
    bool plain = crier__uri_template_beginning(text) == length;
    size_t size;

    MUST(plain || strpbrk(text, "{}") == NULL ||
         crier__uri_template_valid(text, length));
    if (plain)
        MUST(matches(topic, topic_length) ==
             (topic_length == length && memcmp(text, topic, length) == 0));
    else
        (void)matches(topic, topic_length);
    size = expand(expansion, text, length, false);
    MUST(matches(expansion, size));
    size = expand(expansion, text, length, true);
    MUST(matches(expansion, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    size_t length = strnlen((const char *)input, size);
    char *text = strndup((const char *)input, length), *topic;
    struct crier__selector selector;
    int error;

    MUST(text != NULL);
    topic = strchr(text, '\n');
    if (topic != NULL)
        *topic++ = '\0';
    else
        topic = text + length;
    length = strlen(text);
    if (length <= CRIER__PATTERN_MAX) {
        error = crier__uri_template_new(text, length, &automaton);
        MUST(error == 0 || error == CRIER_ERR_SELECTOR);
        if (error == 0) {
            check_template(text, length, topic, strlen(topic));
            free(automaton);
        }
    }
    if (crier__selector_init(&selector, &(struct crier_selector){.text = text}) ==
        0) {
        (void)crier__selector_matches(&selector, topic, strlen(topic));
        MUST(crier__selector_covers(&selector, &selector));
        MUST(selector.kind == CRIER__ALL || selector.kind == CRIER__PREFIX ||
             crier__selector_matches(&selector, text, length));
        crier__selector_done(&selector);
    }
    free(text);
    return 0;
}
