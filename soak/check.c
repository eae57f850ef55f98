/*
 * What one client must receive, and in which order.
 *
 * A stream is a part of the journal. So the numbers of each series rise, and no update
 * is missing that has a topic of the client. There are three exceptions. At the
 * beginning it is not known where exactly "now" was. After a gap, expired updates may
 * be missing. And an update without a response may have been published or not; then all
 * clients must agree: either all of its subscribers receive it, or none.
 *
 * Two numbers for each series express that: an update that arrives must be beyond
 * `last`, and a missing one must not be beyond `maybe`.
 */
#include <config.h>

#include "check.h"

#include "bench/usage.h"

#include <stdio.h>
#include <string.h>

static bool report_broken(const struct check *check, struct soak *soak,
                          enum invariant invariant, enum series series, uint64_t number,
                          const char *what)
{
    static const char *const starts[] = {"now", "all", "the last few", "its last id"};
    static const char *const states[] = {"not acknowledged", "acknowledged", "unsure"};
    const struct update *update = oracle_at(&soak->oracle, series, number);
    char names[ORACLE_NAMES_MAX];

    oracle_names(check->topics, names, sizeof names);
    return invariant_broken(
        &soak->invariants, invariant,
        "%s %llu (%s, %ssent %llu ms ago, at %llu): %s. The client of %.99s "
        "began with %s, had %llu, at %llu, and may lack %llu%s",
        oracle_series_name(series), (unsigned long long)number, states[update->state],
        update->again ? "again, first " : "",
        (unsigned long long)((usage_now() - update->sent) / 1000000),
        (unsigned long long)update->position, what, names, starts[check->start],
        (unsigned long long)check->last[series], (unsigned long long)check->position,
        (unsigned long long)check->maybe[series], check->lacks ? " after a gap" : "");
}

static bool has_series(const struct check *check, int series)
{
    return (check->topics >> series * SERIES_TOPICS & ((1 << SERIES_TOPICS) - 1)) != 0;
}

void check_start(struct check *check, struct soak *soak, uint32_t topics,
                 enum start start)
{
    const struct oracle *oracle = &soak->oracle;

    if (start != START_ID)
        *check = (struct check){.topics = topics};
    check->start = start;
    check->open = false;
    for (int series = 0; series < SERIES_COUNT; series++) {
        check->due[series] = oracle->acked[series];
        if (start == START_NOW)
            check->last[series] = oracle->acked[series];
    }
}

void check_open(struct check *check, struct soak *soak)
{
    check->open = true;
    for (int i = 0; i < SERIES_COUNT; i++) {
        enum series series = (enum series)i;

        if (check->start == START_NOW || check->start == START_LAST)
            check->maybe[series] = soak->oracle.made[series];
        else if (check->start == START_ALL)
            check->maybe[series] = oracle_gone(&soak->oracle, series);
    }
}

/* ---- updates ------------------------------------------------------------ */

/* Checks the updates of SERIES between the last one and NUMBER, which has arrived. */
static bool check_skipped(const struct check *check, struct soak *soak,
                          enum series series, uint64_t number)
{
    uint64_t n = check->last[series];
    struct update *update;

    if (n < check->maybe[series])
        n = check->maybe[series];
    for (n++; n < number; n++) {
        update = oracle_at(&soak->oracle, series, n);
        if (update == NULL || (update->topics & check->topics) == 0)
            continue;
        if (update->state != UPDATE_UNSURE || update->seen)
            return report_broken(check, soak, INVARIANT_ALL, series, n,
                                 "a later one arrived without it");
        update->skipped = true;
    }
    return true;
}

/* Checks that ID is that of UPDATE, and its position beyond the last one. */
static bool check_id(struct check *check, struct soak *soak, enum series series,
                     struct update *update, const char *id)
{
    uint64_t position = update->position;
    char own[64];

    snprintf(own, sizeof own, "%s-%llu", oracle_series_name(series),
             (unsigned long long)update->number);
    if (oracle_has_ids(series)) {
        if (strcmp(id, own) != 0)
            return report_broken(check, soak, INVARIANT_TRUE, series, update->number,
                                 "it has another id");
    } else if (!oracle_position(&soak->oracle, id, &position) ||
               (update->position != 0 && update->position != position)) {
        return report_broken(check, soak, INVARIANT_TRUE, series, update->number,
                             "its id is not that of the response");
    }
    update->position = position;
    if (position == 0) /* not known before the response */
        return true;
    if (position <= check->position)
        return report_broken(check, soak, INVARIANT_ONCE, series, update->number,
                             "its position is not beyond the last one");
    check->position = position;
    return true;
}

static bool take_update(struct check *check, struct soak *soak, const char *id,
                        enum series series, struct update *update)
{
    uint64_t number = update->number;

    if ((update->topics & check->topics) == 0)
        return report_broken(check, soak, INVARIANT_TRUE, series, number,
                             "its topics were not subscribed to");
    if (number <= check->last[series])
        return report_broken(check, soak, INVARIANT_ONCE, series, number,
                             "a duplicate, out of order, or from before the start");
    if (update->state == UPDATE_UNSURE && update->skipped)
        return report_broken(check, soak, INVARIANT_ALL, series, number,
                             "it arrived, but not at other subscribers");
    if (!check_skipped(check, soak, series, number) ||
        !check_id(check, soak, series, update, id))
        return false;
    update->seen = true;
    check->last[series] = number;
    if (check->start == START_NOW && !check->lacks && check->maybe[series] > number)
        check->maybe[series] = number; /* from here on there are no exceptions */
    soak->invariants.tally[TALLY_DELIVERIES]++;
    return true;
}

/* ---- gaps --------------------------------------------------------------- */

/* Returns whether an update of SERIES after the last one may have expired. */
static bool may_have_gap(const struct check *check, struct soak *soak,
                         enum series series)
{
    uint64_t gone = oracle_gone(&soak->oracle, series);
    const struct update *update;

    for (uint64_t n = check->last[series] + 1; n <= gone; n++) {
        update = oracle_at(&soak->oracle, series, n);
        if (update == NULL || (update->topics & check->topics) != 0)
            return true;
    }
    return false;
}

static bool take_gap(struct check *check, struct soak *soak, const char *data)
{
    bool right = false;
    uint64_t gone;

    soak->invariants.tally[TALLY_GAPS]++;
    for (int series = 0; series < SERIES_COUNT && !right; series++)
        right =
            has_series(check, series) && may_have_gap(check, soak, (enum series)series);
    if (!right) {
        char names[ORACLE_NAMES_MAX];

        oracle_names(check->topics, names, sizeof names);
        return invariant_broken(&soak->invariants, INVARIANT_GAP,
                                "%.100s, to a client of %.80s that has missed none",
                                data, names);
    }
    check->lacks = true;
    for (int series = 0; series < SERIES_COUNT; series++) {
        gone = oracle_gone(&soak->oracle, (enum series)series);
        if (check->maybe[series] < gone)
            check->maybe[series] = gone;
    }
    return true;
}

bool check_event(struct check *check, struct soak *soak, const char *type,
                 const char *id, const char *data, size_t length,
                 struct update **update)
{
    enum series series;

    *update = NULL;
    if (strcmp(type, "gap") == 0)
        return take_gap(check, soak, data);
    *update = oracle_find(&soak->oracle, data, length, &series);
    if (*update == NULL || strcmp(type, "message") != 0)
        return invariant_broken(&soak->invariants, INVARIANT_TRUE,
                                "this was never published: type %.20s, id "
                                "%.40s, %zu bytes of data: %.60s",
                                type, id, length, data);
    return take_update(check, soak, id, series, *update);
}

/* ---- missing updates ---------------------------------------------------- */

uint64_t check_missing(const struct check *check, const struct soak *soak, bool polled,
                       enum series *series)
{
    const struct oracle *oracle = &soak->oracle;
    const struct update *update;
    uint64_t n, until;

    for (int i = 0; i < SERIES_COUNT; i++) {
        *series = (enum series)i;
        n = check->last[i] > check->maybe[i] ? check->last[i] : check->maybe[i];
        until = polled ? check->due[i] : oracle->acked[i];
        for (n++; has_series(check, i) && n <= until; n++) {
            update = oracle_at(oracle, *series, n);
            if (update != NULL && (update->topics & check->topics) != 0 &&
                update->state == UPDATE_ACKED)
                return n;
        }
    }
    return 0;
}

bool check_is_old(const struct check *check, const struct soak *soak)
{
    for (int series = 0; series < SERIES_COUNT; series++)
        if (has_series(check, series) &&
            check->last[series] + ORACLE_MEMORY / 2 < soak->oracle.made[series])
            return true;
    return false;
}
