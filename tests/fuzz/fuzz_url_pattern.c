/*
 * A fuzz target for URL patterns and URLs. The first line of the input is a pattern, the
 * second a base ("": none), the rest a topic.
 *
 * What must hold:
 *
 *   - a pattern is compiled or refused, and matching takes no more steps than it may;
 *   - a topic that is a URL with a special scheme, written again from its parts, is the
 *     same URL;
 *   - and matches the pattern that its parts are, with everything escaped, and the one of
 *     which each part is "*".
 */
#include <config.h>

#include "fuzz.h"

#include "libcrier/wire/automaton.h"
#include "libcrier/wire/topic.h"
#include "libcrier/wire/url_pattern.h"

#include <stdbool.h>
#include <string.h>

/* URL as a text, to be freed. */
static char *write_url(const struct crier__url *url)
{
    char *text = malloc(CRIER__URL_SIZE + 64), *at = text;
    const struct crier__url_text *part = url->parts;
    static const char *const before[CRIER__URL_PARTS] = {"",  "", ":", "",
                                                         ":", "", "?", "#"};
    int i;

    MUST(text != NULL);
    for (i = 0; i < CRIER__URL_PARTS; i++) {
        if (part[i].length != 0 || i == CRIER__URL_PROTOCOL) {
            at = stpcpy(at, before[i]);
            memcpy(at, part[i].text, part[i].length);
            at += part[i].length;
        }
        if (i == CRIER__URL_PROTOCOL)
            at = stpcpy(at, "://");
        if (i == CRIER__URL_PASSWORD && part[1].length + part[2].length != 0)
            at = stpcpy(at, "@");
    }
    *at = '\0';
    return text;
}

static bool is_special(const struct crier__url *url)
{
    return crier__url_is_special(url->parts[0].text, url->parts[0].length);
}

static void check_same(const struct crier__url *url)
{
    static struct crier__url again;
    char *text = write_url(url);
    int i;

    if (strlen(text) < CRIER__URL_SIZE / 4) {
        MUST(crier__url_parse(&again, text, strlen(text), NULL));
        for (i = 0; i < CRIER__URL_PARTS; i++)
            MUST(again.parts[i].length == url->parts[i].length &&
                 memcmp(again.parts[i].text, url->parts[i].text,
                        again.parts[i].length) == 0);
    }
    free(text);
}

static void check_escaped(const struct crier__url *url)
{
    struct crier__url_pattern_init init = {.base = {.text = NULL}};
    struct crier__url_pattern *pattern;
    char *texts[CRIER__URL_PARTS];
    size_t length, j;
    int i, error;

    for (i = 0; i < CRIER__URL_PARTS; i++) {
        texts[i] = malloc(2 * url->parts[i].length + 1);
        MUST(texts[i] != NULL);
        for (length = j = 0; j < url->parts[i].length; j++) {
            texts[i][length++] = '\\';
            texts[i][length++] = url->parts[i].text[j];
        }
        init.parts[i] = (struct crier__url_text){texts[i], length};
    }
    error = crier__url_pattern_of(&init, &pattern);
    MUST(error == 0 || error == CRIER_ERR_SELECTOR);
    if (error == 0) {
        MUST(crier__url_pattern_match_url(pattern, url, NULL));
        crier__url_pattern_free(pattern);
    } else { /* too long */
        for (length = i = 0; i < CRIER__URL_PARTS; i++)
            length += init.parts[i].length;
        MUST(length > 1000);
    }
    for (i = 0; i < CRIER__URL_PARTS; i++)
        free(texts[i]);
}

static void check_topic(const char *topic)
{
    static const struct crier__url_pattern_init all;
    struct crier__url_pattern *pattern;
    static struct crier__url url;

    if (!crier__url_parse(&url, topic, strlen(topic), NULL))
        return;
    MUST(crier__url_pattern_of(&all, &pattern) == 0);
    MUST(crier__url_pattern_match_url(pattern, &url, NULL));
    crier__url_pattern_free(pattern);
    if (is_special(&url)) {
        check_same(&url);
        check_escaped(&url);
    }
}

static void check_pattern(const char *text, const char *base, const char *topic)
{
    struct crier__url_pattern *pattern;
    size_t steps = 0;
    int error = crier__url_pattern_new(text, strlen(text), base, &pattern);

    MUST(error == 0 || error == CRIER_ERR_SELECTOR);
    if (error != 0)
        return;
    (void)crier__url_pattern_match(pattern, topic, strlen(topic), &steps);
    MUST(steps <= (size_t)(CRIER__URL_SIZE + CRIER__URL_PARTS) *
                      CRIER__STATES_MAX * 3);
    crier__url_pattern_free(pattern);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    size_t length = strnlen((const char *)input, size);
    char *text = strndup((const char *)input, length);
    char *rest = text, *pattern, *base, *topic;

    MUST(text != NULL);
    pattern = strsep(&rest, "\n");
    base = rest != NULL ? strsep(&rest, "\n") : pattern + length;
    topic = rest != NULL ? rest : text + length;
    if (strlen(pattern) <= CRIER__PATTERN_MAX)
        check_pattern(pattern, base[0] != '\0' ? base : NULL, topic);
    check_topic(topic);
    free(text);
    return 0;
}
