/*
 * Private updates in a journal, in memory, in a file and in Redis alike: a read gives those
 * that its grants match, wherever it begins, and a list does not say more than a read.
 */
#include <config.h>

#include "support/journals.h"
#include "support/runner.h"

#include <string.h>

#define ck_reads(given, wanted) ck_assert_str_eq(given, wanted)

static uint64_t append_secret(const char *topics, const char *text)
{
    uint64_t position;

    append_private = true;
    position = append(topics, text);
    append_private = false;
    return position;
}

static void append_secrets(const char *topics, int first, int count)
{
    append_private = true;
    append_many(topics, first, count);
    append_private = false;
}

/* ---- reading ---------------------------------------------------------- */

START_TEST(only_what_is_granted)
{
    journal_start(_i, NULL);
    append("a", "1");
    append_secret("a", "2");
    append_secret("b", "3");
    append("b", "4");
    append_secret("a,b", "5");
    append_secret("$h", "6");
    ck_reads(all("a"), " 1");
    ck_reads(all("a,b,$h"), " 1 4");
    ck_reads(all("*"), " 1 4");
    granted = "a";
    ck_reads(all("a"), " 1 2~ 5~");
    ck_reads(all("b"), " 4 5~");
    ck_reads(all("*"), " 1 2~ 4 5~");
    ck_reads(all("$h"), "");
    granted = "b*,$h";
    ck_reads(all("a"), " 1 5~");
    ck_reads(all("*,$*"), " 1 3~ 4 5~ 6~");
    granted = "*";
    ck_reads(all("*,$*"), " 1 2~ 3~ 4 5~");
    granted = "c";
    ck_reads(all("*,$*"), " 1 4");
    granted = NULL;
    journal_end();
}
END_TEST

START_TEST(prefixes_with_many_topics)
{
    char name[16];
    int i;

    journal_start(_i, NULL);
    for (i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "t/%d", i);
        append_secrets(name, i, 1);
    }
    append("t/public", "p");
    ck_reads(all("t/*"), " p");
    ck_reads(since(CRIER_SINCE_LAST, "t/*", 1), " p");
    granted = "t/7,t/499";
    ck_reads(all("t/*"), " 7~ 499~ p");
    ck_reads(since(CRIER_SINCE_LAST, "t/*", 2), " 499~ p");
    granted = NULL;
    journal_end();
}
END_TEST

START_TEST(wherever_a_read_begins)
{
    char first[CRIER__ID_SIZE];
    int64_t now;

    journal_start(_i, NULL);
    append("a", "1");
    strcpy(first, appended_id);
    append_private = true;
    append_id("a", "secret", "2");
    append_private = false;
    append("a", "3");
    append_secret("a", "4");
    ck_reads(since_id(first, "a"), " 3");
    ck_reads(since_id("secret", "a"), " 3");
    ck_reads(since_id(appended_id, "a"), "");
    ck_reads(since_id("unknown", "a"), "gap 1 3");
    ck_reads(after(2, "a"), " 3");
    ck_assert(answer.end);
    ck_assert_uint_eq(answer.reached, 4);
    ck_reads(since(CRIER_SINCE_LAST, "a", 1), " 3");
    ck_reads(since(CRIER_SINCE_LAST, "*", 2), " 1 3");
    ck_reads(since(CRIER_SINCE_LAST, "*", 9), " 1 3");
    now = crier__journal_time(0);
    ck_reads(since(CRIER_SINCE_TIME, "a", (uint64_t)now), " 1 3");
    granted = "a";
    ck_reads(since_id(first, "a"), " 2~ 3 4~");
    ck_reads(since_id("secret", "a"), " 3 4~");
    ck_reads(since(CRIER_SINCE_LAST, "a", 1), " 4~");
    ck_reads(since(CRIER_SINCE_LAST, "*", 3), " 2~ 3 4~");
    granted = NULL;
    live = "l";
    live_from = 4;
    append_secret("l", "5");
    append("l", "6");
    ck_reads(all("a"), " 1 3 6");
    ck_reads(since(CRIER_SINCE_LAST, "a", 1), " 3 6");
    live = NULL;
    journal_end();
}
END_TEST

/* Thousands of updates that a reader may not see take several reads, all of which lead
 * on. */
START_TEST(behind_many_private_ones)
{
    journal_start(_i, NULL);
    append("a", "first");
    append_secrets("a", 0, 5000);
    append_secrets("b", 0, 300);
    append("a", "last");
    append("b", "end");
    ck_reads(all("a"), " first last");
    ck_reads(all("a,b"), " first last end");
    ck_reads(all("*"), " first last end");
    ck_reads(since(CRIER_SINCE_LAST, "a", 2), " first last");
    ck_reads(since(CRIER_SINCE_LAST, "b", 1), " end");
    ck_reads(after(1, "a"), " last");
    granted = "b";
    all("a,b");
    ck_reads(since(CRIER_SINCE_LAST, "a,b", 4), " 298~ 299~ last end");
    granted = NULL;
    journal_end();
}
END_TEST

START_TEST(they_stay_private_after_a_restart)
{
    journal_start(_i, NULL);
    append_secret("a", "1");
    append("a", "2");
    journal_reopen(NULL);
    ck_reads(all("*"), " 2");
    ck_reads(list("*", "", 10), "");
    ck_reads(since(CRIER_SINCE_LAST, "a", 2), " 2");
    granted = "a";
    ck_reads(all("*"), " 1~ 2");
    ck_reads(list("*", "", 10), " a:2");
    granted = NULL;
    journal_end();
}
END_TEST

/* ---- gaps ------------------------------------------------------------- */

START_TEST(a_gap_does_not_tell_of_a_private_topic)
{
    const struct crier_topic_retention topics[] = {{"*", {.count = 2}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};

    journal_start(_i, &options);
    append("a", "1");
    append_secrets("secret", 2, 5);
    ck_reads(after(1, "secret"), "");
    ck_reads(after(1, "secre*"), "");
    ck_reads(all("secret"), "");
    granted = "secret";
    ck_reads(after(1, "secret"), "gap 5~ 6~");
    granted = NULL;
    ck_assert_int_eq(forget("secret"), 0);
    ck_reads(after(1, "secret"), "");
    /* Something public was evicted. */
    append_many("secret", 7, 3);
    ck_reads(after(1, "secret"), "gap 8 9");
    journal_end();
}
END_TEST

START_TEST(nor_where_it_is_too_old)
{
    const struct crier_topic_retention topics[] = {{"secret", {.age = 10 * MINUTE}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};

    journal_start(_i, &options);
    append("a", "1");
    append_secrets("secret", 2, 2);
    set_clock(11 * MINUTE);
    ck_reads(after(1, "secret"), "");
    granted = "secret";
    ck_reads(after(1, "secret"), "gap");
    granted = NULL;
    ck_reads(list("*", "", 10), " a:1");
    set_clock(0);
    journal_end();
}
END_TEST

START_TEST(the_oldest_is_one_that_may_be_seen)
{
    char id[CRIER__ID_SIZE];

    journal_start(_i, NULL);
    append_secrets("a", 1, 600);
    append("a", "601");
    strcpy(id, appended_id);
    ck_reads(since_id("unknown", "a"), "gap 601");
    ck_assert_str_eq(answer.oldest, id);
    ck_reads(since_id("unknown", "*"), "gap 601");
    ck_assert_str_eq(answer.oldest, id);
    granted = "a";
    since_id("unknown", "a");
    crier__id_make(id, journal->epoch, 1);
    ck_assert_str_eq(answer.oldest, id);
    granted = NULL;
    journal_end();
}
END_TEST

/* ---- lists ------------------------------------------------------------ */

START_TEST(lists)
{
    const struct crier_topic_retention topics[] = {{"b", {.count = 1}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};

    journal_start(_i, &options);
    append("a", "1");
    append_secret("b", "2");
    append("c", "3");
    append_secret("c,d", "4");
    append("e", "5");
    ck_reads(list("*", "", 10), " a:1 e:1");
    ck_assert_str_eq(withheld, " b c d");
    ck_reads(list("*", "", 1), " a:1");
    ck_reads(list("*", "a", 1), " e:1");
    ck_assert_str_eq(withheld, " b c d");
    ck_reads(list("c,e", "", 10), " e:1");
    ck_assert_str_eq(withheld, " c");
    granted = "d,b";
    ck_reads(list("*", "", 2), " a:1 b:1");
    ck_assert_str_eq(withheld, "");
    ck_reads(list("*", "b", 2), " d:1 e:1");
    ck_assert_str_eq(withheld, " c");
    granted_only = true;
    ck_reads(list("*", "", 10), " b:1 d:1");
    ck_assert_str_eq(withheld, "");
    granted = "*";
    ck_reads(list("*", "", 10), " a:1 b:1 c:2 d:1 e:1");
    granted = NULL;
    ck_reads(list("*", "", 10), "");
    granted_only = false;
    append("b", "6"); /* in the place of the private one */
    ck_assert_int_eq(forget("c"), 0);
    append("c", "7");
    ck_reads(list("*", "", 10), " a:1 b:1 c:1 e:1");
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("private updates in the journal");
    TCase *tcase = add_case(suite, "private");

    tcase_add_loop_test(tcase, only_what_is_granted, 0, journal_backends());
    tcase_add_loop_test(tcase, prefixes_with_many_topics, 0, journal_backends());
    tcase_add_loop_test(tcase, wherever_a_read_begins, 0, journal_backends());
    tcase_add_loop_test(tcase, behind_many_private_ones, 0, journal_backends());
    tcase_add_loop_test(tcase, they_stay_private_after_a_restart, SQLITE,
                        journal_backends());
    tcase_add_loop_test(tcase, a_gap_does_not_tell_of_a_private_topic, 0,
                        journal_backends());
    tcase_add_loop_test(tcase, nor_where_it_is_too_old, 0, journal_backends());
    tcase_add_loop_test(tcase, the_oldest_is_one_that_may_be_seen, 0, journal_backends());
    tcase_add_loop_test(tcase, lists, 0, journal_backends());
    return suite;
}

RUN_JOURNALS(make_suite)
