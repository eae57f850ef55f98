#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include "work.h"

#define ROUNDS_MAX 15

/* All that a run measured. All zero is nothing. */
struct results {
    double others;  /* CPUs that other programs used meanwhile */
    double seconds; /* that it took */
    unsigned rounds[WORK_KINDS][SERVER_KINDS]; /* that are there */
    struct figures of[WORK_KINDS][SERVER_KINDS][ROUNDS_MAX];
};

/* A promise: a figure of a server, or its ratio to that of another. */
struct budget {
    const char *text;
    enum work_kind work;
    enum figure figure;
    enum server_kind server;
    enum server_kind base; /* the same as server: no ratio */
    bool at_least;         /* or at most */
    double limit;
};

extern const struct budget budgets[];
extern const size_t budgets_count;

/* The median of a figure over the rounds; NAN when it was not measured. */
double result_median(const struct results *results, enum work_kind work,
                     enum server_kind server, enum figure figure);

/* The median of the rounds' ratios of SERVER to BASE; the lowest and the
 * highest of them go to *LOW and *HIGH, where those are not NULL. NAN when
 * there is none. */
double result_ratio(const struct results *results, enum work_kind work,
                    enum server_kind server, enum server_kind base, enum figure figure,
                    double *low, double *high);

/* What was measured of BUDGET; NAN when nothing was. */
double result_budget(const struct results *results, const struct budget *budget);

/* Whether that is within the budget. */
bool result_met(const struct budget *budget, double measured);

#endif
