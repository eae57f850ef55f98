/* Request targets: what they mean, and what is refused. */
#include <config.h>

#include "crierd/http/uri.h"
#include "support/oom.h"
#include "support/runner.h"

#include <stdio.h>
#include <string.h>

static struct uri uri;

static const struct {
    const char *target;
    const char *segments[4];
} paths[] = {
    {"/", {""}},
    {"/a", {"a"}},
    {"/a/", {"a", ""}},
    {"/a/b", {"a", "b"}},
    {"//a", {"", "a"}},
    {"/a%2Fb/c", {"a/b", "c"}},
    {"/%2e%2E/x", {"..", "x"}},
    {"/a+b", {"a+b"}},
    {"/%C3%A4", {"\xc3\xa4"}},
    {"/a?b=c", {"a"}},
    {"/a?x=/b", {"a"}},
    {"http://host/a", {"a"}},
    {"HTTP://host:8080/a/b?c", {"a", "b"}},
    {"https://host/", {""}},
    {"http://host", {""}},
    {"http://host?x=/events/y", {""}},
};

START_TEST(a_path_is_split_and_then_decoded)
{
    size_t i;

    ck_assert_ptr_null(uri_parse(&uri, paths[_i].target));
    for (i = 0; i < 4 && paths[_i].segments[i] != NULL; i++) {
        ck_assert_uint_lt(i, uri.segment_count);
        ck_assert_str_eq(uri.segments[i].bytes, paths[_i].segments[i]);
        ck_assert_uint_eq(uri.segments[i].length,
                          strlen(paths[_i].segments[i]));
    }
    ck_assert_uint_eq(uri.segment_count, i);
    uri_done(&uri);
}
END_TEST

START_TEST(a_query_has_parameters)
{
    ck_assert_ptr_null(
        uri_parse(&uri, "/?a=1&b=x+y%2Bz&&c&d=&a=2&%61bc=q=r"));
    ck_assert_str_eq(uri_parameter(&uri, "a")->bytes, "2"); /* the last */
    ck_assert_str_eq(uri_parameter(&uri, "b")->bytes, "x y+z");
    ck_assert_str_eq(uri_parameter(&uri, "c")->bytes, "");
    ck_assert_str_eq(uri_parameter(&uri, "d")->bytes, "");
    ck_assert_str_eq(uri_parameter(&uri, "abc")->bytes, "q=r");
    ck_assert_ptr_null(uri_parameter(&uri, "nope"));
    ck_assert_str_eq(uri_parameter_of_two(&uri, "a", "b")->bytes, "2");
    ck_assert_str_eq(uri_parameter_of_two(&uri, "d", "b")->bytes, "");
    ck_assert_str_eq(uri_parameter_of_two(&uri, "nope", "c")->bytes, "");
    ck_assert_ptr_null(uri_parameter_of_two(&uri, "nope", "none"));
    uri_done(&uri);
}
END_TEST

START_TEST(a_name_may_come_often)
{
    size_t at = 0;

    ck_assert_ptr_null(uri_parse(&uri, "/?a=1&b=2&a=3&a&c=a"));
    ck_assert_str_eq(uri_parameter_next(&uri, "a", &at)->bytes, "1");
    ck_assert_str_eq(uri_parameter_next(&uri, "a", &at)->bytes, "3");
    ck_assert_str_eq(uri_parameter_next(&uri, "a", &at)->bytes, "");
    ck_assert_ptr_null(uri_parameter_next(&uri, "a", &at));
    ck_assert_ptr_null(uri_parameter_next(&uri, "a", &at));
    uri_done(&uri);
}
END_TEST

/* There may be as many pieces as the target has room for. */
START_TEST(many_pieces)
{
    static char target[8 * 1024];
    size_t length = 0, at = 0, i;

    for (i = 0; i < 1000; i++)
        length += (size_t)sprintf(target + length, "/%zu", i % 10);
    target[length++] = '?';
    for (i = 0; i < 1000; i++)
        length += (size_t)sprintf(target + length, "a=%zu&", i % 10);
    ck_assert_ptr_null(uri_parse(&uri, target));
    ck_assert_uint_eq(uri.segment_count, 1000);
    ck_assert_str_eq(uri.segments[999].bytes, "9");
    ck_assert_uint_eq(uri.rest.length, 1997);
    for (i = 0; i < 1000; i++)
        ck_assert_int_eq(uri_parameter_next(&uri, "a", &at)->bytes[0],
                         '0' + (int)(i % 10));
    ck_assert_ptr_null(uri_parameter_next(&uri, "a", &at));
    uri_done(&uri);
}
END_TEST

static const struct {
    const char *target, *says;
} wrong[] = {
    {"", "must start with '/'"},  {"a", "must start with '/'"},
    {"*", "must start with '/'"}, {"ftp://host/a", "must start with '/'"},
    {"/%", "hexadecimal"},        {"/%4", "hexadecimal"},
    {"/%4g", "hexadecimal"},      {"/%g4", "hexadecimal"},
    {"/a?b=%zz", "hexadecimal"},  {"/a%00b", "NUL"},
    {"/a?b=%00", "NUL"},
};

START_TEST(mistakes_are_named)
{
    const char *says = uri_parse(&uri, wrong[_i].target);

    ck_assert_ptr_nonnull(says);
    ck_assert_msg(strstr(says, wrong[_i].says) != NULL, "'%s'", says);
    ck_assert_ptr_null(uri.memory);
}
END_TEST

START_TEST(short_memory_is_no_mistake)
{
    const char *says;

    oom_after(1);
    says = uri_parse(&uri, "/a");
    oom_never();
    ck_assert_ptr_eq(says, uri_no_memory);
    ck_assert_ptr_null(uri.memory);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("uri");
    TCase *c = add_case(s, "uri");

    tcase_add_loop_test(c, a_path_is_split_and_then_decoded, 0,
                        (int)(sizeof paths / sizeof paths[0]));
    tcase_add_test(c, a_query_has_parameters);
    tcase_add_test(c, a_name_may_come_often);
    tcase_add_test(c, many_pieces);
    tcase_add_test(c, short_memory_is_no_mistake);
    tcase_add_loop_test(c, mistakes_are_named, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    return s;
}

RUN_SUITE(suite)
