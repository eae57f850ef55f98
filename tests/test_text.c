/* Names, numbers and files. */
#include <config.h>

#include "crier.h"
#include "crierd/http/text.h"
#include "support/oom.h"
#include "support/runner.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
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

/* jansson, which crierd encodes these texts with, must agree. */
START_TEST(utf8_as_jansson_has_it)
{
    static const char tails[][3] = {"\x80\x80", "\xbf\xbf", "a\x80", "\x80z"};
    char text[4];
    json_t *copy;
    size_t length, tail;
    int pair;

    for (pair = 0; pair < 65536; pair++)
        for (tail = 0; tail < sizeof tails / sizeof tails[0]; tail++)
            for (length = 1; length <= 4; length++) {
                text[0] = (char)(pair >> 8);
                text[1] = (char)pair;
                memcpy(text + 2, tails[tail], 2);
                copy = json_stringn(text, length);
                ck_assert_msg(crier_utf8_valid(text, length) == (copy != NULL),
                              "%04x, %zu bytes, %zu", (unsigned)pair, length,
                              tail);
                json_decref(copy);
            }
}
END_TEST

/* A good name is a good one when memory is short, for jansson, too. */
START_TEST(short_memory)
{
    bool valid, utf8;

    json_set_alloc_funcs(oom_malloc, free);
    oom_after(1);
    valid = text_valid("\xc3\xb6", 2, 1, 1);
    utf8 = crier_utf8_valid("\xc3\xb6", 2);
    oom_never();
    ck_assert(valid && utf8);
}
END_TEST

static const struct {
    const char *text;
    enum text_sight sight;
} sights[] = {
    {"a", TEXT_VISIBLE},
    {"a b", TEXT_VISIBLE},
    {"\xc3\xa9", TEXT_VISIBLE},
    {"", TEXT_BLANK},
    {" \t\n", TEXT_BLANK},
    {"\xc2\xa0", TEXT_BLANK},                          /* no-break space */
    {"\xe3\x80\x80", TEXT_BLANK},                      /* ideographic space */
    {"\xe2\x80\x8b", TEXT_BLANK},                      /* zero width space */
    {"\xe3\x85\xa4", TEXT_BLANK},                      /* Hangul filler */
    {"\xef\xbb\xbf", TEXT_BLANK},                      /* byte order mark */
    {"\xef\xb8\x8f", TEXT_BLANK},                      /* variation selector */
    {"a\xe2\x80\x8b", TEXT_DECEPTIVE},
    {"a\xe2\x80\xae" "b", TEXT_DECEPTIVE},             /* right-to-left override */
    {"a\xe2\x81\xa6" "b", TEXT_DECEPTIVE},             /* isolate */
    {"a\xe2\x80\x8d" "b", TEXT_DECEPTIVE},             /* joiner among ASCII */
    {"\xe2\x80\x8d\xc3\xa9", TEXT_DECEPTIVE},
    {"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", TEXT_VISIBLE}, /* emoji */
    {"\xe2\x9d\xa4\xef\xb8\x8f", TEXT_VISIBLE},
    {"\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae", TEXT_VISIBLE}, /* Persian */
};

START_TEST(what_can_be_seen)
{
    ck_assert_int_eq(text_sight(sights[_i].text, strlen(sights[_i].text)),
                     sights[_i].sight);
}
END_TEST

START_TEST(a_file)
{
    char name[] = "crier-text-XXXXXX", *text, why[80];
    int file;

    ck_assert_int_eq(chdir("/tmp"), 0);
    file = mkstemp(name);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, "12345", 5), 5);
    close(file);
    ck_assert_int_eq(text_from_file("/tmp", name, 5, &text, why, sizeof why), 0);
    ck_assert_str_eq(text, "12345");
    free(text);
    ck_assert_int_eq(text_from_file("/tmp", name, 4, &text, why, sizeof why), -EFBIG);
    unlink(name);
    ck_assert_int_eq(text_from_file("/tmp", name, 5, &text, why, sizeof why), -ENOENT);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("text");
    TCase *c = add_case(s, "text");

    tcase_add_loop_test(c, a_name, 0, (int)(sizeof names / sizeof names[0]));
    tcase_add_test(c, utf8_as_jansson_has_it);
    tcase_add_test(c, short_memory);
    tcase_add_loop_test(c, what_can_be_seen, 0,
                        (int)(sizeof sights / sizeof sights[0]));
    tcase_add_test(c, a_file);
    return s;
}

RUN_SUITE(suite)
