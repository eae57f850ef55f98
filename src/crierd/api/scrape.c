/*
 * GET /metrics: what crierd and libcrier have counted, in Prometheus' text format. What is
 * only counted is in the table of metrics.h; here is what has to be asked for.
 *
 * Nobody waits for a scrape: the counters are read without a lock, and what the journal
 * holds under its lock for a few instructions. The time does not depend on how many streams
 * there are, except where an old kernel has to list the descriptors (descriptors_count()).
 */
#include <config.h>

#include "scrape.h"

#include "base/clock.h"
#include "crierd/http/respond.h"
#include "crierd/log/log.h"
#include "crierd/metrics/exposition.h"
#include "crierd/metrics/kinds.h"
#include "crierd/metrics/process.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <sqlite3.h>
#include <stdio.h>

/* Microseconds in a second. */
#define MICROSECONDS 1e6

/* Writes a metric with one value, without labels. */
static void write_counter(struct exposition *text, const char *name, const char *help,
                          uint64_t value)
{
    exposition_begin(text, name, "counter", help);
    exposition_count(text, "", value);
}

static void write_gauge(struct exposition *text, const char *name, const char *help,
                        double value)
{
    exposition_begin(text, name, "gauge", help);
    exposition_number(text, "", value);
}

/* ---- the process ------------------------------------------------------ */

/* The metrics of a process, by the names that all programs give them. */
static void write_process(struct exposition *text, const struct server *server)
{
    const struct process_sizes sizes = process_sizes();

    exposition_begin(text, "process_cpu_seconds_total", "counter",
                     "CPU time of this process, in user space and in the kernel.");
    exposition_number(text, "", process_cpu());
    write_gauge(text, "process_resident_memory_bytes", "Memory that is in use.",
                (double)sizes.resident);
    write_gauge(text, "process_virtual_memory_bytes", "Address space that is in use.",
                (double)sizes.virtual);
    write_gauge(text, "process_open_fds", "Open file descriptors.",
                (double)descriptors_count(server->descriptors.limit));
    write_gauge(text, "process_max_fds", "The limit of open file descriptors.",
                (double)server->descriptors.limit);
    write_gauge(text, "process_start_time_seconds",
                "When this process started, in seconds since 1970.",
                (double)server->began);
}

static void write_crierd(struct exposition *text, const struct server *server)
{
    char labels[160];

    snprintf(labels, sizeof labels,
             "version=\"%s\",libmicrohttpd=\"%s\",sqlite=\"%s\"", crier_version(),
             MHD_get_version(), sqlite3_libversion());
    exposition_begin(text, "crier_build_info", "gauge",
                     "The versions of crierd and of its libraries; always 1.");
    exposition_count(text, labels, 1);
    write_gauge(text, "crier_uptime_seconds", "Time since the start.",
                (double)(crier_now() - server->started) / 1000.0);
    write_gauge(text, "crier_stopping",
                "1 after the signal to end, while streams are closed; otherwise 0.",
                atomic_load(&server->stopping));
    write_gauge(text, "crier_config_last_reload_successful",
                "1 when the last reload of the configuration succeeded, or there was none; "
                "otherwise 0.",
                !atomic_load(&server->reload_failed));
    write_gauge(text, "crier_config_last_reload_success_timestamp_seconds",
                "When the configuration was last read with success, in seconds since 1970.",
                (double)atomic_load(&server->configured));
    write_counter(text, "crier_log_lines_dropped_total",
                  "Lines that the log has dropped, because standard error did not take "
                  "them.",
                  log_count_dropped());
}

/* ---- streams ---------------------------------------------------------- */

static void write_streams(struct exposition *text, const struct server *server)
{
    struct crier_shards_counts streams;
    unsigned i;

    crier_shards_statistics(server->shards, &streams);
    exposition_begin(text, "crier_streams_open", "gauge",
                     "Streams that are open, by kind.");
    for (i = 0; i < STREAM_KIND_COUNT; i++)
        exposition_count_of(text, "kind", stream_kind_texts[i], streams.open[i]);
    write_gauge(text, "crier_streams_limit", "How many streams may be open at once.",
                (double)server->descriptors.clients);
    exposition_begin(text, "crier_streams_opened_total", "counter",
                     "Streams that were opened, by kind.");
    for (i = 0; i < STREAM_KIND_COUNT; i++)
        exposition_count_of(text, "kind", stream_kind_texts[i], streams.opened[i]);
    exposition_begin(text, "crier_streams_ended_total", "counter",
                     "Streams that have ended, by reason.");
    for (i = 0; i < CRIER_REASON_COUNT; i++)
        exposition_count_of(text, "reason", stream_reason_texts[i], streams.ended[i]);
    write_counter(text, "crier_deliveries_total",
                  "Events that streams have taken: each update once for each stream.",
                  streams.deliveries);
    write_counter(text, "crier_streams_sent_bytes_total",
                  "Bytes of streams that were sent, HTTP heads and TLS not counted.",
                  streams.bytes);
    write_gauge(text, "crier_backlog_bytes",
                "Bytes of updates that the shards have not taken up yet.",
                (double)streams.backlog);
    write_gauge(text, "crier_backlog_limit_bytes",
                "The backlog with which publications are refused.",
                (double)streams.max_backlog);
}

/* ---- the hub and the journal ------------------------------------------ */

static void write_hub(struct exposition *text,
                      const struct crier_hub_counts *hub)
{
    write_counter(text, "crier_updates_published_total",
                  "Updates that have become part of the journal, crierd's own included.",
                  hub->published);
    exposition_begin(text, "crier_publish_to_send_seconds", "histogram",
                     "Time from the acceptance of an update until a shard had sent it to all "
                     "its streams that had room: one value for each update and shard.");
    exposition_histogram(text, &hub->latency, MICROSECONDS);
    write_counter(text, "crier_gaps_total",
                  "Gaps: times that updates had expired before a stream was sent them.",
                  hub->gaps);
    write_counter(text, "crier_streams_lagged_total",
                  "Times that a stream fell behind, because its client reads slowly.",
                  hub->lagged);
    write_gauge(text, "crier_streams_behind",
                "Streams that are behind now, because their clients read slowly.",
                (double)hub->behind);
}

/* The age of an update of the time OLDEST, in seconds; 0 when there is none. */
static double find_age(int64_t oldest)
{
    int64_t age = crier__clock_real() - oldest;

    return oldest == 0 || age < 0 ? 0 : (double)age / 1000.0;
}

static void write_journal(struct exposition *text,
                          const struct crier_status *status,
                          const struct crier_hub_counts *hub)
{
    exposition_begin(text, "crier_journal_up", "gauge",
                     "1 while the journal can be written and read, otherwise 0.");
    exposition_count_of(text, "type", status->journal, status->error == 0);
    write_gauge(text, "crier_journal_updates", "Updates that the journal holds.",
                (double)hub->updates);
    write_gauge(text, "crier_journal_bytes",
                "Bytes of these updates, as retention counts them.", (double)hub->bytes);
    write_gauge(text, "crier_journal_topics", "Topics that the journal remembers.",
                (double)hub->topics);
    write_gauge(text, "crier_journal_oldest_age_seconds",
                "The age of the oldest update held; 0 when none is held.",
                find_age(hub->oldest));
    exposition_begin(text, "crier_journal_commit_seconds", "histogram",
                     "Time of a transaction that stores updates, in a file or in Redis.");
    exposition_histogram(text, &hub->commit_time, MICROSECONDS);
    exposition_begin(text, "crier_journal_commit_updates", "histogram",
                     "Updates that one transaction stores together.");
    exposition_histogram(text, &hub->commit_size, 1);
    write_counter(text, "crier_journal_failures_total",
                  "Transactions that failed, in a file or in Redis.", hub->failures);
    write_counter(text, "crier_journal_damaged_total",
                  "Times that damage was met in the journal's file.", status->damaged);
    write_counter(text, "crier_journal_corrected_total",
                  "Updates whose time was ahead of the clock, and was set to it.",
                  status->corrected);
    write_gauge(text, "crier_journal_clock_behind",
                "1 while the clock is before 2026, so that no update expires; otherwise 0.",
                status->clock_behind);
}

/* What a journal in Redis counts; zeros for another one. */
static void write_link(struct exposition *text, const struct crier_hub_counts *hub)
{
    write_gauge(text, "crier_journal_connected",
                "1 while this crierd is connected to the Redis server of its journal, "
                "otherwise 0.",
                hub->connected);
    write_counter(text, "crier_journal_connects_total",
                  "Times that this crierd has connected to that server.", hub->connects);
    write_gauge(text, "crier_journal_waiting_updates",
                "Updates that the journal has been given and has not stored yet.",
                (double)hub->waiting);
    write_gauge(text, "crier_journal_batches",
                "Batches of updates that were sent to that server and not answered yet.",
                (double)hub->batches);
    write_gauge(text, "crier_journal_nodes",
                "How many crierds use the journal now, this one included.",
                (double)hub->nodes);
    write_counter(text, "crier_journal_renewals_total",
                  "Times that the server had lost updates, so that the journal began a new "
                  "epoch.",
                  hub->renewals);
    write_counter(text, "crier_journal_reads_total",
                  "Reads of older updates that were sent to that server.", hub->reads);
}

bool scrape_get(struct request *request)
{
    const struct server *server = request->server;
    struct exposition *text = exposition_new();
    struct crier_hub_counts hub;
    struct crier_status status;

    if (text != NULL) {
        crier_hub_status(server->hub, &status);
        crier_hub_statistics(server->hub, &hub);
        write_crierd(text, server);
        write_process(text, server);
        write_streams(text, server);
        write_hub(text, &hub);
        write_journal(text, &status, &hub);
        write_link(text, &hub);
        exposition_table(text);
    }
    return respond_made(request, EXPOSITION_TYPE, exposition_end(text));
}
