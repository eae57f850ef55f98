/*
 * Topics that have ended, in all journals: what ends a topic, what is refused then, and
 * what makes it usable again. What is kept says the same when it is opened again.
 */
#include <config.h>

#include "support/journals.h"
#include "support/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR (60 * MINUTE)

/* Publishes the last update of TOPICS. */
static uint64_t finish(const char *topics, const char *id, const char *text)
{
    uint64_t position;

    append_last = true;
    position = append_id(topics, id, text);
    append_last = false;
    return position;
}

static struct crier__ended ended;

static bool has_ended(const char *topic)
{
    memset(&ended, 0, sizeof ended);
    return crier__journal_ended(journal, topic, &ended);
}

START_TEST(the_last_update_ends_a_topic)
{
    journal_start(_i, NULL);
    append("a", "1");
    ck_assert(!has_ended("a"));
    ck_assert(!has_ended("none"));
    finish("a,b", NULL, "2");
    ck_assert(has_ended("a"));
    ck_assert_uint_eq(ended.position, 2);
    ck_assert_str_eq(ended.id, appended_id);
    ck_assert(has_ended("b"));
    ck_assert(!has_ended("ab"));
    ck_assert_int_eq(try_append("a", NULL, "3"), CRIER_ERR_TOPIC_ENDED);
    ck_assert_str_eq(appended.reason, "'a' takes no update until it is deleted");
    ck_assert_int_eq(try_append("c,b", NULL, "3"), CRIER_ERR_TOPIC_ENDED);
    append_last = true;
    ck_assert_int_eq(try_append("a", NULL, "3"), CRIER_ERR_TOPIC_ENDED);
    append_last = false;
    append("c", "4");
    finish("c", "mine", "5");
    journal_reopen(NULL);
    ck_assert(has_ended("a"));
    ck_assert_uint_eq(ended.position, 2);
    ck_assert(has_ended("c"));
    ck_assert_str_eq(ended.id, "mine");
    ck_assert_int_eq(try_append("b", NULL, "6"), CRIER_ERR_TOPIC_ENDED);
    ck_assert_str_eq(list("*", "", 10), " a:2 b:1 c:2");
    ck_assert(listed[0].ended && listed[1].ended && listed[2].ended);
    journal_end();
}
END_TEST

/* Who tries again must get the same result, and no conflict. */
START_TEST(an_id_that_exists_comes_first)
{
    journal_start(_i, NULL);
    append_id("a", "x", "1");
    finish("a", "y", "2");
    ck_assert_int_eq(try_append("a", "y", "2"), CRIER_ERR_EXISTS);
    ck_assert_uint_eq(appended.position, 2);
    ck_assert_int_eq(try_append("a", "x", "1"), CRIER_ERR_EXISTS);
    ck_assert_int_eq(try_append("a", "z", "3"), CRIER_ERR_TOPIC_ENDED);
    journal_end();
}
END_TEST

START_TEST(a_deleted_topic_is_usable_again)
{
    journal_start(_i, NULL);
    finish("a,b", NULL, "1");
    ck_assert_int_eq(forget("a"), 0);
    ck_assert(!has_ended("a"));
    ck_assert(has_ended("b"));
    append("a", "2");
    ck_assert(!has_ended("a"));
    ck_assert_int_eq(try_append("a,b", NULL, "3"), CRIER_ERR_TOPIC_ENDED);
    journal_reopen(NULL);
    ck_assert(!has_ended("a"));
    ck_assert(has_ended("b"));
    ck_assert_str_eq(list("*", "", 10), " a:1 b:1");
    ck_assert(!listed[0].ended && listed[1].ended);
    finish("a", NULL, "4");
    ck_assert(has_ended("a"));
    ck_assert_uint_eq(ended.position, appended.position);
    journal_end();
}
END_TEST

/* With the last update gone, nothing says that the topic has ended. */
START_TEST(what_is_evicted_has_not_ended)
{
    const struct crier_journal_options few = {.retention = {.count = 3}};

    journal_start(_i, &few);
    finish("a", NULL, "1");
    append("b", "2");
    append("b", "3");
    ck_assert(has_ended("a"));
    append("b", "4");
    ck_assert(!has_ended("a"));
    append("a", "5");
    ck_assert(!has_ended("a"));
    finish("a", NULL, "6");
    ck_assert(has_ended("a"));
    journal_reopen(&few);
    ck_assert(has_ended("a"));
    journal_end();
}
END_TEST

/* At the moment when it is too old, though it is evicted later. */
START_TEST(what_is_too_old_has_not_ended)
{
    const struct crier_topic_retention own[] = {{"a", {.age = HOUR}}};
    const struct crier_journal_options old = {
        .retention = {.age = 2 * HOUR}, .topics = own, .topic_count = 1};

    journal_start(_i, &old);
    finish("a,b", NULL, "1");
    set_clock(HOUR - MINUTE);
    ck_assert(has_ended("a"));
    set_clock(HOUR + MINUTE);
    ck_assert(!has_ended("a"));
    ck_assert(has_ended("b"));
    append("a", "2");
    ck_assert(!has_ended("a"));
    ck_assert_int_eq(try_append("b", NULL, "3"), CRIER_ERR_TOPIC_ENDED);
    finish("a", NULL, "4");
    ck_assert(has_ended("a"));
    ck_assert_uint_eq(ended.position, appended.position);
    journal_reopen(&old);
    ck_assert(has_ended("a"));
    ck_assert(has_ended("b"));
    set_clock(3 * HOUR);
    ck_assert(!has_ended("a"));
    ck_assert(!has_ended("b"));
    append("a,b", "5");
    set_clock(0);
    journal_end();
}
END_TEST

static const char *const names[] = {"a", "b", "c", "a,b", "b,c"};
static bool model[3]; /* whether the newest update of a, b, c is the last one */

/* Whether the topic NUMBER is in names[WHICH]. */
static bool is_in(unsigned which, unsigned number)
{
    return strchr(names[which], names[number][0]) != NULL;
}

/* Appends to names[WHICH], and checks what the journal says. */
static void append_somewhere(unsigned which, bool last)
{
    bool wanted = true;
    unsigned i;
    int error;

    for (i = 0; i < 3; i++)
        wanted &= !is_in(which, i) || !model[i];
    append_last = last;
    error = try_append(names[which], NULL, "x");
    append_last = false;
    ck_assert_int_eq(error, wanted ? 0 : CRIER_ERR_TOPIC_ENDED);
    for (i = 0; i < 3; i++)
        if (error == 0 && is_in(which, i))
            model[i] = last;
}

static void check_model(void)
{
    bool held;
    unsigned i;

    for (i = 0; i < 3; i++) {
        held = list(names[i], "", 1)[0] != '\0';
        model[i] &= held;
        ck_assert_int_eq(has_ended(names[i]), model[i]);
        if (held)
            ck_assert_int_eq(listed[0].ended, model[i]);
    }
}

static void seed_random(void)
{
    const char *given = getenv("CRIER_SEED");
    unsigned seed = given != NULL ? (unsigned)atol(given) : (unsigned)time(NULL);

    printf("CRIER_SEED=%u\n", seed);
    srand(seed);
}

/* Against a model: a topic has ended when the newest of what is held is the last. */
START_TEST(any_order)
{
    const struct crier_journal_options few = {.retention = {.count = 12}};
    unsigned i, which;

    journal_start(_i, &few);
    memset(model, 0, sizeof model);
    seed_random();
    for (i = 0; i < 600; i++) {
        which = (unsigned)rand() % 5;
        if (rand() % 6 == 0) {
            (void)forget(names[which % 3]);
            model[which % 3] = false;
        } else {
            append_somewhere(which, rand() % 3 == 0);
        }
        if (rand() % 60 == 0)
            journal_reopen(&few);
        check_model();
    }
    journal_end();
}
END_TEST

/* A file in which somebody else has written. */
START_TEST(strange_ends_are_refused)
{
    static const char *const edits[] = {
        "UPDATE topics SET ended = 99", "UPDATE topics SET ended = -1",
        "UPDATE topics SET ended = 'x'", "UPDATE topics SET ended = 1",
        "UPDATE ends SET position = 1", "UPDATE ends SET id = 'x'",
        "DELETE FROM ends"};
    size_t i;

    for (i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        journal_start(SQLITE, NULL);
        append("a", "1");
        finish("a", NULL, "2");
        journal_close();
        journal_sql(journal_path(), edits[i]);
        ck_assert_int_eq(journal_open(NULL), CRIER_ERR_DAMAGED);
        journal_end();
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("ended");
    TCase *tcase = add_case(suite, "ended");

    tcase_add_loop_test(tcase, the_last_update_ends_a_topic, 0, journal_backends());
    tcase_add_loop_test(tcase, an_id_that_exists_comes_first, 0, journal_backends());
    tcase_add_loop_test(tcase, a_deleted_topic_is_usable_again, 0, journal_backends());
    tcase_add_loop_test(tcase, what_is_evicted_has_not_ended, 0, journal_backends());
    tcase_add_loop_test(tcase, what_is_too_old_has_not_ended, 0, journal_backends());
    tcase_add_loop_test(tcase, any_order, 0, journal_backends());
    tcase_add_test(tcase, strange_ends_are_refused);
    return suite;
}

RUN_JOURNALS(make_suite)
