/*
 * What was published: the truth that all clients are checked against.
 *
 * The updates of a lane are numbered in the order in which they are published;
 * the lane has one publisher that sends them in this order, so the journal has
 * them in this order, too. The data of an update tell the lane and the number,
 * and the rest of them follows from these: so a client that got it can say
 * which one it is and whether it is whole.
 *
 * What retention has let go is not known exactly, since lanes are not ordered
 * among each other here. So there is a line behind which all is held for sure:
 * half of what crierd is told to hold, which leaves room for all that is on
 * its way. In the lane with short topics the order is known, and each of its
 * updates is taken to be in all of its topics.
 *
 * The oldest updates are forgotten. They are long gone by then.
 */
#include <config.h>

#include "ledger.h"

#include "bench/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an update counts beside its data, at the most: 128 bytes and names, of
 * topics and fields. */
#define OVERHEAD 512

#define HEAD_MAX 64

static const char *const lanes[LANES] = {"single", "pipelined", "plain",
                                         "bulk",   "large",     "short"};

bool ledger_open(struct ledger *ledger)
{
    uint32_t state = 1;

    memset(ledger, 0, sizeof *ledger);
    ledger->pattern = malloc(2 * LEDGER_SIZE_MAX);
    if (ledger->pattern == NULL)
        return fault("memory is short");
    for (size_t i = 0; i < 2 * LEDGER_SIZE_MAX; i++) {
        state = state * 1664525 + 1013904223;
        ledger->pattern[i] = (char)('0' + (state >> 24) % 64);
    }
    for (int lane = 0; lane < LANES; lane++) {
        ledger->updates[lane] =
            calloc(LEDGER_MEMORY, sizeof *ledger->updates[lane]);
        if (ledger->updates[lane] == NULL)
            return fault("memory is short");
    }
    return true;
}

void ledger_close(struct ledger *ledger)
{
    for (int lane = 0; lane < LANES; lane++)
        free(ledger->updates[lane]);
    free(ledger->pattern);
    memset(ledger, 0, sizeof *ledger);
}

/* ---- names ------------------------------------------------------------ */

const char *ledger_lane(enum lane lane)
{
    return lanes[lane];
}

bool ledger_has_ids(enum lane lane)
{
    return lane != LANE_PLAIN && lane != LANE_SHORT;
}

void ledger_names(uint32_t topics, char *names, size_t room)
{
    size_t length = 0;

    if (topics == LEDGER_ALL) {
        snprintf(names, room, "*");
        return;
    }
    *names = '\0';
    for (int i = 0; i < LANES * LANE_TOPICS && length < room; i++)
        if (topics >> i & 1)
            length += (size_t)snprintf(names + length, room - length,
                                       "%s%s/%d", length != 0 ? "," : "",
                                       lanes[i / LANE_TOPICS],
                                       i % LANE_TOPICS);
}

/* ---- updates ---------------------------------------------------------- */

struct update *ledger_make(struct ledger *ledger, enum lane lane,
                           uint32_t topics, size_t size)
{
    uint64_t number = ++ledger->made[lane];
    struct update *update = &ledger->updates[lane][number % LEDGER_MEMORY];

    *update = (struct update){.number = number,
                              .topics = topics,
                              .size = (uint32_t)size,
                              .count = ledger->count,
                              .bytes = ledger->bytes};
    ledger->count++;
    ledger->bytes += size + OVERHEAD;
    return update;
}

struct update *ledger_at(const struct ledger *ledger, enum lane lane,
                         uint64_t number)
{
    struct update *update = &ledger->updates[lane][number % LEDGER_MEMORY];

    return number != 0 && update->number == number ? update : NULL;
}

void ledger_ack(struct ledger *ledger, enum lane lane, struct update *update,
                uint64_t position)
{
    update->state = UPDATE_ACKED;
    if (position != 0)
        update->position = position;
    if (update->number > ledger->acked[lane])
        ledger->acked[lane] = update->number;
}

/* ---- data ------------------------------------------------------------- */

static size_t head_of(enum lane lane, uint64_t number, char *head)
{
    return (size_t)snprintf(head, HEAD_MAX, "%s %llu ", lanes[lane],
                            (unsigned long long)number);
}

static const char *rest_of(const struct ledger *ledger,
                           const struct update *update)
{
    return ledger->pattern + update->number * 131 % LEDGER_SIZE_MAX;
}

void ledger_data(const struct ledger *ledger, enum lane lane,
                 const struct update *update, char *data)
{
    char head[HEAD_MAX];
    size_t length = head_of(lane, update->number, head);

    if (length > update->size)
        length = update->size;
    memcpy(data, head, length);
    memcpy(data + length, rest_of(ledger, update), update->size - length);
}

struct update *ledger_find(const struct ledger *ledger, const char *data,
                           size_t length, enum lane *lane)
{
    const char *space = memchr(data, ' ', length);
    struct update *update;
    char head[HEAD_MAX];
    size_t used;
    int of = 0;

    if (space == NULL)
        return NULL;
    used = (size_t)(space - data);
    while (of < LANES && !(strlen(lanes[of]) == used &&
                           memcmp(lanes[of], data, used) == 0))
        of++;
    if (of == LANES)
        return NULL;
    *lane = (enum lane)of;
    update = ledger_at(ledger, *lane, strtoull(space, NULL, 10));
    if (update == NULL || update->size != length)
        return NULL;
    used = head_of(*lane, update->number, head);
    return memcmp(data, head, used) == 0 &&
                   memcmp(data + used, rest_of(ledger, update),
                          length - used) == 0
               ? update
               : NULL;
}

bool ledger_position(struct ledger *ledger, const char *id,
                     uint64_t *position)
{
    const char *dash = strrchr(id, '-');
    size_t length;

    if (id[0] != '#' || dash == NULL)
        return false;
    length = (size_t)(dash - id);
    if (*ledger->epoch == '\0' && length < sizeof ledger->epoch)
        memcpy(ledger->epoch, id, length);
    *position = strtoull(dash + 1, NULL, 10);
    return strlen(ledger->epoch) == length &&
           memcmp(ledger->epoch, id, length) == 0;
}

/* ---- retention -------------------------------------------------------- */

static bool held(const struct ledger *ledger, enum lane lane, uint64_t number)
{
    const struct update *update = ledger_at(ledger, lane, number);

    if (update == NULL ||
        (lane == LANE_SHORT &&
         ledger->made[lane] - number >= LEDGER_RETAIN_SHORT))
        return false;
    return ledger->count - update->count < LEDGER_RETAIN_COUNT / 2 &&
           ledger->bytes - update->bytes < LEDGER_RETAIN_BYTES / 2;
}

uint64_t ledger_gone(struct ledger *ledger, enum lane lane)
{
    while (ledger->gone[lane] < ledger->made[lane] &&
           !held(ledger, lane, ledger->gone[lane] + 1))
        ledger->gone[lane]++;
    return ledger->gone[lane];
}
