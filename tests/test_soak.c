/*
 * The soak, for a moment and with few clients: it does all that it is there to
 * do and says so, and it sees what is wrong with a crierd. Whether memory is
 * flat takes longer to see.
 *
 * What is wrong is one option more than the soak gives crierd, which does then
 * what the soak may not expect of it.
 */
#include <config.h>

#include "support/measure.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char svg_path[64], crierd_path[64];

static void set_up(void)
{
    measure_set_up();
    snprintf(svg_path, sizeof svg_path, "%s/svg", scratch);
    snprintf(crierd_path, sizeof crierd_path, "%s/crierd", scratch);
}

/* Starts a soak of SECONDS with CRIERD; OPTIONS is ended by NULL. */
static pid_t start(const char *crierd, const char *seconds,
                   const char *const *options)
{
    const char *const words[] = {getenv("SOAK"), "--crierd", crierd,
                                 "--crier", getenv("CRIER"), "--www",
                                 getenv("WWW"), "--data", getenv("DATA"),
                                 "--seconds", seconds, "--clients", "60",
                                 "--subs", "12", NULL};

    return measure_start(words, options);
}

/* Makes a crierd that has OPTIONS more than it is given. */
static void make_crierd(const char *options)
{
    FILE *file = fopen(crierd_path, "we");

    ck_assert_ptr_nonnull(file);
    fprintf(file, "#!/bin/sh\nexec '%s' \"$@\" %s\n", getenv("CRIERD"),
            options);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(crierd_path, 0700), 0);
}

/* ---- what it says ----------------------------------------------------- */

/* The number in front of NAME in the report. */
static unsigned long counted(const char *report, const char *name)
{
    char text[80];
    const char *at;

    snprintf(text, sizeof text, "  %s\n", name);
    at = strstr(report, text);
    ck_assert_msg(at != NULL, "no '%s' in:\n%s", name, report);
    while (at > report && at[-1] != '\n')
        at--;
    return strtoul(at, NULL, 10);
}

static const char *const always[] = {
    "streams opened",         "of these, with a last id",
    "left by closing",        "left by a reset",
    "stalls",                 "crierd: SIGTERM",
    "crierd: SIGKILL",        "crier sub: SIGSTOP",
    "goodbyes",               "updates acknowledged",
    "bad requests refused",   "deliveries",
};

static const char *const invariants[] = {
    "every acknowledged update arrives, or a gap is reported",
    "updates arrive once, in order, with rising positions",
    "nothing else arrives, and data are intact",
    "gaps are reported only where updates have expired",
    "each client gets a goodbye, only at SIGTERM",
    "clients that read are accepted and stay connected",
    "valid updates are accepted, bad requests refused",
    "crierd exits only when signalled, and starts again",
    "descriptors do not leak",
};

/* Follows the tags of XML: each element that begins ends, in the right order.
 * (There are no comments in it, and no '>' in an attribute.) */
static void check_xml(const char *xml)
{
    char open[8][32];
    size_t depth = 0, length;
    const char *end;

    ck_assert_ptr_eq(strstr(xml, "<svg "), xml);
    while ((xml = strchr(xml, '<')) != NULL) {
        end = strchr(xml, '>');
        ck_assert_ptr_nonnull(end);
        length = strcspn(xml + 1, " />\n");
        if (xml[1] == '/') {
            ck_assert_uint_gt(depth, 0);
            depth--;
            length = strlen(open[depth]);
            ck_assert_int_eq(strncmp(xml + 2, open[depth], length), 0);
            ck_assert_int_eq(xml[2 + length], '>');
        } else if (end[-1] != '/') {
            ck_assert_uint_lt(depth, 8);
            ck_assert_uint_lt(length, sizeof open[0]);
            snprintf(open[depth++], sizeof open[0], "%.*s", (int)length,
                     xml + 1);
        }
        xml = end;
    }
    ck_assert_uint_eq(depth, 0);
}

/* The first of what always happens that has not, by the report; NULL: all has. */
static const char *find_lacking(const char *report)
{
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (counted(report, always[i]) == 0)
            return always[i];
    return NULL;
}

/* Runs a soak, which breaks no invariant, for SECONDS, and returns its report, *new*. *LACKS
 * is what has not happened. */
static char *run_soak(const char *seconds, const char **lacks)
{
    const char *const options[] = {"--svg", svg_path, "--seed", "7", NULL};
    char *report;

    measure_expect(start(getenv("CRIERD"), seconds, options), 0,
                   "seed 7: no invariant was broken");
    report = measure_contents(measure_log());
    *lacks = find_lacking(report);
    return report;
}

/* On a busy machine less happens in the same time, so it has more. */
START_TEST(test_does_and_says_all)
{
    const char *lacks;
    char *text = run_soak("8", &lacks), line[128];

    if (lacks != NULL) {
        free(text);
        text = run_soak("16", &lacks);
    }
    ck_assert_msg(lacks == NULL, "none: '%s' in:\n%s", lacks, text);
    for (size_t i = 0; i < sizeof invariants / sizeof *invariants; i++) {
        snprintf(line, sizeof line, "\nholds    %s", invariants[i]);
        ck_assert_msg(strstr(text, line) != NULL, "no '%s' in:\n%s", line,
                      text);
    }
    ck_assert_ptr_nonnull(strstr(text, "\nskipped  memory does not grow (not checked"));
    free(text);
    text = measure_contents(svg_path);
    check_xml(text);
    ck_assert_ptr_nonnull(strstr(text, "class=\"mark\""));
    ck_assert_ptr_nonnull(strstr(text, "<circle "));
    ck_assert_ptr_nonnull(strstr(text, ">memory</text>"));
    ck_assert_ptr_nonnull(strstr(text, ">p99</text>"));
    free(text);
}
END_TEST

/* ---- what is wrong ---------------------------------------------------- */

static const struct {
    const char *options, *said;
} faults[] = {
    {"--max-clients 16", "BROKEN   clients that read are accepted"},
    {"--stall-timeout 10ms", "BROKEN   "}, /* a poll may be cut short */
    {"--max-update 20K", "BROKEN   valid updates are accepted"},
    /* a loss, a gap, or what is sent again and was let go comes twice */
    {"--retain-count 20", "BROKEN   "},
    {"--journal memory", "BROKEN   "},
    {"--version", "crierd sqlite did not start"},
};

START_TEST(test_sees_what_is_wrong)
{
    const char *const options[] = {NULL};

    make_crierd(faults[_i].options);
    measure_expect(start(crierd_path, "60", options), 1, faults[_i].said);
}
END_TEST

START_TEST(test_refuses)
{
    const char *const options[] = {NULL};
    const char *const seed[] = {"--seed", "x", NULL};

    measure_expect(start("/nowhere", "10", options), 1,
                   "/nowhere is missing");
    measure_expect(start(getenv("CRIERD"), "10", seed), 2,
                   "'x' is not a number");
}
END_TEST

START_TEST(test_ends_when_told_to)
{
    const char *const options[] = {NULL};
    pid_t pid = start(getenv("CRIERD"), "1000", options);

    measure_wait_log("cycle 1 of");
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    measure_expect(pid, 1, "interrupted");
}
END_TEST

/* Neither crierd nor a `crier sub` is left. */
START_TEST(test_leaves_nobody_when_killed)
{
    const char *const options[] = {NULL};
    pid_t pid = start(getenv("CRIERD"), "1000", options);

    measure_wait_log("cycle 1 of");
    measure_kill(pid);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("soak");
    TCase *tcase = add_case(suite, "soak");

    tcase_add_checked_fixture(tcase, set_up, scratch_remove);
    tcase_add_test(tcase, test_does_and_says_all);
    tcase_add_loop_test(tcase, test_sees_what_is_wrong, 0,
                        sizeof faults / sizeof *faults);
    tcase_add_test(tcase, test_refuses);
    tcase_add_test(tcase, test_ends_when_told_to);
    tcase_add_test(tcase, test_leaves_nobody_when_killed);
    return suite;
}

RUN_SUITE(make_suite)
