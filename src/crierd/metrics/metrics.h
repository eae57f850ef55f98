#ifndef CRIERD_METRICS_H
#define CRIERD_METRICS_H

#include <stdint.h>

/*
 * What crierd counts, one row for each time series:
 *
 *     ROW(METRIC_x, type, name, labels, help)
 *
 * `type` is COUNTER, which only rises and whose name ends with _total, or GAUGE, which
 * rises and falls by metrics_add(). `labels` is the text between the braces of the time
 * series (Prometheus' text format), or "". Rows of one name follow each other, and have the
 * same type and the same help text. A new row is in GET /metrics by that alone; it must be
 * in the section METRICS of crierd(8), too.
 */
#define METRICS_TABLE(ROW)                                                             \
    ROW(METRIC_PUBLISHES_ACCEPTED, COUNTER, "crier_publishes_total",                   \
        "result=\"accepted\"", METRICS_PUBLISHES_HELP)                                 \
    ROW(METRIC_PUBLISHES_DUPLICATE, COUNTER, "crier_publishes_total",                  \
        "result=\"duplicate\"", METRICS_PUBLISHES_HELP)                                \
    ROW(METRIC_PUBLISHES_REFUSED, COUNTER, "crier_publishes_total",                    \
        "result=\"refused\"", METRICS_PUBLISHES_HELP)                                  \
    ROW(METRIC_PUBLISHES_BACKLOG, COUNTER, "crier_publishes_total",                    \
        "result=\"backlog\"", METRICS_PUBLISHES_HELP)                                  \
    ROW(METRIC_PUBLISHES_FAILED, COUNTER, "crier_publishes_total",                     \
        "result=\"failed\"", METRICS_PUBLISHES_HELP)                                   \
    ROW(METRIC_RESPONSES_2XX, COUNTER, "crier_http_responses_total",                   \
        "class=\"2xx\"", METRICS_RESPONSES_HELP)                                       \
    ROW(METRIC_RESPONSES_3XX, COUNTER, "crier_http_responses_total",                   \
        "class=\"3xx\"", METRICS_RESPONSES_HELP)                                       \
    ROW(METRIC_RESPONSES_4XX, COUNTER, "crier_http_responses_total",                   \
        "class=\"4xx\"", METRICS_RESPONSES_HELP)                                       \
    ROW(METRIC_RESPONSES_5XX, COUNTER, "crier_http_responses_total",                   \
        "class=\"5xx\"", METRICS_RESPONSES_HELP)                                       \
    ROW(METRIC_STREAMS_REFUSED, COUNTER, "crier_streams_refused_total",                \
        "", METRICS_STREAMS_HELP)                                                      \
    ROW(METRIC_CONNECTIONS_WAITING, GAUGE, "crier_connections",                        \
        "state=\"waiting\"", METRICS_CONNECTIONS_HELP)                                 \
    ROW(METRIC_CONNECTIONS_HTTP, GAUGE, "crier_connections",                           \
        "state=\"http\"", METRICS_CONNECTIONS_HELP)                                    \
    ROW(METRIC_CONNECTIONS_PIPELINE, GAUGE, "crier_connections",                       \
        "state=\"pipeline\"", METRICS_CONNECTIONS_HELP)                                \
    ROW(METRIC_CONNECTIONS_ACCEPTED, COUNTER, "crier_connections_accepted_total",      \
        "", METRICS_ACCEPTED_HELP)                                                     \
    ROW(METRIC_CONNECTIONS_BAD, COUNTER, "crier_connections_refused_total",            \
        "reason=\"bad-request\"", METRICS_REFUSED_HELP)                                \
    ROW(METRIC_CONNECTIONS_SLOW, COUNTER, "crier_connections_refused_total",           \
        "reason=\"timeout\"", METRICS_REFUSED_HELP)                                    \
    ROW(METRIC_CONNECTIONS_CROWDED, COUNTER, "crier_connections_refused_total",        \
        "reason=\"descriptors\"", METRICS_REFUSED_HELP)                                \
    ROW(METRIC_CONNECTIONS_MEMORY, COUNTER, "crier_connections_refused_total",         \
        "reason=\"memory\"", METRICS_REFUSED_HELP)                                     \
    ROW(METRIC_CONNECTIONS_REFUSED_PROXY, COUNTER, "crier_connections_refused_total",  \
        "reason=\"proxy-header\"", METRICS_REFUSED_HELP)                               \
    ROW(METRIC_LIMITED_STREAMS, COUNTER, "crier_limited_total",                        \
        "limit=\"max-clients-per-address\"", METRICS_LIMITED_HELP)                      \
    ROW(METRIC_LIMITED_PUBLISHES, COUNTER, "crier_limited_total",                      \
        "limit=\"publish-rate\"", METRICS_LIMITED_HELP)                                \
    ROW(METRIC_LIMITED_CONNECTIONS, COUNTER, "crier_limited_total",                    \
        "limit=\"connect-rate\"", METRICS_LIMITED_HELP)                                \
    ROW(METRIC_TOKENS_VERIFIED, COUNTER, "crier_tokens_verified_total",                \
        "", METRICS_VERIFIED_HELP)                                                     \
    ROW(METRIC_TOKENS_MALFORMED, COUNTER, "crier_tokens_refused_total",                \
        "reason=\"malformed\"", METRICS_TOKENS_HELP)                                   \
    ROW(METRIC_TOKENS_KEY, COUNTER, "crier_tokens_refused_total",                      \
        "reason=\"key\"", METRICS_TOKENS_HELP)                                         \
    ROW(METRIC_TOKENS_EXPIRED, COUNTER, "crier_tokens_refused_total",                  \
        "reason=\"expired\"", METRICS_TOKENS_HELP)                                     \
    ROW(METRIC_TOKENS_NOT_YET, COUNTER, "crier_tokens_refused_total",                  \
        "reason=\"not-yet\"", METRICS_TOKENS_HELP)                                     \
    ROW(METRIC_TOKENS_AUDIENCE, COUNTER, "crier_tokens_refused_total",                 \
        "reason=\"audience\"", METRICS_TOKENS_HELP)                                    \
    ROW(METRIC_TOKENS_ISSUER, COUNTER, "crier_tokens_refused_total",                   \
        "reason=\"issuer\"", METRICS_TOKENS_HELP)                                      \
    ROW(METRIC_TOKENS_CLAIMS, COUNTER, "crier_tokens_refused_total",                   \
        "reason=\"claims\"", METRICS_TOKENS_HELP)                                      \
    ROW(METRIC_TOKENS_BUSY, COUNTER, "crier_tokens_refused_total",                     \
        "reason=\"busy\"", METRICS_TOKENS_HELP)                                        \
    ROW(METRIC_RELOADS_SUCCEEDED, COUNTER, "crier_config_reloads_total",               \
        "result=\"success\"", METRICS_RELOADS_HELP)                                    \
    ROW(METRIC_RELOADS_FAILED, COUNTER, "crier_config_reloads_total",                  \
        "result=\"failure\"", METRICS_RELOADS_HELP)

#define METRICS_PUBLISHES_HELP                                                         \
    "Updates that clients have asked for, by what the hub made of them."
#define METRICS_RESPONSES_HELP "Responses to requests, by the class of their status."
#define METRICS_STREAMS_HELP "Streams refused because as many as allowed were open."
#define METRICS_CONNECTIONS_HELP                                                       \
    "Connections that are open: waiting for the head of their first request, served as "  \
    "HTTP (streams too), or on a publisher's pipeline."
#define METRICS_ACCEPTED_HELP "Connections accepted."
#define METRICS_REFUSED_HELP                                                           \
    "Connections closed before the head of a first request was complete."
#define METRICS_VERIFIED_HELP "Tokens verified, also those that were remembered."
#define METRICS_TOKENS_HELP "Tokens refused."
#define METRICS_LIMITED_HELP "Requests and connections that a limit against abuse refused."
#define METRICS_RELOADS_HELP "Reloads of the configuration."

#define METRICS_ENUM_ROW(metric, type, name, labels, help) metric,

enum metric { METRICS_TABLE(METRICS_ENUM_ROW) METRIC_COUNT };

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

/* A row of the table. */
struct metric_row {
    enum metric_type type;
    const char *name, *labels, *help;
};

/* The table, by enum metric. */
extern const struct metric_row metrics_rows[METRIC_COUNT];

/* Adds AMOUNT, which is negative only for a gauge, to METRIC. Any thread; never waits,
 * needs no memory that must be freed, and writes to cache lines of the thread's own. */
void metrics_add(enum metric metric, int64_t amount);

/* Adds one to METRIC, likewise. */
static inline void metrics_count(enum metric metric)
{
    metrics_add(metric, 1);
}

/* Returns what all threads have added to METRIC, those that have ended included. What was
 * added before a request was read is in the sum. Any thread. */
int64_t metrics_sum(enum metric metric);

#endif
