/*
 * A journal and the clock: one that was ahead and is set back, one that is a little
 * ahead, and one that has not been set yet.
 */
#include <config.h>

#include "support/journals.h"
#include "support/runner.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define ck_reads(given, wanted) ck_assert_str_eq(given, wanted)

#define HOUR (60 * MINUTE)
#define YEAR (365 * 24 * HOUR)

#define PATIENCE 60 /* s */

/* Waits until at least COUNT times have been corrected. */
static void wait_corrected(uint64_t count)
{
    struct timespec now, until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE;
    while (atomic_load(&journal->corrected) < count) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        ck_assert_msg(now.tv_sec < until.tv_sec, "%u instead of %u corrected",
                      (unsigned)atomic_load(&journal->corrected),
                      (unsigned)count);
        sched_yield();
    }
}

/* ---- tests ------------------------------------------------------------ */

START_TEST(what_was_stamped_ahead_grows_old)
{
    const struct crier_journal_options options = {.retention.age = HOUR};

    set_clock(YEAR);
    journal_start(_i, &options);
    append("a", "1");
    append("a", "2");
    set_clock(0);
    append("a", "3");
    wait_corrected(2);
    ck_reads(all("a"), " 1 2 3");
    ck_reads(since(CRIER_SINCE_TIME, "a", MINUTE), " 1 2 3");
    set_clock(2 * MINUTE);
    ck_reads(since(CRIER_SINCE_TIME, "a", MINUTE), "");
    append("a", "4");
    ck_reads(since(CRIER_SINCE_TIME, "a", MINUTE), " 4");
    set_clock(HOUR + MINUTE);
    ck_reads(all("a"), " 4");
    ck_reads(all("*"), " 4");
    ck_assert_uint_eq(atomic_load(&journal->corrected), 2);
    journal_end();
}
END_TEST

/* Nobody publishes, and no retention has an age. */
START_TEST(a_clock_set_back_is_noticed)
{
    set_clock(YEAR);
    journal_start(_i, NULL);
    append("a", "1");
    set_clock(0);
    list("*,$*", "", 10);
    wait_corrected(1);
    set_clock(2 * MINUTE);
    ck_reads(since(CRIER_SINCE_TIME, "a", MINUTE), "");
    journal_end();
}
END_TEST

/* More than are corrected in one transaction; and what is appended meanwhile. */
START_TEST(many_are_corrected)
{
    const struct crier_topic_retention topics[] = {{"a", {.age = HOUR}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};

    journal_start(_i, &options);
    append_many("a", 1, 5);
    set_clock(YEAR);
    append_many("a,b", 6, 1500);
    set_clock(10 * SECOND);
    append_many("a,b", 1506, 10);
    append_many("a,b", 1516, 1200);
    wait_corrected(1500);
    set_clock(2 * MINUTE);
    append("a", "new");
    ck_reads(since(CRIER_SINCE_TIME, "a", MINUTE), " new");
    set_clock(HOUR + 3 * MINUTE);
    ck_reads(all("a"), "");
    append("b", "b");
    ck_reads(since(CRIER_SINCE_TIME, "b", MINUTE), " b");
    journal_end();
}
END_TEST

/* What was written by a clock that was ahead, and is kept. */
START_TEST(a_journal_from_the_future)
{
    const struct crier_journal_options options = {.retention.age = HOUR};

    set_clock(YEAR);
    journal_start(_i, &options);
    append("a", "1");
    journal_close();
    set_clock(0);
    ck_assert_int_eq(journal_open(&options), 0);
    wait_corrected(1);
    ck_reads(all("a"), " 1");
    journal_close();
    set_clock(2 * MINUTE);
    ck_assert_int_eq(journal_open(&options), 0);
    ck_reads(since(CRIER_SINCE_TIME, "a", MINUTE), "");
    set_clock(HOUR + MINUTE);
    ck_reads(all("a"), "");
    ck_assert_uint_eq(atomic_load(&journal->corrected), 0);
    journal_end();
}
END_TEST

START_TEST(a_little_is_waited_for)
{
    set_clock(8 * SECOND);
    journal_start(_i, NULL);
    append("a", "1");
    set_clock(0);
    append("a", "2");
    list("*,$*", "", 10);
    ck_reads(since(CRIER_SINCE_TIME, "a", SECOND), " 1 2");
    ck_assert_uint_eq(atomic_load(&journal->corrected), 0);
    journal_end();
}
END_TEST

/* What was held when the machine went down is not lost to a clock that begins in
 * 1970. */
START_TEST(a_clock_that_is_not_set_corrects_nothing)
{
    const struct crier_journal_options options = {.retention.age = HOUR};

    set_clock(0);
    journal_start(_i, &options);
    append("a", "1");
    set_clock(-56 * YEAR);
    append("a", "2");
    ck_assert(atomic_load(&journal->clock_behind));
    ck_reads(all("a"), " 1 2");
    set_clock(0);
    append("a", "3");
    ck_assert(!atomic_load(&journal->clock_behind));
    ck_reads(all("a"), " 1 2 3");
    ck_assert_uint_eq(atomic_load(&journal->corrected), 0);
    journal_end();
}
END_TEST

/* Updates of another journal keep their times as far as these rise, and are not ahead of the
 * clock; their age counts from there. */
START_TEST(times_of_another_journal)
{
    const struct crier_journal_options options = {.retention.age = HOUR};
    int64_t now;

    set_clock(0);
    now = crier__journal_time(0);
    journal_start(_i, &options);
    append_time = now - HOUR + 2 * MINUTE;
    append("a", "1");
    append_time = now - 30 * MINUTE;
    append("a", "2");
    append_time = now - 40 * MINUTE; /* as old as the one before */
    append("a", "3");
    append_time = now + YEAR; /* as old as one that is published now */
    append("a", "4");
    append_time = 0;
    append("a", "5");
    ck_reads(all("a"), " 1 2 3 4 5");
    ck_reads(since(CRIER_SINCE_TIME, "a", 50 * MINUTE), " 2 3 4 5");
    ck_reads(since(CRIER_SINCE_TIME, "a", 35 * MINUTE), " 2 3 4 5");
    ck_reads(since(CRIER_SINCE_TIME, "a", 25 * MINUTE), " 4 5");
    set_clock(10 * MINUTE);
    ck_reads(all("a"), " 2 3 4 5");
    set_clock(31 * MINUTE);
    ck_reads(all("a"), " 4 5");
    ck_assert_uint_eq(atomic_load(&journal->corrected), 0);
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("a journal and the clock");
    TCase *tcase = add_case(suite, "clock");

    tcase_add_loop_test(tcase, what_was_stamped_ahead_grows_old, 0, journal_backends());
    /* In Redis, times are corrected when something is appended, all at once. */
    tcase_add_loop_test(tcase, a_clock_set_back_is_noticed, 0, SQLITE + 1);
    tcase_add_loop_test(tcase, many_are_corrected, 0, SQLITE + 1);
    tcase_add_loop_test(tcase, a_journal_from_the_future, SQLITE, SQLITE + 1);
    tcase_add_loop_test(tcase, a_little_is_waited_for, 0, journal_backends());
    tcase_add_loop_test(tcase, a_clock_that_is_not_set_corrects_nothing, 0,
                        journal_backends());
    tcase_add_loop_test(tcase, times_of_another_journal, 0, journal_backends());
    return suite;
}

RUN_JOURNALS(make_suite)
