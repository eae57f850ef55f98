/* Names and forms of the Mercure protocol. */
#include <config.h>

#include "crierd/api/mercure_form.h"
#include "crierd/api/mercure_name.h"
#include "support/runner.h"

#include <string.h>

/* ---- reserved topics -------------------------------------------------- */

static const struct {
    const char *topic;
    bool hub;           /* the hub's own */
    bool subscriptions; /* below its subscriptions */
} topics[] = {
    {"https://example.com/.well-known/mercure", true, false},
    {"https://example.com/.well-known/mercure/subscriptions/a", true, true},
    {"http://other.example/.well-known/mercure/x", true, false},
    {"HTTPS://example.com:8443/.well-known/mercure?x#y", true, false},
    {"custom://host/.well-known/mercure/subscriptions/a/b", true, true},
    {"urn:/.well-known/mercure/subscriptions", true, true},
    {"file:///.well-known/mercure/x", true, false},
    {"https:/.well-known/mercure/x", true, false},
    {"https:mercure/x", true, false},
    {"//host/.well-known/mercure", true, false},
    {"\\\\host\\.well-known\\mercure\\subscriptions\\x", true, true},
    {"https://example.com\\.well-known\\mercure\\x", true, false},
    {"/.well-known/mercure/subscriptions/a/b", true, true},
    {" /.well-known/mercure ", true, false},
    {"mercure", true, false},
    {"mercure/subscriptions/a", true, true},
    {"./mercure/subscriptions/a", true, true},
    {"x/../mercure/subscriptions/a", true, true},
    {"/a/../.well-known/./mercure/subscriptions/a", true, true},
    {"/a/%2e%2e/.well-known/mercure", true, false},
    {"/.well-known/%6Dercure/subscriptions/x", true, true},
    {"/.well-known/me%72cure/x", true, false},
    {"/.well-known/mercure/../mercure/x", true, false},
    {"/../../.well-known/mercure", true, false},
    {"", true, false},
    {"#fragment", true, false},
    {"?query", true, false},
    {"https://example.com/.well-known/mercureXXX", false, false},
    {"https://example.com/.well-known/mercure-dashboard", false, false},
    {"https://example.com/foo/.well-known/mercure/bar", false, false},
    {"https://example.com/?x=/.well-known/mercure", false, false},
    {"https://.well-known/mercure", false, false},
    {"/.well-known/mercure%2Fx", false, false},
    {"/.well-known/mercure/../x", false, false},
    {"/.well-known/mercure/..", false, false},
    {"../mercure/x", false, false},
    {"subscriptions/foo", false, false},
    {"bar", false, false},
    {"bar#mercure", false, false},
    {"a topic with spaces", false, false},
    {"urn:example:mercure", false, false},
    {"https://example.com/books/1", false, false},
    {"%", false, false},
    {"%6", false, false},
};

START_TEST(what_leads_to_the_hub_is_reserved)
{
    const char *topic = topics[_i].topic;

    ck_assert_msg(mercure_topic_is_reserved(topic, strlen(topic), MERCURE_PATH) ==
                      topics[_i].hub,
                  "'%s'", topic);
    ck_assert_msg(mercure_topic_is_reserved(topic, strlen(topic),
                                            MERCURE_SUBSCRIPTIONS) ==
                      topics[_i].subscriptions,
                  "'%s'", topic);
}
END_TEST

START_TEST(what_is_too_long_for_a_topic_is_not_reserved)
{
    char topic[600];

    memset(topic, '/', sizeof topic);
    ck_assert(!mercure_topic_is_reserved(topic, sizeof topic, MERCURE_PATH));
    ck_assert(!mercure_topic_is_reserved(topic, 511, MERCURE_PATH));
    memset(topic, 'x', sizeof topic);
    ck_assert(!mercure_topic_is_reserved(topic, 511, MERCURE_PATH));
}
END_TEST

/* ---- characters ------------------------------------------------------- */

static const struct {
    const char *text;
    bool valid;
} texts[] = {
    {"https://example.com/1", true},
    {"\u0645\u0631\u062d\u0628\u0627", true}, /* letters that run from right to left */
    {"\U0001f600", true},
    {"a\tb", false},
    {"a\x7f", false},
    {"a\xc2\x85", false}, /* NEL */
    {"a\u00adb", false}, /* SOFT HYPHEN */
    {"a\u200bb", false}, /* ZERO WIDTH SPACE */
    {"a\u202eb", false}, /* RIGHT-TO-LEFT OVERRIDE */
    {"\ufeffa", false},
    {"a\U000e0041", false}, /* TAG LATIN CAPITAL LETTER A */
    {"a\xff", false},
    {"\xed\xa0\x80", false}, /* a surrogate */
};

START_TEST(names_have_no_invisible_characters)
{
    ck_assert_msg(mercure_text_valid(texts[_i].text, strlen(texts[_i].text)) ==
                      texts[_i].valid,
                  "%d", _i);
    ck_assert(!mercure_text_valid("a\0b", 3));
}
END_TEST

START_TEST(a_name_is_escaped_as_one_segment)
{
    char to[32] = "/";
    size_t length = 1;

    ck_assert(mercure_escape(to, sizeof to, &length, "a-._~/{%\u00e4"));
    ck_assert_str_eq(to, "/a-._~%2F%7B%25%C3%A4");
    ck_assert_uint_eq(length, strlen(to));
    ck_assert(!mercure_escape(to, sizeof to, &length, "0123456789"));
    length = 0;
    ck_assert(!mercure_escape(to, 0, &length, ""));
}
END_TEST

/* ---- forms ------------------------------------------------------------ */

static void expect_field(struct mercure_form *form, const char *name,
                         const char *value)
{
    struct mercure_field field;

    ck_assert(mercure_form_next(form, &field));
    ck_assert_str_eq(field.name, name);
    ck_assert_str_eq(field.value, value);
    ck_assert_uint_eq(field.length, strlen(value));
    ck_assert(mercure_field_is(&field, name));
    ck_assert(!mercure_field_is(&field, "other"));
}

static void begin_form(struct mercure_form *form, const char *body)
{
    ck_assert(mercure_form_begin(form, body, strlen(body)));
}

START_TEST(a_form_is_decoded)
{
    struct mercure_form form;
    struct mercure_field field;

    begin_form(&form, "&a=1+2&&b%3D=%41%2b=c&c&d=%&=e&f=%4&g=%zz&h=");
    expect_field(&form, "a", "1 2");
    expect_field(&form, "b=", "A+=c");
    expect_field(&form, "c", "");
    expect_field(&form, "d", "%");
    expect_field(&form, "", "e");
    expect_field(&form, "f", "%4");
    expect_field(&form, "g", "%zz");
    expect_field(&form, "h", "");
    ck_assert(!mercure_form_next(&form, &field));
    ck_assert(!mercure_form_next(&form, &field));
    mercure_form_end(&form);
    begin_form(&form, "");
    ck_assert(!mercure_form_next(&form, &field));
    mercure_form_end(&form);
}
END_TEST

START_TEST(a_nul_is_part_of_a_value)
{
    struct mercure_form form;
    struct mercure_field field;

    begin_form(&form, "a=x%00y&b=2");
    ck_assert(mercure_form_next(&form, &field));
    ck_assert_uint_eq(field.length, 3);
    ck_assert_mem_eq(field.value, "x\0y", 4);
    expect_field(&form, "b", "2");
    mercure_form_end(&form);
    begin_form(&form, "a%00=1");
    ck_assert(mercure_form_next(&form, &field));
    ck_assert(!mercure_field_is(&field, "a"));
    mercure_form_end(&form);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static Suite *suite(void)
{
    Suite *s = suite_create("mercure names");
    TCase *c = add_case(s, "names");

    tcase_add_loop_test(c, what_leads_to_the_hub_is_reserved, 0, COUNT(topics));
    tcase_add_test(c, what_is_too_long_for_a_topic_is_not_reserved);
    tcase_add_loop_test(c, names_have_no_invisible_characters, 0, COUNT(texts));
    tcase_add_test(c, a_name_is_escaped_as_one_segment);
    c = add_case(s, "forms");
    tcase_add_test(c, a_form_is_decoded);
    tcase_add_test(c, a_nul_is_part_of_a_value);
    return s;
}

RUN_SUITE(suite)
