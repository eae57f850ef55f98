/*
 * Timers in a binary heap: setting one costs O(log n), firing O(due log n).
 *
 * A stream's keep-alive starts anew with every frame, but moving its timer each
 * time would cost more than the send. So owners leave the timer be, and when it
 * fires compare with the time of their last frame and set it again: one heap
 * operation per interval, however much is sent.
 *
 * Room is reserved when an owner is born, so that setting a timer cannot fail.
 */
#include <config.h>

#include "timer.h"

#include <errno.h>
#include <stdlib.h>

int crier__timers_reserve(struct crier__timers *timers, uint32_t count)
{
    uint32_t need = timers->reserved + count + 1;
    uint32_t room = timers->room != 0 ? timers->room : 64;
    struct crier__timer **grown;

    while (room < need)
        room *= 2;
    if (room != timers->room) {
        grown = realloc(timers->heap, room * sizeof(struct crier__timer *));
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

static void put(struct crier__timers *timers, struct crier__timer *timer,
                uint32_t place)
{
    timers->heap[place] = timer;
    timer->place = place;
}

/* Moves TIMER from PLACE towards the top, then towards the bottom, to where it
 * belongs. */
static void settle(struct crier__timers *timers, struct crier__timer *timer,
                   uint32_t place)
{
    struct crier__timer **heap = timers->heap;
    uint32_t child;

    while (place > 1 && heap[place / 2]->when > timer->when) {
        put(timers, heap[place / 2], place);
        place /= 2;
    }
    for (;;) {
        child = place * 2;
        if (child > timers->count)
            break;
        if (child < timers->count &&
            heap[child + 1]->when < heap[child]->when)
            child++;
        if (heap[child]->when >= timer->when)
            break;
        put(timers, heap[child], place);
        place = child;
    }
    put(timers, timer, place);
}

static void cancel(struct crier__timers *timers, struct crier__timer *timer)
{
    uint32_t place = timer->place;
    struct crier__timer *last;

    if (place == 0)
        return;
    timer->place = 0;
    last = timers->heap[timers->count--];
    if (last != timer)
        settle(timers, last, place);
}

void crier__timers_set(struct crier__timers *timers,
                       struct crier__timer *timer, uint64_t when)
{
    if (when == CRIER__NO_TIME) {
        cancel(timers, timer);
        return;
    }
    timer->when = when;
    settle(timers, timer,
           timer->place != 0 ? timer->place : ++timers->count);
}

uint64_t crier__timers_next(const struct crier__timers *timers)
{
    return timers->count != 0 ? timers->heap[1]->when : CRIER__NO_TIME;
}

void crier__timers_fire(struct crier__timers *timers, uint64_t now)
{
    struct crier__timer *timer;

    while (timers->count != 0 && timers->heap[1]->when <= now) {
        timer = timers->heap[1];
        cancel(timers, timer);
        timer->fire(timer, now);
    }
}

void crier__timers_done(struct crier__timers *timers)
{
    free(timers->heap);
    timers->heap = NULL;
    timers->count = timers->room = timers->reserved = 0;
}
