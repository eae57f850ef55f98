/* URI templates: the public test suite turned round, what they must not match, and what
 * matching costs. */
#include <config.h>

#include "libcrier/wire/uri_template.h"
#include "support/runner.h"

#include "crier.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool matches(const char *text, const char *topic)
{
    struct crier__automaton *automaton;
    bool answer;

    ck_assert_msg(crier__uri_template_new(text, strlen(text), &automaton) == 0,
                  "%s is refused", text);
    answer = crier__automaton_match(automaton, topic, strlen(topic), NULL);
    free(automaton);
    return answer;
}

static bool refused(const char *text)
{
    struct crier__automaton *automaton;
    int error = crier__uri_template_new(text, strlen(text), &automaton);

    if (error != 0) {
        ck_assert_int_eq(error, CRIER_ERR_SELECTOR);
        return true;
    }
    free(automaton);
    return false;
}

/* ---- the public suite ------------------------------------------------- */

struct counts {
    unsigned hold, refused, differ;
};

/* Counts whether TEXT matches EXPANSION. */
static void count_expansion(const char *text, const char *expansion,
                            struct counts *counts)
{
    if (refused(text))
        counts->refused++;
    else if (matches(text, expansion))
        counts->hold++;
    else
        counts->differ++;
}

/* Counts one case: a template, and its expansion, or those it may have, or false where it
 * is an error to expand it. */
static void count_case(const json_t *one, struct counts *counts)
{
    const char *text = json_string_value(json_array_get(one, 0));
    const json_t *right = json_array_get(one, 1), *alternative;
    size_t i;

    if (json_is_string(right))
        count_expansion(text, json_string_value(right), counts);
    json_array_foreach (right, i, alternative)
        count_expansion(text, json_string_value(alternative), counts);
    if (json_is_false(right))
        counts->refused += refused(text);
}

static struct counts count_file(const char *name)
{
    struct counts counts = {0};
    const json_t *group, *one;
    json_t *groups;
    char path[512];
    const char *key;
    size_t i;

    snprintf(path, sizeof path, "%s/uri-templates/%s", getenv("SELECTOR_CASES"),
             name);
    groups = json_load_file(path, 0, NULL);
    ck_assert_ptr_nonnull(groups);
    json_object_foreach (groups, key, group)
        json_array_foreach (json_object_get(group, "testcases"), i, one)
            count_case(one, &counts);
    json_decref(groups);
    return counts;
}

static const struct {
    const char *name;
    struct counts counts;
} files[] = {
    {"spec-examples.json", {.hold = 139}},
    {"spec-examples-by-section.json", {.hold = 192}},
    {"extended-tests.json", {.hold = 58}},
    /* The two others are prefixes of variables that are lists. */
    {"negative-tests.json", {.refused = 34}},
};

START_TEST(the_public_suite_holds)
{
    struct counts counts = count_file(files[_i].name);

    printf("%s: %u hold, %u are refused, %u differ\n", files[_i].name,
           counts.hold, counts.refused, counts.differ);
    ck_assert_uint_eq(counts.hold, files[_i].counts.hold);
    ck_assert_uint_eq(counts.refused, files[_i].counts.refused);
    ck_assert_uint_eq(counts.differ, files[_i].counts.differ);
}
END_TEST

/* ---- what does not match ---------------------------------------------- */

static const struct {
    const char *text, *topic;
    bool right;
} pairs[] = {
    {"books/{id}", "books/1", true},
    {"books/{id}", "books/", true},
    {"books/{id}", "books/1/2", false},
    {"books/{id}", "books/a%2Fb", true},
    {"books/{id}", "books/a%2", false},
    {"books/{id}", "books/a%2g", false},
    {"books/{id}", "books/a?b", false},
    {"books/{id}", "book/1", false},
    {"books/{id}", "books", false},
    {"books/{id}", "books/a,b", true},
    {"books/{id}", "books/a b", false},
    {"books/{id}x", "books/xx", true},
    {"books/{id}x", "books/xy", false},
    {"{+path}/x", "a/b/c/x", true},
    {"{+path}/x", "a/b/c/y", false},
    {"{#path}", "#a/b", true},
    {"{#path}", "a/b", false},
    {"{#path}", "", true},
    {"{a}{b}", "ab", true},
    {"{a,b}", "a,b", true},
    {"a{.x,y}", "a", true},
    {"a{.x,y}", "a.b", true},
    {"a{.x,y}", "a.b.c", true},
    {"a{.x,y}", "ab", false},
    {"{/a,b}", "/x/y", true},
    {"{/a,b}", "/x/y/z", false},
    {"{/a*}", "/x/y/z", true},
    {"{/a*}", "/k=v/l=w", true},
    {"{/a*}", "/k=v/w", false},
    {"{/a*}", "/k=v=w", false},
    {"{/a}", "/x/y", false},
    {"x{;a,b}", "x;a=1;b", true},
    {"x{;a,b}", "x;a;b", true},
    {"x{;a,b}", "x;b", true},
    {"x{;a,b}", "x;a=", true},
    {"x{;a,b}", "x;b;a", false},
    {"x{?a,b}", "x", true},
    {"x{?a,b}", "x?a=1", true},
    {"x{?a,b}", "x?b=1", true},
    {"x{?a,b}", "x?a=1&b=2", true},
    {"x{?a,b}", "x?b=1&a=2", false},
    {"x{?a,b}", "x&b=1", false},
    {"x{?a,b}", "x?a", false},
    {"x{?a,b}", "x?a=1,2", true},
    {"x{?a,b}", "x?c=1", false},
    {"x{?a,b}", "x?a=1?b=2", false},
    {"x{?a*}", "x?a=1&a=2", true},
    {"x{?a*}", "x?k=1&l=2", true},
    {"x{?a*}", "x?a=1&&a=2", false},
    {"x?y=1{&a}", "x?y=1&a=2", true},
    {"x?y=1{&a}", "x?y=1?a=2", false},
    {"{a:3}", "abc", true},
    {"{a:3}", "abcd", false},
    {"{a:3}", "%C3%A9%C3%A9%C3%A9", true},
    {"{a:3}", "%C3%A9%C3%A9%C3%A9%C3%A9", false},
    {"{a:3}", "\xc3\xa9\xc3\xa9\xc3\xa9", true},
    {"{a:3}", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", false},
    {"{a:3}", "a,b", false},
    {"{a:2}{b:2}", "abcd", true},
    {"{a:2}{b:2}", "abcde", false},
    {"{a:2}-{b:2}", "ab-cd", true},
    {"{?a:2}", "?a=bc", true},
    {"{?a:2}", "?a=bcd", false},
    {"caf\xc3\xa9/{x}", "caf\xc3\xa9/1", true},
    {"caf\xc3\xa9/{x}", "caf%C3%A9/1", true},
    {"caf\xc3\xa9/{x}", "caf%c3%a9/1", true},
    {"caf\xc3\xa9/{x}", "caf%C3%A8/1", false},
    {"a b/{x}", "a b/1", true},
    {"a b/{x}", "a%20b/1", true},
    {"a%20b/{x}", "a%20b/1", true},
    {"a%20b/{x}", "a b/1", false},
    {"50%/{x}", "50%25/1", true},
    {"https://example.com/users/foo/{?topic}",
     "https://example.com/users/foo/?topic=https%3A%2F%2Fexample.com%2Fbooks%2F1",
     true},
    {"https://example.com/users/foo/{?topic}",
     "https://example.com/users/foo/?topic=https://example.com/books/1", false},
    {"/.well-known/mercure/subscriptions{/topic}{/subscriber}",
     "/.well-known/mercure/subscriptions/a%2Fb/urn%3Auuid%3A1", true},
    {"/.well-known/mercure/subscriptions{/topic}{/subscriber}",
     "/.well-known/mercure/subscriptions/a/b/c", false},
};

START_TEST(a_topic_matches_or_does_not)
{
    ck_assert_msg(matches(pairs[_i].text, pairs[_i].topic) == pairs[_i].right,
                  "%s, %s", pairs[_i].text, pairs[_i].topic);
}
END_TEST

/* ---- what is a template ----------------------------------------------- */

static const char *const wrong[] = {
    "{",      "}",      "{}",      "a{b",    "a}b",     "{a}}",    "{{a}}",
    "{a{b}}", "{a,}",   "{,a}",    "{+}",    "{=a}",    "{a b}",   "{a:}",
    "{a:0}",  "{a:01}", "{a:1x}",  "{a:10000}", "{a**}", "{a*:3}", "{a:3*}",
    "{.}",    "{a.}",   "{.a..b}", "{%4}",   "{%4g}",   "{a-b}",   "{\xc3\xa9}",
};

START_TEST(what_is_no_template_is_refused)
{
    ck_assert_msg(refused(wrong[_i]), "%s", wrong[_i]);
    ck_assert(!crier__uri_template_valid(wrong[_i], strlen(wrong[_i])));
}
END_TEST

START_TEST(an_expression_makes_a_template)
{
    ck_assert(!crier__uri_template_valid("abc", 3));
    ck_assert(crier__uri_template_valid("a{b}c", 5));
    ck_assert(!crier__uri_template_valid("a{b}c", 3));
    ck_assert_uint_eq(crier__uri_template_expression("{a,b*}c", 7), 6);
    ck_assert_uint_eq(crier__uri_template_expression("a{a}", 4), 0);
    ck_assert_uint_eq(crier__uri_template_beginning("log/{a}"), 4);
    ck_assert_uint_eq(crier__uri_template_beginning("log/%41{a}"), 7);
    ck_assert_uint_eq(crier__uri_template_beginning("log/%4{a}"), 4);
    ck_assert_uint_eq(crier__uri_template_beginning("caf\xc3\xa9/{a}"), 3);
}
END_TEST

/* ---- what it costs ---------------------------------------------------- */

/* Templates that a matcher which tries one way after the other would need for ever for. */
static const char *const hard[] = {
    "{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}x!",
    "{+a}{+a}{+a}{+a}{+a}{+a}{+a}{+a}{+a}{+a}x!",
    "{a*}{a*}{a*}{a*}{a*}{a*}{a*}{a*}{a*}{a*}x!",
    "{a:400}{a:400}{a:400}{a:400}{a:400}{a:400}x!",
    "{.a,b,c,d,e,f,g,h,i,j}!",
};

START_TEST(matching_takes_linear_time)
{
    const char *text = hard[_i];
    struct crier__automaton *automaton;
    size_t steps = 0, states;
    char topic[512];

    memset(topic, 'a', sizeof topic);
    memset(topic, '.', 1);
    ck_assert_int_eq(
        crier__uri_template_new(text, strlen(text), &automaton), 0);
    states = automaton->count;
    ck_assert(!crier__automaton_match(automaton, topic, sizeof topic,
                                         &steps));
    ck_assert_uint_gt(steps, sizeof topic);
    /* Each state has at most two ways into it from another, and one for a byte. */
    ck_assert_uint_le(steps, (sizeof topic + 1) * states * 3);
    free(automaton);
}
END_TEST

START_TEST(a_template_is_bounded)
{
    char text[1100];
    size_t i;

    for (i = 0; i < 11; i++)
        memcpy(text + 3 * i, "{a}", 4);
    ck_assert(refused(text));
    text[3 * 10] = '\0';
    ck_assert(!refused(text));
    for (i = 0; i < 33; i++)
        memcpy(text + 4 * i, "{?a}", 5);
    ck_assert(refused(text));
    text[4 * 32] = '\0';
    ck_assert(!refused(text));
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    ck_assert(refused(text));
    text[1000] = '\0';
    ck_assert(!refused(text));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("selector_template");
    TCase *c = add_case(s, "suite"), *m = add_case(s, "matching");

    tcase_add_loop_test(c, the_public_suite_holds, 0,
                        sizeof files / sizeof files[0]);
    tcase_add_loop_test(m, a_topic_matches_or_does_not, 0,
                        sizeof pairs / sizeof pairs[0]);
    tcase_add_loop_test(m, what_is_no_template_is_refused, 0,
                        sizeof wrong / sizeof wrong[0]);
    tcase_add_test(m, an_expression_makes_a_template);
    tcase_add_loop_test(m, matching_takes_linear_time, 0,
                        sizeof hard / sizeof hard[0]);
    tcase_add_test(m, a_template_is_bounded);
    return s;
}

RUN_SUITE(suite)
