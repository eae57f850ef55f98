/*
 * The results, and their comparison with the budgets.
 *
 * Rounds alternate between the servers, and a ratio is computed within a round: the
 * median of the rounds' ratios, not the ratio of two medians. Anything that slows down
 * the whole machine for a while, such as other tenants of a shared one, then affects
 * both sides of a ratio.
 */
#include <config.h>

#include "result.h"

#include <math.h>
#include <stdlib.h>

/* 1 kB is 1000 bytes here. */
const struct budget budgets[] = {
    {"broadcast: CPU per delivery, crierd / baseline", WORK_BROADCAST, FIGURE_CPU,
     SERVER_CRIERD, SERVER_BASELINE, false, 1.15},
    {"broadcast: CPU per delivery, crierd / nchan", WORK_BROADCAST, FIGURE_CPU,
     SERVER_CRIERD, SERVER_NCHAN, false, 0.72},
    {"broadcast: CPU per delivery, two nodes / one", WORK_BROADCAST, FIGURE_CPU,
     SERVER_CRIERD_NODES, SERVER_CRIERD, false, 1.05},
    {"latency: p50 added by Redis and a node, us", WORK_LATENCY, FIGURE_P50,
     SERVER_CRIERD_NODES, SERVER_CRIERD, false, 1000},
    {"latency: p99 added by Redis and a node, us", WORK_LATENCY, FIGURE_P99,
     SERVER_CRIERD_NODES, SERVER_CRIERD, false, 3000},
    {"private: CPU per delivery, private / public", WORK_PRIVATE, FIGURE_CPU,
     SERVER_CRIERD, SERVER_CRIERD, false, 1.05},
    {"targeted: CPU per delivery, crierd / nchan", WORK_TARGETED, FIGURE_CPU,
     SERVER_CRIERD, SERVER_NCHAN, false, 0.85},
    {"prefix: CPU per delivery, prefix / targeted", WORK_PREFIX, FIGURE_CPU,
     SERVER_CRIERD, SERVER_CRIERD, false, 1.15},
    {"template: CPU per delivery, template / targeted", WORK_TEMPLATE, FIGURE_CPU,
     SERVER_CRIERD, SERVER_CRIERD, false, 1.3},
    {"saturated: CPU per delivery, crierd / nchan", WORK_SATURATED, FIGURE_CPU,
     SERVER_CRIERD, SERVER_NCHAN, false, 0.1},
    {"chunked: CPU per delivery, crierd / baseline", WORK_CHUNKED, FIGURE_CPU,
     SERVER_CRIERD, SERVER_BASELINE, false, 1.2},
    {"tls-broadcast: CPU per delivery, TLS / plain", WORK_TLS_BROADCAST,
     FIGURE_TO_PLAIN, SERVER_CRIERD, SERVER_CRIERD, false, 2},
    {"tls-targeted: CPU per delivery, TLS / plain", WORK_TLS_TARGETED, FIGURE_TO_PLAIN,
     SERVER_CRIERD, SERVER_CRIERD, false, 2},
    {"tls-saturated: CPU per delivery, TLS / plain", WORK_TLS_SATURATED,
     FIGURE_TO_PLAIN, SERVER_CRIERD, SERVER_CRIERD, false, 4},
    {"idle: bytes of memory per client", WORK_IDLE, FIGURE_MEMORY, SERVER_CRIERD,
     SERVER_CRIERD, false, 6000},
    {"idle: CPU per keep-alive, crierd / baseline", WORK_IDLE, FIGURE_CPU,
     SERVER_CRIERD, SERVER_BASELINE, false, 1.5},
    {"quiet: CPU per second with 10,000 topics, ns", WORK_QUIET, FIGURE_CPU,
     SERVER_CRIERD_REDIS, SERVER_CRIERD_REDIS, false, 500000},
    {"crowd: CPU per delivery, five nodes / one", WORK_CROWD, FIGURE_CPU,
     SERVER_CRIERD_NODES, SERVER_CRIERD, false, 1.1},
    {"publish: publishes/s, crierd / nchan", WORK_PUBLISH, FIGURE_PUBLISHES,
     SERVER_CRIERD, SERVER_NCHAN, true, 1.5},
    {"publish: publishes/s, crierd sqlite / memory", WORK_PUBLISH, FIGURE_PUBLISHES,
     SERVER_CRIERD_SQLITE, SERVER_CRIERD, true, 0.5},
    {"publish: publishes/s, crierd redis / memory", WORK_PUBLISH, FIGURE_PUBLISHES,
     SERVER_CRIERD_REDIS, SERVER_CRIERD, true, 0.35},
    {"publish: publishes/s, crierd redis / nchan redis", WORK_PUBLISH,
     FIGURE_PUBLISHES, SERVER_CRIERD_REDIS, SERVER_NCHAN_REDIS, true, 1},
    {"publish-token: publishes/s, with a token / without", WORK_PUBLISH_TOKEN,
     FIGURE_PUBLISHES, SERVER_CRIERD, SERVER_CRIERD, true, 0.85},
    {"storm: clients/s that have caught up", WORK_STORM, FIGURE_RATE, SERVER_CRIERD,
     SERVER_CRIERD, true, 10000},
    {"storm: clients/s, crierd redis / memory", WORK_STORM, FIGURE_RATE,
     SERVER_CRIERD_REDIS, SERVER_CRIERD, true, 0.7},
    {"connect: CPU per client, crierd / nchan", WORK_CONNECT, FIGURE_CPU, SERVER_CRIERD,
     SERVER_NCHAN, false, 1},
    {"connect: CPU per client, crierd / baseline", WORK_CONNECT, FIGURE_CPU,
     SERVER_CRIERD, SERVER_BASELINE, false, 1.6},
    {"connect-token: clients/s, with one / without", WORK_CONNECT_TOKEN, FIGURE_RATE,
     SERVER_CRIERD, SERVER_CRIERD, true, 0.7},
    {"connect-tokens: clients/s, each its own / without", WORK_CONNECT_TOKENS,
     FIGURE_RATE, SERVER_CRIERD, SERVER_CRIERD, true, 0.7},
    {"connect-chrome: CPU per client, crierd / nchan", WORK_CONNECT_CHROME, FIGURE_CPU,
     SERVER_CRIERD, SERVER_NCHAN, false, 1.25},
    {"memory: bytes per client, curl's head", WORK_MEMORY, FIGURE_MEMORY, SERVER_CRIERD,
     SERVER_CRIERD, false, 4900},
    {"memory: with Chrome's head", WORK_MEMORY_CHROME, FIGURE_MEMORY, SERVER_CRIERD,
     SERVER_CRIERD, false, 6000},
    {"memory: behind a proxy, with a 500 byte cookie", WORK_MEMORY_PROXY, FIGURE_MEMORY,
     SERVER_CRIERD, SERVER_CRIERD, false, 7000},
    {"memory: with a 2 KB cookie", WORK_MEMORY_COOKIE, FIGURE_MEMORY, SERVER_CRIERD,
     SERVER_CRIERD, false, 9500},
    {"slow heads: p99 of the others, with / without", WORK_SLOW, FIGURE_P99_ALONE,
     SERVER_CRIERD, SERVER_CRIERD, false, 2},
    {"half-open: p99 of the others, with / without", WORK_HALF_OPEN, FIGURE_P99_ALONE,
     SERVER_CRIERD, SERVER_CRIERD, false, 2},
    {"large heads: p99 of the others, with / without", WORK_LARGE, FIGURE_P99_ALONE,
     SERVER_CRIERD, SERVER_CRIERD, false, 2},
    {"garbage: p99 of the others, with / without", WORK_GARBAGE, FIGURE_P99_ALONE,
     SERVER_CRIERD, SERVER_CRIERD, false, 2},
    {"flood: p99 of the others, with / without", WORK_FLOOD, FIGURE_P99_ALONE,
     SERVER_CRIERD, SERVER_CRIERD, false, 1.5},
};
const size_t budgets_count = sizeof budgets / sizeof *budgets;

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Sorts COUNT numbers. Returns their median, NAN for none. */
static double sort_for_median(double *values, unsigned count)
{
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

double result_median(const struct results *results, enum work_kind work,
                     enum server_kind server, enum figure figure)
{
    double values[ROUNDS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < results->rounds[work][server]; i++) {
        values[count] = results->of[work][server][i].of[figure];
        count += !isnan(values[count]);
    }
    return sort_for_median(values, count);
}

/* Writes the ratios of ONE to OTHER in ROUNDS rounds to VALUES. Returns how many there
 * are: those that are finite. */
static unsigned compute_ratios(const struct figures *one, const struct figures *other,
                               unsigned rounds, enum figure figure, double *values)
{
    unsigned count = 0;

    for (unsigned i = 0; i < rounds; i++) {
        values[count] = one[i].of[figure] / other[i].of[figure];
        count += isfinite(values[count]) != 0;
    }
    return count;
}

/* Likewise for differences, in us. */
static unsigned compute_added(const struct figures *one, const struct figures *other,
                              unsigned rounds, enum figure figure, double *values)
{
    for (unsigned i = 0; i < rounds; i++)
        values[i] = (one[i].of[figure] - other[i].of[figure]) / 1e3;
    return rounds;
}

static unsigned fewer(unsigned a, unsigned b) { return a < b ? a : b; }

double result_ratio(const struct results *results, enum work_kind work,
                    enum server_kind server, enum server_kind base, enum figure figure,
                    double *low, double *high)
{
    double values[ROUNDS_MAX], median;
    unsigned count = compute_ratios(
        results->of[work][server], results->of[work][base],
        fewer(results->rounds[work][server], results->rounds[work][base]), figure,
        values);

    median = sort_for_median(values, count);
    if (low != NULL)
        *low = count != 0 ? values[0] : NAN;
    if (high != NULL)
        *high = count != 0 ? values[count - 1] : NAN;
    return median;
}

/* Returns the workload whose figures those of WORK are divided by in a budget; WORK
 * itself for none. */
static enum work_kind find_base(enum work_kind work)
{
    switch (work) {
    case WORK_PREFIX:
    case WORK_TEMPLATE:
        return WORK_TARGETED;
    case WORK_PRIVATE:
        return WORK_BROADCAST;
    case WORK_PUBLISH_TOKEN:
        return WORK_PUBLISH;
    case WORK_CONNECT_TOKEN:
    case WORK_CONNECT_TOKENS:
        return WORK_CONNECT;
    default:
        return work;
    }
}

double result_budget(const struct results *results, const struct budget *budget)
{
    enum work_kind base = find_base(budget->work);
    double values[ROUNDS_MAX];
    unsigned rounds;

    if (budget->work == WORK_LATENCY) {
        rounds = fewer(results->rounds[base][budget->server],
                       results->rounds[base][budget->base]);
        return sort_for_median(
            values, compute_added(results->of[base][budget->server],
                                  results->of[base][budget->base], rounds,
                                  budget->figure, values));
    }
    if (base != budget->work) {
        rounds = fewer(results->rounds[budget->work][budget->server],
                       results->rounds[base][budget->server]);
        return sort_for_median(
            values, compute_ratios(results->of[budget->work][budget->server],
                                   results->of[base][budget->server], rounds,
                                   budget->figure, values));
    }
    if (budget->server == budget->base)
        return result_median(results, budget->work, budget->server, budget->figure);
    return result_ratio(results, budget->work, budget->server, budget->base,
                        budget->figure, NULL, NULL);
}

bool result_met(const struct budget *budget, double measured)
{
    return budget->at_least ? measured >= budget->limit : measured <= budget->limit;
}
