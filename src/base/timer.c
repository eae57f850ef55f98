/*
 * Timers in a heap: setting one costs O(log n), firing costs O(due log n). With
 * thousands of timers, waiting for memory is what costs; so the heap has four branches
 * per node, which makes it half as deep as two would, and the times are in it, side by
 * side.
 *
 * The keep-alive of a stream starts anew with every frame, but moving its timer each
 * time would cost more than the send. So owners do not move the timer; when it fires
 * they compare the time of their last frame, and set it again: one heap operation per
 * interval, however much is sent.
 *
 * Capacity is reserved when an owner is made, so that setting a timer cannot fail.
 */
#include <config.h>

#include "timer.h"

#include <errno.h>
#include <stdlib.h>

#define WAYS 4

int crier__timers_reserve(struct crier__timers *timers, uint32_t count)
{
    uint32_t need = timers->reserved + count;
    uint32_t room = timers->room != 0 ? timers->room : 64;
    struct crier__due *grown;

    while (room < need)
        room *= 2;
    if (room != timers->room) {
        grown = realloc(timers->heap, room * sizeof *grown);
        if (grown == NULL)
            return -ENOMEM;
        timers->heap = grown;
        timers->room = room;
    }
    timers->reserved += count;
    return 0;
}

void crier__timers_release(struct crier__timers *timers, uint32_t count)
{
    timers->reserved -= count;
}

static struct crier__due *due_at(struct crier__timers *timers, uint32_t place)
{
    return &timers->heap[place - 1];
}

static void put_due(struct crier__timers *timers, struct crier__due due,
                    uint32_t place)
{
    *due_at(timers, place) = due;
    due.timer->place = place;
}

/* Returns the earliest of the places below PLACE; 0 when there is none. */
static uint32_t first_below(struct crier__timers *timers, uint32_t place)
{
    uint32_t child = (place - 1) * WAYS + 2, end = child + WAYS, first = child;

    if (child > timers->count)
        return 0;
    if (end > timers->count + 1)
        end = timers->count + 1;
    while (++child < end)
        if (due_at(timers, child)->when < due_at(timers, first)->when)
            first = child;
    return first;
}

/* Moves DUE from PLACE towards the top, then towards the bottom, to its place. */
static void settle_due(struct crier__timers *timers, struct crier__due due,
                       uint32_t place)
{
    uint32_t above, below;

    while (place > 1) {
        above = (place - 2) / WAYS + 1;
        if (due_at(timers, above)->when <= due.when)
            break;
        put_due(timers, *due_at(timers, above), place);
        place = above;
    }
    while ((below = first_below(timers, place)) != 0 &&
           due_at(timers, below)->when < due.when) {
        put_due(timers, *due_at(timers, below), place);
        place = below;
    }
    put_due(timers, due, place);
}

static void cancel_timer(struct crier__timers *timers, struct crier__timer *timer)
{
    uint32_t place = timer->place;
    struct crier__due last;

    if (place == 0)
        return;
    timer->place = 0;
    last = *due_at(timers, timers->count--);
    if (last.timer != timer)
        settle_due(timers, last, place);
}

void crier__timers_set(struct crier__timers *timers,
                       struct crier__timer *timer, uint64_t when)
{
    if (when == CRIER__NO_TIME) {
        cancel_timer(timers, timer);
        return;
    }
    timer->when = when;
    settle_due(timers, (struct crier__due){when, timer},
               timer->place != 0 ? timer->place : ++timers->count);
}

uint64_t crier__timers_next(const struct crier__timers *timers)
{
    return timers->count != 0 ? timers->heap->when : CRIER__NO_TIME;
}

void crier__timers_fire(struct crier__timers *timers, uint64_t now)
{
    struct crier__timer *timer;

    while (timers->count != 0 && timers->heap->when <= now) {
        timer = timers->heap->timer;
        cancel_timer(timers, timer);
        timer->fire(timer, now);
    }
}

void crier__timers_done(struct crier__timers *timers)
{
    free(timers->heap);
    timers->heap = NULL;
    timers->count = timers->room = timers->reserved = 0;
}
