/*
 * GET /topics/$stats: the state of crierd as a stream. It looks like a topic and is none:
 * nothing of it is in the journal, its events have no ids, and POST and DELETE are refused
 * as for every reserved name.
 *
 * Once a second the main thread takes a sample, which it does for as long as crierd serves:
 * some sums over the shards' counters, and the journal's numbers, in less than 0.1 ms; the
 * cost does not depend on how many streams or topics there are. Of each sample a row is
 * kept, so that a stream begins with the last five minutes, as the event `history`. The
 * event `stats` says much more; it is made only while somebody has a stream open, once for
 * all.
 *
 * The lock guards the rows, and is held while a row is added and sent, and while a stream
 * joins with a history. So a stream gets each second once: in its history, or as an event.
 * In the order of locks it comes before the broadcaster's.
 *
 * A broadcaster ends a stream whose client reads so slowly that 64 KiB are pending, most of a
 * minute of events; the client reconnects, and has the history. To skip events instead was
 * rejected: it would need a state for each stream to save what the history gives anyway.
 *
 * Main stops sampling with the signal to end, before the hub is closed. The streams end as
 * all others do.
 */
#include <config.h>

#include "stats.h"

#include "base/clock.h"
#include "crierd/http/respond.h"
#include "crierd/log/log.h"
#include "crierd/metrics/kinds.h"
#include "crierd/metrics/metrics.h"
#include "crierd/metrics/process.h"
#include "stats_event.h"
#include "streams.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define PATH "/topics/$stats"

/* The time between two samples, in ms, and how many rows are kept. */
#define INTERVAL 1000
#define ROWS 300

/* The columns of a row. */
#define COLUMNS(COLUMN)                                                                \
    COLUMN(COLUMN_TIME, "time")                                                        \
    COLUMN(COLUMN_CLIENTS, "clients")                                                  \
    COLUMN(COLUMN_PUBLISHES, "publishes")                                              \
    COLUMN(COLUMN_DELIVERIES, "deliveries")                                            \
    COLUMN(COLUMN_GAPS, "gaps")                                                        \
    COLUMN(COLUMN_SLOW, "slow")                                                        \
    COLUMN(COLUMN_BACKLOG, "backlog")                                                  \
    COLUMN(COLUMN_RESIDENT, "resident")

#define COLUMN_ENUM(column, name) column,
#define COLUMN_NAME(column, name) [column] = name,

enum column { COLUMNS(COLUMN_ENUM) COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {COLUMNS(COLUMN_NAME)};

struct row {
    int64_t values[COLUMN_COUNT];
};

struct stats {
    const struct server *server;
    struct crier_broadcaster *streams;

    /* The main thread's. */
    uint64_t due;              /* of the next sample, by crier_now() */
    struct stats_rates totals; /* of the last sample, since the start */
    struct window latency, commit;

    pthread_mutex_t lock; /* guards the rows */
    struct row rows[ROWS]; /* a ring */
    size_t count, next;
};

/* ---- sampling ---------------------------------------------------------- */

static uint64_t count_clients(const struct crier_shards_counts *streams)
{
    uint64_t count = 0;
    unsigned i;

    for (i = 0; i < STREAM_KIND_COUNT; i++)
        count += streams->open[i];
    return count;
}

/* Reads the counters of which there are rates. */
static struct stats_rates read_totals(const struct stats_finding *finding)
{
    return (struct stats_rates){
        .publishes = (uint64_t)metrics_sum(METRIC_PUBLISHES_ACCEPTED),
        .deliveries = finding->streams.deliveries,
        .bytes = finding->streams.bytes,
        .gaps = finding->hub.gaps,
    };
}

/* Takes a sample. */
static void find_present(struct stats *stats, struct stats_finding *finding)
{
    const struct stats_rates before = stats->totals;

    *finding = (struct stats_finding){.time = crier__clock_real(),
                                      .latency = &stats->latency,
                                      .commit = &stats->commit};
    crier_shards_statistics(stats->server->shards, &finding->streams);
    crier_hub_statistics(stats->server->hub, &finding->hub);
    stats->totals = read_totals(finding);
    finding->rates = (struct stats_rates){
        .publishes = stats->totals.publishes - before.publishes,
        .deliveries = stats->totals.deliveries - before.deliveries,
        .bytes = stats->totals.bytes - before.bytes,
        .gaps = stats->totals.gaps - before.gaps,
    };
    window_sample(&stats->latency, &finding->hub.latency);
    window_sample(&stats->commit, &finding->hub.commit_time);
}

static struct row make_row(const struct stats_finding *finding)
{
    return (struct row){{
        [COLUMN_TIME] = finding->time,
        [COLUMN_CLIENTS] = (int64_t)count_clients(&finding->streams),
        [COLUMN_PUBLISHES] = (int64_t)finding->rates.publishes,
        [COLUMN_DELIVERIES] = (int64_t)finding->rates.deliveries,
        [COLUMN_GAPS] = (int64_t)finding->rates.gaps,
        [COLUMN_SLOW] = (int64_t)finding->hub.behind,
        [COLUMN_BACKLOG] = (int64_t)finding->streams.backlog,
        [COLUMN_RESIDENT] = (int64_t)process_sizes().resident,
    }};
}

/* Sends FINDING to all streams. Where memory is short, they have one event less. */
static void send_finding(struct stats *stats, const struct stats_finding *finding)
{
    json_t *event = stats_event(stats->server, finding);
    struct crier_frame *frame;

    if (event != NULL && crier_frame_json("stats", event, &frame) == 0) {
        (void)crier_broadcaster_send(stats->streams, frame);
        crier_frame_unref(frame);
    }
    json_decref(event);
}

uint64_t stats_due(const struct stats *stats)
{
    return stats->due;
}

void stats_sample(struct stats *stats, uint64_t now)
{
    struct stats_finding finding;
    struct row row;

    if (now < stats->due)
        return;
    stats->due += INTERVAL;
    if (stats->due <= now)
        stats->due = now + INTERVAL;
    find_present(stats, &finding);
    row = make_row(&finding);
    pthread_mutex_lock(&stats->lock);
    stats->rows[stats->next] = row;
    stats->next = (stats->next + 1) % ROWS;
    if (stats->count < ROWS)
        stats->count++;
    if (crier_broadcaster_count(stats->streams) != 0)
        send_finding(stats, &finding);
    pthread_mutex_unlock(&stats->lock);
}

/* ---- streams ----------------------------------------------------------- */

static json_t *list_columns(void)
{
    json_t *list = json_array();
    unsigned i;

    for (i = 0; i < COLUMN_COUNT; i++)
        if (json_array_append_new(list, json_string(column_names[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *list_values(const struct row *row)
{
    json_t *list = json_array();
    unsigned i;

    for (i = 0; i < COLUMN_COUNT; i++)
        if (json_array_append_new(list, json_integer(row->values[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* A new list of all rows, the oldest first. With the lock. */
static json_t *list_rows(const struct stats *stats)
{
    json_t *list = json_array();
    size_t first = (stats->next + ROWS - stats->count) % ROWS, i;

    for (i = 0; i < stats->count; i++)
        if (json_array_append_new(list,
                                  list_values(&stats->rows[(first + i) % ROWS])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* Writes the event `history`, *new*, to *FRAME. -ENOMEM. With the lock. */
static int make_history(const struct stats *stats, struct crier_frame **frame)
{
    json_t *data = json_pack("{s:i, s:o, s:o}", "interval", INTERVAL, "columns",
                             list_columns(), "rows", list_rows(stats));
    int error = data != NULL ? crier_frame_json("history", data, frame) : -ENOMEM;

    json_decref(data);
    return error;
}

/* Puts STREAM among those that get the events, with the history before them. */
static int join_streams(struct request *request, struct stream_start *start,
                        struct crier_stream *stream)
{
    struct stats *stats = request->context;
    struct crier_frame *history;
    int error;

    (void)start;
    pthread_mutex_lock(&stats->lock);
    error = make_history(stats, &history);
    if (error == 0) {
        error = crier_broadcaster_join(stats->streams, stream, NULL, history);
        crier_frame_unref(history);
    }
    pthread_mutex_unlock(&stats->lock);
    return error;
}

static bool open_stats(struct request *request)
{
    struct stream_start start = {
        .options = {.kind = STREAM_STATS,
                    .affinity = PATH,
                    .on_closed = respond_stream_closed,
                    .closure = (void *)PATH},
        .begin = join_streams,
    };

    return streams_open(request, &start);
}

/* ---- life -------------------------------------------------------------- */

const struct route stats_routes[] = {
    {.method = "GET",
     .path = PATH,
     .handle = open_stats,
     .scope = SCOPE_ADMIN,
     .streams = true},
    {0},
};

struct stats *stats_open(const struct server *server)
{
    struct stats *stats = calloc(1, sizeof *stats);

    if (stats != NULL &&
        crier_broadcaster_new(server->shards, NULL, &stats->streams) == 0) {
        stats->server = server;
        stats->due = crier_now() + INTERVAL;
        pthread_mutex_init(&stats->lock, NULL);
        return stats;
    }
    free(stats);
    log_line(LOG_ERROR, "cannot keep statistics: out of memory");
    return NULL;
}

void stats_close(struct stats *stats)
{
    if (stats == NULL)
        return;
    crier_broadcaster_free(stats->streams);
    pthread_mutex_destroy(&stats->lock);
    free(stats);
}
