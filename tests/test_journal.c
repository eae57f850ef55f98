/*
 * What a journal promises, in memory and in a file alike: order, ids, where a
 * read begins, what is let go and when that is a gap. Updates have numbers as
 * texts, so that what a read gave is easily said.
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
    ck_assert_str_eq(journal->ops->name, _i == SQLITE ? "sqlite" : "memory");
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
    ck_assert_uint_eq(pages, 4);
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
    ck_assert_uint_eq(pages, 3);
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
    ck_assert_uint_eq(answer.count, CRIER__READ_MAX);
    after(answer.reached, "a");
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

/* ---- what is let go --------------------------------------------------- */

START_TEST(count_of_all)
{
    const struct crier_journal_options options = {.retention.count = 3};
    char first[CRIER__ID_SIZE], third[CRIER__ID_SIZE];

    journal_start(_i, &options);
    append("a", "1");
    strcpy(first, appended_id);
    append("b", "2");
    append_id("a", "given", "3");
    crier__id_make(third, journal->epoch, 3);
    append("a", "4");
    ck_reads(all("*"), " 2 3 4");
    /* 1 is gone, but nothing after it. */
    ck_reads(since_id(first, "*"), " 2 3 4");
    append("b", "5");
    ck_reads(since_id(first, "*"), "gap 3 4 5");
    ck_assert_str_eq(answer.oldest, "given");
    ck_reads(since_id(first, "a"), " 3 4");
    ck_reads(since_id(first, "b"), "gap 5");
    ck_reads(since_id("given", "a,b"), " 4 5");
    append("c", "6");
    /* 3 is gone, its given id not known any more; but its made one tells. */
    ck_reads(since_id("given", "a"), "gap 4");
    ck_reads(since_id(third, "a"), " 4");
    ck_reads(after(1, "a,b"), "gap 4 5");
    ck_reads(after(3, "a,b"), " 4 5");
    append_id("c", "given", "7");
    journal_end();
}
END_TEST

START_TEST(bytes_of_all)
{
    struct crier__update *update = update_of("a", NULL, "0");
    size_t cost = crier__update_cost(update);
    const struct crier_journal_options options = {.retention.bytes = 3 * cost};
    char large[200];

    crier__update_unref(update);
    journal_start(_i, &options);
    append_many("a", 1, 4);
    ck_reads(all("a"), " 2 3 4");
    list("", "", true, 10);
    ck_assert_uint_eq(listed[0].bytes, 3 * cost);
    memset(large, 'x', sizeof large);
    large[cost] = '\0';
    append("a", large); /* takes the place of two */
    ck_assert_int_eq(strncmp(all("a"), " 4 xxx", 6), 0);
    ck_assert_uint_eq(answer.count, 2);
    journal_end();
}
END_TEST

START_TEST(limits_of_topics)
{
    const struct crier_topic_retention topics[] = {
        {"x/*", {.count = 2}}, {"y", {.count = 1}}, {"*", {.count = 3}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 3};

    journal_start(_i, &options);
    append("x/1,y", "1");
    append("x/1", "2");
    append("x/1,z", "3");
    ck_reads(all("x/1"), " 2 3");
    ck_reads(all("y"), " 1");
    ck_reads(all("*"), " 1 2 3"); /* y holds 1 */
    ck_reads(after(0, "*"), " 1 2 3");
    ck_reads(after(0, "x/1"), "gap 2 3");
    ck_reads(after(1, "x/1"), " 2 3");
    ck_reads(after(0, "y"), " 1");
    append("y", "4");
    ck_reads(all("*"), " 2 3 4");
    ck_reads(after(0, "*"), "gap 2 3 4");
    ck_reads(after(1, "*"), " 2 3 4");
    append_many("x/2", 5, 3);
    ck_reads(all("x/1,x/2"), " 2 3 6 7");
    append_many("z", 8, 3);
    ck_reads(all("z"), " 8 9 10");
    ck_reads(all("*"), " 2 3 4 6 7 8 9 10");
    journal_end();
}
END_TEST

START_TEST(bytes_of_a_topic)
{
    struct crier__update *update = update_of("a", NULL, "0");
    size_t cost = crier__update_cost(update);
    const struct crier_topic_retention topics[] = {{"a", {.bytes = 2 * cost}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};

    crier__update_unref(update);
    journal_start(_i, &options);
    append_many("a", 1, 3);
    append_many("b", 4, 3);
    ck_reads(all("a"), " 2 3");
    ck_reads(all("b"), " 4 5 6");
    journal_end();
}
END_TEST

START_TEST(age_of_all)
{
    const struct crier_journal_options options = {.retention.age = 150};
    int64_t time;

    journal_start(_i, &options);
    append_id("a,b", "old", "1");
    append("a", "2");
    time = crier__journal_time(0);
    ck_reads(all("a"), " 1 2");
    pass(time + 151);
    ck_reads(all("*"), "");
    ck_reads(after(0, "*"), "gap");
    ck_reads(after(1, "b"), "");
    ck_reads(after(1, "a"), "gap");
    ck_reads(after(2, "*,a"), "");
    if (_i == SQLITE) /* in memory it is known until it is taken away */
        ck_reads(since_id("old", "b"), "gap");
    ck_reads(list("", "", true, 10), "");
    append_id("b", "old", "3");
    ck_reads(all("*"), " 3");
    ck_reads(after(2, "*"), " 3");
    ck_reads(since(CRIER_SINCE_LAST, "*,a", 2), " 3");
    ck_reads(list("", "", true, 10), " b:1");
    journal_end();
}
END_TEST

START_TEST(age_of_a_topic)
{
    const struct crier_topic_retention topics[] = {{"a*", {.age = 150}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};
    int64_t time;

    journal_start(_i, &options);
    append("a1", "1");
    append("a1,b", "2");
    append("b", "3");
    time = crier__journal_time(0);
    ck_reads(all("a1,b"), " 1 2 3");
    pass(time + 151);
    ck_reads(all("a1"), "");
    ck_reads(after(0, "a1"), "gap");
    ck_reads(all("b"), " 2 3");
    ck_reads(since(CRIER_SINCE_LAST, "a1,b", 9), " 2 3");
    if (_i == SQLITE) { /* there at once; in memory, when it is taken away */
        ck_reads(all("*"), " 2 3");
        ck_reads(after(0, "*"), "gap 2 3");
    }
    while (strcmp(all("*"), " 2 3") != 0)
        append("$other", "tick");
    ck_reads(after(0, "*"), "gap 2 3");
    ck_reads(after(1, "*"), " 2 3");
    ck_reads(list("", "", false, 10), " b:2");
    append("a1", "4");
    ck_reads(list("", "", false, 10), " a1:1 b:2");
    journal_end();
}
END_TEST

START_TEST(one_after_the_other_grows_old)
{
    const struct crier_topic_retention topics[] = {{"a*", {.age = 300}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};
    int64_t first, second;

    journal_start(_i, &options);
    append("a", "1");
    first = crier__journal_time(0);
    pass(first + 200);
    append("a", "2");
    second = crier__journal_time(0);
    pass(first + 301);
    append("other", "3"); /* takes 1 away */
    append("other", "4");
    pass(second + 301);
    ck_reads(all("a"), "");
    ck_reads(after(1, "a"), "gap");
    ck_reads(all("a,other"), " 3 4");
    journal_end();
}
END_TEST

START_TEST(forgetting)
{
    char first[CRIER__ID_SIZE];

    journal_start(_i, NULL);
    append("a", "1");
    strcpy(first, appended_id);
    append("a,b", "2");
    append("a", "3");
    append("b", "4");
    ck_assert_int_eq(forget("c"), CRIER_ERR_UNKNOWN);
    ck_assert_int_eq(forget("*"), CRIER_ERR_UNKNOWN);
    ck_assert_int_eq(forget("a"), 0);
    ck_assert_int_eq(forget("a"), CRIER_ERR_UNKNOWN);
    ck_reads(all("a"), "");
    ck_reads(all("b"), " 2 4");
    ck_reads(all("*"), " 2 4");
    ck_reads(list("", "", true, 10), " b:2");
    ck_reads(since_id(first, "a"), "gap");
    ck_reads(since_id(first, "b"), " 2 4");
    ck_reads(since_id(first, "*"), "gap 2 4");
    ck_reads(after(3, "a,*"), " 4");
    append("a", "5");
    ck_reads(all("a"), " 5");
    ck_reads(after(3, "a"), " 5");
    ck_reads(list("", "", true, 10), " a:1 b:2");
    ck_assert_int_eq(forget("b"), 0);
    ck_reads(all("*"), " 5");
    journal_end();
}
END_TEST

START_TEST(forgetting_much)
{
    int i;

    journal_start(_i, NULL);
    for (i = 0; i < 3000; i++)
        append_many(i % 1000 == 0 ? "a,b" : "a", i, 1);
    append("b", "last");
    ck_assert_int_eq(forget("a"), 0);
    ck_reads(all("*"), " 0 1000 2000 last");
    ck_reads(after(1, "*"), "gap 1000 2000 last");
    ck_reads(all("a"), "");
    append("a", "new");
    ck_reads(all("a"), " new");
    ck_reads(list("a", "", false, 9), " a:1");
    ck_assert_int_eq(forget("a"), 0);
    ck_assert_int_eq(forget("b"), 0);
    ck_reads(all("*"), "");
    journal_end();
}
END_TEST

START_TEST(a_gap_is_told_once)
{
    const struct crier_journal_options options = {.retention.count = 300};

    journal_start(_i, &options);
    append_many("a", 1, 600);
    append_many("a", 0, 0);
    ck_assert_int_eq(strncmp(after(1, "a"), "gap 301 302", 11), 0);
    ck_assert_uint_ge(pages, 2);
    ck_assert_ptr_null(strstr(after(1, "a") + 3, "gap"));
    journal_end();
}
END_TEST

/* ---- topics ----------------------------------------------------------- */

START_TEST(listing)
{
    int64_t before = crier__journal_time(0);

    journal_start(_i, NULL);
    append("b", "1");
    append("a/2,a/1", "2");
    append_id("a/1", "given", "3");
    append("$h,B", "4");
    append("\xc3\xa4", "5");
    ck_reads(list("", "", false, 10), " B:1 a/1:2 a/2:1 b:1 \xc3\xa4:1");
    ck_reads(list("", "", true, 10), " $h:1 B:1 a/1:2 a/2:1 b:1 \xc3\xa4:1");
    ck_reads(list("", "", false, 2), " B:1 a/1:2");
    ck_reads(list("", "a/1", false, 2), " a/2:1 b:1");
    ck_reads(list("", "a/11", false, 1), " a/2:1");
    ck_reads(list("a/", "", false, 10), " a/1:2 a/2:1");
    ck_reads(list("a/", "a/1", false, 10), " a/2:1");
    ck_reads(list("a/", "b", false, 10), "");
    ck_reads(list("$", "", true, 10), " $h:1");
    ck_reads(list("z", "", true, 10), "");
    ck_reads(list(NULL, "a/2", false, 1), " a/2:1");
    ck_reads(list(NULL, "a", false, 1), "");
    ck_reads(list(NULL, "$h", true, 1), " $h:1");
    ck_reads(list(NULL, "a/1", false, 1), " a/1:2");
    ck_assert_str_eq(listed[0].last, "given");
    ck_assert_int_eq(listed[0].first[0], '#');
    ck_assert_int_ge(listed[0].time, before);
    ck_assert_int_le(listed[0].time, crier__journal_time(0));
    ck_assert_uint_gt(listed[0].bytes, 2 * 128);
    journal_end();
}
END_TEST

START_TEST(no_more_topics)
{
    const struct crier_journal_options options = {.max_topics = 100};
    char name[16];
    int i;

    journal_start(_i, &options);
    for (i = 0; i < 98; i++) {
        snprintf(name, sizeof name, "t%02d", i);
        append_many(name, i, 1);
    }
    append("a,b", "98");
    ck_assert_int_eq(try_append("c", NULL, "99"), CRIER_ERR_TOPICS_FULL);
    ck_assert_int_eq(try_append("t01,c", NULL, "99"), CRIER_ERR_TOPICS_FULL);
    ck_reads(all("t01"), " 1");
    append("a,b,t01", "99");
    ck_reads(all("t01"), " 1 99");
    ck_assert_int_eq(forget("t05"), 0);
    ck_assert_int_eq(forget("t03"), 0);
    ck_assert_int_eq(try_append("c,d,e", NULL, "100"), CRIER_ERR_TOPICS_FULL);
    /* t05 is one of those that are empty, so only one is left. */
    ck_assert_int_eq(try_append("t05,c,d", NULL, "100"),
                     CRIER_ERR_TOPICS_FULL);
    ck_assert_int_eq(try_append("c,d,t05", NULL, "100"),
                     CRIER_ERR_TOPICS_FULL);
    if (_i == SQLITE) /* nor has any of these taken a record away */
        ck_reads(after(1, "none"), "");
    append("t05,c", "100");
    ck_reads(all("t05,c"), " 100");
    ck_assert_int_eq(try_append("d", NULL, "101"), CRIER_ERR_TOPICS_FULL);
    /* t03 has no record any more; what it had was before t03's last. */
    ck_reads(after(2, "t03"), "gap");
    ck_reads(after(98, "t03"), "");
    ck_reads(list("t0", "t01", false, 2), " t02:1 t04:1");
    ck_assert_int_eq(forget("c"), 0);
    append("t03", "102"); /* again */
    ck_reads(after(2, "t03"), "gap 102");
    journal_end();
}
END_TEST

/* An update whose first topic was given up is still held by its second, and let go
 * in the end. */
START_TEST(an_update_outlives_the_record_of_a_topic)
{
    const struct crier_journal_options options = {.retention = {.count = 100},
                                                  .max_topics = 100};
    char name[16];
    int i;

    journal_start(_i, &options);
    append("a,b", "both");
    ck_assert_int_eq(forget("a"), 0);
    for (i = 0; i < 99; i++) { /* the last one takes the place of "a" */
        snprintf(name, sizeof name, "t%d", i);
        append(name, "x");
    }
    ck_assert_str_eq(all("b"), " both");
    append("t1", "y"); /* and this one displaces the update */
    ck_assert_str_eq(all("b"), "");
    journal_end();
}
END_TEST

START_TEST(a_topic_that_could_age_makes_room)
{
    const struct crier_topic_retention topics[] = {{"*", {.age = 1000000}}};
    const struct crier_journal_options options = {.retention.count = 3,
                                                  .topics = topics,
                                                  .topic_count = 1,
                                                  .max_topics = 100};
    char name[16];
    int i;

    journal_start(_i, &options);
    for (i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "t%d", i);
        append_many(name, i, 1);
    }
    ck_reads(all("*"), " 297 298 299");
    ck_reads(list("", "", true, 9), " t297:1 t298:1 t299:1");
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("journal");
    TCase *tcase = add_case(suite, "appending");

    tcase_add_loop_test(tcase, positions_ids_and_order, 0, BACKENDS);
    tcase_add_loop_test(tcase, an_id_is_used_once, 0, BACKENDS);
    tcase_add_loop_test(tcase, many_publish_at_once, 0, BACKENDS);
    tcase = add_case(suite, "reading");
    tcase_add_loop_test(tcase, topics_and_all, 0, BACKENDS);
    tcase_add_loop_test(tcase, page_by_page, 0, BACKENDS);
    tcase_add_loop_test(tcase, exactly_one_page, 0, BACKENDS);
    tcase_add_loop_test(tcase, the_last_ones, 0, BACKENDS);
    tcase_add_loop_test(tcase, by_time, 0, BACKENDS);
    tcase_add_loop_test(tcase, by_id, 0, BACKENDS);
    tcase_add_loop_test(tcase, live_topics_begin_where_they_are_followed, 0,
                        BACKENDS);
    tcase_add_loop_test(tcase, the_oldest_is_one_that_is_meant, 0, BACKENDS);
    tcase = add_case(suite, "letting go");
    tcase_add_loop_test(tcase, count_of_all, 0, BACKENDS);
    tcase_add_loop_test(tcase, bytes_of_all, 0, BACKENDS);
    tcase_add_loop_test(tcase, limits_of_topics, 0, BACKENDS);
    tcase_add_loop_test(tcase, bytes_of_a_topic, 0, BACKENDS);
    tcase_add_loop_test(tcase, age_of_all, 0, BACKENDS);
    tcase_add_loop_test(tcase, age_of_a_topic, 0, BACKENDS);
    tcase_add_loop_test(tcase, one_after_the_other_grows_old, 0, BACKENDS);
    tcase_add_loop_test(tcase, forgetting, 0, BACKENDS);
    tcase_add_loop_test(tcase, forgetting_much, 0, BACKENDS);
    tcase_add_loop_test(tcase, a_gap_is_told_once, 0, BACKENDS);
    tcase = add_case(suite, "topics");
    tcase_add_loop_test(tcase, listing, 0, BACKENDS);
    tcase_add_loop_test(tcase, no_more_topics, 0, BACKENDS);
    tcase_add_loop_test(tcase, an_update_outlives_the_record_of_a_topic, 0, BACKENDS);
    tcase_add_loop_test(tcase, a_topic_that_could_age_makes_room, 0, BACKENDS);
    return suite;
}

RUN_SUITE(make_suite)
