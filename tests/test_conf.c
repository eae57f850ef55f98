/* The command line: defaults, values, and refusals. */
#include <config.h>

#include "crierd/config/conf.h"
#include "support/runner.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Parses ARGUMENTS, words between spaces. */
static enum conf_result parse(struct conf *conf, const char *arguments)
{
    static char line[512];
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
    ck_assert_ptr_null(conf.journal);
    ck_assert_ptr_null(conf.presence);
    ck_assert_uint_eq(conf.max_message, 1024 * 1024);
    ck_assert_uint_eq(conf.stall_timeout, 30000);
    ck_assert_int_eq(conf.slow, CRIER_SLOW_GAP);
    ck_assert_uint_eq(conf.topic_count, 0);
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

START_TEST(values_about_topics)
{
    struct conf conf;

    ck_assert_int_eq(
        parse(&conf, "--journal sqlite:/x/y:z --retain-count 5 "
                     "--retain-bytes 2G --retain-age 30d --max-topics 100 "
                     "--max-message 64K --presence a,b --slow-client "
                     "disconnect --stall-timeout 1s --retain-topic "
                     "a:b*:count=1,bytes=3K,age=2 --retain-topic c:age=1h"),
        CONF_RUN);
    ck_assert_str_eq(conf.journal, "/x/y:z");
    ck_assert_uint_eq(conf.retention.count, 5);
    ck_assert_uint_eq(conf.retention.bytes, (size_t)2 << 30);
    ck_assert_uint_eq(conf.retention.age, UINT64_C(30) * 24 * 3600 * 1000);
    ck_assert_uint_eq(conf.max_topics, 100);
    ck_assert_uint_eq(conf.max_message, 65536);
    ck_assert_str_eq(conf.presence, "a,b");
    ck_assert_int_eq(conf.slow, CRIER_SLOW_DISCONNECT);
    ck_assert_uint_eq(conf.stall_timeout, 1000);
    ck_assert_uint_eq(conf.topic_count, 2);
    ck_assert_str_eq(conf.topics[0].topic, "a:b*");
    ck_assert_uint_eq(conf.topics[0].retention.count, 1);
    ck_assert_uint_eq(conf.topics[0].retention.bytes, 3072);
    ck_assert_uint_eq(conf.topics[0].retention.age, 2000);
    ck_assert_str_eq(conf.topics[1].topic, "c");
    ck_assert_uint_eq(conf.topics[1].retention.count, 0);
    ck_assert_uint_eq(conf.topics[1].retention.age, 3600000);
}
END_TEST

static const char *const refused[] = {
    "--journal file",   "--journal sqlite:",
    "--retain-count 0", "--retain-bytes 0",
    "--retain-bytes 5X", "--retain-bytes 99999999999999999999",
    "--retain-bytes 17592186044416G",
    "--retain-age 0",   "--retain-age x",
    "--retain-topic a", "--retain-topic :count=1",
    "--retain-topic a:", "--retain-topic a:count=0",
    "--retain-topic a:size=1", "--retain-topic a:count=1,,age=1",
    "--max-topics 99",  "--max-message 16M",
    "--presence a,,b",  "--presence $a",
    "--retain-topic a,b:count=1", "--retain-topic a*b:count=1",
    "--presence a*",    "--slow-client maybe",
    "--stall-timeout 0",
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

static const struct {
    const char *arguments;
    enum log_level level;
} levels[] = {
    {"--log-level error", LOG_ERROR},     {"--log-level err", LOG_ERROR},
    {"--log-level warning", LOG_WARNING}, {"--log-level warn", LOG_WARNING},
    {"--log-level info", LOG_INFO},       {"--log-level debug", LOG_DEBUG},
    {"--log-level INFO", LOG_INFO},       {"--log-level Warn", LOG_WARNING},
};

#define LEVELS ((int)(sizeof levels / sizeof levels[0]))

/* As people type them. */
START_TEST(log_levels)
{
    struct conf conf;

    ck_assert_int_eq(parse(&conf, levels[_i].arguments), CONF_RUN);
    ck_assert_int_eq(conf.log_level, levels[_i].level);
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
    tcase_add_test(c, values_about_topics);
    tcase_add_loop_test(c, refusals, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_loop_test(c, log_levels, 0, LEVELS);
    tcase_add_test(c, durations);
    return s;
}

RUN_SUITE(suite)
