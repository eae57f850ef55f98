/*
 * The journals in a file and in Redis: what is asked of them while a transaction is on
 * its way goes into the next one together, and must come out as if each had been alone.
 */
#include <config.h>

#include "support/journals.h"
#include "support/runner.h"

#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ck_reads(given, wanted) ck_assert_str_eq(given, wanted)

#define MOST 100

static struct crier__append appends[MOST];
static struct crier__forget forgets[MOST];
static size_t append_count, forget_count;
static sem_t begun, go_on, answers;

/* Keeps the writing thread. */
static void on_first(struct crier__append *append_)
{
    (void)append_;
    sem_post(&begun);
    sem_wait(&go_on);
    sem_post(&answers);
}

static void on_append(struct crier__append *append_)
{
    (void)append_;
    sem_post(&answers);
}

static void on_forget(struct crier__forget *forget_)
{
    (void)forget_;
    sem_post(&answers);
}

static size_t to_nobody(void *closure, struct crier__update *update)
{
    (void)closure;
    (void)update;
    return 0;
}

static struct crier__append *ask(const char *topics, const char *id,
                                 const char *text,
                                 void (*done)(struct crier__append *))
{
    struct crier__append *one = &appends[append_count++];

    ck_assert_uint_le(append_count, MOST);
    *one = (struct crier__append){.done = done,
                                  .update = update_of(topics, id, text)};
    one->update->last = append_last;
    journal->ops->append(journal, one);
    return one;
}

static struct crier__append *add(const char *topics, const char *id,
                                 const char *text)
{
    return ask(topics, id, text, on_append);
}

static struct crier__forget *add_forget(const char *topic)
{
    struct crier__forget *one = &forgets[forget_count++];

    *one = (struct crier__forget){.done = on_forget, .topic = topic};
    journal->ops->forget(journal, one);
    return one;
}

/* Appends the update "first" to TOPIC, and has the writing thread wait when that is in:
 * what is asked from here on becomes one transaction. */
static void group_begin(const char *topic)
{
    journal->yield = to_nobody;
    append_count = forget_count = 0;
    sem_init(&begun, 0, 0);
    sem_init(&go_on, 0, 0);
    sem_init(&answers, 0, 0);
    ask(topic, NULL, "first", on_first);
    sem_wait(&begun);
}

/* Lets it go on, and waits for all answers. */
static void group_end(void)
{
    size_t i;

    sem_post(&go_on);
    for (i = 0; i < append_count + forget_count; i++)
        sem_wait(&answers);
    sem_destroy(&answers);
    sem_destroy(&go_on);
    sem_destroy(&begun);
}

static void group_free(void)
{
    while (append_count != 0)
        crier__update_unref(appends[--append_count].update);
}

/* Asserts that the tables of a file agree with each other. */
static void assert_sound(int backend)
{
    if (backend != SQLITE)
        return;
    ck_assert_int_eq(
        journal_sql(journal_path(),
                    "SELECT count(*) FROM entries "
                    "WHERE topic NOT IN (SELECT topic FROM topics)"),
        0);
    ck_assert_int_eq(
        journal_sql(journal_path(),
                    "SELECT count(*) FROM topics AS t WHERE count != "
                    "(SELECT count(*) FROM entries AS e WHERE "
                    "e.topic = t.topic AND e.position > t.evicted)"),
        0);
    ck_assert_int_eq(journal_sql(journal_path(),
                                 "SELECT (SELECT count(*) FROM updates) = "
                                 "count AND (SELECT count(*) FROM topics) = "
                                 "topics FROM journal"),
                     1);
}

/* ---- in order --------------------------------------------------------- */

START_TEST(what_waits_is_done_in_order)
{
    struct crier__append *one, *x, *again, *three, *anew;
    struct crier__forget *forgotten;

    journal_start(_i, NULL);
    group_begin("b");
    one = add("a", NULL, "1");
    x = add("a", "x", "x");
    again = add("a", "x", "x");
    three = add("a", NULL, "3");
    forgotten = add_forget("a");
    anew = add("a", "x", "x");
    /* Nobody had to wait until here. Reading goes on, too. */
    ck_reads(all("a"), "");
    group_end();
    ck_assert_int_eq(one->error, 0);
    ck_assert_int_eq(x->error, 0);
    ck_assert_int_eq(again->error, CRIER_ERR_EXISTS);
    ck_assert_uint_eq(again->position, x->update->position);
    ck_assert_int_eq(three->error, 0);
    ck_assert_int_eq(forgotten->error, 0);
    ck_assert_int_eq(anew->error, 0); /* the first x is forgotten */
    ck_reads(all("*"), " first x");
    ck_reads(after(one->update->position, "*"), "gap x");
    ck_reads(after(three->update->position, "*"), " x");
    assert_sound(_i);
    group_free();
    journal_end();
}
END_TEST

/* What a transaction has done counts in it, though nobody can see it yet. */
START_TEST(topics_end_in_a_group)
{
    struct crier__append *last, *late, *again, *anew, *kept;
    struct crier__ended ended;

    journal_start(_i, NULL);
    group_begin("b");
    append_last = true;
    last = add("a,b", "x", "1");
    append_last = false;
    late = add("a", NULL, "2");
    again = add("a,b", "x", "1");
    add_forget("a");
    anew = add("a", NULL, "3");
    kept = add("b", NULL, "4");
    ck_assert(!crier__journal_ended(journal, "b", &ended));
    group_end();
    ck_assert_int_eq(last->error, 0);
    ck_assert_int_eq(late->error, CRIER_ERR_TOPIC_ENDED);
    ck_assert_str_ne(late->reason, "");
    ck_assert_int_eq(again->error, CRIER_ERR_EXISTS);
    ck_assert_int_eq(anew->error, 0);
    ck_assert_int_eq(kept->error, CRIER_ERR_TOPIC_ENDED);
    ck_assert(!crier__journal_ended(journal, "a", &ended));
    ck_assert(crier__journal_ended(journal, "b", &ended));
    ck_assert_uint_eq(ended.position, last->update->position);
    ck_reads(all("*"), " first 1! 3");
    assert_sound(_i);
    group_free();
    journal_end();
}
END_TEST

/* What was forgotten takes no room from what is held, though it may still be there. */
START_TEST(what_is_forgotten_does_not_count)
{
    const struct crier_journal_options ten = {.retention.count = 10};

    journal_start(_i, &ten);
    append_many("a", 0, 5);
    append_many("b", 5, 4);
    group_begin("c");
    add_forget("b");
    add("c", NULL, "10");
    add("c", NULL, "11");
    add("c", NULL, "12");
    add("c", NULL, "13");
    add("c", NULL, "14");
    group_end();
    ck_reads(all("*"), " 1 2 3 4 first 10 11 12 13 14");
    assert_sound(_i);
    group_free();
    journal_end();
}
END_TEST

/* The same when that is more than a transaction takes away. */
START_TEST(nor_does_much_that_is_forgotten)
{
    const size_t large = 900000, small = 1000;
    const struct crier_journal_options limit = {.retention.bytes = 2200000};
    char *text = malloc(large + 1);
    int i;

    memset(text, 'x', large);
    text[large] = '\0';
    journal_start(_i, &limit);
    append("a", "1");
    for (i = 0; i < 1000; i++)
        append("b", text + large - small);
    group_begin("a");
    add_forget("b");
    add("c", NULL, text);
    add("c", NULL, text);
    add("a", NULL, "2");
    group_end();
    ck_reads(all("a"), " 1 first 2");
    group_free();
    free(text);
    journal_end();
}
END_TEST

/* ---- topics in hand --------------------------------------------------- */

/* More topics than a transaction has in hand, each of which comes again. */
START_TEST(many_topics_in_turn)
{
    const size_t topics = MOST / 3;
    char name[16];
    size_t i;

    journal_start(_i, NULL);
    group_begin("t0");
    for (i = 1; i < 3 * topics; i++) {
        snprintf(name, sizeof name, "t%zu", i % topics);
        add(name, NULL, "x");
    }
    group_end();
    for (i = 0; i < append_count; i++)
        ck_assert_int_eq(appends[i].error, 0);
    assert_sound(_i);
    if (_i == SQLITE)
        ck_assert_int_eq(journal_sql(journal_path(),
                                     "SELECT count(*) FROM topics WHERE count = 3"),
                         (long)topics);
    group_free();
    journal_end();
}
END_TEST

#define TOPICS 100 /* the fewest that a journal can be limited to */

static const struct crier_journal_options options = {.max_topics = TOPICS};

/* Opens a journal with all but FREE of the topics taken. */
static void open_full(int backend, int free)
{
    char topics[TOPICS * 8];
    int length = 0, i;

    journal_start(backend, &options);
    for (i = 0; i < TOPICS - free; i++)
        length += snprintf(topics + length, sizeof topics - (size_t)length,
                           "%sfull%d", i == 0 ? "" : ",", i);
    append(topics, "0");
}

/* A topic whose row another one has got is not there any more. */
START_TEST(a_row_given_away)
{
    struct crier__append *other, *again;
    struct crier__forget *empty;

    open_full(_i, 1);
    append("given", "1");
    ck_assert_int_eq(forget("given"), 0);
    while (_i == SQLITE &&
           journal_sql(journal_path(), "SELECT count(*) FROM updates") != 1)
        sched_yield();
    group_begin("full0");
    empty = add_forget("given"); /* looks at its row */
    other = add("other", NULL, "2");
    again = add("given", NULL, "3");
    group_end();
    ck_assert_int_eq(empty->error, CRIER_ERR_NO_TOPIC);
    ck_assert_int_eq(other->error, 0);
    ck_assert_int_eq(again->error, CRIER_ERR_MAX_TOPICS);
    ck_reads(all("*"), " 0 first 2");
    assert_sound(_i);
    group_free();
    journal_end();
}
END_TEST

/* The older one of its id has gone, but not what the sums say of it. */
START_TEST(one_that_fails_after_the_older_one_has_gone)
{
    struct crier__append *fails;

    open_full(_i, 1);
    append_id("a", "x", "1");
    group_begin("a");
    add_forget("a");
    fails = add("b", "x", "2");
    group_end();
    ck_assert_int_eq(fails->error, CRIER_ERR_MAX_TOPICS);
    ck_reads(all("*"), " 0");
    assert_sound(_i);
    group_free();
    journal_end();
}
END_TEST

/* What one that fails had begun to change is as it was. */
START_TEST(one_that_fails_leaves_nothing)
{
    struct crier__append *fails, *after_it;

    open_full(_i, 2);
    append("a", "1");
    append("b", "2");
    group_begin("a");
    fails = add("a,b,c", NULL, "3");
    after_it = add("b", NULL, "4");
    group_end();
    ck_assert_int_eq(fails->error, CRIER_ERR_MAX_TOPICS);
    ck_assert_int_eq(after_it->error, 0);
    ck_reads(all("*"), " 0 1 2 first 4");
    ck_reads(list("*,$*", "", 2), " a:2 b:2");
    assert_sound(_i);
    group_free();
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("a transaction of the journal");
    TCase *tcase = add_case(suite, "group");
    int count = journal_backends();

    tcase_add_loop_test(tcase, what_waits_is_done_in_order, SQLITE, count);
    tcase_add_loop_test(tcase, topics_end_in_a_group, SQLITE, count);
    tcase_add_loop_test(tcase, what_is_forgotten_does_not_count, SQLITE, count);
    /* Redis forgets much in several steps, between which it may append. */
    tcase_add_loop_test(tcase, nor_does_much_that_is_forgotten, SQLITE, SQLITE + 1);
    tcase_add_loop_test(tcase, many_topics_in_turn, SQLITE, count);
    tcase_add_loop_test(tcase, a_row_given_away, SQLITE, count);
    /* What Redis has forgotten has no place any more. */
    tcase_add_loop_test(tcase, one_that_fails_after_the_older_one_has_gone, SQLITE,
                        SQLITE + 1);
    tcase_add_loop_test(tcase, one_that_fails_leaves_nothing, SQLITE, count);
    return suite;
}

RUN_JOURNALS(make_suite)
