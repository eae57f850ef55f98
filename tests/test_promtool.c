/*
 * What Prometheus' own promtool says of GET /metrics and of the alert rules. $PROMTOOL is
 * the program; ./dev test unpacks Debian's.
 */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *promtool(void)
{
    const char *program = getenv("PROMTOOL");

    return program != NULL && program[0] != '\0' ? program : "promtool";
}

/* Fails unless `promtool check KIND PATH` succeeds and says nothing but that. */
static void check(const char *kind, const char *path)
{
    char command[2048];
    int status;

    snprintf(command, sizeof command, "'%s' check %s '%s' 2>&1", promtool(), kind, path);
    status = system(command);
    ck_assert_msg(status == 0, "%s: %d", command, status);
}

START_TEST(test_metrics)
{
    struct crierd crierd;
    char path[SCRATCH_SIZE + 16], *body;
    FILE *file;

    crierd_start(&crierd, "");
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/a", "", "x", NULL), 200);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/metrics", "", NULL, &body), 200);
    crierd_stop(&crierd);
    scratch_make();
    snprintf(path, sizeof path, "%s/metrics", scratch);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(body, 1, strlen(body), file), strlen(body));
    ck_assert_int_eq(fclose(file), 0);
    free(body);
    check("metrics <", path);
    scratch_remove();
}
END_TEST

START_TEST(test_rules)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/crier-alerts.yml", getenv("DATA"));
    check("rules", path);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("promtool");
    TCase *tcase = add_case(suite, "promtool");

    tcase_add_test(tcase, test_metrics);
    tcase_add_test(tcase, test_rules);
    return suite;
}

/* Whether promtool can be run. */
static bool has_promtool(void)
{
    char command[2048];

    snprintf(command, sizeof command, "'%s' --version >/dev/null 2>&1", promtool());
    return system(command) == 0;
}

RUN_SUITE_IF(make_suite, has_promtool(),
             "promtool cannot be run (Debian: prometheus; ./dev test unpacks it)")
