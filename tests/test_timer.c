/* Timers against a simple model: random sets, cancels and firings. */
#include <config.h>

#include "base/timer.h"
#include "support/runner.h"

#include <stdio.h>

#define COUNT 200

static struct crier__timers timers;
static struct crier__timer all[COUNT];
static uint64_t model[COUNT]; /* when it is due */
static uint64_t last_fired;
static unsigned fired;

static void fire(struct crier__timer *timer, uint64_t now)
{
    size_t i = (size_t)(timer - all);

    ck_assert_uint_le(model[i], now);
    ck_assert_uint_ge(model[i], last_fired);
    last_fired = model[i];
    model[i] = CRIER__NO_TIME;
    fired++;
}

static uint64_t model_next(void)
{
    uint64_t next = CRIER__NO_TIME;
    size_t i;

    for (i = 0; i < COUNT; i++)
        if (model[i] < next)
            next = model[i];
    return next;
}

START_TEST(like_the_model)
{
    unsigned seed = 20260101, due, round;
    uint64_t now = 1000;
    size_t i;

    ck_assert_int_eq(crier__timers_reserve(&timers, COUNT), 0);
    for (i = 0; i < COUNT; i++) {
        all[i].fire = fire;
        model[i] = CRIER__NO_TIME;
    }
    for (round = 0; round < 20000; round++) {
        i = (size_t)rand_r(&seed) % COUNT;
        model[i] = rand_r(&seed) % 5 == 0
                       ? CRIER__NO_TIME
                       : now + (uint64_t)(rand_r(&seed) % 1000);
        crier__timers_set(&timers, &all[i], model[i]);
        ck_assert_uint_eq(crier__timers_next(&timers), model_next());
        if (rand_r(&seed) % 10 != 0)
            continue;
        now += (uint64_t)(rand_r(&seed) % 50);
        for (due = 0, i = 0; i < COUNT; i++)
            due += model[i] <= now;
        fired = 0;
        last_fired = 0;
        crier__timers_fire(&timers, now);
        ck_assert_uint_eq(fired, due);
    }
    crier__timers_done(&timers);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("timer");

    tcase_add_test(add_case(s, "heap"), like_the_model);
    return s;
}

RUN_SUITE(suite)
