/* What limits count with: token buckets, a table of them, and slots. No clock is asked:
 * each call is given the time. */
#include <config.h>

#include "crierd/limits/buckets.h"
#include "crierd/limits/rate.h"
#include "crierd/limits/slots.h"
#include "support/runner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SECOND RATE_SECOND
#define START (1000 * SECOND)

static struct limit_seeds seeds;

static void draw(void)
{
    ck_assert_int_eq(limit_seeds_draw(&seeds), 0);
}

static struct limit_key key_of(const char *text)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = (in_port_t)rand()};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = (in_port_t)rand()};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return limit_key_address(&seeds, (struct sockaddr *)&v4);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return limit_key_address(&seeds, (struct sockaddr *)&v6);
}

static bool same(struct limit_key a, struct limit_key b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

START_TEST(keys)
{
    const struct sockaddr local = {.sa_family = AF_UNIX};

    ck_assert(same(key_of("192.0.2.1"), key_of("192.0.2.1")));
    ck_assert(same(key_of("192.0.2.1"), key_of("::ffff:192.0.2.1")));
    ck_assert(!same(key_of("192.0.2.1"), key_of("192.0.2.2")));
    ck_assert(!same(key_of("::ffff:192.0.2.1"), key_of("::ffff:192.0.2.2")));
    ck_assert(same(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:2:ffff::9")));
    ck_assert(!same(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:3::1")));
    ck_assert(same(limit_key_address(&seeds, &local), limit_key_address(&seeds, NULL)));
    ck_assert(same(limit_key_subject(&seeds, "a"), limit_key_subject(&seeds, "a")));
    ck_assert(!same(limit_key_subject(&seeds, "a"), limit_key_subject(&seeds, "b")));
    ck_assert(!same(limit_key_subject(&seeds, ""), limit_key_address(&seeds, NULL)));
}
END_TEST

/* ---- rates ------------------------------------------------------------ */

START_TEST(costs)
{
    ck_assert_uint_eq(rate_cost(0, 1000), 0);
    ck_assert_uint_eq(rate_cost(10, 1), SECOND / 10);
    ck_assert_uint_eq(rate_cost(10, 10000), 1000 * SECOND);
    ck_assert_uint_eq(rate_cost(1024 * 1024, 512 * 1024), SECOND / 2);
    ck_assert_uint_ge(rate_cost(1, UINT64_MAX), 1000000 * SECOND);
    ck_assert_uint_le(START + rate_cost(1, UINT64_MAX), UINT64_MAX / 2);
    ck_assert_uint_eq(rate_cost(UINT64_MAX, 0), 0);
}
END_TEST

/* A full bucket holds RATE_BURST seconds, is refilled at its rate, and is never more than
 * full. */
START_TEST(a_bucket)
{
    const uint64_t cost = rate_cost(10, 1);
    uint64_t bucket = 0, now = START;
    int i;

    for (i = 0; i < RATE_BURST * 10; i++) {
        ck_assert_uint_eq(rate_wait(bucket, cost, now), 0);
        bucket = rate_take(bucket, cost, now);
    }
    ck_assert_uint_eq(rate_wait(bucket, cost, now), cost);
    ck_assert_uint_eq(rate_wait(bucket, cost, now + cost - 1), 1);
    ck_assert_uint_eq(rate_wait(bucket, cost, now + cost), 0);
    now += 100 * SECOND;
    for (i = 0; i < RATE_BURST * 10; i++)
        bucket = rate_take(bucket, cost, now);
    ck_assert_uint_eq(rate_wait(bucket, cost, now), cost);
}
END_TEST

/* What is larger than a bucket fits into a full one, which then owes the rest. */
START_TEST(more_than_a_bucket)
{
    const uint64_t large = rate_cost(10, 100), one = rate_cost(10, 1);
    uint64_t bucket = rate_take(0, one, START);

    ck_assert_uint_eq(rate_wait(0, large, START), 0);
    ck_assert_uint_eq(rate_wait(bucket, large, START), one);
    bucket = rate_take(0, large, START);
    ck_assert_uint_eq(rate_wait(bucket, one, START),
                      10 * SECOND - RATE_BURST * SECOND + one);
    ck_assert_uint_eq(rate_wait(bucket, one, START + 10 * SECOND), 0);
}
END_TEST

/* ---- buckets ---------------------------------------------------------- */

START_TEST(each_key_has_its_own)
{
    const uint64_t all[2] = {RATE_BURST * SECOND, 0}, second[2] = {0, 1}, none[2] = {0, 0};
    const uint64_t both[2] = {0, RATE_BURST * SECOND};
    struct limit_key a = key_of("192.0.2.1"), b = key_of("192.0.2.2");
    struct buckets *buckets = buckets_new();

    ck_assert_ptr_nonnull(buckets);
    ck_assert_uint_eq(buckets_take(buckets, &a, all, START), 0);
    ck_assert_uint_eq(buckets_take(buckets, &a, all, START), RATE_BURST * SECOND);
    ck_assert_uint_eq(buckets_take(buckets, &b, all, START), 0);
    /* Both must fit, and nothing is taken otherwise. */
    ck_assert_uint_eq(buckets_take(buckets, &a, both, START), 0);
    ck_assert_uint_eq(buckets_take(buckets, &a, second, START), 1);
    ck_assert_uint_eq(buckets_take(buckets, &a, none, START), 0);
    ck_assert_uint_eq(buckets_wait(buckets, &a, all, START + RATE_BURST * SECOND), 0);
    ck_assert_uint_eq(buckets_take(buckets, &a, all, START + RATE_BURST * SECOND), 0);
    buckets_free(buckets);
}
END_TEST

/* Far more keys than the table has entries for: a key that owes much is not forgotten for
 * the sake of those that owe little. */
START_TEST(a_full_table)
{
    const uint64_t little[2] = {SECOND / 10, 0}, much[2] = {1000 * SECOND, 0};
    struct limit_key flood = key_of("192.0.2.1"), other;
    struct buckets *buckets = buckets_new();
    unsigned i;

    ck_assert_ptr_nonnull(buckets);
    ck_assert_uint_eq(buckets_take(buckets, &flood, much, START), 0);
    for (i = 0; i < 4 * BUCKETS_COUNT; i++) {
        other = (struct limit_key){{i, i + 1}};
        ck_assert_uint_eq(buckets_take(buckets, &other, little, START), 0);
    }
    ck_assert_uint_gt(buckets_take(buckets, &flood, little, START), 0);
    buckets_free(buckets);
}
END_TEST

/* ---- slots ------------------------------------------------------------ */

START_TEST(slots_are_given_back)
{
    struct limit_key a = key_of("192.0.2.1"), b = key_of("192.0.2.2");
    struct slots *slots = slots_new();
    struct slot *held[3], *none;

    ck_assert_ptr_nonnull(slots);
    ck_assert_int_eq(slots_take(slots, &a, 2, &held[0]), 0);
    ck_assert_int_eq(slots_take(slots, &a, 2, &held[1]), 0);
    ck_assert_int_eq(slots_take(slots, &a, 2, &none), -EDQUOT);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(slots_take(slots, &b, 2, &held[2]), 0);
    ck_assert_uint_eq(slots_count(slots), 2);
    slots_release(slots, held[0]);
    ck_assert_int_eq(slots_take(slots, &a, 2, &held[0]), 0);
    ck_assert_int_eq(slots_take(slots, &a, 1, &none), -EDQUOT);
    slots_release(slots, held[0]);
    slots_release(slots, held[1]);
    slots_release(slots, held[2]);
    slots_release(slots, NULL);
    ck_assert_uint_eq(slots_count(slots), 0);
    slots_free(slots);
}
END_TEST

static struct slots *shared;

static void *take_and_release(void *closure)
{
    struct limit_key key;
    struct slot *slot;
    unsigned i;

    (void)closure;
    for (i = 0; i < 20000; i++) {
        key = (struct limit_key){{i % 3, 0}};
        if (slots_take(shared, &key, 2, &slot) == 0)
            slots_release(shared, slot);
    }
    return NULL;
}

START_TEST(slots_of_many_threads)
{
    pthread_t threads[4];
    int i;

    shared = slots_new();
    ck_assert_ptr_nonnull(shared);
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_release, NULL), 0);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(slots_count(shared), 0);
    slots_free(shared);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("rates");
    TCase *t = add_case(s, "rates");

    tcase_add_checked_fixture(t, draw, NULL);
    tcase_add_test(t, keys);
    tcase_add_test(t, costs);
    tcase_add_test(t, a_bucket);
    tcase_add_test(t, more_than_a_bucket);
    tcase_add_test(t, each_key_has_its_own);
    tcase_add_test(t, a_full_table);
    tcase_add_test(t, slots_are_given_back);
    tcase_add_test(t, slots_of_many_threads);
    return s;
}

RUN_SUITE(make_suite)
