/*
 * bench: the cost of crierd beside the baseline and Nchan. README explains the figures.
 *
 * The order is the method: for each workload and each round, every server once. A wrong
 * delivery, a server that hangs or exits, or a signal ends the run with status 1; a
 * missed budget does not.
 */
#include <config.h>

#include "chart.h"
#include "fault.h"
#include "report.h"
#include "server.h"
#include "usage.h"
#include "work.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct server_settings servers;
    struct work_size size;
    unsigned rounds;
    unsigned idle_rounds; /* fewer, because they take long */
    const char *only;     /* workloads, separated by commas; NULL for all */
    const char *json, *svg;
    bool together; /* generator and servers share the CPUs */
};

/* Maximum number of rounds with attackers, and of rounds that measure memory. */
#define ABUSE_ROUNDS 3
#define MEMORY_ROUNDS 1

/* Maximum number of rounds with a crowd, which take long. */
#define CROWD_ROUNDS 2

static struct results results;

static const char usage[] =
    "Usage: bench [OPTION]...\n"
    "Measures crierd beside the baseline and Nchan; see bench/README.\n"
    "  --baseline, --crierd PATH  programs\n"
    "  --nginx, --nchan PATH      nginx ('': none) and its module\n"
    "  --redis PATH               redis-server ('': none)\n"
    "  --www, --data DIR          of crierd\n"
    "  --clients N                number of clients of broadcast; 10000\n"
    "  --rounds N                 of each workload; 5, at most 15\n"
    "  --idle-rounds N            of the workload idle; 3\n"
    "  --seconds N                publishing time of a round; 1.2\n"
    "  --keep-alive N             seconds between keep-alives; 15\n"
    "  --patience N               seconds without progress until failure; 20\n"
    "  --only WORKLOAD,...        run only these workloads\n"
    "  --together                 share the CPUs with the servers\n"
    "  --json FILE, --svg FILE    write the results\n";

enum {
    OPTION_BASELINE = 256,
    OPTION_CRIERD,
    OPTION_NGINX,
    OPTION_NCHAN,
    OPTION_REDIS,
    OPTION_WWW,
    OPTION_DATA,
    OPTION_CLIENTS,
    OPTION_ROUNDS,
    OPTION_IDLE_ROUNDS,
    OPTION_SECONDS,
    OPTION_KEEP_ALIVE,
    OPTION_PATIENCE,
    OPTION_ONLY,
    OPTION_JSON,
    OPTION_SVG,
    OPTION_TOGETHER,
    OPTION_BASELINE_FAULT, /* for the test of this program */
    OPTION_HELP
};

static const struct option long_options[] = {
    {"baseline", required_argument, NULL, OPTION_BASELINE},
    {"crierd", required_argument, NULL, OPTION_CRIERD},
    {"nginx", required_argument, NULL, OPTION_NGINX},
    {"nchan", required_argument, NULL, OPTION_NCHAN},
    {"redis", required_argument, NULL, OPTION_REDIS},
    {"www", required_argument, NULL, OPTION_WWW},
    {"data", required_argument, NULL, OPTION_DATA},
    {"clients", required_argument, NULL, OPTION_CLIENTS},
    {"rounds", required_argument, NULL, OPTION_ROUNDS},
    {"idle-rounds", required_argument, NULL, OPTION_IDLE_ROUNDS},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"keep-alive", required_argument, NULL, OPTION_KEEP_ALIVE},
    {"patience", required_argument, NULL, OPTION_PATIENCE},
    {"only", required_argument, NULL, OPTION_ONLY},
    {"json", required_argument, NULL, OPTION_JSON},
    {"svg", required_argument, NULL, OPTION_SVG},
    {"together", no_argument, NULL, OPTION_TOGETHER},
    {"baseline-fault", required_argument, NULL, OPTION_BASELINE_FAULT},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0}};

/* ---- options ------------------------------------------------------------ */

/* Parses a whole number from LOW to HIGH; ends the program if TEXT is not one. */
static unsigned parse_number(const char *text, unsigned low, unsigned high)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || value < low || value > high) {
        fprintf(stderr, "bench: '%s' is not a number from %u to %u\n", text, low, high);
        exit(2);
    }
    return (unsigned)value;
}

static void set_size(struct options *options, int option, const char *text)
{
    struct work_size *size = &options->size;

    if (option == OPTION_CLIENTS)
        size->clients = parse_number(text, 10, 19000);
    else if (option == OPTION_ROUNDS)
        options->rounds = parse_number(text, 1, ROUNDS_MAX);
    else if (option == OPTION_IDLE_ROUNDS)
        options->idle_rounds = parse_number(text, 1, ROUNDS_MAX);
    else if (option == OPTION_SECONDS)
        size->seconds = strtod(text, NULL);
    else if (option == OPTION_KEEP_ALIVE)
        size->keep_alive = parse_number(text, 1, 3600);
    else if (option == OPTION_PATIENCE)
        size->patience = options->servers.patience = parse_number(text, 1, 3600);
}

static const char **find_path(struct options *options, int option)
{
    switch (option) {
    case OPTION_BASELINE:
        return &options->servers.baseline;
    case OPTION_CRIERD:
        return &options->servers.crierd;
    case OPTION_NGINX:
        return &options->servers.nginx;
    case OPTION_NCHAN:
        return &options->servers.nchan;
    case OPTION_REDIS:
        return &options->servers.redis;
    case OPTION_WWW:
        return &options->servers.www;
    case OPTION_DATA:
        return &options->servers.data;
    case OPTION_ONLY:
        return &options->only;
    case OPTION_JSON:
        return &options->json;
    case OPTION_SVG:
        return &options->svg;
    case OPTION_BASELINE_FAULT:
        return &options->servers.baseline_fault;
    default:
        return NULL;
    }
}

static void read_options(int argc, char **argv, struct options *options)
{
    const char **path;
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        path = find_path(options, option);
        if (option == OPTION_HELP) {
            fputs(usage, stdout);
            exit(0);
        } else if (path != NULL) {
            *path = optarg;
        } else if (option == OPTION_TOGETHER) {
            options->together = true;
        } else if (option == '?') {
            fputs(usage, stderr);
            exit(2);
        } else {
            set_size(options, option, optarg);
        }
    }
    options->servers.keep_alive = options->size.keep_alive;
}

/* Returns whether WORD is in LIST, whose words are separated by commas. */
static bool is_listed(const char *list, const char *word)
{
    size_t length = strlen(word);
    const char *at;

    for (at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ',') && (at[length] == '\0' || at[length] == ','))
            return true;
    return false;
}

/* ---- the run ------------------------------------------------------------ */

static bool measure_server(const struct options *options, enum work_kind work,
                           enum server_kind kind)
{
    unsigned *round = &results.rounds[work][kind];
    struct figures *figures = &results.of[work][kind][*round];
    struct server_settings settings = options->servers;
    struct cluster cluster;
    bool ok;

    fprintf(stderr, "%-14s %u  %-14s", work_name(work), *round + 1, server_name(kind));
    settings.more = work_options(work);
    settings.tls = work_is_tls(work);
    ok = cluster_start(&cluster, kind, work_nodes(work, kind), &settings) &&
         work_run(work, &options->size, &cluster, figures);
    ok = cluster_stop(&cluster) && ok;
    if (ok) {
        (*round)++;
        fprintf(stderr, "%8.2f us  %10.0f/s  load %3.0f %%\n",
                figures->of[FIGURE_CPU] / 1e3, figures->of[FIGURE_RATE],
                figures->of[FIGURE_LOAD] * 100);
    }
    return ok;
}

/* Runs one round: each server once, starting with another one in each round. */
static bool run_round(const struct options *options, enum work_kind work,
                      unsigned round)
{
    enum server_kind kind;

    for (unsigned i = 0; i < SERVER_KINDS; i++) {
        kind = (enum server_kind)((i + round) % SERVER_KINDS);
        if (work_is_for(work, kind) && server_available(kind, &options->servers) &&
            !measure_server(options, work, kind)) {
            fprintf(stderr, "\nbench: %s with %s: %s\n", work_name(work),
                    server_name(kind), fault_text());
            return false;
        }
    }
    return true;
}

static bool is_wanted(const struct options *options, int work)
{
    return options->only == NULL ||
           is_listed(options->only, work_name((enum work_kind)work));
}

static unsigned count_rounds(const struct options *options, enum work_kind work)
{
    unsigned most = work_is_abuse(work)    ? ABUSE_ROUNDS
                    : work_is_memory(work) ? MEMORY_ROUNDS
                    : work == WORK_CROWD   ? CROWD_ROUNDS
                                           : ROUNDS_MAX;
    unsigned rounds = work == WORK_IDLE || work == WORK_QUIET ? options->idle_rounds
                                                              : options->rounds;

    return rounds < most ? rounds : most;
}

/* Checks that servers and this process may open enough files. */
static bool check_files(const struct options *options)
{
    size_t most = options->size.clients, each;

    for (int work = 0; work < WORK_KINDS; work++) {
        each = work_clients_each((enum work_kind)work, &options->size);
        if (is_wanted(options, work) && each > most)
            most = each;
    }
    return server_enough_files(most);
}

static bool run_workloads(const struct options *options)
{
    uint64_t begun = usage_now(), others = usage_others();
    unsigned rounds, played = 0;

    for (int work = 0; work < WORK_KINDS; work++) {
        if (!is_wanted(options, work))
            continue;
        rounds = count_rounds(options, (enum work_kind)work);
        for (unsigned round = 0; round < rounds; round++, played++)
            if (!run_round(options, (enum work_kind)work, round))
                return false;
    }
    if (played == 0)
        return fault("unknown workload '%s'", options->only);
    results.seconds = (double)(usage_now() - begun) / 1e9;
    results.others = ((double)usage_others() - (double)others) / 1e9 / results.seconds;
    return true;
}

/* Reports missing servers. Without crierd, fails. */
static bool check_servers(const struct server_settings *settings)
{
    for (int kind = 0; kind < SERVER_KINDS; kind++)
        if (!server_available((enum server_kind)kind, settings))
            fprintf(stderr, "%s is not installed: skipped\n",
                    server_name((enum server_kind)kind));
    return server_available(SERVER_CRIERD, settings) ||
           fault("%s is missing", settings->crierd);
}

int main(int argc, char **argv)
{
    struct options options = {
        .servers = {.baseline = "bench/baseline",
                    .crierd = "src/crierd/crierd",
                    .www = "www",
                    .data = "data",
                    .nginx = "/usr/sbin/nginx",
                    .nchan = "/usr/lib/nginx/modules/ngx_nchan_module.so",
                    .redis = "/usr/bin/redis-server",
                    .patience = 20},
        .size = {.clients = 10000, .seconds = 1.2, .keep_alive = 15, .patience = 20},
        .rounds = 5,
        .idle_rounds = 3};

    read_options(argc, argv, &options);
    fault_catch_signals();
    if (!options.together)
        server_set_apart(&options.servers);
    if (!check_files(&options) ||
        !check_servers(&options.servers) || !run_workloads(&options)) {
        fprintf(stderr, "bench: failed: %s\n", fault_text());
        return 1;
    }
    report_print(&results, &options.size);
    if ((options.json != NULL &&
         !report_write(&results, &options.size, options.json)) ||
        (options.svg != NULL && !chart_write(&results, options.svg))) {
        fprintf(stderr, "bench: %s\n", fault_text());
        return 1;
    }
    return 0;
}
