/*
 * What the clients of the cluster must receive.
 *
 * Each update has a number, which its data contain, and its position once that is known:
 * from the response to its publisher, or from an id that the journal made. While the site
 * runs, every client writes down the numbers that it receives, and only what is wrong in
 * any case is refused at once: an update that was never published, one that comes twice
 * without a gap between, a gap where nothing can be missing, two updates with one position.
 *
 * At a check everything is published and every client is up to date. The journal is read
 * from its beginning, which shows what it holds. Then for each client:
 *
 *   - An acknowledged update that the journal holds has been received, and so has one
 *     without a response that the journal holds. The latter may come into the journal while
 *     clients are waited for, when its publisher has long given up: a node keeps it until
 *     Redis is there. What is behind the last update of its topic that clients were waited
 *     for is checked the next time.
 *   - An acknowledged update that the journal has lost, which only some faults may do, has
 *     been received, or a gap was told after it was acknowledged, or LAG before that.
 *   - Positions rise between two gaps. (An update that was published again after a failover
 *     has a new position. So only the last time counts that a client has received it.)
 */
#include <config.h>

#include "oracle.h"

#include "bench/fault.h"
#include "bench/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After a failover a node may acknowledge, for so long, what the old master takes and loses, while
 * the clients of another node have been told the gap that covers it. ns. */
#define LAG (5 * UINT64_C(1000000000))

bool oracle_open(struct oracle *oracle, uint32_t topics)
{
    *oracle = (struct oracle){.topics = topics, .holder_capacity = 1 << 16};
    oracle->holders = calloc(oracle->holder_capacity, sizeof *oracle->holders);
    return oracle->holders != NULL || fault("out of memory");
}

void oracle_close(struct oracle *oracle)
{
    free(oracle->updates);
    free(oracle->holders);
    *oracle = (struct oracle){0};
}

/* ---- updates ------------------------------------------------------------ */

uint32_t oracle_make(struct oracle *oracle, uint32_t topic, bool has_id)
{
    uint32_t number = oracle->made + 1;
    struct update *grown;

    if (number >= oracle->capacity) {
        oracle->capacity = number * 2 + 1024;
        grown = realloc(oracle->updates, oracle->capacity * sizeof *grown);
        if (grown == NULL) {
            (void)fault("out of memory");
            return 0;
        }
        oracle->updates = grown;
    }
    oracle->updates[number] = (struct update){.topic = topic, .has_id = has_id};
    return oracle->made = number;
}

struct update *oracle_at(const struct oracle *oracle, uint32_t number)
{
    return &oracle->updates[number];
}

size_t oracle_data(const struct oracle *oracle, uint32_t number,
                   char data[ORACLE_DATA_MAX])
{
    int length = snprintf(data, ORACLE_DATA_MAX, "%u %u ", number,
                          oracle->updates[number].topic);
    size_t size = (size_t)length + number * 7 % 256;

    for (size_t i = (size_t)length; i < size; i++)
        data[i] = (char)('a' + (number + i) % 26);
    return size;
}

uint32_t oracle_find(struct oracle *oracle, const char *data, size_t length,
                     const char *id)
{
    uint32_t number = (uint32_t)strtoul(data, NULL, 10);
    char expected[ORACLE_DATA_MAX], own[32];

    if (number >= 1 && number <= oracle->made &&
        length == oracle_data(oracle, number, expected) &&
        memcmp(data, expected, length) == 0) {
        snprintf(own, sizeof own, "u-%u", number);
        if (oracle->updates[number].has_id ? strcmp(id, own) == 0 : *id == '#')
            return number;
    }
    (void)fault("BROKEN: this was never published: id %.60s, data %.60s", id, data);
    return 0;
}

/* ---- positions ---------------------------------------------------------- */

static struct holder *find_holder(const struct oracle *oracle, uint64_t position)
{
    uint64_t hash = position * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = hash >> 32 & (oracle->holder_capacity - 1);

    while (oracle->holders[at].number != 0 && oracle->holders[at].position != position)
        at = (at + 1) & (oracle->holder_capacity - 1);
    return &oracle->holders[at];
}

static bool grow_holders(struct oracle *oracle)
{
    struct holder *old = oracle->holders;
    size_t count = oracle->holder_capacity;

    oracle->holder_capacity = count * 2;
    oracle->holders = calloc(oracle->holder_capacity, sizeof *oracle->holders);
    if (oracle->holders == NULL) {
        oracle->holders = old;
        oracle->holder_capacity = count;
        return fault("out of memory");
    }
    for (size_t i = 0; i < count; i++)
        if (old[i].number != 0)
            *find_holder(oracle, old[i].position) = old[i];
    free(old);
    return true;
}

bool oracle_place(struct oracle *oracle, uint32_t number, uint64_t position)
{
    struct holder *holder = find_holder(oracle, position);

    if (holder->number != 0 && holder->number != number)
        return fault("BROKEN: the position %llu was given to %u and to %u",
                     (unsigned long long)position, holder->number, number);
    oracle->updates[number].position = position;
    if (holder->number == number)
        return true;
    *holder = (struct holder){position, number};
    oracle->holder_count++;
    return oracle->holder_count * 2 < oracle->holder_capacity || grow_holders(oracle);
}

void oracle_expect_loss(struct oracle *oracle, bool acked)
{
    oracle->may_lose = usage_now();
    oracle->may_lose_acked = oracle->may_lose_acked || acked;
}

/* ---- what a client receives --------------------------------------------- */

static bool has_bit(const uint64_t *bits, size_t words, uint32_t number)
{
    return number / 64 < words && (bits[number / 64] >> number % 64 & 1) != 0;
}

bool record_has(const struct record *record, uint32_t number)
{
    return has_bit(record->got, record->words, number) ||
           has_bit(record->before, record->words, number);
}

static bool has_topic(const struct record *record, uint32_t topic)
{
    return topic >= record->first && topic - record->first < record->count;
}

void record_begin(struct record *record, const struct oracle *oracle, uint32_t first,
                  uint32_t count)
{
    record->first = first;
    record->count = count;
    record->since = oracle->made;
}

void record_free(struct record *record)
{
    free(record->log);
    free(record->got);
    free(record->before);
    *record = (struct record){0};
}

static bool grow_bits(uint64_t **bits, size_t from, size_t to)
{
    uint64_t *grown = realloc(*bits, to * sizeof *grown);

    if (grown == NULL)
        return fault("out of memory");
    memset(grown + from, 0, (to - from) * sizeof *grown);
    *bits = grown;
    return true;
}

/* Makes room for NUMBER. */
static bool grow_record(struct record *record, uint32_t number)
{
    size_t words = (size_t)number / 64 * 5 / 4 + 16;

    if (number / 64 < record->words)
        return true;
    if (!grow_bits(&record->got, record->words, words) ||
        !grow_bits(&record->before, record->words, words))
        return false;
    record->words = words;
    return true;
}

static bool add_to_log(struct record *record, uint32_t number)
{
    size_t capacity = record->capacity * 2 + 64;
    uint32_t *grown;

    if (record->length == record->capacity) {
        grown = realloc(record->log, capacity * sizeof *grown);
        if (grown == NULL)
            return fault("out of memory");
        record->log = grown;
        record->capacity = capacity;
    }
    record->log[record->length++] = number;
    return true;
}

bool record_take(struct record *record, struct oracle *oracle, uint32_t number)
{
    if (!has_topic(record, oracle->updates[number].topic))
        return fault("BROKEN: %u is of the topic %u, which the client did not subscribe to",
                     number, oracle->updates[number].topic);
    if (has_bit(record->got, record->words, number))
        return fault("BROKEN: %u came twice, without a gap between", number);
    if (!grow_record(record, number))
        return false;
    record->got[number / 64] |= UINT64_C(1) << number % 64;
    return add_to_log(record, number);
}

bool record_gap(struct record *record, struct oracle *oracle, const char *data)
{
    if (oracle->may_lose == 0)
        return fault("BROKEN: a gap, and nothing can be missing: %.100s", data);
    oracle->gaps++;
    record->gap_at = usage_now();
    for (size_t i = 0; i < record->words; i++) {
        record->before[i] |= record->got[i];
        record->got[i] = 0;
    }
    return add_to_log(record, 0);
}

/* ---- checks ------------------------------------------------------------- */

/* Checks that positions rise in the log of RECORD. Walks it backwards, to see the last
 * time first that an update was received; SEEN has a bit for each of these. */
static bool check_order(const struct oracle *oracle, const struct record *record,
                        uint64_t *seen, const char *name)
{
    uint64_t next = UINT64_MAX, position;
    uint32_t number, behind = 0;

    for (size_t i = record->length; i-- > 0;) {
        number = record->log[i];
        if (number == 0) {
            next = UINT64_MAX;
            continue;
        }
        position = oracle->updates[number].position;
        if (has_bit(seen, (size_t)oracle->made / 64 + 1, number) || position == 0)
            continue;
        seen[number / 64] |= UINT64_C(1) << number % 64;
        if (position >= next)
            return fault("BROKEN: %s received %u, at %llu, before %u, at %llu", name,
                         number, (unsigned long long)position, behind,
                         (unsigned long long)next);
        next = position;
        behind = number;
    }
    return true;
}

static bool check_whole_order(const struct oracle *oracle, const struct record *record,
                              const char *name)
{
    uint64_t *seen = calloc((size_t)oracle->made / 64 + 1, sizeof *seen);
    bool ok = seen != NULL ? check_order(oracle, record, seen, name)
                           : fault("out of memory");

    free(seen);
    return ok;
}

bool oracle_check_journal(struct oracle *oracle, const struct record *journal,
                          const uint32_t *marks)
{
    struct update *update;

    for (uint32_t n = 1; n <= oracle->made; n++) {
        update = &oracle->updates[n];
        update->held = record_has(journal, n);
        update->late = update->held &&
                       update->position > oracle->updates[marks[update->topic]].position;
        if (update->held || !update->acked || update->lost)
            continue;
        if (!oracle->may_lose_acked)
            return fault("BROKEN: the journal has lost %u, acknowledged %llu ms ago, at "
                         "%llu",
                         n, (unsigned long long)((usage_now() - update->acked_at) / 1000000),
                         (unsigned long long)update->position);
        update->lost = true;
        oracle->losses++;
    }
    return check_whole_order(oracle, journal, "the reader of the journal");
}

/* Checks that the client has UPDATE, or may lack it. */
static bool check_missing(const struct record *record, const struct update *update,
                          uint32_t number, const char *name)
{
    if (!has_topic(record, update->topic) || record_has(record, number) || update->late)
        return true;
    if (update->held)
        return fault("BROKEN: %s lacks %u, at %llu, sent %llu ms ago, which the journal "
                     "holds; %s",
                     name, number, (unsigned long long)update->position,
                     (unsigned long long)((usage_now() - update->sent) / 1000000),
                     record->gap_at > update->sent ? "it was told a gap since" : "no gap");
    return !update->lost || record->gap_at + LAG > update->acked_at ||
           fault("BROKEN: %s lacks %u, at %llu, which the journal has lost, and was told "
                 "no gap",
                 name, number, (unsigned long long)update->position);
}

bool oracle_check_client(struct oracle *oracle, struct record *record, const char *name)
{
    uint32_t from = record->since > oracle->checked ? record->since : oracle->checked;

    for (uint32_t n = from + 1; n <= oracle->made; n++)
        if (!check_missing(record, &oracle->updates[n], n, name))
            return false;
    if (!check_whole_order(oracle, record, name))
        return false;
    if (record->length > 1) /* the next one must be beyond it */
        record->log[0] = record->log[record->length - 1];
    record->length = record->length != 0;
    return true;
}

void oracle_end_check(struct oracle *oracle)
{
    while (oracle->checked < oracle->made && !oracle->updates[oracle->checked + 1].late)
        oracle->checked++;
    oracle->may_lose = 0;
    oracle->may_lose_acked = false;
}
