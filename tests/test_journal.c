/*
 * What a journal promises, in memory, in a file and in Redis alike: order, ids, and where a
 * read begins. Updates have numbers as texts, so that what a read gave is easily
 * said.
 */
#include <config.h>

#include "support/journals.h"
#include "support/runner.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#define ck_reads(given, wanted) ck_assert_str_eq(given, wanted)

/* ---- appending -------------------------------------------------------- */

START_TEST(positions_ids_and_order)
{
    uint64_t first, second;
    char wanted[CRIER__ID_SIZE];

    journal_start(_i, NULL);
    ck_assert_str_eq(journal->ops->name, journal_is_redis(_i) ? "redis"
                                         : _i == SQLITE       ? "sqlite"
                                                              : "memory");
    ck_assert_uint_eq(journal->ops->last(journal), 0);
    ck_reads(all("*"), "");
    first = append("a", "1");
    ck_assert_uint_eq(first, 1);
    crier__id_make(wanted, journal->epoch, first);
    ck_assert_str_eq(appended_id, wanted);
    second = append_id("a", "mine", "2");
    ck_assert_uint_gt(second, first);
    ck_assert_str_eq(appended_id, "mine");
    append("b", "3");
    ck_reads(all("a"), " 1 2");
    ck_reads(all("b"), " 3");
    ck_reads(all("c"), "");
    journal_end();
}
END_TEST

START_TEST(an_id_is_used_once)
{
    uint64_t first;

    journal_start(_i, NULL);
    first = append_id("a,b", "x", "1");
    append("a", "2");
    ck_assert_int_eq(try_append("c", "x", "3"), CRIER_ERR_EXISTS);
    ck_assert_uint_eq(appended.position, first);
    ck_reads(all("a,b,c"), " 1 2");
    ck_assert_int_eq(forget("a"), 0);
    ck_assert_int_eq(try_append("c", "x", "3"), CRIER_ERR_EXISTS);
    ck_assert_int_eq(forget("b"), 0);
    append_id("c", "x", "4");
    ck_reads(all("*"), " 4");
    journal_end();
}
END_TEST

START_TEST(flags_are_kept)
{
    journal_start(_i, NULL);
    append("a", "1");
    append_private = true;
    append_id("a,b", "mine", "2");
    append_last = true;
    append("b", "3");
    append_private = false;
    append("a", "4");
    append_last = false;
    granted = "a,b";
    ck_reads(all("a,b"), " 1 2~ 3~! 4!");
    ck_reads(all("*"), " 1 2~ 3~! 4!");
    if (journal_is_kept(_i)) {
        journal_reopen(NULL);
        ck_reads(all("*"), " 1 2~ 3~! 4!");
        append("c", "5");
        ck_reads(all("a,c"), " 1 2~ 4! 5");
    }
    granted = NULL;
    journal_end();
}
END_TEST

#define PUBLISHERS 4
#define EACH 200

struct publisher {
    pthread_t thread;
    struct crier__append appends[EACH];
};

static sem_t published;

static void count_done(struct crier__append *append_)
{
    (void)append_;
    sem_post(&published);
}

static void *publish(void *argument)
{
    struct publisher *publisher = argument;
    int i;

    for (i = 0; i < EACH; i++) {
        publisher->appends[i].done = count_done;
        journal->ops->append(journal, &publisher->appends[i]);
    }
    return NULL;
}

static uint64_t in_order_yielded, in_order_count;
static bool out_of_order;

static size_t check_order(void *closure, struct crier__update *update)
{
    (void)closure;
    if (update->position <= in_order_yielded)
        out_of_order = true;
    in_order_yielded = update->position;
    in_order_count++;
    return 0;
}

START_TEST(many_publish_at_once)
{
    struct publisher *publishers = calloc(PUBLISHERS, sizeof *publishers);
    struct crier__append *one;
    uint64_t before;
    int i, j;

    journal_start(_i, NULL);
    journal->yield = check_order;
    sem_init(&published, 0, 0);
    for (i = 0; i < PUBLISHERS; i++)
        for (j = 0; j < EACH; j++)
            publishers[i].appends[j].update = update_of("a,b", NULL, "x");
    for (i = 0; i < PUBLISHERS; i++)
        pthread_create(&publishers[i].thread, NULL, publish, &publishers[i]);
    for (i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i].thread, NULL);
    for (i = 0; i < PUBLISHERS * EACH; i++)
        sem_wait(&published);
    ck_assert(!out_of_order);
    ck_assert_uint_eq(in_order_count, PUBLISHERS * EACH);
    for (i = 0; i < PUBLISHERS; i++)
        for (before = 0, j = 0; j < EACH; j++) {
            one = &publishers[i].appends[j];
            ck_assert_int_eq(one->error, 0);
            ck_assert_uint_gt(one->update->position, before);
            before = one->update->position;
            crier__update_unref(one->update);
        }
    all("*");
    ck_assert_uint_eq(pages, _i == REDIS_PAST ? 5 : 4); /* one more where the mirror begins */
    free(publishers);
    sem_destroy(&published);
    journal_end();
}
END_TEST

/* ---- reading ---------------------------------------------------------- */

START_TEST(topics_and_all)
{
    uint64_t third;

    journal_start(_i, NULL);
    append("a", "1");
    append("b,$h", "2");
    third = append("a,b", "3");
    append("$h,$i", "4");
    append("c", "5");
    ck_reads(all("a"), " 1 3");
    ck_reads(all("b"), " 2 3");
    ck_reads(all("a,b"), " 1 2 3");
    ck_reads(all("$h"), " 2 4");
    ck_reads(all("*"), " 1 2 3 5");
    ck_reads(all("*,$i"), " 1 2 3 4 5");
    ck_reads(all("none,c"), " 5");
    ck_reads(after(third, "a,b,c"), " 5");
    ck_reads(after(third, "*"), " 5");
    ck_reads(after(third, "b"), "");
    ck_reads(after(third + 1000, "*"), "");
    ck_assert_uint_ge(answer.reached, third + 1000);
    journal_end();
}
END_TEST

START_TEST(page_by_page)
{
    char wanted[8192] = "", *end = wanted;
    char large[3000];
    int i;

    journal_start(_i, NULL);
    for (i = 0; i < 600; i++) {
        append_many(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "a,b", i, 1);
        end += sprintf(end, " %d", i);
    }
    ck_reads(all("a,b"), wanted);
    ck_assert_uint_eq(pages, _i == REDIS_PAST ? 4 : 3); /* as above */
    ck_assert_uint_eq(answer.count, CRIER__READ_MAX);
    ck_reads(all("*"), wanted);
    ck_reads(since(CRIER_SINCE_LAST, "a,b", 600), wanted);
    ck_reads(since(CRIER_SINCE_LAST, "a,b", 300), strstr(wanted, " 300"));
    ck_reads(since(CRIER_SINCE_LAST, "*", 257), strstr(wanted, " 343"));
    ck_reads(since(CRIER_SINCE_LAST, "b", 1), " 599");
    page_bytes = 1;
    ck_reads(since(CRIER_SINCE_LAST, "a,b", 3), " 597 598 599");
    ck_assert_uint_ge(pages, 3);
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    append("c", large);
    append("c", large);
    page_bytes = 2000;
    ck_assert_uint_eq(strlen(all("c")), 2 * sizeof large);
    ck_assert_uint_ge(pages, 2);
    journal_end();
}
END_TEST

START_TEST(exactly_one_page)
{
    journal_start(_i, NULL);
    append_many("a", 0, CRIER__READ_MAX);
    all("a");
    ck_assert_uint_le(pages, 2);
    if (_i != REDIS_PAST) /* there the mirror has the last few */
        ck_assert_uint_eq(answer.count, CRIER__READ_MAX);
    after(journal->ops->last(journal), "a");
    ck_assert_uint_eq(answer.count, 0);
    ck_assert(answer.end);
    journal_end();
}
END_TEST

START_TEST(the_last_ones)
{
    journal_start(_i, NULL);
    append("a", "1");
    append("a,b", "2");
    append("b", "3");
    append("$h", "4");
    append("c", "5");
    ck_reads(since(CRIER_SINCE_LAST, "a,b", 0), "");
    ck_reads(since(CRIER_SINCE_LAST, "a,b", 1), " 3");
    ck_reads(since(CRIER_SINCE_LAST, "a,b", 2), " 2 3");
    ck_reads(since(CRIER_SINCE_LAST, "a,b", 3), " 1 2 3");
    ck_reads(since(CRIER_SINCE_LAST, "a,b", 4), " 1 2 3");
    ck_reads(since(CRIER_SINCE_LAST, "a,b", UINT64_MAX), " 1 2 3");
    ck_reads(since(CRIER_SINCE_LAST, "*", 2), " 3 5");
    ck_reads(since(CRIER_SINCE_LAST, "none", 2), "");
    journal_end();
}
END_TEST

START_TEST(by_time)
{
    int64_t first, between, now;
    const char *given;

    journal_start(_i, NULL);
    ck_reads(since(CRIER_SINCE_TIME, "a", 1000000), "");
    append("a", "1");
    append("b", "2");
    first = crier__journal_time(0);
    pass(first);
    between = crier__journal_time(0);
    append("a,b", "3");
    append("c", "4");
    ck_reads(since(CRIER_SINCE_TIME, "a,b", 1000000), " 1 2 3");
    ck_reads(since(CRIER_SINCE_TIME, "*", UINT64_MAX), " 1 2 3 4");
    do { /* until it is asked and answered in one and the same millisecond */
        now = crier__journal_time(0);
        given = since(CRIER_SINCE_TIME, "*", (uint64_t)(now - between));
    } while (crier__journal_time(0) != now);
    ck_reads(given, " 3 4");
    pass(now);
    ck_reads(since(CRIER_SINCE_TIME, "*", 0), "");
    journal_end();
}
END_TEST

START_TEST(by_id)
{
    char made[CRIER__ID_SIZE], other[CRIER__ID_SIZE];
    uint64_t second;

    journal_start(_i, NULL);
    append("a", "1");
    strcpy(made, appended_id);
    second = append_id("b", "given", "2");
    append("a,b", "3");
    ck_reads(since_id(made, "a,b"), " 2 3");
    ck_reads(since_id(made, "a"), " 3");
    ck_reads(since_id("given", "*"), " 3");
    /* The place of one that has a given id. */
    crier__id_make(other, journal->epoch, second);
    ck_reads(since_id(other, "a,b"), " 3");
    /* The newest is none to come. */
    ck_reads(since_id(appended_id, "a,b"), "");
    ck_reads(since_id("unknown", "a,b"), "gap 1 2 3");
    ck_assert_str_eq(answer.oldest, made);
    ck_reads(since_id("", "b"), "gap 2 3");
    ck_assert_str_eq(answer.oldest, "given");
    ck_reads(since_id("unknown", "c"), "gap");
    ck_assert_str_eq(answer.oldest, "");
    crier__id_make(other, "0123456789abcdef", 1);
    ck_reads(since_id(other, "a"), "gap 1 3");
    crier__id_make(other, journal->epoch, 4);
    ck_reads(since_id(other, "a"), "gap 1 3");
    crier__id_make(other, journal->epoch, 0);
    strcat(other, "1");
    ck_reads(since_id(other, "a"), "gap 1 3");
    journal_end();
}
END_TEST

/* A client may come back with an id that the hub has not been given yet: nothing may
 * come from before that, in whatever topic. */
START_TEST(live_topics_do_not_begin_before_the_id)
{
    char third[CRIER__ID_SIZE];

    journal_start(_i, NULL);
    append("a", "1");
    append("b", "2");
    append("a", "3");
    strcpy(third, appended_id);
    append("b", "4");
    live = "b";
    live_from = 1;
    ck_reads(since_id(third, "a"), " 4");
    live = NULL;
    journal_end();
}
END_TEST

START_TEST(live_topics_begin_where_they_are_followed)
{
    char made[CRIER__ID_SIZE];

    journal_start(_i, NULL);
    append("a", "1");
    strcpy(made, appended_id);
    append("l", "2");
    append("a", "3");
    live_from = journal->ops->last(journal);
    append("l", "4");
    append("a", "5");
    live = "l";
    ck_reads(all("a"), " 1 3 4 5");
    ck_reads(since(CRIER_SINCE_LAST, "a", 1), " 4 5");
    ck_reads(since_id(made, "a"), " 3 4 5");
    ck_reads(since_id("unknown", "a"), "gap 1 3 4 5");
    ck_reads(since_id("unknown", "none"), "gap 4");
    journal_end();
}
END_TEST

START_TEST(the_oldest_is_one_that_is_meant)
{
    journal_start(_i, NULL);
    append("l", "1");
    append("a", "2");
    live_from = journal->ops->last(journal);
    append_id("l", "meant", "3");
    live = "l";
    ck_reads(since_id("unknown", "none"), "gap 3");
    ck_assert_str_eq(answer.oldest, "meant");
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("journal");
    TCase *tcase = add_case(suite, "appending");

    tcase_add_loop_test(tcase, positions_ids_and_order, 0, journal_backends());
    tcase_add_loop_test(tcase, an_id_is_used_once, 0, journal_backends());
    tcase_add_loop_test(tcase, flags_are_kept, 0, journal_backends());
    tcase_add_loop_test(tcase, many_publish_at_once, 0, journal_backends());
    tcase = add_case(suite, "reading");
    tcase_add_loop_test(tcase, topics_and_all, 0, journal_backends());
    tcase_add_loop_test(tcase, page_by_page, 0, journal_backends());
    tcase_add_loop_test(tcase, exactly_one_page, 0, journal_backends());
    tcase_add_loop_test(tcase, the_last_ones, 0, journal_backends());
    tcase_add_loop_test(tcase, by_time, 0, journal_backends());
    tcase_add_loop_test(tcase, by_id, 0, journal_backends());
    tcase_add_loop_test(tcase, live_topics_do_not_begin_before_the_id, 0,
                        journal_backends());
    tcase_add_loop_test(tcase, live_topics_begin_where_they_are_followed, 0,
                        journal_backends());
    tcase_add_loop_test(tcase, the_oldest_is_one_that_is_meant, 0, journal_backends());
    return suite;
}

RUN_JOURNALS(make_suite)
