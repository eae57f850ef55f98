/* The counts of what was published to each topic (hub/published.h): private updates apart,
 * and which topics keep their counts where there are more than slots. */
#include <config.h>

#include "libcrier/hub/published.h"
#include "support/runner.h"

#include <stdio.h>
#include <stdlib.h>

#define SETS (CRIER__PUBLISHED_SLOTS / 4)

static struct crier__published published;

/* Counts TIMES updates of the topics NAMES, which have commas between them. */
static void count_updates(const char *names, bool private, unsigned times)
{
    struct crier__topics *topics;

    ck_assert_int_eq(crier__topics_parse(names, &topics), 0);
    for (; times > 0; times--)
        crier__published_add(&published, topics, private);
    free(topics);
}

static uint64_t get_count(const char *name)
{
    return crier__published_get(&published, name, true);
}

START_TEST(private_updates_are_counted_apart)
{
    ck_assert_uint_eq(get_count("a"), 0);
    count_updates("a", false, 3);
    count_updates("a", true, 2);
    count_updates("b", true, 1);
    ck_assert_uint_eq(get_count("a"), 5);
    ck_assert_uint_eq(crier__published_get(&published, "a", false), 3);
    ck_assert_uint_eq(get_count("b"), 1);
    ck_assert_uint_eq(crier__published_get(&published, "b", false), 0);
}
END_TEST

START_TEST(an_update_counts_for_each_of_its_topics)
{
    count_updates("a,b", false, 1);
    ck_assert_uint_eq(get_count("a"), 1);
    ck_assert_uint_eq(get_count("b"), 1);
}
END_TEST

/* Writes five names to NAMES that have their slots in the same set. */
static void find_neighbours(char names[5][16])
{
    uint64_t set = crier__topic_hash("topic 0") % SETS;
    unsigned found, number = 0;

    for (found = 0; found < 5; number++) {
        snprintf(names[found], 16, "topic %u", number);
        if (crier__topic_hash(names[found]) % SETS == set)
            found++;
    }
}

START_TEST(the_topic_with_the_lowest_count_is_forgotten)
{
    char names[5][16];
    unsigned i;

    find_neighbours(names);
    for (i = 0; i < 4; i++)
        count_updates(names[i], i == 1, i == 2 ? 2 : 10 + i);
    count_updates(names[4], false, 1);
    ck_assert_uint_eq(get_count(names[4]), 1);
    ck_assert_uint_eq(get_count(names[2]), 0);
    ck_assert_uint_eq(get_count(names[0]), 10);
    ck_assert_uint_eq(get_count(names[1]), 11);
    ck_assert_uint_eq(get_count(names[3]), 13);
    count_updates(names[2], false, 1); /* it begins again, in the place of the other */
    ck_assert_uint_eq(get_count(names[2]), 1);
    ck_assert_uint_eq(get_count(names[4]), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("published");
    TCase *c = add_case(s, "published");

    tcase_add_test(c, private_updates_are_counted_apart);
    tcase_add_test(c, an_update_counts_for_each_of_its_topics);
    tcase_add_test(c, the_topic_with_the_lowest_count_is_forgotten);
    return s;
}

RUN_SUITE(suite)
