#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include "work.h"

#define ROUNDS_MAX 15

/* All results of a run. All zero is none. */
struct results {
    double others;  /* CPUs that other programs used meanwhile */
    double seconds; /* duration of the run */
    unsigned rounds[WORK_KINDS][SERVER_KINDS]; /* number of rounds measured */
    struct figures of[WORK_KINDS][SERVER_KINDS][ROUNDS_MAX];
};

/* A limit for a figure of a server, or for its ratio to that of another server; with
 * latency for the difference, in us. Those of
 * prefix, template, private and the workloads with tokens are ratios to the same workload without
 * that. */
struct budget {
    const char *text;
    enum work_kind work;
    enum figure figure;
    enum server_kind server;
    enum server_kind base; /* the same as server: no ratio */
    bool at_least;         /* otherwise at most */
    double limit;
};

extern const struct budget budgets[];
extern const size_t budgets_count;

/* Returns the median of a figure over the rounds; NAN if it was not measured. */
double result_median(const struct results *results, enum work_kind work,
                     enum server_kind server, enum figure figure);

/* Returns the median of the rounds' ratios of SERVER to BASE, and in *LOW and *HIGH,
 * unless NULL, the lowest and the highest of them. NAN if there is none. */
double result_ratio(const struct results *results, enum work_kind work,
                    enum server_kind server, enum server_kind base, enum figure figure,
                    double *low, double *high);

/* Returns the measured figure of BUDGET; NAN if it was not measured. */
double result_budget(const struct results *results, const struct budget *budget);

/* Returns whether MEASURED is within BUDGET. */
bool result_met(const struct budget *budget, double measured);

#endif
