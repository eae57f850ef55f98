/*
 * A fuzz target for lists of topics, for patterns, and for the small languages of
 * numbers beside them (since=, sizes, times). The input, up to a NUL, is read as each
 * of these.
 *
 * What must hold:
 *
 *   - a list is refused for just the reasons that a plain reading of the rules finds
 *     (judge(), which decodes by itself);
 *   - one that is taken holds each name once, in the order of their first coming, and
 *     is written as it would be written again; so is each of its names alone;
 *   - a pattern fits what begins with what is before its '*', a name only itself;
 *   - since= is "all", a number, a time or an id, and a number that is taken is in its
 *     range, whatever unit it has.
 */
#include <config.h>

#include "base/number.h"
#include "fuzz.h"

#include "crier_server.h"
#include "crierd/config/value.h"
#include "crierd/http/text.h"
#include "libcrier/wire/selector.h"

#include <string.h>

/* ---- a plain reading of the rules ------------------------------------- */

/* Reads a character of UTF-8 at *AT, before END; -1 when it is none. */
static long read_character(const char **at, const char *end)
{
    static const long least[] = {0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)*(*at)++;
    int more = first < 0x80   ? 0
               : first < 0xc0 ? -1
               : first < 0xe0 ? 1
               : first < 0xf0 ? 2
               : first < 0xf8 ? 3
                              : -1;
    long value;
    int i;

    if (more < 0 || end - *at < more)
        return -1;
    value = more == 0 ? first : first & (0x3f >> more);
    for (i = 0; i < more; i++, (*at)++) {
        if (((unsigned char)**at & 0xc0) != 0x80)
            return -1;
        value = value << 6 | ((unsigned char)**at & 0x3f);
    }
    if (value < least[more] || value > 0x10ffff ||
        (value >= 0xd800 && value < 0xe000))
        return -1;
    return value;
}

static bool is_name(const char *name, size_t length)
{
    const char *at = name, *end = name + length;
    long character;

    if (length < 1 || length > (name[0] == '$' ? 511 : 255))
        return false;
    while (at < end) {
        character = read_character(&at, end);
        if (character < 0x20 || (character >= 0x7f && character < 0xa0) ||
            character == '*' || character == ',')
            return false;
    }
    return true;
}

/* Whether what is at NAME, of LENGTH bytes, came before it in the list TEXT. */
static bool came_before(const char *text, const char *name, size_t length)
{
    size_t part;

    for (; text < name; text += part + 1) {
        part = strcspn(text, ",");
        if (part == length && memcmp(text, name, length) == 0)
            return true;
    }
    return false;
}

/* What is to be said of the list TEXT; *COUNT is how many different names there are
 * before something is wrong. */
static int judge(const char *text, unsigned *count)
{
    const char *name = text;
    size_t length;

    *count = 0;
    if (strlen(text) > (size_t)CRIER__TOPICS_MAX * CRIER__TOPIC_SIZE)
        return CRIER_ERR_MANY_TOPICS;
    for (;; name += length + 1) {
        length = strcspn(name, ",");
        if (!is_name(name, length))
            return CRIER_ERR_TOPIC;
        if (!came_before(text, name, length) &&
            ++*count > CRIER__TOPICS_MAX)
            return CRIER_ERR_MANY_TOPICS;
        if (name[length] == '\0')
            return 0;
    }
}

/* ---- lists ------------------------------------------------------------ */

/* That the text of TOPICS, and the array of its names, give the same list. */
static void check_written(const struct crier__topics *topics)
{
    char *text = malloc(topics->size);
    struct crier__topics *again;
    const char *names[CRIER__TOPICS_MAX], *name;
    unsigned count = 0;

    MUST(text != NULL);
    crier__topics_join(topics, ',', text);
    MUST(crier__topics_parse(text, &again) == 0);
    MUST(again->count == topics->count && again->size == topics->size &&
         memcmp(again->names, topics->names, topics->size) == 0);
    free(again);
    free(text);
    CRIER__TOPICS_EACH (topics, name)
        names[count++] = name;
    MUST(count == topics->count);
    MUST(crier__topics_list(names, count, &again) == 0);
    MUST(again->size == topics->size &&
         memcmp(again->names, topics->names, topics->size) == 0);
    free(again);
}

/* That SELECTOR, the beginning of NAME with a '*' or not, matches OTHER as it should. */
static void check_matches(const char *name, const char *other)
{
    size_t whole = strlen(name), length = strlen(other), cut;
    char text[CRIER__TOPIC_SIZE + 1];
    struct crier__selector selector;
    bool right;

    MUST(crier__selector_init(&selector, &(struct crier_selector){
                                             .match = CRIER_MATCH_EXACT,
                                             .text = name}) == 0);
    MUST(crier__selector_matches(&selector, other, length) ==
         (strcmp(name, other) == 0));
    for (cut = whole; cut + 8 > whole && cut < whole + 1; cut--) {
        memcpy(text, name, cut);
        strcpy(text + cut, "*");
        if (crier__selector_init(&selector,
                                 &(struct crier_selector){.text = text}) != 0) {
            MUST(cut != whole); /* in a character */
            continue;
        }
        right = cut != 0 ? strncmp(name, other, cut) == 0 : other[0] != '$';
        MUST(selector.kind == CRIER__TEMPLATE ||
             crier__selector_matches(&selector, other, length) == right);
        crier__selector_done(&selector);
    }
}

/* Each name of TOPICS, which is the list of TEXT. */
static void check_names(const char *text, const struct crier__topics *topics)
{
    const char *name, *other, *from = text;
    size_t length;

    CRIER__TOPICS_EACH (topics, name) {
        length = strlen(name);
        while (strcspn(from, ",") != length ||
               memcmp(from, name, length) != 0) { /* in the same order */
            from += strcspn(from, ",");
            MUST(*from++ == ',');
        }
        CRIER__TOPICS_EACH (topics, other) {
            MUST(other == name || strcmp(other, name) != 0);
            check_matches(name, other);
        }
    }
}

static void check_list(const char *text)
{
    struct crier__topics *topics;
    unsigned wanted;
    int right = judge(text, &wanted), result;

    result = crier__topics_parse(text, &topics);
    MUST(result == right);
    if (result != 0)
        return;
    MUST(topics->count == wanted);
    check_names(text, topics);
    check_written(topics);
    free(topics);
}

/* That lists of selectors are refused or written as they were. */
static void check_selectors(const char *text)
{
    struct crier__selectors *selectors, *copy;
    struct crier__topics *topics;
    unsigned i;
    int result = crier__selectors_parse(text, &selectors);

    if (crier__topics_parse(text, &topics) == 0) {
        MUST(strchr(text, '{') != NULL ||
             (result == 0 && selectors->count == topics->count));
        free(topics);
    }
    if (result != 0) {
        MUST(result == CRIER_ERR_TOPIC || result == CRIER_ERR_MANY_TOPICS ||
             (result == CRIER_ERR_SELECTOR && strchr(text, '{') != NULL));
        return;
    }
    copy = crier__selectors_copy(selectors);
    MUST(copy != NULL && copy->count == selectors->count && copy->count > 0);
    for (i = 0; i < copy->count; i++) {
        MUST(crier__selectors_find(selectors, &copy->items[i]) == (int)i);
        MUST(crier__selector_covers(&copy->items[i], &selectors->items[i]));
        MUST(strstr(text, copy->items[i].text) != NULL);
    }
    crier__selectors_free(copy);
    crier__selectors_free(selectors);
}

/* ---- numbers ---------------------------------------------------------- */

static void check_numbers(const char *text)
{
    uint64_t number, time;
    size_t size;

    if (crier__number_read(text, 3, 1000, &number))
        MUST(number >= 3 && number <= 1000 &&
             text[strspn(text, "0123456789")] == '\0');
    if (value_time(text, &time))
        MUST(time <= UINT64_C(36500) * 86400000 && strspn(text, "0123456789"));
    if (value_size(text, &size))
        MUST(size >= 1 && size <= (size_t)1 << 44 &&
             size % ((size_t)1 << (strchr(text, 'G')   ? 30
                                   : strchr(text, 'M') ? 20
                                   : strchr(text, 'K') ? 10
                                                       : 0)) == 0);
}

static void check_since(const char *text)
{
    struct crier_subscribe_options options = {0};
    bool digits = text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
    uint64_t time;

    crier_subscribe_start(&options, NULL, NULL, text);
    if (text[0] == '\0') {
        MUST(options.since == CRIER_SINCE_NOW);
        return;
    }
    MUST((options.since == CRIER_SINCE_ALL) == (strcmp(text, "all") == 0));
    MUST((options.since == CRIER_SINCE_ID) == (options.id == text));
    if (options.since == CRIER_SINCE_LAST)
        MUST(digits && options.number <= UINT32_MAX);
    if (options.since == CRIER_SINCE_TIME)
        MUST(value_time(text, &time) && time == options.number);
    if (options.since == CRIER_SINCE_ID)
        MUST(!value_time(text, &time));
}

/* ---- the target ------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    char *text = strndup((const char *)input, size);

    MUST(text != NULL);
    check_list(text);
    check_selectors(text);
    check_numbers(text);
    check_since(text);
    free(text);
    return 0;
}
