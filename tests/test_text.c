/* Names, numbers and files. */
#include <config.h>

#include "crierd/text.h"
#include "support/runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *text;
    bool valid;
} names[] = {
    {"", false},
    {"a", true},
    {"with space", true},
    {"J\xc3\xbcrgen \xf0\x9f\x98\x80", true},
    {"tab\there", false},
    {"line\nend", false},
    {"delete\x7f", false},
    {"c1\xc2\x85", false},
    {"nbsp\xc2\xa0", true},
    {"broken\xc3", false},
    {"\xff", false},
    {"0123456789012345678901234567890123456789012345678901234567890123", true},
    {"01234567890123456789012345678901234567890123456789012345678901234",
     false},
    /* 64 characters of two bytes each */
    {"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
     "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
     "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
     "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
     "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
     "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
     "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
     "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
     true},
};

START_TEST(a_name)
{
    ck_assert_int_eq(text_valid(names[_i].text, strlen(names[_i].text), 1, 64),
                     names[_i].valid);
}
END_TEST

START_TEST(a_number)
{
    uint64_t n = 0;

    ck_assert(number_text("0", 0, 10, &n) && n == 0);
    ck_assert(number_text("10", 0, 10, &n) && n == 10);
    ck_assert(number_text("18446744073709551615", 0, UINT64_MAX, &n));
    ck_assert(!number_text("11", 0, 10, &n));
    ck_assert(!number_text("0", 1, 10, &n));
    ck_assert(!number_text("", 0, 10, &n));
    ck_assert(!number_text("-1", 0, UINT64_MAX, &n));
    ck_assert(!number_text(" 1", 0, 10, &n));
    ck_assert(!number_text("+1", 0, 10, &n));
    ck_assert(!number_text("1x", 0, 10, &n));
    ck_assert(!number_text("0x1", 0, 10, &n));
    ck_assert(!number_text("18446744073709551616", 0, UINT64_MAX, &n));
}
END_TEST

START_TEST(a_file)
{
    char name[] = "crier-text-XXXXXX", *text;
    int file;

    ck_assert_int_eq(chdir("/tmp"), 0);
    file = mkstemp(name);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, "12345", 5), 5);
    close(file);
    ck_assert_int_eq(text_from_file("/tmp", name, 5, &text), 0);
    ck_assert_str_eq(text, "12345");
    free(text);
    ck_assert_int_eq(text_from_file("/tmp", name, 4, &text), -EFBIG);
    unlink(name);
    ck_assert_int_eq(text_from_file("/tmp", name, 5, &text), -ENOENT);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("text");
    TCase *c = add_case(s, "text");

    tcase_add_loop_test(c, a_name, 0, (int)(sizeof names / sizeof names[0]));
    tcase_add_test(c, a_number);
    tcase_add_test(c, a_file);
    return s;
}

RUN_SUITE(suite)
