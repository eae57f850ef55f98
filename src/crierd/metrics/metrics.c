/*
 * The counters of crierd. Each thread adds to a block of its own, so that threads that
 * count the same thing do not pass a cache line to and fro; a reader adds the blocks up.
 *
 * The blocks are a static array: a thread takes the next one when it counts for the first
 * time, and leaves it, with what it has counted, when it ends. There is nothing to allocate,
 * to free or to fail. Pages of blocks that no thread has taken use no memory. When there are
 * more threads than blocks, some share one; so adding is atomic, which costs little in a
 * cache line that no other thread uses.
 *
 * Rejected: pthread keys with a destructor that adds a block to a common one. It needs a
 * lock, memory that may be short, and an end that comes before that of every thread.
 */
#include <config.h>

#include "metrics.h"

#include <stdatomic.h>
#include <stddef.h>

/* crierd has two threads for each of at most 64 shards, and a few more. */
#define BLOCKS 160

#define CACHE_LINE 64

struct block {
    _Alignas(CACHE_LINE) _Atomic int64_t values[METRIC_COUNT];
};

static struct block blocks[BLOCKS];
static atomic_uint taken; /* threads that have counted */
static _Thread_local struct block *own;

#define COUNTER METRIC_COUNTER
#define GAUGE METRIC_GAUGE
#define FILL_ROW(metric, type, name, labels, help)                                     \
    [metric] = {type, name, labels, help},

const struct metric_row metrics_rows[METRIC_COUNT] = {METRICS_TABLE(FILL_ROW)};

void metrics_add(enum metric metric, int64_t amount)
{
    if (own == NULL)
        own = &blocks[atomic_fetch_add(&taken, 1) % BLOCKS];
    atomic_fetch_add_explicit(&own->values[metric], amount, memory_order_relaxed);
}

int64_t metrics_sum(enum metric metric)
{
    unsigned count = atomic_load(&taken), i;
    int64_t sum = 0;

    for (i = 0; i < count && i < BLOCKS; i++)
        sum += atomic_load_explicit(&blocks[i].values[metric], memory_order_relaxed);
    return sum;
}
