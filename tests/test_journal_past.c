/*
 * What a journal lets go, in memory, in a file and in Redis alike: when, and when that is
 * a gap; and the topics that it knows.
 */
#include <config.h>

#include "support/journals.h"
#include "support/runner.h"

#include <string.h>

#define ck_reads(given, wanted) ck_assert_str_eq(given, wanted)

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
    list("*,$*", "", 10);
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
    const struct crier_journal_options options = {.retention.age = 150 * MINUTE};
    int64_t time;

    journal_start(_i, &options);
    append_id("a,b", "old", "1");
    append("a", "2");
    time = crier__journal_time(0);
    ck_reads(all("a"), " 1 2");
    pass(time + 151 * MINUTE);
    ck_reads(all("*"), "");
    ck_reads(after(0, "*"), "gap");
    ck_reads(after(1, "b"), "");
    ck_reads(after(1, "a"), "gap");
    ck_reads(after(2, "*,a"), "");
    if (_i == SQLITE) /* in memory it is known until it is taken away */
        ck_reads(since_id("old", "b"), "gap");
    ck_reads(list("*,$*", "", 10), "");
    while (_i > SQLITE && try_append("b", "old", "3") == CRIER_ERR_EXISTS)
        ; /* Redis knows it until the next sweep */
    if (_i <= SQLITE)
        append_id("b", "old", "3");
    ck_reads(all("*"), " 3");
    ck_reads(after(2, "*"), " 3");
    ck_reads(since(CRIER_SINCE_LAST, "*,a", 2), " 3");
    ck_reads(list("*,$*", "", 10), " b:1");
    journal_end();
}
END_TEST

START_TEST(age_of_a_topic)
{
    const struct crier_topic_retention topics[] = {{"a*", {.age = 150 * MINUTE}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};
    int64_t time;

    journal_start(_i, &options);
    append("a1", "1");
    append("a1,b", "2");
    append("b", "3");
    time = crier__journal_time(0);
    ck_reads(all("a1,b"), " 1 2 3");
    pass(time + 151 * MINUTE);
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
    ck_reads(list("*", "", 10), " b:2");
    append("a1", "4");
    while (_i > SQLITE && strcmp(list("*", "", 10), " a1:1 b:2") != 0)
        ; /* until the next sweep */
    ck_reads(list("*", "", 10), " a1:1 b:2");
    journal_end();
}
END_TEST

START_TEST(one_after_the_other_grows_old)
{
    const struct crier_topic_retention topics[] = {{"a*", {.age = 300 * MINUTE}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};
    int64_t first, second;

    journal_start(_i, &options);
    append("a", "1");
    first = crier__journal_time(0);
    pass(first + 200 * MINUTE);
    append("a", "2");
    second = crier__journal_time(0);
    pass(first + 301 * MINUTE);
    append("other", "3"); /* takes 1 away */
    append("other", "4");
    pass(second + 301 * MINUTE);
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
    ck_assert_int_eq(forget("c"), CRIER_ERR_NO_TOPIC);
    ck_assert_int_eq(forget("*"), CRIER_ERR_NO_TOPIC);
    ck_assert_int_eq(forget("a"), 0);
    ck_assert_int_eq(forget("a"), CRIER_ERR_NO_TOPIC);
    ck_reads(all("a"), "");
    ck_reads(all("b"), " 2 4");
    ck_reads(all("*"), " 2 4");
    ck_reads(list("*,$*", "", 10), " b:2");
    ck_reads(since_id(first, "a"), "gap");
    ck_reads(since_id(first, "b"), " 2 4");
    ck_reads(since_id(first, "*"), "gap 2 4");
    ck_reads(after(3, "a,*"), " 4");
    append("a", "5");
    ck_reads(all("a"), " 5");
    ck_reads(after(3, "a"), " 5");
    ck_reads(list("*,$*", "", 10), " a:1 b:2");
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
    ck_reads(list("a*", "", 9), " a:1");
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
    ck_reads(list("*", "", 10), " B:1 a/1:2 a/2:1 b:1 \xc3\xa4:1");
    ck_reads(list("*,$*", "", 10), " $h:1 B:1 a/1:2 a/2:1 b:1 \xc3\xa4:1");
    ck_reads(list("*", "", 2), " B:1 a/1:2");
    ck_reads(list("*", "a/1", 2), " a/2:1 b:1");
    ck_reads(list("*", "a/11", 1), " a/2:1");
    ck_reads(list("a/*", "", 10), " a/1:2 a/2:1");
    ck_reads(list("a/*", "a/1", 10), " a/2:1");
    ck_reads(list("a/*", "b", 10), "");
    ck_reads(list("$*", "", 10), " $h:1");
    ck_reads(list("z*", "", 10), "");
    ck_reads(list("a/2", "", 1), " a/2:1");
    ck_reads(list("a", "", 1), "");
    ck_reads(list("$h", "", 1), " $h:1");
    ck_reads(list("a/1", "", 1), " a/1:2");
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
    ck_assert_int_eq(try_append("c", NULL, "99"), CRIER_ERR_MAX_TOPICS);
    ck_assert_int_eq(try_append("t01,c", NULL, "99"), CRIER_ERR_MAX_TOPICS);
    ck_reads(all("t01"), " 1");
    append("a,b,t01", "99");
    ck_reads(all("t01"), " 1 99");
    ck_assert_int_eq(forget("t05"), 0);
    ck_assert_int_eq(forget("t03"), 0);
    ck_assert_int_eq(try_append("c,d,e", NULL, "100"), CRIER_ERR_MAX_TOPICS);
    /* t05 is one of those that are empty, so only one is left. */
    ck_assert_int_eq(try_append("t05,c,d", NULL, "100"),
                     CRIER_ERR_MAX_TOPICS);
    ck_assert_int_eq(try_append("c,d,t05", NULL, "100"),
                     CRIER_ERR_MAX_TOPICS);
    if (_i == SQLITE) /* nor has any of these taken a record away */
        ck_reads(after(1, "none"), "");
    append("t05,c", "100");
    ck_reads(all("t05,c"), " 100");
    ck_assert_int_eq(try_append("d", NULL, "101"), CRIER_ERR_MAX_TOPICS);
    /* t03 has no record any more; what it had was before t03's last. */
    ck_reads(after(2, "t03"), "gap");
    ck_reads(after(98, "t03"), "");
    ck_reads(list("t0*", "t01", 2), " t02:1 t04:1");
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
    ck_reads(list("*,$*", "", 9), " t297:1 t298:1 t299:1");
    journal_end();
}
END_TEST

/* ---- prefixes --------------------------------------------------------- */

START_TEST(a_prefix_matches_what_begins_with_it)
{
    journal_start(_i, NULL);
    append("log/a", "1");
    append("log", "2");
    append("log/b,log/a", "3");
    append("$log/a", "4");
    append("login", "5");
    append("x,log/", "6");
    ck_reads(all("log/*"), " 1 3 6");
    ck_reads(all("log*"), " 1 2 3 5 6");
    ck_reads(all("x,log/b*"), " 3 6");
    ck_reads(all("nothing/*"), "");
    /* as in MQTT: only a prefix that begins with '$' matches such names */
    ck_reads(all("*"), " 1 2 3 5 6");
    ck_reads(all("$*"), " 4");
    ck_reads(all("$log/*,login"), " 4 5");
    ck_reads(since(CRIER_SINCE_LAST, "log/*", 2), " 3 6");
    ck_reads(since(CRIER_SINCE_LAST, "log/*,$*", 2), " 4 6");
    ck_assert_int_eq(forget("log/b"), 0);
    ck_reads(all("log/*"), " 1 3 6"); /* which log/a still holds */
    ck_reads(after(1, "log/*"), "gap 3 6");
    ck_reads(after(3, "log/*"), " 6");
    journal_end();
}
END_TEST

START_TEST(a_template_matches_what_it_expands_to)
{
    journal_start(_i, NULL);
    append("log/a", "1");
    append("log/a/b", "2");
    append("log/b,x", "3");
    append("$log/a", "4");
    append("login", "5");
    append("log/{id}", "6");
    append("x/y", "7");
    ck_reads(all("log/{id}"), " 1 3 6");
    ck_reads(all("log/{+id}"), " 1 2 3");
    ck_reads(all("log{/a,b}"), " 1 2 3");
    ck_reads(all("{a}"), " 3 5");
    ck_reads(all("{+a}"), " 1 2 3 5 7"); /* as with "*", not what begins with '$' */
    ck_reads(all("$log/{a}"), " 4");
    ck_reads(all("x,log/{id},x/{y}"), " 1 3 6 7");
    ck_reads(since(CRIER_SINCE_LAST, "log/{id}", 2), " 3 6");
    ck_assert_int_eq(forget("log/b"), 0);
    ck_reads(all("log/{id}"), " 1 6");
    ck_reads(after(1, "log/{id}"), "gap 6");
    ck_reads(after(3, "log/{id}"), " 6");
    ck_assert_str_eq(list("log/{id}", "", 10), " log/a:1 log/{id}:1");
    ck_assert_str_eq(list("log/{id}", "log/a", 10), " log/{id}:1");
    ck_assert_str_eq(list("{a},x/{b}", "", 10), " login:1 x:1 x/y:1");
    journal_end();
}
END_TEST

/* Retention is the exception: there "*" means every topic. */
START_TEST(retention_by_prefixes)
{
    const struct crier_topic_retention topics[] = {{"log/*", {.count = 2}},
                                                   {"room/{id}", {.count = 2}},
                                                   {"*", {.count = 1}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 3};

    journal_start(_i, &options);
    append_many("log/a", 1, 3);
    append_many("a", 4, 2);
    append_many("$a", 6, 2);
    append_many("room/1", 8, 3);
    append_many("room/1/2", 11, 2);
    ck_reads(all("log/*"), " 2 3");
    ck_reads(all("*,$*"), " 2 3 5 7 9 10 12");
    journal_end();
}
END_TEST

START_TEST(a_pattern_that_is_none)
{
    const struct crier_topic_retention topics[] = {{"a*b", {.count = 2}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};

    ck_assert_int_eq(crier_journal_memory(&options, &journal), CRIER_ERR_TOPIC);
    ck_assert_int_eq(crier_journal_sqlite(journal_path(), &options, &journal,
                                          NULL, 0),
                     CRIER_ERR_TOPIC);
    journal = NULL;
    journal_end();
}
END_TEST

#define MANY 270 /* topics: more than one read has cursors for, or a list looks at in
                    one go */

/* Reads a prefix of many topics, of which the updates are far apart. */
START_TEST(a_prefix_of_many_topics)
{
    static char correct[MANY * 8];
    int others = _i == MEMORY ? 100 : 20, i;
    char name[24];
    uint64_t first, last = 0;

    journal_start(_i, NULL);
    first = append("other", "0");
    for (i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "many/%d", i);
        append_many("other", i, others);
        last = append(name, name + 5);
        sprintf(correct + strlen(correct), " %d", i);
    }
    ck_reads(all("many/*"), correct);
    ck_assert_uint_gt(pages, 1);
    ck_reads(after(first, "many/*"), correct);
    page_bytes = 1;
    ck_reads(all("many/*"), correct);
    ck_assert_uint_ge(pages, MANY);
    page_bytes = 0;
    ck_reads(after(last - 1, "many/*"), " 269");
    ck_reads(after(last, "many/*"), "");
    ck_reads(since(CRIER_SINCE_LAST, "many/*", 3), " 267 268 269");
    ck_reads(since(CRIER_SINCE_LAST, "many/*,other", 1), " 269");
    ck_reads(all("many/{n}"), correct);
    ck_reads(after(last - 1, "many/{n}"), " 269");
    ck_reads(since(CRIER_SINCE_LAST, "many/{n}", 3), " 267 268 269");
    ck_reads(all("many/{n:1}"), " 0 1 2 3 4 5 6 7 8 9");
    ck_assert_str_eq(list("many/{n:1}", "", 1000),
                     " many/0:1 many/1:1 many/2:1 many/3:1 many/4:1 many/5:1"
                     " many/6:1 many/7:1 many/8:1 many/9:1");
    ck_assert_str_eq(list("many/99", "many/0", 1), " many/99:1");
    ck_assert_int_eq(forget("many/0"), 0);
    ck_reads(all("many/*"), correct + 2);
    ck_assert_int_eq(strncmp(after(first, "many/*"), "gap 1 2 3", 9), 0);
    ck_assert_int_eq(strncmp(all("many/2,many/*,many/1"), " 1 2 3", 6), 0);
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("what a journal lets go");
    TCase *tcase = add_case(suite, "letting go");

    tcase_add_loop_test(tcase, count_of_all, 0, journal_backends());
    tcase_add_loop_test(tcase, bytes_of_all, 0, journal_backends());
    tcase_add_loop_test(tcase, limits_of_topics, 0, journal_backends());
    tcase_add_loop_test(tcase, bytes_of_a_topic, 0, journal_backends());
    tcase_add_loop_test(tcase, age_of_all, 0, journal_backends());
    tcase_add_loop_test(tcase, age_of_a_topic, 0, journal_backends());
    tcase_add_loop_test(tcase, one_after_the_other_grows_old, 0, journal_backends());
    tcase_add_loop_test(tcase, forgetting, 0, journal_backends());
    tcase_add_loop_test(tcase, forgetting_much, 0, journal_backends());
    tcase_add_loop_test(tcase, a_gap_is_told_once, 0, journal_backends());
    tcase = add_case(suite, "topics");
    tcase_add_loop_test(tcase, listing, 0, journal_backends());
    tcase_add_loop_test(tcase, no_more_topics, 0, journal_backends());
    tcase_add_loop_test(tcase, an_update_outlives_the_record_of_a_topic, 0,
                        journal_backends());
    tcase_add_loop_test(tcase, a_topic_that_could_age_makes_room, 0, journal_backends());
    tcase = add_case(suite, "prefixes");
    tcase_add_loop_test(tcase, a_prefix_matches_what_begins_with_it, 0, journal_backends());
    tcase_add_loop_test(tcase, a_template_matches_what_it_expands_to, 0,
                        journal_backends());
    tcase_add_loop_test(tcase, retention_by_prefixes, 0, journal_backends());
    tcase_add_test(tcase, a_pattern_that_is_none);
    tcase_add_loop_test(tcase, a_prefix_of_many_topics, 0, journal_backends());
    return suite;
}

RUN_JOURNALS(make_suite)
