/* Selectors of all kinds: how they are read, what covers what, grants, and the index that
 * finds those that match. */
#include <config.h>

#include "libcrier/hub/selector_index.h"
#include "libcrier/wire/grants.h"
#include "support/oom.h"
#include "support/runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ----------------------------------------------------------- */

static const struct {
    enum crier_match match;
    const char *text;
    int error;
    enum crier__selector_kind kind;
    unsigned length;
} readings[] = {
    {CRIER_MATCH_TEXT, "a", 0, CRIER__EXACT, 1},
    {CRIER_MATCH_TEXT, "a*", 0, CRIER__PREFIX, 1},
    {CRIER_MATCH_TEXT, "*", 0, CRIER__ALL, 0},
    {CRIER_MATCH_TEXT, "a/{b}", 0, CRIER__TEMPLATE, 2},
    {CRIER_MATCH_TEXT, "{b}", 0, CRIER__TEMPLATE, 0},
    {CRIER_MATCH_TEXT, "{b}*", 0, CRIER__TEMPLATE, 0},
    {CRIER_MATCH_TEXT, "a{b", 0, CRIER__EXACT, 3},
    {CRIER_MATCH_TEXT, "a{b*", 0, CRIER__PREFIX, 3},
    {CRIER_MATCH_TEXT, "{a b}", 0, CRIER__EXACT, 5},
    {CRIER_MATCH_TEXT, "", CRIER_ERR_TOPIC, 0, 0},
    {CRIER_MATCH_TEXT, "a*b", CRIER_ERR_TOPIC, 0, 0},
    {CRIER_MATCH_TEXT, "{a}\n", CRIER_ERR_TOPIC, 0, 0},
    {CRIER_MATCH_TEXT, "{a}\xff", CRIER_ERR_TOPIC, 0, 0},
    {CRIER_MATCH_EXACT, "a/{b}", 0, CRIER__EXACT, 5},
    {CRIER_MATCH_EXACT, "*", CRIER_ERR_TOPIC, 0, 0},
    {CRIER_MATCH_EXACT, "a*", CRIER_ERR_TOPIC, 0, 0},
    {CRIER_MATCH_TEMPLATE, "a", 0, CRIER__TEMPLATE, 1},
    {CRIER_MATCH_TEMPLATE, "a{", CRIER_ERR_SELECTOR, 0, 0},
    {CRIER_MATCH_TEMPLATE, "", CRIER_ERR_SELECTOR, 0, 0},
    {CRIER_MATCH_URL_PATTERN, "https://x/*", 0, CRIER__URL_PATTERN, 0},
    {CRIER_MATCH_URL_PATTERN, "/*", CRIER_ERR_SELECTOR, 0, 0},
    {CRIER_MATCH_URL_PATTERN, "https://x/(a|b)", CRIER_ERR_SELECTOR, 0, 0},
    {(enum crier_match)4, "a", CRIER_ERR_INVALID, 0, 0},
};

START_TEST(a_text_is_read)
{
    struct crier__selector selector;
    const struct crier_selector wanted = {.match = readings[_i].match,
                                          .text = readings[_i].text};

    ck_assert_int_eq(crier__selector_init(&selector, &wanted),
                     readings[_i].error);
    if (readings[_i].error != 0)
        return;
    ck_assert_int_eq(selector.kind, readings[_i].kind);
    ck_assert_uint_eq(selector.length, readings[_i].length);
    crier__selector_done(&selector);
}
END_TEST

START_TEST(a_text_is_bounded)
{
    struct crier__selector selector;
    char text[1027];

    memset(text, 'a', sizeof text);
    memcpy(text, "{a}", 3);
    text[1025] = '\0';
    ck_assert_int_eq(crier__selector_init(
                         &selector, &(struct crier_selector){.text = text}),
                     CRIER_ERR_TOPIC);
    ck_assert_int_eq(crier__selector_init(
                         &selector, &(struct crier_selector){
                                        .match = CRIER_MATCH_TEMPLATE,
                                        .text = text}),
                     CRIER_ERR_SELECTOR);
    text[900] = '\0';
    ck_assert_int_eq(crier__selector_init(
                         &selector, &(struct crier_selector){.text = text}),
                     0);
    crier__selector_done(&selector);
}
END_TEST

static const struct {
    const char *text;
    int result; /* the number of selectors, or an error */
} lists[] = {
    {"a,b", 2},       {"a,{b,c},d", 3}, {"{a,b}", 1},
    {"{a,b", 2},      {"a,{b c,d}", 3}, {"{a},{a}", 1},
    {"{a},{b},a", 3}, {"{a},", CRIER_ERR_TOPIC},
};

START_TEST(commas_in_expressions_do_not_separate)
{
    struct crier__selectors *selectors;
    int error = crier__selectors_parse(lists[_i].text, &selectors);

    if (lists[_i].result < 0) {
        ck_assert_int_eq(error, lists[_i].result);
        return;
    }
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq((int)selectors->count, lists[_i].result);
    crier__selectors_free(selectors);
}
END_TEST

/* ---- grants ------------------------------------------------------------ */

static const struct {
    struct crier_selector granted, asked;
    bool right;
} covers[] = {
    {{.text = "*"}, {.text = "a"}, true},
    {{.text = "*"}, {.text = "*"}, true},
    {{.text = "*"}, {.text = "a/{b}"}, true},
    {{.text = "*"}, {.text = "$a"}, false},
    {{.text = "*"}, {.text = "$a/{b}"}, false},
    {{.text = "*"},
     {.match = CRIER_MATCH_URL_PATTERN, .text = "https://x/*"},
     true},
    {{.text = "a/*"}, {.text = "a/b"}, true},
    {{.text = "a/*"}, {.text = "a/b*"}, true},
    {{.text = "a/*"}, {.text = "a*"}, false},
    {{.text = "a/*"}, {.text = "*"}, false},
    {{.text = "a/*"}, {.text = "a/{b}"}, true},
    {{.text = "a/*"}, {.text = "a{/b}"}, false},
    {{.text = "a/*"}, {.text = "{b}"}, false},
    {{.text = "caf\xc3\xa9/*"}, {.text = "caf\xc3\xa9/{b}"}, false},
    {{.text = "$a/*"}, {.text = "$a/{b}"}, true},
    {{.text = "https://x/*"},
     {.match = CRIER_MATCH_URL_PATTERN, .text = "https://x/a/*"},
     false},
    {{.text = "a/{b}"}, {.text = "a/c"}, true},
    {{.text = "a/{b}"}, {.text = "a/c/d"}, false},
    {{.text = "a/{b}"}, {.text = "a/{b}"}, true},
    {{.text = "a/{b}"}, {.text = "a/{c}"}, false},
    {{.text = "a/{b}"}, {.text = "a/*"}, false},
    {{.text = "a/{b}"}, {.text = "*"}, false},
    {{.text = "a/{b}"}, {.match = CRIER_MATCH_EXACT, .text = "a/{b}"}, true},
    {{.match = CRIER_MATCH_EXACT, .text = "a/{b}"}, {.text = "a/{b}"}, false},
    {{.text = "a"}, {.text = "a"}, true},
    {{.text = "a"}, {.text = "a*"}, false},
    {{.text = "a"}, {.text = "b*c"}, false},
    {{.match = CRIER_MATCH_URL_PATTERN, .text = "https://x/:a"},
     {.text = "https://x/1"},
     true},
    {{.match = CRIER_MATCH_URL_PATTERN, .text = "https://x/:a"},
     {.match = CRIER_MATCH_URL_PATTERN, .text = "https://x/:a"},
     true},
    {{.match = CRIER_MATCH_URL_PATTERN, .text = "/:a", .base = "https://x"},
     {.match = CRIER_MATCH_URL_PATTERN, .text = "/:a", .base = "https://y"},
     false},
    {{.match = CRIER_MATCH_URL_PATTERN, .text = "https://x/*"},
     {.text = "https://x/*"},
     false},
};

START_TEST(grants_cover_what_they_surely_match)
{
    struct crier_grants *grants;

    ck_assert_int_eq(crier_grants_new(&covers[_i].granted, 1, &grants), 0);
    ck_assert_msg(crier_grants_cover(grants, &covers[_i].asked) ==
                      covers[_i].right,
                  "%s, %s", covers[_i].granted.text, covers[_i].asked.text);
    crier_grants_unref(grants);
}
END_TEST

START_TEST(grants_match_topics)
{
    const struct crier_selector selectors[] = {
        {.text = "a"},
        {.text = "b/*"},
        {.text = "c/{d}"},
        {.match = CRIER_MATCH_URL_PATTERN, .text = "https://x/:e"}};
    const struct crier_selector wrong = {.match = CRIER_MATCH_TEMPLATE,
                                         .text = "{"};
    struct crier__topics *topics;
    struct crier_grants *grants;

    ck_assert_int_eq(crier_grants_new(selectors, 4, &grants), 0);
    ck_assert_ptr_eq(crier_grants_ref(grants), grants);
    crier_grants_unref(grants);
    ck_assert(crier_grants_match(grants, "a"));
    ck_assert(crier_grants_match(grants, "b/1/2"));
    ck_assert(crier_grants_match(grants, "c/1"));
    ck_assert(crier_grants_match(grants, "https://x/1"));
    ck_assert(!crier_grants_match(grants, "b"));
    ck_assert(!crier_grants_match(grants, "c/1/2"));
    ck_assert(!crier_grants_match(grants, "c/%2e%2e/a/b"));
    ck_assert_int_eq(crier__topics_parse("x,y,c/1", &topics), 0);
    ck_assert(crier__grants_match_any(grants, topics));
    free(topics);
    ck_assert_int_eq(crier__topics_parse("x,y", &topics), 0);
    ck_assert(!crier__grants_match_any(grants, topics));
    ck_assert(!crier__grants_match_any(NULL, topics));
    free(topics);
    ck_assert(crier_grants_cover_text(grants, "a,b/c,c/{d},b/{x,y}"));
    ck_assert(!crier_grants_cover_text(grants, "a,{d}"));
    ck_assert(!crier_grants_cover_text(grants, "a,"));
    ck_assert(!crier_grants_cover_text(grants, NULL));
    ck_assert_str_eq(crier_grants_text(grants, 1), "b/*");
    ck_assert_str_eq(crier_grants_text(grants, 3), "https://x/:e");
    ck_assert_ptr_null(crier_grants_text(grants, 4));
    crier_grants_unref(grants);
    ck_assert_int_eq(crier_grants_new(NULL, 0, &grants), 0);
    ck_assert(!crier_grants_match(grants, "a"));
    crier_grants_unref(grants);
    ck_assert_int_eq(crier_grants_new(&wrong, 1, &grants), CRIER_ERR_SELECTOR);
}
END_TEST

START_TEST(grants_are_bounded)
{
    static struct crier_selector selectors[1001];
    static char texts[1001][16];
    struct crier_grants *grants;
    int i;

    for (i = 0; i < 1001; i++) {
        snprintf(texts[i], sizeof texts[i], "a%d", i);
        selectors[i].text = texts[i];
    }
    ck_assert_int_eq(crier_grants_new(selectors, 1000, &grants), 0);
    ck_assert(crier_grants_match(grants, "a999"));
    crier_grants_unref(grants);
    ck_assert_int_eq(crier_grants_new(selectors, 1001, &grants),
                     CRIER_ERR_MANY_TOPICS);
}
END_TEST

/* ---- the index --------------------------------------------------------- */

static const struct crier_selector all_kinds[] = {
    {.text = "*"},
    {.text = "a"},
    {.text = "a*"},
    {.text = "a/*"},
    {.text = "a/{x}"},
    {.match = CRIER_MATCH_EXACT, .text = "a/{x}"},
    {.match = CRIER_MATCH_URL_PATTERN, .text = "http://h/:x"},
    {.match = CRIER_MATCH_TEMPLATE, .text = "http://h/{x}"},
    {.match = CRIER_MATCH_URL_PATTERN, .text = "/:x", .base = "http://h"},
    {.text = "{x}"},
    {.text = "{+x}"},
    {.text = "$*"},
};
#define KINDS (int)(sizeof all_kinds / sizeof all_kinds[0])

static const char *const names[] = {"a",  "a/b", "a/{x}", "a/b/c", "http://h/b",
                                    "$a", "b",   "/b",    "HTTP://h/b"};
#define NAMES (int)(sizeof names / sizeof names[0])

/* An entry for each kind, while it is in the index. */
static struct crier__index_entry *entries[KINDS];
static struct crier__index kept;
static unsigned found[KINDS];

static void note_found(void *closure, struct crier__index_entry *entry)
{
    int i;

    (void)closure;
    for (i = 0; i < KINDS; i++)
        found[i] += entries[i] == entry;
}

static void toggle_entry(int kind)
{
    struct crier__index_entry *entry = entries[kind];

    if (entry != NULL) {
        ck_assert_ptr_eq(crier__index_get(&kept, &entry->selector), entry);
        crier__index_remove(&kept, entry);
        free(entry);
        entries[kind] = NULL;
        return;
    }
    entry = calloc(1, sizeof *entry);
    ck_assert_ptr_nonnull(entry);
    ck_assert_int_eq(crier__selector_init(&entry->selector, &all_kinds[kind]), 0);
    ck_assert_ptr_null(crier__index_get(&kept, &entry->selector));
    ck_assert_int_eq(crier__index_add(&kept, entry), 0);
    crier__selector_done(&entry->selector); /* the index has its own reference */
    entries[kind] = entry;
}

/* Compares what the index finds for NAME, and for NAME with OTHER, with what each selector
 * says. */
static void check_found(const char *name, const char *other)
{
    const char *const both[] = {name, other};
    struct crier__topics *topics;
    bool right;
    int i;

    ck_assert_int_eq(crier__topics_list(both, 2, &topics), 0);
    memset(found, 0, sizeof found);
    crier__index_match(&kept, topics, crier__topics_hidden(topics), note_found,
                       NULL);
    for (i = 0; i < KINDS; i++) {
        if (entries[i] == NULL)
            continue;
        right = crier__selector_matches(&entries[i]->selector, name, strlen(name)) ||
                crier__selector_matches(&entries[i]->selector, other,
                                        strlen(other));
        ck_assert_msg(found[i] == right, "%s: %s, %s: %u", all_kinds[i].text, name,
                      other, found[i]);
    }
    free(topics);
}

START_TEST(the_index_finds_what_matches)
{
    int round, i;

    srand(1);
    for (round = 0; round < 3000; round++) {
        toggle_entry(rand() % KINDS);
        for (i = rand() % 3; i > 0; i--)
            check_found(names[rand() % NAMES], names[rand() % NAMES]);
    }
    for (i = 0; i < KINDS; i++)
        if (entries[i] != NULL)
            toggle_entry(i);
    ck_assert_ptr_null(kept.entries);
    ck_assert_ptr_null(kept.compiled);
    ck_assert_ptr_null(kept.memos);
    ck_assert_uint_eq(kept.link_count, 0);
}
END_TEST

/* The N-th allocation fails, for every N there is. */
START_TEST(short_memory_makes_no_grants)
{
    struct crier_grants *grants;
    int error = -ENOMEM;
    long n;

    for (n = 1; error != 0; n++) {
        oom_after(n);
        error = crier_grants_new(all_kinds, KINDS, &grants);
        oom_never();
        ck_assert(error == 0 || error == -ENOMEM);
        ck_assert_int_lt(n, 500);
    }
    ck_assert_int_gt(n, 20);
    for (n = 1; n < 20; n++) { /* refused for lack of memory, or covered */
        oom_after(n);
        (void)crier_grants_cover_text(grants, "a,a/{x},{y}");
        oom_never();
    }
    ck_assert(crier_grants_cover_text(grants, "a,a/{x},{x}"));
    crier_grants_unref(grants);
}
END_TEST

START_TEST(short_memory_finds_what_matches)
{
    int i, n;

    for (i = 0; i < KINDS; i++)
        toggle_entry(i);
    for (n = 1; n < 40; n++) {
        for (i = 0; i < NAMES; i++) {
            crier__index_done(&kept);
            oom_after(n + 1); /* the list of topics is the first */
            check_found(names[i], names[(i + 1) % NAMES]);
            oom_never();
        }
    }
    for (i = 0; i < KINDS; i++)
        toggle_entry(i);
    ck_assert_uint_eq(kept.link_count, 0);
}
END_TEST

/* What is remembered of topics is dropped before there is too much of it. */
START_TEST(the_index_forgets)
{
    char name[16];
    int i;

    toggle_entry(2);
    toggle_entry(10);
    for (i = 0; i < 25000; i++) {
        snprintf(name, sizeof name, "a%d", i);
        check_found(name, name);
    }
    ck_assert_uint_le(kept.link_count, 20000);
    toggle_entry(2);
    ck_assert_uint_le(kept.link_count, 10000);
    toggle_entry(10);
    ck_assert_uint_eq(kept.link_count, 0);
}
END_TEST

#define LATER 60 /* selectors */

static void ignore_found(void *closure, struct crier__index_entry *entry)
{
    (void)closure;
    (void)entry;
}

/* Nor do topics that are remembered collect links without end when selectors come. */
START_TEST(what_catches_up_is_bounded)
{
    static struct crier__index_entry later[LATER];
    static char texts[LATER][LATER + 2];
    struct crier__index index = {0};
    struct crier__topics *topics;
    char name[LATER + 16];
    int i, j;

    memset(name, 'a', LATER);
    for (i = 0; i < LATER; i++) {
        memset(texts[i], 'a', (size_t)i + 1);
        texts[i][i + 1] = '*';
        ck_assert_int_eq(
            crier__selector_init(&later[i].selector,
                                 &(struct crier_selector){.text = texts[i]}),
            0);
        ck_assert_int_eq(crier__index_add(&index, &later[i]), 0);
        for (j = 0; j < 9000; j++) {
            snprintf(name + LATER, sizeof name - LATER, "%d", j);
            ck_assert_int_eq(crier__topics_parse(name, &topics), 0);
            crier__index_match(&index, topics, false, ignore_found, NULL);
            free(topics);
        }
        ck_assert_uint_le(index.link_count, 500000 + LATER);
    }
    for (i = 0; i < LATER; i++)
        crier__index_remove(&index, &later[i]);
    ck_assert_uint_eq(index.link_count, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("selector");
    TCase *c = add_case(s, "reading"), *g = add_case(s, "grants"),
          *i = add_case(s, "index");

    tcase_add_loop_test(c, a_text_is_read, 0,
                        sizeof readings / sizeof readings[0]);
    tcase_add_test(c, a_text_is_bounded);
    tcase_add_loop_test(c, commas_in_expressions_do_not_separate, 0,
                        sizeof lists / sizeof lists[0]);
    tcase_add_loop_test(g, grants_cover_what_they_surely_match, 0,
                        sizeof covers / sizeof covers[0]);
    tcase_add_test(g, grants_match_topics);
    tcase_add_test(g, grants_are_bounded);
    tcase_add_test(i, the_index_finds_what_matches);
    tcase_add_test(i, the_index_forgets);
    tcase_add_test(i, what_catches_up_is_bounded);
    tcase_add_test(i, short_memory_makes_no_grants);
    tcase_add_test(i, short_memory_finds_what_matches);
    return s;
}

RUN_SUITE(suite)
