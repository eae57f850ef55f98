/*
 * The oracle: all published updates, which deliveries are checked against.
 *
 * The updates of a series are numbered in order of publication. One publisher sends
 * them in this order, so they are in this order in the journal, too. The data of an
 * update contain its series and number, and the rest of the data follows from these. So
 * a client can tell which update it has received and whether it is intact.
 *
 * It is not known exactly what has expired, because the order between the series is not
 * known here. Updates within half of the retention are certainly stored; the other half
 * covers updates in flight. In the series with short retention the order is known, and
 * each of its updates is assumed to be in all of its topics.
 *
 * The oracle forgets the oldest updates, which have expired long before.
 */
#include <config.h>

#include "oracle.h"

#include "bench/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Maximum size of an update beside its data: 128 bytes, and the names of topics and
 * fields. */
#define OVERHEAD 512

#define HEAD_MAX 64

static const char *const series_names[SERIES_COUNT] = {"single", "pipelined", "plain",
                                                       "bulk",   "large",     "short"};

bool oracle_open(struct oracle *oracle)
{
    uint32_t state = 1;

    memset(oracle, 0, sizeof *oracle);
    oracle->pattern = malloc(2 * ORACLE_SIZE_MAX);
    if (oracle->pattern == NULL)
        return fault("out of memory");
    for (size_t i = 0; i < 2 * ORACLE_SIZE_MAX; i++) {
        state = state * 1664525 + 1013904223;
        oracle->pattern[i] = (char)('0' + (state >> 24) % 64);
    }
    for (int series = 0; series < SERIES_COUNT; series++) {
        oracle->updates[series] =
            calloc(ORACLE_MEMORY, sizeof *oracle->updates[series]);
        if (oracle->updates[series] == NULL)
            return fault("out of memory");
    }
    return true;
}

void oracle_close(struct oracle *oracle)
{
    for (int series = 0; series < SERIES_COUNT; series++)
        free(oracle->updates[series]);
    free(oracle->pattern);
    memset(oracle, 0, sizeof *oracle);
}

/* ---- names -------------------------------------------------------------- */

const char *oracle_series_name(enum series series) { return series_names[series]; }

bool oracle_has_ids(enum series series)
{
    return series != SERIES_PLAIN && series != SERIES_SHORT;
}

void oracle_names(uint32_t topics, char *names, size_t size)
{
    size_t length = 0;

    if (topics == ORACLE_ALL) {
        snprintf(names, size, "*");
        return;
    }
    *names = '\0';
    for (int i = 0; i < SERIES_COUNT * SERIES_TOPICS && length < size; i++)
        if (topics >> i & 1)
            length += (size_t)snprintf(
                names + length, size - length, "%s%s/%d", length != 0 ? "," : "",
                series_names[i / SERIES_TOPICS], i % SERIES_TOPICS);
}

/* ---- updates ------------------------------------------------------------ */

struct update *oracle_make(struct oracle *oracle, enum series series, uint32_t topics,
                           size_t size)
{
    uint64_t number = ++oracle->made[series];
    struct update *update = &oracle->updates[series][number % ORACLE_MEMORY];

    *update = (struct update){.number = number,
                              .topics = topics,
                              .size = (uint32_t)size,
                              .count = oracle->count,
                              .bytes = oracle->bytes};
    oracle->count++;
    oracle->bytes += size + OVERHEAD;
    return update;
}

struct update *oracle_at(const struct oracle *oracle, enum series series,
                         uint64_t number)
{
    struct update *update = &oracle->updates[series][number % ORACLE_MEMORY];

    return number != 0 && update->number == number ? update : NULL;
}

void oracle_ack(struct oracle *oracle, enum series series, struct update *update,
                uint64_t position)
{
    update->state = UPDATE_ACKED;
    if (position != 0)
        update->position = position;
    if (update->number > oracle->acked[series])
        oracle->acked[series] = update->number;
}

/* ---- data --------------------------------------------------------------- */

static size_t write_head(enum series series, uint64_t number, char *head)
{
    return (size_t)snprintf(head, HEAD_MAX, "%s %llu ", series_names[series],
                            (unsigned long long)number);
}

static const char *find_rest(const struct oracle *oracle, const struct update *update)
{
    return oracle->pattern + update->number * 131 % ORACLE_SIZE_MAX;
}

void oracle_data(const struct oracle *oracle, enum series series,
                 const struct update *update, char *data)
{
    char head[HEAD_MAX];
    size_t length = write_head(series, update->number, head);

    if (length > update->size)
        length = update->size;
    memcpy(data, head, length);
    memcpy(data + length, find_rest(oracle, update), update->size - length);
}

struct update *oracle_find(const struct oracle *oracle, const char *data, size_t length,
                           enum series *series)
{
    const char *space = memchr(data, ' ', length);
    struct update *update;
    char head[HEAD_MAX];
    size_t used;
    int of = 0;

    if (space == NULL)
        return NULL;
    used = (size_t)(space - data);
    while (of < SERIES_COUNT && !(strlen(series_names[of]) == used &&
                                  memcmp(series_names[of], data, used) == 0))
        of++;
    if (of == SERIES_COUNT)
        return NULL;
    *series = (enum series)of;
    update = oracle_at(oracle, *series, strtoull(space, NULL, 10));
    if (update == NULL || update->size != length)
        return NULL;
    used = write_head(*series, update->number, head);
    return memcmp(data, head, used) == 0 &&
                   memcmp(data + used, find_rest(oracle, update), length - used) == 0
               ? update
               : NULL;
}

bool oracle_position(struct oracle *oracle, const char *id, uint64_t *position)
{
    const char *dash = strrchr(id, '-');
    size_t length;

    if (id[0] != '#' || dash == NULL)
        return false;
    length = (size_t)(dash - id);
    if (*oracle->epoch == '\0' && length < sizeof oracle->epoch)
        memcpy(oracle->epoch, id, length);
    *position = strtoull(dash + 1, NULL, 10);
    return strlen(oracle->epoch) == length && memcmp(oracle->epoch, id, length) == 0;
}

/* ---- retention ---------------------------------------------------------- */

static bool is_held(const struct oracle *oracle, enum series series, uint64_t number)
{
    const struct update *update = oracle_at(oracle, series, number);

    if (update == NULL || (series == SERIES_SHORT &&
                           oracle->made[series] - number >= ORACLE_RETAIN_SHORT))
        return false;
    return oracle->count - update->count < ORACLE_RETAIN_COUNT / 2 &&
           oracle->bytes - update->bytes < ORACLE_RETAIN_BYTES / 2;
}

uint64_t oracle_gone(struct oracle *oracle, enum series series)
{
    while (oracle->gone[series] < oracle->made[series] &&
           !is_held(oracle, series, oracle->gone[series] + 1))
        oracle->gone[series]++;
    return oracle->gone[series];
}
