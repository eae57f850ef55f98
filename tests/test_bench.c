/*
 * Runs the benchmark with few clients: it must measure everything, and detect what a
 * server does wrong. The figures do not matter here.
 */
#include <config.h>

#include "support/measure.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char json_path[64], svg_path[64];

static void set_up(void)
{
    measure_set_up();
    snprintf(json_path, sizeof json_path, "%s/json", scratch);
    snprintf(svg_path, sizeof svg_path, "%s/svg", scratch);
}

/* Starts the benchmark with few clients and OPTIONS, ended by NULL. */
static pid_t start(const char *const *options)
{
    const char *const words[] = {getenv("BENCH"), "--baseline",
                                 getenv("BENCH_BASELINE"), "--crierd",
                                 getenv("CRIERD"), "--www",
                                 getenv("WWW"), "--data",
                                 getenv("DATA"), "--nginx",
                                 "", "--redis",
                                 "", "--clients",
                                 "20", "--rounds",
                                 "1", "--idle-rounds",
                                 "1", "--seconds",
                                 "0.1", "--keep-alive",
                                 "1", NULL};

    return measure_start(words, options);
}

/* ---- what is measured ------------------------------------------------- */

/* Returns the row of WORKLOAD and SERVER. */
static json_t *row_of(json_t *rows, const char *workload, const char *server)
{
    json_t *row;
    size_t i;

    json_array_foreach (rows, i, row)
        if (strcmp(json_string_value(json_object_get(row, "workload")),
                   workload) == 0 &&
            strcmp(json_string_value(json_object_get(row, "server")),
                   server) == 0)
            return row;
    ck_abort_msg("no row of %s with %s", workload, server);
    return NULL;
}

/* Checks that ROW has the figure NAME; more than 0, unless it is of a quiet server. */
static void check_number(json_t *row, const char *name)
{
    json_t *value = json_object_get(row, name);
    bool quiet =
        strcmp(json_string_value(json_object_get(row, "workload")), "quiet") == 0;
    char *text = json_dumps(row, 0);

    ck_assert_msg(json_is_number(value) &&
                      (quiet || json_number_value(value) > 0),
                  "%s in %s", name, text);
    free(text);
}

struct expected_row {
    const char *workload, *server, *figure;
};

static const struct expected_row rows[] = {
    {"broadcast", "baseline", "latency_p999_ns"},
    {"broadcast", "crierd", "latency_p50_ns"},
    {"latency", "crierd", "latency_p50_ns"},
    {"private", "crierd", "latency_p50_ns"},
    {"targeted", "baseline", "latency_p99_ns"},
    {"targeted", "crierd", "publishes_per_s"},
    {"prefix", "crierd", "latency_p99_ns"},
    {"template", "crierd", "latency_p99_ns"},
    {"saturated", "baseline", "publishes_per_s"},
    {"saturated", "crierd", "latency_p999_ns"},
    {"chunked", "baseline", "publishes_per_s"},
    {"chunked", "crierd", "publishes_per_s"},
    {"tls-broadcast", "crierd", "cpu_to_plain"},
    {"tls-targeted", "crierd", "cpu_to_plain"},
    {"tls-saturated", "crierd", "cpu_to_plain"},
    {"idle", "baseline", "load_cpu_share"},
    {"idle", "crierd", "load_cpu_share"},
    {"quiet", "crierd", "load_cpu_share"},
    {"crowd", "baseline", "latency_p99_ns"},
    {"crowd", "crierd", "latency_p99_ns"},
    {"publish", "baseline", "publishes_per_s"},
    {"publish", "crierd", "publishes_per_s"},
    {"publish", "crierd sqlite", "publishes_per_s"},
    {"publish-token", "crierd", "publishes_per_s"},
    {"bulk", "crierd", "publishes_per_s"},
    {"bulk", "crierd sqlite", "publishes_per_s"},
    {"storm", "crierd", "load_cpu_share"},
    {"connect", "baseline", "load_cpu_share"},
    {"connect", "crierd", "load_cpu_share"},
    {"connect-token", "crierd", "load_cpu_share"},
    {"connect-tokens", "crierd", "load_cpu_share"},
    {"connect-chrome", "baseline", "load_cpu_share"},
    {"connect-chrome", "crierd", "load_cpu_share"},
    {"memory", "crierd", "memory_bytes_per_client"},
    {"memory-chrome", "crierd", "memory_bytes_per_client"},
    {"memory-proxy", "crierd", "memory_bytes_per_client"},
    {"memory-cookie", "crierd", "memory_bytes_per_client"},
    {"memory-tls", "crierd", "memory_bytes_per_client"},
    {"slow", "crierd", "attacks_per_s"},
    {"half-open", "crierd", "latency_p50_to_alone"},
    {"large", "crierd", "latency_p99_to_alone"},
    {"garbage", "crierd", "attacks_per_s"},
    {"flood", "crierd", "attacks_per_s"},
};

/* Checks that the rows in ALL include the COUNT expected ones. */
static void check_rows(json_t *all, const struct expected_row *expected, size_t count)
{
    json_t *row;

    for (size_t i = 0; i < count; i++) {
        row = row_of(json_object_get(all, "rows"), expected[i].workload,
                     expected[i].server);
        check_number(row, "cpu_ns");
        check_number(row, "rate_per_s");
        check_number(row, expected[i].figure);
    }
}

START_TEST(test_measures_everything)
{
    const char *const options[] = {"--json", json_path, "--svg", svg_path,
                                   NULL};
    json_t *all;
    char *svg;

    measure_expect(start(options), 0, "storm: clients/s that have caught up");
    all = json_load_file(json_path, 0, NULL);
    ck_assert_ptr_nonnull(all);
    ck_assert_uint_eq(json_array_size(json_object_get(all, "rows")),
                      sizeof rows / sizeof *rows);
    check_rows(all, rows, sizeof rows / sizeof *rows);
    ck_assert_uint_eq(json_array_size(json_object_get(all, "budgets")), 39);
    json_decref(all);
    svg = measure_contents(svg_path);
    ck_assert_ptr_eq(strstr(svg, "<svg "), svg);
    ck_assert_ptr_nonnull(strstr(svg, "</svg>"));
    free(svg);
}
END_TEST

static const struct expected_row redis_rows[] = {
    {"broadcast", "crierd nodes", "latency_p50_ns"},
    {"latency", "crierd nodes", "latency_p99_ns"},
    {"quiet", "crierd redis", "load_cpu_share"},
    {"crowd", "crierd nodes", "latency_p99_ns"},
    {"publish", "crierd redis", "publishes_per_s"},
    {"storm", "crierd redis", "load_cpu_share"},
    {"storm", "crierd nodes", "load_cpu_share"},
};

START_TEST(test_measures_with_redis)
{
    static const char redis[] = "/usr/bin/redis-server";
    const char *const options[] = {
        "--redis",      redis, "--only", "broadcast,latency,quiet,crowd,publish,storm",
        "--json", json_path, NULL};
    json_t *all;

    if (access(redis, X_OK) != 0) {
        printf("%s is missing: not tested\n", redis);
        return;
    }
    measure_expect(start(options), 0, "latency: p99 added");
    all = json_load_file(json_path, 0, NULL);
    ck_assert_ptr_nonnull(all);
    check_rows(all, redis_rows, sizeof redis_rows / sizeof *redis_rows);
    json_decref(all);
}
END_TEST

/* ---- what is wrong ---------------------------------------------------- */

static const struct {
    const char *fault, *workload, *said;
} faults[] = {
    {"double", "broadcast", "a duplicate"},
    {"double", "saturated", "a duplicate"},
    {"drop", "broadcast", "not at every client"},
    {"drop", "saturated", "an earlier one is lost"},
    {"swap", "saturated", "an earlier one is lost"},
    {"spoil", "broadcast", "not as published"},
    {"hang", "broadcast", "not at every client"},
    {"die", "broadcast", "ended"},
    {"double", "crowd", "a duplicate"},
    {"drop", "crowd", "not at every client of the crowd"},
    {"spoil", "crowd", "not as published"},
    {"die", "crowd", "ended"},
};

START_TEST(test_sees_what_is_wrong)
{
    const char *const options[] = {"--baseline-fault",
                                   faults[_i].fault,
                                   "--only",
                                   faults[_i].workload,
                                   "--patience",
                                   "2",
                                   "--json",
                                   json_path,
                                   NULL};

    measure_expect(start(options), 1, faults[_i].said);
    ck_assert_int_ne(access(json_path, F_OK), 0);
}
END_TEST

START_TEST(test_refuses)
{
    const char *const no_work[] = {"--only", "broad", NULL};
    const char *const no_crierd[] = {"--crierd", "/nowhere", NULL};

    measure_expect(start(no_work), 1, "unknown workload 'broad'");
    measure_expect(start(no_crierd), 1, "/nowhere is missing");
}
END_TEST

START_TEST(test_ends_when_told_to)
{
    const char *const options[] = {"--seconds", "1000", NULL};
    pid_t pid = start(options);

    measure_wait_log("baseline");
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    measure_expect(pid, 1, "interrupted");
}
END_TEST

START_TEST(test_leaves_no_server_when_killed)
{
    const char *const options[] = {"--seconds", "1000", NULL};
    pid_t pid = start(options);

    measure_wait_log("baseline");
    measure_kill(pid);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("bench");
    TCase *tcase = add_case(suite, "bench");

    tcase_add_checked_fixture(tcase, set_up, scratch_remove);
    tcase_add_test(tcase, test_measures_everything);
    tcase_add_test(tcase, test_measures_with_redis);
    tcase_add_loop_test(tcase, test_sees_what_is_wrong, 0,
                        sizeof faults / sizeof *faults);
    tcase_add_test(tcase, test_refuses);
    tcase_add_test(tcase, test_ends_when_told_to);
    tcase_add_test(tcase, test_leaves_no_server_when_killed);
    return suite;
}

RUN_SUITE(make_suite)
