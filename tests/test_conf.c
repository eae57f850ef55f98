/* The command line: defaults, values, and refusals. */
#include <config.h>

#include "crierd/conf.h"
#include "support/runner.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Parses ARGUMENTS, words between spaces. */
static enum conf_result parse(struct conf *conf, const char *arguments)
{
    static char line[256];
    char *argv[32] = {(char *)"crierd"}, *rest = line;
    int argc = 1;

    snprintf(line, sizeof line, "%s", arguments);
    while (rest != NULL && *rest != '\0')
        argv[argc++] = strsep(&rest, " ");
    optind = 0; /* makes getopt start anew */
    return conf_parse(conf, argc, argv);
}

START_TEST(defaults)
{
    struct conf conf;

    ck_assert_int_eq(parse(&conf, ""), CONF_RUN);
    ck_assert_str_eq(conf.listen, "127.0.0.1:8080");
    ck_assert_uint_eq(conf.ping, 10000);
    ck_assert_uint_eq(conf.keep_alive, 15000);
    ck_assert_uint_ge(conf.threads, 1);
    ck_assert_uint_eq(conf.max_clients, 0);
    ck_assert_int_eq(conf.log_level, LOG_INFO);
    ck_assert(conf.get_publish);
}
END_TEST

START_TEST(values)
{
    struct conf conf;

    ck_assert_int_eq(parse(&conf, "--listen [::1]:0 --threads=3 "
                                  "--ping-interval 500ms --keep-alive 1m "
                                  "--max-clients 7 --no-get-publish "
                                  "--log-level debug --www w --data d"),
                     CONF_RUN);
    ck_assert_str_eq(conf.listen, "[::1]:0");
    ck_assert_str_eq(conf.www, "w");
    ck_assert_str_eq(conf.data, "d");
    ck_assert_uint_eq(conf.threads, 3);
    ck_assert_uint_eq(conf.ping, 500);
    ck_assert_uint_eq(conf.keep_alive, 60000);
    ck_assert_uint_eq(conf.max_clients, 7);
    ck_assert_int_eq(conf.log_level, LOG_DEBUG);
    ck_assert(!conf.get_publish);
}
END_TEST

static const char *const refused[] = {
    "--nope",           "extra",
    "--threads 0",      "--threads 65",
    "--threads x",      "--threads",
    "--max-clients -1", "--ping-interval 0",
    "--ping-interval 5ms", "--ping-interval 1d",
    "--ping-interval 25h", "--ping-interval s",
    "--keep-alive 99999999999999999999", "--log-level loud",
};

START_TEST(refusals)
{
    struct conf conf;

    ck_assert_int_eq(parse(&conf, refused[_i]), CONF_BAD);
}
END_TEST

START_TEST(durations)
{
    uint32_t ms = 0;

    ck_assert(conf_duration("10ms", &ms) && ms == 10);
    ck_assert(conf_duration("2", &ms) && ms == 2000);
    ck_assert(conf_duration("90s", &ms) && ms == 90000);
    ck_assert(conf_duration("10m", &ms) && ms == 600000);
    ck_assert(conf_duration("24h", &ms) && ms == 86400000);
    ck_assert(!conf_duration("", &ms));
    ck_assert(!conf_duration("ms", &ms));
    ck_assert(!conf_duration("1.5s", &ms));
    ck_assert(!conf_duration("-1s", &ms));
    ck_assert(!conf_duration("9ms", &ms));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("conf");
    TCase *c = add_case(s, "conf");

    tcase_add_test(c, defaults);
    tcase_add_test(c, values);
    tcase_add_loop_test(c, refusals, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(c, durations);
    return s;
}

RUN_SUITE(suite)
