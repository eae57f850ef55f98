/*
 * The results, as a table for people and as JSON for programs, with the same rows: one
 * for each workload and server. JSON has four digits, null for what was not measured,
 * and the CPU of each round beside the median, so that the median can be checked.
 */
#include <config.h>

#include "report.h"

#include "fault.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name; /* in JSON */
    const char *head; /* in the table */
    double divisor;   /* of the printed number */
    int digits;
} columns[FIGURES] = {
    [FIGURE_CPU] = {"cpu_ns", "CPU us", 1e3, 2},
    [FIGURE_RATE] = {"rate_per_s", "rate/s", 1, 0},
    [FIGURE_P50] = {"latency_p50_ns", "p50 ms", 1e6, 2},
    [FIGURE_P99] = {"latency_p99_ns", "p99 ms", 1e6, 2},
    [FIGURE_P999] = {"latency_p999_ns", "p99.9", 1e6, 2},
    [FIGURE_MEMORY] = {"memory_bytes_per_client", "mem B", 1, 0},
    [FIGURE_KERNEL] = {"kernel_bytes_per_client", "kern B", 1, 0},
    [FIGURE_PUBLISHES] = {"publishes_per_s", "publ/s", 1, 0},
    [FIGURE_BYTES] = {"bytes_per_delivery", "bytes", 1, 0},
    [FIGURE_TO_PLAIN] = {"cpu_to_plain", "/plain", 1, 2},
    [FIGURE_P50_ALONE] = {"latency_p50_to_alone", "p50 x", 1, 2},
    [FIGURE_P99_ALONE] = {"latency_p99_to_alone", "p99 x", 1, 2},
    [FIGURE_ATTACKS] = {"attacks_per_s", "atk/s", 1, 0},
    [FIGURE_LOAD] = {"load_cpu_share", "load", 1, 2},
};

/* ---- the table ---------------------------------------------------------- */

/* Prints a number, or a dash for NAN, in WIDTH columns. */
static void print_number(double number, int width, int digits)
{
    if (isnan(number))
        printf("%*s", width, "-");
    else
        printf("%*.*f", width, digits, number);
}

static void print_row(const struct results *results, enum work_kind work,
                      enum server_kind server)
{
    printf("%-15s%-14s", work_name(work), server_name(server));
    for (int i = 0; i < FIGURES; i++) {
        print_number(result_median(results, work, server, (enum figure)i) /
                         columns[i].divisor,
                     i == FIGURE_RATE ? 10 : 8, columns[i].digits);
        if (i != FIGURE_CPU)
            continue;
        print_number(result_ratio(results, work, server, SERVER_BASELINE, FIGURE_CPU,
                                  NULL, NULL),
                     8, 2);
        print_number(
            result_ratio(results, work, server, SERVER_NCHAN, FIGURE_CPU, NULL, NULL),
            8, 2);
    }
    printf("\n");
}

static void print_budgets(const struct results *results)
{
    const struct budget *budget;
    double measured;

    printf("\n%-48s%10s%12s\n", "budget", "measured", "limit");
    for (size_t i = 0; i < budgets_count; i++) {
        budget = &budgets[i];
        measured = result_budget(results, budget);
        printf("%-48s", budget->text);
        print_number(measured, 10, budget->limit < 100 ? 3 : 0);
        printf("  %s%8.*f  %s\n",
               budget->at_least ? ">=" : "<=", budget->limit < 100 ? 2 : 0,
               budget->limit,
               isnan(measured)                ? "not measured"
               : result_met(budget, measured) ? "met"
                                              : "MISSED");
    }
}

void report_print(const struct results *results, const struct work_size *size)
{
    printf(
        "%zu clients; medians of the rounds; CPU us: of the server, per "
        "delivery\n(idle: per keep-alive; publish and bulk: per publish; "
        "connect and memory: per client;\nquiet: per second); rate/s: of these (storm: "
        "clients; quiet: context switches)\n\n%-29s",
        size->clients, "");
    for (int i = 0; i < FIGURES; i++)
        printf("%*s%s", i == FIGURE_RATE ? 10 : 8, columns[i].head,
               i == FIGURE_CPU ? "   /base  /nchan" : "");
    printf("\n");
    for (int work = 0; work < WORK_KINDS; work++)
        for (int server = 0; server < SERVER_KINDS; server++)
            if (results->rounds[work][server] != 0)
                print_row(results, (enum work_kind)work, (enum server_kind)server);
    printf("\nIt took %.0f s; other programs used %.2f of %ld CPUs meanwhile.\n",
           results->seconds, results->others, sysconf(_SC_NPROCESSORS_ONLN));
    print_budgets(results);
    fflush(stdout);
}

/* ---- JSON --------------------------------------------------------------- */

/* Returns NUMBER with four digits. */
static json_t *make_number(double number)
{
    char text[32];

    if (!isfinite(number))
        return json_null();
    snprintf(text, sizeof text, "%.4g", number);
    if (fabs(number) >= 1000)
        snprintf(text, sizeof text, "%.0f", number);
    if (strpbrk(text, ".e") == NULL)
        return json_integer((json_int_t)strtoll(text, NULL, 10));
    return json_real(strtod(text, NULL));
}

static json_t *make_ratio(const struct results *results, enum work_kind work,
                          enum server_kind server, enum server_kind base)
{
    double low, high, ratio;

    ratio = result_ratio(results, work, server, base, FIGURE_CPU, &low, &high);
    if (isnan(ratio))
        return json_null();
    return json_pack("{s:o,s:o,s:o}", "median", make_number(ratio), "lowest",
                     make_number(low), "highest", make_number(high));
}

static json_t *make_row(const struct results *results, const struct work_size *size,
                        enum work_kind work, enum server_kind server)
{
    json_t *rounds = json_array();
    json_t *row = json_pack(
        "{s:s,s:s,s:I,s:s}", "workload", work_name(work), "server", server_name(server),
        "clients", (json_int_t)work_clients(work, server, size), "cpu_per", work_unit(work));

    for (int i = 0; i < FIGURES; i++)
        json_object_set_new(
            row, columns[i].name,
            make_number(result_median(results, work, server, (enum figure)i)));
    json_object_set_new(row, "cpu_to_baseline",
                        make_ratio(results, work, server, SERVER_BASELINE));
    json_object_set_new(row, "cpu_to_nchan",
                        make_ratio(results, work, server, SERVER_NCHAN));
    for (unsigned i = 0; i < results->rounds[work][server]; i++)
        json_array_append_new(rounds,
                              make_number(results->of[work][server][i].of[FIGURE_CPU]));
    json_object_set_new(row, "cpu_ns_of_rounds", rounds);
    return row;
}

static json_t *make_rows(const struct results *results, const struct work_size *size)
{
    json_t *rows = json_array();

    for (int work = 0; work < WORK_KINDS; work++)
        for (int server = 0; server < SERVER_KINDS; server++)
            if (results->rounds[work][server] != 0)
                json_array_append_new(rows,
                                      make_row(results, size, (enum work_kind)work,
                                               (enum server_kind)server));
    return rows;
}

static json_t *make_budgets(const struct results *results)
{
    json_t *all = json_array();
    const struct budget *budget;
    double measured;

    for (size_t i = 0; i < budgets_count; i++) {
        budget = &budgets[i];
        measured = result_budget(results, budget);
        json_array_append_new(
            all,
            json_pack("{s:s,s:s,s:f,s:o,s:o}", "budget", budget->text, "limit",
                      budget->at_least ? "at least" : "at most", "of", budget->limit,
                      "measured", make_number(measured), "met",
                      isnan(measured) ? json_null()
                                      : json_boolean(result_met(budget, measured))));
    }
    return all;
}

static json_t *make_machine(const struct results *results)
{
    struct utsname name = {0};

    (void)uname(&name);
    return json_pack("{s:s,s:s,s:s,s:I,s:o}", "system", name.sysname, "kernel",
                     name.release, "hardware", name.machine, "cpus",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "cpus_used_by_others",
                     make_number(results->others));
}

bool report_write(const struct results *results, const struct work_size *size,
                  const char *path)
{
    time_t now = time(NULL);
    char date[32];
    json_t *all;
    bool ok;

    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    all = json_pack("{s:s,s:s,s:o,s:{s:I,s:f,s:i},s:o,s:o}", "crier", VERSION, "date",
                    date, "machine", make_machine(results), "size", "clients",
                    (json_int_t)size->clients, "seconds_per_round", size->seconds,
                    "keep_alive_s", (int)size->keep_alive, "rows",
                    make_rows(results, size), "budgets", make_budgets(results));
    ok = all != NULL &&
         json_dump_file(all, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0;
    json_decref(all);
    return ok || fault("cannot write %s: %s", path, strerror(errno));
}
