/*
 * The clients in this process, all of them; what one does is told in guest.c.
 */
#include <config.h>

#include "crowd.h"

#include "bench/fault.h"
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGES 8

/* Reloads one of the pages: all its clients at once. */
static void reload(struct crowd *crowd, uint64_t now)
{
    struct dice *dice = &crowd->soak->dice;
    uint64_t page = dice_range(dice, 0, PAGES - 1);
    bool returning = dice_chance(dice, 50);
    struct guest *guest;

    crowd->reload = now + dice_ms(dice, 300, 1500);
    crowd->soak->verdict.tally[TALLY_RELOADS]++;
    for (size_t i = 0; i < crowd->count; i++) {
        guest = &crowd->guests[i];
        if (guest->character != PAGE || i % PAGES != page ||
            guest->mood != HERE)
            continue;
        guest->returning = returning;
        guest_go(guest, true, dice_ms(dice, 0, 20));
    }
}

bool crowd_tick(struct crowd *crowd, bool settling, uint64_t now)
{
    struct guest *guest;

    if (!settling && now >= crowd->reload && crowd->soak->up)
        reload(crowd, now);
    for (size_t i = 0; i < crowd->count; i++) {
        guest = &crowd->guests[i];
        if (settling ? !guest_settle(guest, now)
                     : guest->due <= now && !guest_act(guest, now))
            return false;
    }
    return true;
}

bool crowd_complete(struct crowd *crowd, char *who, size_t room)
{
    const struct guest *guest;
    enum lane lane;
    uint64_t number;

    for (size_t i = 0; i < crowd->count; i++) {
        guest = &crowd->guests[i];
        if (guest->mood == AWAY)
            continue;
        if (guest->mood != HERE) {
            snprintf(who, room, "client %zu is not done", i);
            return false;
        }
        number = check_missing(&guest->check, crowd->soak, guest->poll, &lane);
        if (number != 0 || guest->poll) {
            snprintf(who, room, "client %zu waits for %s %llu", i,
                     number != 0 ? ledger_lane(lane) : "the end",
                     (unsigned long long)number);
            return false;
        }
    }
    return true;
}

void crowd_leave(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++) {
        struct guest *guest = &crowd->guests[i];

        if (guest->mood == AWAY)
            continue;
        guest->returning = dice_chance(&crowd->soak->dice, 60);
        guest_go(guest, dice_chance(&crowd->soak->dice, 50), 0);
    }
}

void crowd_invite(struct crowd *crowd, uint64_t now)
{
    for (size_t i = 0; i < crowd->count; i++)
        if (crowd->guests[i].mood == AWAY)
            crowd->guests[i].due =
                now + dice_ms(&crowd->soak->dice, 0, 500);
}

bool crowd_open(struct crowd *crowd, struct soak *soak, size_t count)
{
    *crowd = (struct crowd){.soak = soak, .count = count};
    crowd->guests = calloc(count, sizeof *crowd->guests);
    if (crowd->guests == NULL)
        return fault("memory is short");
    for (size_t i = 0; i < count; i++)
        if (!guest_init(&crowd->guests[i], crowd,
                        i % 20 < 10   ? STAYS
                        : i % 20 < 15 ? VISITS
                        : i % 20 < 17 ? STALLS
                                      : PAGE))
            return false;
    return true;
}

void crowd_close(struct crowd *crowd)
{
    for (size_t i = 0; crowd->guests != NULL && i < crowd->count; i++)
        guest_done(&crowd->guests[i]);
    free(crowd->guests);
    crowd->guests = NULL;
}
