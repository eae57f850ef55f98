/*
 * The publishers, one for each series. Updates are sent in order, and after a lost
 * connection again from the first one without a response. That keeps their order in the
 * journal even if requests of the old connection are read after those of the new one,
 * because an update whose id already exists is skipped.
 *
 * Updates without ids cannot be sent again, so it stays unknown whether they were
 * published. Their publisher never cuts a connection with requests in flight: they
 * could be read after those of the next connection.
 */
#include <config.h>

#include "publisher.h"

#include "bench/fault.h"
#include "bench/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* crierd closes connections that were idle for 30 s. */
#define IDLE (25 * UINT64_C(1000000000))

#define BULK_MAX 200
#define BODY_MAX (BULK_MAX * 512)
#define BURST_CHANCE 2 /* % */
#define SMALL_MIN 40
#define SMALL_MAX 300

static const struct {
    unsigned flight; /* requests */
    unsigned pause;  /* average time between updates, ms */
    unsigned burst;  /* maximum number of updates */
} ways[SERIES_COUNT] = {
    [SERIES_SINGLE] = {1, 60, 20},  [SERIES_PIPELINED] = {32, 60, 300},
    [SERIES_PLAIN] = {16, 60, 200}, [SERIES_BULK] = {1, 400, 400},
    [SERIES_LARGE] = {2, 200, 30},  [SERIES_SHORT] = {16, 30, 400},
};

static char body[BODY_MAX > ORACLE_SIZE_MAX ? BODY_MAX : ORACLE_SIZE_MAX];

/* ---- the connection ----------------------------------------------------- */

static struct flight pop_flight(struct publisher *publisher)
{
    struct flight flight = publisher->flights[publisher->head];

    publisher->head = (publisher->head + 1) % PUBLISHER_FLIGHT;
    publisher->count--;
    return flight;
}

void publisher_close(struct publisher *publisher)
{
    struct oracle *oracle = &publisher->soak->oracle;
    struct update *update;
    struct flight flight;

    if (!publisher->open)
        return;
    publish_close(&publisher->publish);
    publisher->open = publisher->drop = false;
    while (publisher->count != 0) {
        flight = pop_flight(publisher);
        update = oracle_at(oracle, publisher->series, flight.first);
        if (oracle_has_ids(publisher->series) || update == NULL)
            continue;
        update->state = UPDATE_UNSURE;
        publisher->soak->invariants.tally[TALLY_UNSURE]++;
        publisher->sent = flight.first;
    }
    if (oracle_has_ids(publisher->series))
        publisher->sent = oracle->acked[publisher->series];
}

static bool on_publisher_end(struct publish *publish, int error)
{
    struct publisher *publisher = (struct publisher *)publish;
    struct soak *soak = publisher->soak;
    unsigned waiting = publisher->count;
    bool fair = soak_excused(soak, publisher->since) ||
                (waiting == 0 && usage_now() - publisher->used > IDLE);

    publisher_close(publisher);
    return fair || invariant_broken(
                       &soak->invariants, INVARIANT_PUBLISH,
                       "crierd ended the connection of the publisher %s "
                       "after %llu ms, with %u requests unanswered: %s",
                       oracle_series_name(publisher->series),
                       (unsigned long long)((usage_now() - publisher->since) / 1000000),
                       waiting, error != 0 ? strerror(error) : "end");
}

static uint64_t find_number(const char *text, size_t length, const char *name)
{
    const char *at = memmem(text, length, name, strlen(name));

    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Records that all of FLIGHT is in the journal, according to the response ANSWER. */
static bool accept_response(struct publisher *publisher, const struct flight *flight,
                            const char *response, size_t length)
{
    struct soak *soak = publisher->soak;
    uint64_t position = find_number(response, length, "\"position\":");
    uint64_t duplicates = find_number(response, length, "\"duplicates\":");
    bool again = false;
    struct update *update;

    if (publisher->series == SERIES_BULK &&
        find_number(response, length, "\"published\":") != flight->count)
        position = 0;
    if (memmem(response, length, "\"duplicate\":true", 16) != NULL)
        duplicates = 1;
    for (uint64_t i = 0; i < flight->count; i++) {
        update = oracle_at(&soak->oracle, publisher->series, flight->first + i);
        if (update == NULL)
            return fault("the oracle remembers too few updates");
        again = again || update->again;
        oracle_ack(&soak->oracle, publisher->series, update,
                   i == flight->count - 1 ? position : 0);
    }
    soak->invariants.tally[TALLY_UPDATES] += flight->count;
    soak->invariants.tally[TALLY_DUPLICATES] += duplicates;
    return (position != 0 && (duplicates == 0 || again)) ||
           invariant_broken(&soak->invariants, INVARIANT_PUBLISH,
                            "%s %llu and %llu more, sent %s, got the "
                            "response %.*s",
                            oracle_series_name(publisher->series),
                            (unsigned long long)flight->first,
                            (unsigned long long)flight->count - 1,
                            again ? "again" : "once", (int)length, response);
}

static bool on_publisher_response(struct publish *publish, int status,
                                  const char *response, size_t length)
{
    struct publisher *publisher = (struct publisher *)publish;
    struct soak *soak = publisher->soak;
    struct flight flight = publisher->flights[publisher->head];

    publisher->used = usage_now();
    if (publisher->drop)
        return true;
    if (publisher->count == 0)
        return invariant_broken(&soak->invariants, INVARIANT_PUBLISH,
                                "a response without a request: %d", status);
    if (status == 200) {
        pop_flight(publisher);
        return accept_response(publisher, &flight, response, length);
    }
    publisher->drop = true;
    return (status == 503 && soak_excused(soak, publisher->since)) ||
           invariant_broken(&soak->invariants, INVARIANT_PUBLISH,
                            "%s %llu got the response %d: %.*s",
                            oracle_series_name(publisher->series),
                            (unsigned long long)flight.first, status, (int)length,
                            response);
}

static const struct publish_calls calls = {on_publisher_response, on_publisher_end};

static bool open_publisher(struct publisher *publisher, uint64_t now)
{
    if (!publish_open(&publisher->publish, &publisher->soak->load,
                      publisher->soak->server.port))
        return false;
    publisher->publish.calls = &calls;
    publisher->open = true;
    publisher->since = publisher->used = now;
    return true;
}

/* ---- requests ----------------------------------------------------------- */

/* Writes UPDATE as an event of a stream to TEXT. Returns its length. */
static size_t write_event(const struct publisher *publisher,
                          const struct update *update, char *text)
{
    char head[64];
    size_t length = (size_t)snprintf(
        head, sizeof head, "id: %s-%llu\ndata: ", oracle_series_name(publisher->series),
        (unsigned long long)update->number);

    memcpy(text, head, length);
    oracle_data(&publisher->soak->oracle, publisher->series, update, text + length);
    length += update->size;
    memcpy(text + length, "\n\n", 2);
    return length + 2;
}

/* Writes to `body` as many updates from FIRST on as one request takes, and marks them
 * as sent. Returns their number. */
static uint64_t fill_body(struct publisher *publisher, const struct update *first,
                          uint64_t now, size_t *length)
{
    struct oracle *oracle = &publisher->soak->oracle;
    bool bulk = publisher->series == SERIES_BULK;
    struct update *update;
    uint64_t count = 0;

    *length = 0;
    do {
        update = oracle_at(oracle, publisher->series, first->number + count);
        if (update == NULL || update->topics != first->topics)
            break;
        update->again = update->sent != 0;
        if (update->sent == 0)
            update->sent = now;
        if (bulk) {
            *length += write_event(publisher, update, body + *length);
        } else {
            oracle_data(oracle, publisher->series, update, body);
            *length = update->size;
        }
        count++;
    } while (bulk && count < BULK_MAX);
    return count;
}

/* Sends a request with as many updates from FIRST on as go together. */
static bool send_request(struct publisher *publisher, uint64_t first, uint64_t now)
{
    const struct update *update =
        oracle_at(&publisher->soak->oracle, publisher->series, first);
    char names[ORACLE_NAMES_MAX], target[ORACLE_NAMES_MAX], query[96] = "";
    bool bulk = publisher->series == SERIES_BULK;
    uint64_t count;
    size_t length;

    if (update == NULL)
        return fault("the oracle remembers too few updates");
    count = fill_body(publisher, update, now, &length);
    if (bulk)
        snprintf(query, sizeof query, "?dedupe=1");
    else if (oracle_has_ids(publisher->series))
        snprintf(query, sizeof query, "?dedupe=1&id=%s-%llu",
                 oracle_series_name(publisher->series), (unsigned long long)first);
    oracle_names(update->topics, names, sizeof names);
    snprintf(target, sizeof target, "/topics/%.400s%s", names, query);
    publisher->flights[(publisher->head + publisher->count++) % PUBLISHER_FLIGHT] =
        (struct flight){first, count};
    publisher->sent = first + count - 1;
    publisher->used = now;
    return publish_add_request(&publisher->publish, "POST", target,
                               bulk ? "text/event-stream" : "text/plain", body, length);
}

/* ---- actions ------------------------------------------------------------ */

static void make_updates(struct publisher *publisher, size_t count)
{
    struct rng *rng = &publisher->soak->rng;
    uint32_t topics = 0;
    size_t size;

    for (size_t i = 0; i < count; i++) {
        if (i == 0 || publisher->series != SERIES_BULK || rng_chance(rng, 2)) {
            topics = 1u << rng_range(rng, 0, SERIES_TOPICS - 1);
            if (rng_chance(rng, 15))
                topics |= 1u << rng_range(rng, 0, SERIES_TOPICS - 1);
        }
        size = rng_range(rng, SMALL_MIN, SMALL_MAX);
        if (publisher->series == SERIES_LARGE && !rng_chance(rng, 30))
            size = rng_range(rng, SMALL_MAX, ORACLE_SIZE_MAX);
        oracle_make(&publisher->soak->oracle, publisher->series,
                    topics << publisher->series * SERIES_TOPICS, size);
    }
}

static void produce_updates(struct publisher *publisher, uint64_t now)
{
    struct soak *soak = publisher->soak;
    unsigned pause = ways[publisher->series].pause;

    /* No backlog may build up while crierd is down. */
    if (now < publisher->due || soak->oracle.made[publisher->series] - publisher->sent >
                                    ways[publisher->series].burst)
        return;
    publisher->due = now + rng_ms(&soak->rng, 0, 2ul * pause);
    if (rng_chance(&soak->rng, BURST_CHANCE)) {
        soak->invariants.tally[TALLY_BURSTS]++;
        make_updates(publisher,
                     rng_range(&soak->rng, 2, ways[publisher->series].burst));
    } else {
        make_updates(publisher, publisher->series == SERIES_BULK
                                    ? rng_range(&soak->rng, 1, 20)
                                    : 1);
    }
}

/* Cuts the connection now and then, where that is allowed. */
static void cut_connection(struct publisher *publisher)
{
    if (!rng_chance(&publisher->soak->rng, 1) ||
        !rng_chance(&publisher->soak->rng, 30) ||
        (!oracle_has_ids(publisher->series) && publisher->count != 0))
        return;
    publisher->soak->invariants.tally[TALLY_CUTS]++;
    publisher_close(publisher);
}

bool publisher_tick(struct publisher *publisher, bool producing, uint64_t now)
{
    const struct oracle *oracle = &publisher->soak->oracle;

    if (publisher->drop)
        publisher_close(publisher);
    if (producing)
        produce_updates(publisher, now);
    if (oracle->made[publisher->series] == publisher->sent && publisher->count == 0)
        return true;
    if (!publisher->open)
        return !publisher->soak->up || open_publisher(publisher, now);
    while (publisher->sent < oracle->made[publisher->series] &&
           publisher->count < ways[publisher->series].flight)
        if (!send_request(publisher, publisher->sent + 1, now))
            return false;
    if (!publish_flush(&publisher->publish))
        return false;
    if (publisher->open)
        cut_connection(publisher);
    return true;
}

bool publisher_idle(const struct publisher *publisher)
{
    return publisher->count == 0 &&
           publisher->sent == publisher->soak->oracle.made[publisher->series];
}

void publisher_init(struct publisher *publisher, struct soak *soak, enum series series)
{
    memset(publisher, 0, sizeof *publisher);
    publisher->soak = soak;
    publisher->series = series;
    publisher->publish.watch.fd = -1;
}

void publisher_done(struct publisher *publisher) { publisher_close(publisher); }
