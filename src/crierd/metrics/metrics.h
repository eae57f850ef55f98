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
    ROW(METRIC_PUBLISHES_FAILED, COUNTER, "crier_publishes_total",                     \
        "result=\"failed\"", METRICS_PUBLISHES_HELP)                                   \
    ROW(METRIC_REQUESTS_1XX, COUNTER, "crier_http_requests_total", "class=\"1xx\"",    \
        METRICS_REQUESTS_HELP)                                                         \
    ROW(METRIC_REQUESTS_2XX, COUNTER, "crier_http_requests_total", "class=\"2xx\"",    \
        METRICS_REQUESTS_HELP)                                                         \
    ROW(METRIC_REQUESTS_3XX, COUNTER, "crier_http_requests_total", "class=\"3xx\"",    \
        METRICS_REQUESTS_HELP)                                                         \
    ROW(METRIC_REQUESTS_4XX, COUNTER, "crier_http_requests_total", "class=\"4xx\"",    \
        METRICS_REQUESTS_HELP)                                                         \
    ROW(METRIC_REQUESTS_5XX, COUNTER, "crier_http_requests_total", "class=\"5xx\"",    \
        METRICS_REQUESTS_HELP)                                                         \
    ROW(METRIC_CONNECTIONS_ACCEPTED, COUNTER, "crier_connections_accepted_total", "",  \
        "Connections that were accepted.")                                             \
    ROW(METRIC_CONNECTIONS_REFUSED_FULL, COUNTER, "crier_connections_refused_total",   \
        "reason=\"max-clients\"", METRICS_CONNECTIONS_HELP)                            \
    ROW(METRIC_CONNECTIONS_REFUSED_SLOW, COUNTER, "crier_connections_refused_total",   \
        "reason=\"slow-request\"", METRICS_CONNECTIONS_HELP)                           \
    ROW(METRIC_LIMITED_STREAMS, COUNTER, "crier_limited_total",                        \
        "limit=\"max-clients-per-address\"", METRICS_LIMITED_HELP)                      \
    ROW(METRIC_LIMITED_PUBLISHES, COUNTER, "crier_limited_total",                      \
        "limit=\"publish-rate\"", METRICS_LIMITED_HELP)                                 \
    ROW(METRIC_LIMITED_CONNECTIONS, COUNTER, "crier_limited_total",                    \
        "limit=\"connect-rate\"", METRICS_LIMITED_HELP)                                 \
    ROW(METRIC_TOKENS_VERIFIED, COUNTER, "crier_tokens_verified_total", "",            \
        "Tokens that were verified, also those found in the memory of verified ones.") \
    ROW(METRIC_TOKENS_REFUSED_INVALID, COUNTER, "crier_tokens_refused_total",          \
        "reason=\"invalid\"", METRICS_TOKENS_HELP)                                     \
    ROW(METRIC_TOKENS_REFUSED_EXPIRED, COUNTER, "crier_tokens_refused_total",          \
        "reason=\"expired\"", METRICS_TOKENS_HELP)                                     \
    ROW(METRIC_RELOADS_SUCCEEDED, COUNTER, "crier_config_reloads_total",               \
        "result=\"success\"", METRICS_RELOADS_HELP)                                    \
    ROW(METRIC_RELOADS_FAILED, COUNTER, "crier_config_reloads_total",                  \
        "result=\"failure\"", METRICS_RELOADS_HELP)

#define METRICS_PUBLISHES_HELP "Updates that clients asked crierd to publish."
#define METRICS_REQUESTS_HELP "Responses to requests, by the class of their status."
#define METRICS_CONNECTIONS_HELP "Connections that were closed without a request."
#define METRICS_LIMITED_HELP "Requests and connections that a limit against abuse refused."
#define METRICS_TOKENS_HELP "Tokens that were refused."
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
