/*
 * The publishers, one for each lane. A lane's updates go out in their order,
 * and after a lost connection from the first on that has no answer: that keeps
 * their order in the journal, even when the old connection's requests are read
 * after the new one's, since an id that is there already is passed over.
 *
 * Without ids nothing can be sent again; then it stays unsure whether it was
 * published, and such a publisher never cuts off a connection with requests on
 * their way: they could be read after the next connection's.
 */
#include <config.h>

#include "press.h"

#include "bench/fault.h"
#include "bench/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* crierd ends connections that were idle for 30 s. */
#define IDLE (25 * UINT64_C(1000000000))

#define BULK_MAX 200
#define BODY_MAX (BULK_MAX * 512)
#define BURST_CHANCE 2 /* % */
#define SMALL_MIN 40
#define SMALL_MAX 300

static const struct {
    unsigned flight;       /* requests */
    unsigned pause;        /* ms between updates, on an average */
    unsigned burst;        /* updates, at the most */
} ways[LANES] = {
    [LANE_SINGLE] = {1, 60, 20},   [LANE_PIPELINED] = {32, 60, 300},
    [LANE_PLAIN] = {16, 60, 200},  [LANE_BULK] = {1, 400, 400},
    [LANE_LARGE] = {2, 200, 30},   [LANE_SHORT] = {16, 30, 400},
};

static char body[BODY_MAX > LEDGER_SIZE_MAX ? BODY_MAX : LEDGER_SIZE_MAX];

/* ---- the connection --------------------------------------------------- */

static struct flight pop(struct press *press)
{
    struct flight flight = press->flights[press->head];

    press->head = (press->head + 1) % PRESS_FLIGHT;
    press->count--;
    return flight;
}

void press_close(struct press *press)
{
    struct ledger *ledger = &press->soak->ledger;
    struct update *update;
    struct flight flight;

    if (!press->open)
        return;
    publish_close(&press->publish);
    press->open = press->drop = false;
    while (press->count != 0) {
        flight = pop(press);
        update = ledger_at(ledger, press->lane, flight.first);
        if (ledger_has_ids(press->lane) || update == NULL)
            continue;
        update->state = UPDATE_UNSURE;
        press->soak->verdict.tally[TALLY_UNSURE]++;
        press->asked = flight.first;
    }
    if (ledger_has_ids(press->lane))
        press->asked = ledger->acked[press->lane];
}

static bool ended(struct publish *publish, int error)
{
    struct press *press = (struct press *)publish;
    struct soak *soak = press->soak;
    unsigned waiting = press->count;
    bool fair = soak_excused(soak, press->since) ||
                (waiting == 0 && usage_now() - press->used > IDLE);

    press_close(press);
    return fair ||
           verdict_broken(&soak->verdict, PROMISE_PUBLISH,
                          "crierd ended the connection of the publisher %s "
                          "after %llu ms, with %u requests unanswered: %s",
                          ledger_lane(press->lane),
                          (unsigned long long)((usage_now() - press->since) /
                                               1000000),
                          waiting, error != 0 ? strerror(error) : "end");
}

static uint64_t number_in(const char *text, size_t length, const char *name)
{
    const char *at = memmem(text, length, name, strlen(name));

    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* All of FLIGHT is in the journal, as ANSWER says. */
static bool accept(struct press *press, const struct flight *flight,
                   const char *answer, size_t length)
{
    struct soak *soak = press->soak;
    uint64_t position = number_in(answer, length, "\"position\":");
    uint64_t duplicates = number_in(answer, length, "\"duplicates\":");
    bool again = false;
    struct update *update;

    if (press->lane == LANE_BULK &&
        number_in(answer, length, "\"published\":") != flight->count)
        position = 0;
    if (memmem(answer, length, "\"duplicate\":true", 16) != NULL)
        duplicates = 1;
    for (uint64_t i = 0; i < flight->count; i++) {
        update = ledger_at(&soak->ledger, press->lane, flight->first + i);
        if (update == NULL)
            return fault("the ledger is too short");
        again = again || update->again;
        ledger_ack(&soak->ledger, press->lane, update,
                   i == flight->count - 1 ? position : 0);
    }
    soak->verdict.tally[TALLY_UPDATES] += flight->count;
    soak->verdict.tally[TALLY_DUPLICATES] += duplicates;
    return (position != 0 && (duplicates == 0 || again)) ||
           verdict_broken(&soak->verdict, PROMISE_PUBLISH,
                          "%s %llu and %llu more, sent %s, were answered "
                          "with %.*s",
                          ledger_lane(press->lane),
                          (unsigned long long)flight->first,
                          (unsigned long long)flight->count - 1,
                          again ? "again" : "once", (int)length, answer);
}

static bool answered(struct publish *publish, int status, const char *answer,
                     size_t length)
{
    struct press *press = (struct press *)publish;
    struct soak *soak = press->soak;
    struct flight flight = press->flights[press->head];

    press->used = usage_now();
    if (press->drop)
        return true;
    if (press->count == 0)
        return verdict_broken(&soak->verdict, PROMISE_PUBLISH,
                              "an answer without a request: %d", status);
    if (status == 200) {
        pop(press);
        return accept(press, &flight, answer, length);
    }
    press->drop = true;
    return (status == 503 && soak_excused(soak, press->since)) ||
           verdict_broken(&soak->verdict, PROMISE_PUBLISH,
                          "%s %llu was answered with %d: %.*s",
                          ledger_lane(press->lane),
                          (unsigned long long)flight.first, status,
                          (int)length, answer);
}

static const struct publish_calls calls = {answered, ended};

static bool open_press(struct press *press, uint64_t now)
{
    if (!publish_open(&press->publish, &press->soak->load,
                      press->soak->server.port))
        return false;
    press->publish.calls = &calls;
    press->open = true;
    press->since = press->used = now;
    return true;
}

/* ---- requests --------------------------------------------------------- */

/* Writes the update as an event of a stream to TEXT; returns its length. */
static size_t write_event(const struct press *press,
                          const struct update *update, char *text)
{
    char head[64];
    size_t length = (size_t)snprintf(head, sizeof head, "id: %s-%llu\ndata: ",
                                     ledger_lane(press->lane),
                                     (unsigned long long)update->number);

    memcpy(text, head, length);
    ledger_data(&press->soak->ledger, press->lane, update, text + length);
    length += update->size;
    memcpy(text + length, "\n\n", 2);
    return length + 2;
}

/* Writes to the body what one request takes of the updates from FIRST on, which
 * now count as sent; returns how many these are. */
static uint64_t fill(struct press *press, const struct update *first,
                     uint64_t now, size_t *length)
{
    struct ledger *ledger = &press->soak->ledger;
    bool bulk = press->lane == LANE_BULK;
    struct update *update;
    uint64_t count = 0;

    *length = 0;
    do {
        update = ledger_at(ledger, press->lane, first->number + count);
        if (update == NULL || update->topics != first->topics)
            break;
        update->again = update->sent != 0;
        if (update->sent == 0)
            update->sent = now;
        if (bulk) {
            *length += write_event(press, update, body + *length);
        } else {
            ledger_data(ledger, press->lane, update, body);
            *length = update->size;
        }
        count++;
    } while (bulk && count < BULK_MAX);
    return count;
}

/* Makes a request of as many updates from FIRST on as go together. */
static bool request(struct press *press, uint64_t first, uint64_t now)
{
    const struct update *update =
        ledger_at(&press->soak->ledger, press->lane, first);
    char names[LEDGER_NAMES_MAX], target[LEDGER_NAMES_MAX], query[96] = "";
    bool bulk = press->lane == LANE_BULK;
    uint64_t count;
    size_t length;

    if (update == NULL)
        return fault("the ledger is too short");
    count = fill(press, update, now, &length);
    if (bulk)
        snprintf(query, sizeof query, "?dedupe=1");
    else if (ledger_has_ids(press->lane))
        snprintf(query, sizeof query, "?dedupe=1&id=%s-%llu",
                 ledger_lane(press->lane), (unsigned long long)first);
    ledger_names(update->topics, names, sizeof names);
    snprintf(target, sizeof target, "/topics/%.400s%s", names, query);
    press->flights[(press->head + press->count++) % PRESS_FLIGHT] =
        (struct flight){first, count};
    press->asked = first + count - 1;
    press->used = now;
    return publish_ask(&press->publish, "POST", target,
                       bulk ? "text/event-stream" : "text/plain", body,
                       length);
}

/* ---- what it does ----------------------------------------------------- */

static void make(struct press *press, size_t count)
{
    struct dice *dice = &press->soak->dice;
    uint32_t topics = 0;
    size_t size;

    for (size_t i = 0; i < count; i++) {
        if (i == 0 || press->lane != LANE_BULK || dice_chance(dice, 2)) {
            topics = 1u << dice_range(dice, 0, LANE_TOPICS - 1);
            if (dice_chance(dice, 15))
                topics |= 1u << dice_range(dice, 0, LANE_TOPICS - 1);
        }
        size = dice_range(dice, SMALL_MIN, SMALL_MAX);
        if (press->lane == LANE_LARGE && !dice_chance(dice, 30))
            size = dice_range(dice, SMALL_MAX, LEDGER_SIZE_MAX);
        ledger_make(&press->soak->ledger, press->lane,
                    topics << press->lane * LANE_TOPICS, size);
    }
}

static void produce(struct press *press, uint64_t now)
{
    struct soak *soak = press->soak;
    unsigned pause = ways[press->lane].pause;

    /* What waits for crierd to come back shall not pile up. */
    if (now < press->due || soak->ledger.made[press->lane] - press->asked >
                                ways[press->lane].burst)
        return;
    press->due = now + dice_ms(&soak->dice, 0, 2ul * pause);
    if (dice_chance(&soak->dice, BURST_CHANCE)) {
        soak->verdict.tally[TALLY_BURSTS]++;
        make(press, dice_range(&soak->dice, 2, ways[press->lane].burst));
    } else {
        make(press, press->lane == LANE_BULK
                        ? dice_range(&soak->dice, 1, 20)
                        : 1);
    }
}

/* Cuts the connection off now and then, where it may be. */
static void cut(struct press *press)
{
    if (!dice_chance(&press->soak->dice, 1) ||
        !dice_chance(&press->soak->dice, 30) ||
        (!ledger_has_ids(press->lane) && press->count != 0))
        return;
    press->soak->verdict.tally[TALLY_CUTS]++;
    press_close(press);
}

bool press_tick(struct press *press, bool producing, uint64_t now)
{
    const struct ledger *ledger = &press->soak->ledger;

    if (press->drop)
        press_close(press);
    if (producing)
        produce(press, now);
    if (ledger->made[press->lane] == press->asked && press->count == 0)
        return true;
    if (!press->open)
        return !press->soak->up || open_press(press, now);
    while (press->asked < ledger->made[press->lane] &&
           press->count < ways[press->lane].flight)
        if (!request(press, press->asked + 1, now))
            return false;
    if (!publish_flush(&press->publish))
        return false;
    if (press->open)
        cut(press);
    return true;
}

bool press_idle(const struct press *press)
{
    return press->count == 0 &&
           press->asked == press->soak->ledger.made[press->lane];
}

void press_init(struct press *press, struct soak *soak, enum lane lane)
{
    memset(press, 0, sizeof *press);
    press->soak = soak;
    press->lane = lane;
    press->publish.watch.fd = -1;
}

void press_done(struct press *press)
{
    press_close(press);
}
