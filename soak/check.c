/*
 * What one client must get, and in which order.
 *
 * A stream is a part of the journal. So of each lane, of which it follows some
 * topics, numbers come that only rise, and none is left out that has one of
 * these topics. There are three exceptions: at the beginning it is not known
 * where exactly "now" was; after a gap, what retention may have let go may be
 * missing; and an update whose answer was lost may be there or not. For the
 * last, all clients must agree: it came to all who were to get it, or to none.
 *
 * `last` and `maybe` say that in two numbers a lane: what comes is beyond
 * `last`, and what is missing beyond `maybe` is lost.
 */
#include <config.h>

#include "check.h"

#include "bench/usage.h"

#include <stdio.h>
#include <string.h>

static bool broken(const struct check *check, struct soak *soak,
                   enum promise promise, enum lane lane, uint64_t number,
                   const char *what)
{
    static const char *const starts[] = {"now", "all", "the last few",
                                         "its last id"};
    static const char *const states[] = {"not answered", "acknowledged",
                                         "unsure"};
    const struct update *update = ledger_at(&soak->ledger, lane, number);
    char names[LEDGER_NAMES_MAX];

    ledger_names(check->topics, names, sizeof names);
    return verdict_broken(
        &soak->verdict, promise,
        "%s %llu (%s, %ssent %llu ms ago, at %llu): %s. The client of %.99s "
        "began with %s, had %llu, at %llu, and may lack %llu%s",
        ledger_lane(lane), (unsigned long long)number, states[update->state],
        update->again ? "again, first " : "",
        (unsigned long long)((usage_now() - update->sent) / 1000000),
        (unsigned long long)update->position, what, names,
        starts[check->start], (unsigned long long)check->last[lane],
        (unsigned long long)check->position,
        (unsigned long long)check->maybe[lane],
        check->lacks ? " after a gap" : "");
}

static bool follows(const struct check *check, int lane)
{
    return (check->topics >> lane * LANE_TOPICS &
            ((1 << LANE_TOPICS) - 1)) != 0;
}

void check_ask(struct check *check, struct soak *soak, uint32_t topics,
               enum start start)
{
    const struct ledger *ledger = &soak->ledger;

    if (start != START_ID)
        *check = (struct check){.topics = topics};
    check->start = start;
    check->open = false;
    for (int lane = 0; lane < LANES; lane++) {
        check->due[lane] = ledger->acked[lane];
        if (start == START_NOW)
            check->last[lane] = ledger->acked[lane];
    }
}

void check_open(struct check *check, struct soak *soak)
{
    check->open = true;
    for (int i = 0; i < LANES; i++) {
        enum lane lane = (enum lane)i;

        if (check->start == START_NOW || check->start == START_LAST)
            check->maybe[lane] = soak->ledger.made[lane];
        else if (check->start == START_ALL)
            check->maybe[lane] = ledger_gone(&soak->ledger, lane);
    }
}

/* ---- updates ---------------------------------------------------------- */

/* Judges those of LANE between the last one and NUMBER, which has come. */
static bool pass_over(const struct check *check, struct soak *soak,
                      enum lane lane, uint64_t number)
{
    uint64_t n = check->last[lane];
    struct update *update;

    if (n < check->maybe[lane])
        n = check->maybe[lane];
    for (n++; n < number; n++) {
        update = ledger_at(&soak->ledger, lane, n);
        if (update == NULL || (update->topics & check->topics) == 0)
            continue;
        if (update->state != UPDATE_UNSURE || update->seen)
            return broken(check, soak, PROMISE_ALL, lane, n,
                          "a later one came without it");
        update->skipped = true;
    }
    return true;
}

/* Whether ID is that of UPDATE, and its position beyond that of the last. */
static bool right_id(struct check *check, struct soak *soak, enum lane lane,
                     struct update *update, const char *id)
{
    uint64_t position = update->position;
    char own[64];

    snprintf(own, sizeof own, "%s-%llu", ledger_lane(lane),
             (unsigned long long)update->number);
    if (ledger_has_ids(lane)) {
        if (strcmp(id, own) != 0)
            return broken(check, soak, PROMISE_TRUE, lane, update->number,
                          "its id is another one");
    } else if (!ledger_position(&soak->ledger, id, &position) ||
               (update->position != 0 && update->position != position)) {
        return broken(check, soak, PROMISE_TRUE, lane, update->number,
                      "its id is another one than was answered");
    }
    update->position = position;
    if (position == 0) /* no answer has told it yet */
        return true;
    if (position <= check->position)
        return broken(check, soak, PROMISE_ONCE, lane, update->number,
                      "its position is not beyond the last one");
    check->position = position;
    return true;
}

static bool take(struct check *check, struct soak *soak, const char *id,
                 enum lane lane, struct update *update)
{
    uint64_t number = update->number;

    if ((update->topics & check->topics) == 0)
        return broken(check, soak, PROMISE_TRUE, lane, number,
                      "it is not followed");
    if (number <= check->last[lane])
        return broken(check, soak, PROMISE_ONCE, lane, number,
                      "it came twice, late, or from before the begin");
    if (update->state == UPDATE_UNSURE && update->skipped)
        return broken(check, soak, PROMISE_ALL, lane, number,
                      "it is there, but others did not get it");
    if (!pass_over(check, soak, lane, number) ||
        !right_id(check, soak, lane, update, id))
        return false;
    update->seen = true;
    check->last[lane] = number;
    if (check->start == START_NOW && !check->lacks &&
        check->maybe[lane] > number)
        check->maybe[lane] = number; /* from here on there are no exceptions */
    soak->verdict.tally[TALLY_DELIVERIES]++;
    return true;
}

/* ---- gaps ------------------------------------------------------------- */

/* Whether something of LANE after what it had may have been let go. */
static bool may_lack(const struct check *check, struct soak *soak,
                     enum lane lane)
{
    uint64_t gone = ledger_gone(&soak->ledger, lane);
    const struct update *update;

    for (uint64_t n = check->last[lane] + 1; n <= gone; n++) {
        update = ledger_at(&soak->ledger, lane, n);
        if (update == NULL || (update->topics & check->topics) != 0)
            return true;
    }
    return false;
}

static bool take_gap(struct check *check, struct soak *soak, const char *data)
{
    bool right = false;
    uint64_t gone;

    soak->verdict.tally[TALLY_GAPS]++;
    for (int lane = 0; lane < LANES && !right; lane++)
        right = follows(check, lane) &&
                may_lack(check, soak, (enum lane)lane);
    if (!right) {
        char names[LEDGER_NAMES_MAX];

        ledger_names(check->topics, names, sizeof names);
        return verdict_broken(&soak->verdict, PROMISE_GAP,
                              "%.100s, to a client of %.80s to whom all is "
                              "still held",
                              data, names);
    }
    check->lacks = true;
    for (int lane = 0; lane < LANES; lane++) {
        gone = ledger_gone(&soak->ledger, (enum lane)lane);
        if (check->maybe[lane] < gone)
            check->maybe[lane] = gone;
    }
    return true;
}

bool check_event(struct check *check, struct soak *soak, const char *type,
                 const char *id, const char *data, size_t length,
                 struct update **update)
{
    enum lane lane;

    *update = NULL;
    if (strcmp(type, "gap") == 0)
        return take_gap(check, soak, data);
    *update = ledger_find(&soak->ledger, data, length, &lane);
    if (*update == NULL || strcmp(type, "message") != 0)
        return verdict_broken(&soak->verdict, PROMISE_TRUE,
                              "this was never published: type %.20s, id "
                              "%.40s, %zu bytes of data: %.60s",
                              type, id, length, data);
    return take(check, soak, id, lane, *update);
}

/* ---- what is still to come -------------------------------------------- */

uint64_t check_missing(const struct check *check, const struct soak *soak,
                       bool polled, enum lane *lane)
{
    const struct ledger *ledger = &soak->ledger;
    const struct update *update;
    uint64_t n, until;

    for (int i = 0; i < LANES; i++) {
        *lane = (enum lane)i;
        n = check->last[i] > check->maybe[i] ? check->last[i]
                                             : check->maybe[i];
        until = polled ? check->due[i] : ledger->acked[i];
        for (n++; follows(check, i) && n <= until; n++) {
            update = ledger_at(ledger, *lane, n);
            if (update != NULL && (update->topics & check->topics) != 0 &&
                update->state == UPDATE_ACKED)
                return n;
        }
    }
    return 0;
}

bool check_is_old(const struct check *check, const struct soak *soak)
{
    for (int lane = 0; lane < LANES; lane++)
        if (follows(check, lane) &&
            check->last[lane] + LEDGER_MEMORY / 2 < soak->ledger.made[lane])
            return true;
    return false;
}
