/*
 * The data of an event `stats`. Most of it is what GET /metrics has, as totals since the
 * start: a client that has missed events has missed no counts. What metrics leave to
 * Prometheus, because it keeps the past, is computed here: rates, and percentiles.
 *
 * A new member needs its line in crierd(8), "Statistics", and is checked by
 * tests/test_stats.c.
 */
#include <config.h>

#include "stats_event.h"

#include "base/clock.h"
#include "crierd/metrics/kinds.h"
#include "crierd/metrics/metrics.h"
#include "crierd/metrics/process.h"

/* COUNT as jansson takes it. */
static json_int_t cast_count(uint64_t count)
{
    return (json_int_t)count;
}

static json_int_t read_metric(enum metric metric)
{
    return (json_int_t)metrics_sum(metric);
}

static json_t *describe_percentiles(const struct window *window)
{
    if (!window->known)
        return json_null();
    return json_pack("{s:I, s:I}", "p50", cast_count(window->p50), "p99",
                     cast_count(window->p99));
}

/* ---- clients and publishers ------------------------------------------- */

static json_t *describe_ends(const struct crier_shards_counts *streams)
{
    json_t *ends = json_object();
    unsigned i;

    for (i = 0; i < CRIER_REASON_COUNT; i++)
        if (json_object_set_new(ends, stream_reason_texts[i],
                                json_integer(cast_count(streams->ended[i]))) != 0) {
            json_decref(ends);
            return NULL;
        }
    return ends;
}

static json_t *describe_clients(const struct server *server,
                                const struct crier_shards_counts *streams)
{
    uint64_t open = 0, opened = 0;
    unsigned i;

    for (i = 0; i < STREAM_KIND_COUNT; i++) {
        open += streams->open[i];
        opened += streams->opened[i];
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:o}", "open", cast_count(open), "max",
                     cast_count(server->descriptors.clients), "topics",
                     cast_count(streams->open[STREAM_TOPICS]), "opened", cast_count(opened),
                     "ended", describe_ends(streams));
}

static json_t *describe_publishes(void)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "accepted",
                     read_metric(METRIC_PUBLISHES_ACCEPTED), "duplicate",
                     read_metric(METRIC_PUBLISHES_DUPLICATE), "refused",
                     read_metric(METRIC_PUBLISHES_REFUSED), "backlog",
                     read_metric(METRIC_PUBLISHES_BACKLOG), "failed",
                     read_metric(METRIC_PUBLISHES_FAILED));
}

static json_t *describe_rates(const struct stats_rates *rates)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "publishes", cast_count(rates->publishes),
                     "deliveries", cast_count(rates->deliveries), "bytes",
                     cast_count(rates->bytes), "gaps", cast_count(rates->gaps));
}

/* ---- the journal ------------------------------------------------------- */

/* TIME as a text; null when there is none. */
static json_t *describe_time(int64_t time)
{
    char text[CRIER__CLOCK_TEXT_SIZE];

    if (time == 0)
        return json_null();
    crier__clock_text(time, text);
    return json_string(text);
}

static json_t *describe_limits(const struct crier_retention *limits)
{
    return json_pack("{s:I, s:I, s:o}", "count", cast_count(limits->count), "bytes",
                     cast_count(limits->bytes), "age",
                     limits->age != 0 ? json_integer(cast_count(limits->age))
                                      : json_null());
}

/* The journal's STATUS, and what HUB and COMMIT say of it. */
static json_t *describe_holdings(const struct crier_status *status,
                                 const struct crier_hub_counts *hub,
                                 const struct window *commit)
{
    return json_pack(
        "{s:s, s:s, s:s*, s:I, s:I, s:I, s:o, s:s?, s:o, s:I, s:o, s:I}", "type",
        status->journal, "status", status->error == 0 ? "ok" : "failing", "reason",
        status->error == 0 ? NULL : status->reason, "updates", cast_count(hub->updates),
        "bytes", cast_count(hub->bytes), "topics", cast_count(hub->topics), "oldest",
        describe_time(hub->oldest), "newest",
        status->newest[0] != '\0' ? status->newest : NULL, "limits",
        describe_limits(&hub->limits), "failures", cast_count(hub->failures), "commit",
        describe_percentiles(commit), "damaged", cast_count(status->damaged));
}

/* NODE as a new object; what it has not reported is null. */
static json_t *describe_node(const struct crier_node *node)
{
    const bool known = node->pid != 0;

    return json_pack("{s:s, s:s?, s:o, s:o, s:I, s:b}", "id", node->id, "host",
                     node->host[0] != '\0' ? node->host : NULL, "pid",
                     known ? json_integer(node->pid) : json_null(), "clients",
                     known ? json_integer(cast_count(node->streams)) : json_null(), "seen",
                     cast_count(node->seen), "self", (int)node->self);
}

/* The nodes that use the journal of HUB, COUNT in all, as a new object. */
static json_t *describe_nodes(struct crier_hub *hub, size_t count)
{
    struct crier_node nodes[CRIER_NODES_MAX];
    size_t known = crier_hub_nodes(hub, nodes, CRIER_NODES_MAX), i;
    json_t *list = json_array();

    for (i = 0; i < known; i++)
        if (json_array_append_new(list, describe_node(&nodes[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return json_pack("{s:I, s:o}", "count", cast_count(count), "list", list);
}

/* ---- the shards -------------------------------------------------------- */

/* The bytes that wait for each shard, as a new list. */
static json_t *list_waiting(const struct crier_hub_counts *hub)
{
    json_t *list = json_array();
    unsigned i;

    for (i = 0; i < hub->shards; i++)
        if (json_array_append_new(list, json_integer(cast_count(hub->waiting_at[i]))) !=
            0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *describe_backlog(const struct crier_shards_counts *streams,
                                const struct crier_hub_counts *hub)
{
    return json_pack("{s:I, s:I, s:o}", "bytes", cast_count(streams->backlog), "max",
                     cast_count(streams->max_backlog), "shards", list_waiting(hub));
}

/* ---- the process ------------------------------------------------------- */

static json_t *describe_memory(void)
{
    const struct process_sizes sizes = process_sizes();

    return json_pack("{s:I, s:I}", "resident", cast_count(sizes.resident), "virtual",
                     cast_count(sizes.virtual));
}

static json_t *describe_descriptors(size_t limit)
{
    return json_pack("{s:I, s:I}", "open", cast_count(descriptors_count(limit)), "max",
                     cast_count(limit));
}

static json_t *describe_connections(void)
{
    return json_pack("{s:I, s:I, s:I}", "waiting",
                     read_metric(METRIC_CONNECTIONS_WAITING), "http",
                     read_metric(METRIC_CONNECTIONS_HTTP), "pipeline",
                     read_metric(METRIC_CONNECTIONS_PIPELINE));
}

/* ---- all --------------------------------------------------------------- */

/* A new object with what is about the server as a whole. */
static json_t *describe_self(const struct server *server, int64_t time)
{
    return json_pack("{s:o, s:s, s:f, s:I, s:b}", "time", describe_time(time), "version",
                     crier_version(), "uptime",
                     (double)(crier_now() - server->started) / 1000.0, "configured",
                     (json_int_t)atomic_load(&server->configured) * 1000,
                     "reload_failed", (int)atomic_load(&server->reload_failed));
}

json_t *stats_event(const struct server *server, const struct stats_finding *finding)
{
    const struct crier_hub_counts *hub = &finding->hub;
    const struct crier_shards_counts *streams = &finding->streams;
    struct crier_status status;
    json_t *event, *self;
    int error;

    crier_hub_status(server->hub, &status);
    event = json_pack(
        "{s:o, s:o, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:f, s:o, s:o}",
        "clients", describe_clients(server, streams), "publishes", describe_publishes(),
        "deliveries", cast_count(streams->deliveries), "bytes",
        cast_count(streams->bytes), "rates", describe_rates(&finding->rates), "gaps",
        cast_count(hub->gaps), "lagged", cast_count(hub->lagged), "slow",
        cast_count(hub->behind), "latency", describe_percentiles(finding->latency),
        "journal", describe_holdings(&status, hub, finding->commit), "backlog",
        describe_backlog(streams, hub), "memory", describe_memory(), "cpu", process_cpu(),
        "descriptors", describe_descriptors(server->descriptors.limit), "connections",
        describe_connections());
    self = describe_self(server, finding->time);
    error = json_object_update(self, event);
    json_decref(event);
    if (error == 0 && status.shared)
        error = json_object_set_new(self, "nodes", describe_nodes(server->hub, hub->nodes));
    if (error == 0)
        return self;
    json_decref(self);
    return NULL;
}
