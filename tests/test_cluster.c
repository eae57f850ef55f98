/*
 * Three crierd that share a journal in Redis, with a replica and three sentinels, under
 * faults: soak/cluster with few clients, each fault once. It checks that every client has
 * received every acknowledged update once and in order, or was told a gap that was
 * justified (soak/README).
 *
 * The checks are tested, too: with a crierd whose journal is in a file, and a client that
 * receives something else than it was sent.
 *
 * $CLUSTER_SEED repeats the choices of an earlier run.
 */
#include <config.h>

#include "support/measure.h"
#include "support/redis_server.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* More than the patience of the program with one fault, which says what it has waited for. */
#define LIMIT 1200 /* s */

static char redis_path[64];

static void set_up_cluster(void)
{
    char found[4096];

    measure_set_up();
    snprintf(redis_path, sizeof redis_path, "%s/redis-server", scratch);
    if (redis_find(found))
        ck_assert_int_eq(symlink(found, redis_path), 0);
}

/* Returns the seed, in new memory. */
static char *choose_seed(void)
{
    const char *given = getenv("CLUSTER_SEED");
    char *seed;

    ck_assert_int_gt(given != NULL ? asprintf(&seed, "%s", given)
                                   : asprintf(&seed, "%d", (int)getpid()), 0);
    return seed;
}

/* Runs it with OPTIONS, ended by NULL; expects the exit status and the output. */
static void run_cluster(const char *const *options, int status, const char *said)
{
    char *seed = choose_seed();
    const char *const words[] = {getenv("SOAK_CLUSTER"), "--crierd", getenv("CRIERD"),
                                 "--redis", redis_path, "--www", getenv("WWW"),
                                 "--data", getenv("DATA"), "--seconds", "1",
                                 "--clients", "240", "--stop", "1500", "--hurry",
                                 "--seed", seed, NULL};

    measure_expect(measure_start(words, options), status, said);
    free(seed);
}

/* ---- the checks --------------------------------------------------------- */

static const struct {
    const char *damage, *said;
} damages[] = {
    {"drop", "which the journal holds; no gap"},
    {"double", "came twice, without a gap between"},
    {"swap", "received"},
    {"gap", "a gap, and nothing can be missing"},
};

START_TEST(test_sees_damage)
{
    const char *const options[] = {"--sqlite", "--damage", damages[_i].damage, NULL};

    run_cluster(options, 1, damages[_i].said);
}
END_TEST

START_TEST(test_one_node_is_killed)
{
    const char *const options[] = {"--sqlite", "--fault", "kill-node", NULL};

    run_cluster(options, 0, "everything arrived");
}
END_TEST

/* ---- the cluster -------------------------------------------------------- */

START_TEST(test_all_faults)
{
    const char *const options[] = {NULL};
    char *text;

    run_cluster(options, 0, "everything arrived");
    text = measure_contents(measure_log());
    fputs(text, stdout); /* how long each fault took */
    free(text);
}
END_TEST

/* With wait=1 no acknowledged update is lost, even if a replica that was cut off becomes
 * the master. */
START_TEST(test_replica_has_what_was_acknowledged)
{
    const char *const options[] = {"--wait", "1", "--fault", "stale-replica", NULL};

    run_cluster(options, 0, " 0 updates lost");
}
END_TEST

START_TEST(test_without_network)
{
    const char *const options[] = {"--no-net", "--fault", "failover", NULL};

    run_cluster(options, 0, "SKIPPED: the faults that cut a link");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cluster");
    TCase *tcase = add_case(suite, "checks");
    char found[4096];

    tcase_set_timeout(tcase, LIMIT);
    tcase_add_checked_fixture(tcase, set_up_cluster, scratch_remove);
    tcase_add_loop_test(tcase, test_sees_damage, 0, sizeof damages / sizeof *damages);
    tcase_add_test(tcase, test_one_node_is_killed);
    if (!redis_find(found))
        return suite;
    tcase = add_case(suite, "cluster");
    tcase_set_timeout(tcase, LIMIT);
    tcase_add_checked_fixture(tcase, set_up_cluster, scratch_remove);
    tcase_add_test(tcase, test_all_faults);
    tcase_add_test(tcase, test_replica_has_what_was_acknowledged);
    tcase_add_test(tcase, test_without_network);
    return suite;
}

RUN_SUITE(make_suite)
