/*
 * soak: runs crierd under what clients, publishers and operators do, for as long as
 * requested, and checks its invariants. README describes the load and the checks.
 */
#include <config.h>

#include "bench/fault.h"
#include "bench/usage.h"
#include "scenario.h"
#include "plot.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_OF(number) TEXT_OF_IT(number)
#define TEXT_OF_IT(number) #number

static const char usage[] =
    "Usage: soak [OPTION]...\n"
    "Runs a crierd under load and checks its invariants; see soak/README.\n"
    "  --crierd, --crier PATH  programs\n"
    "  --www, --data DIR       of crierd\n"
    "  --seconds N             duration; 600\n"
    "  --seed N                repeat the choices of an earlier run\n"
    "  --clients N             2000, at most 10000\n"
    "  --subs N                processes of crier sub; 8, at most 100\n"
    "  --svg FILE              write the plot\n";

enum {
    OPTION_CRIERD = 256,
    OPTION_CRIER,
    OPTION_WWW,
    OPTION_DATA,
    OPTION_SECONDS,
    OPTION_SEED,
    OPTION_CLIENTS,
    OPTION_SUBS,
    OPTION_SVG,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"crierd", required_argument, NULL, OPTION_CRIERD},
    {"crier", required_argument, NULL, OPTION_CRIER},
    {"www", required_argument, NULL, OPTION_WWW},
    {"data", required_argument, NULL, OPTION_DATA},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"clients", required_argument, NULL, OPTION_CLIENTS},
    {"subs", required_argument, NULL, OPTION_SUBS},
    {"svg", required_argument, NULL, OPTION_SVG},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0}};

/* In addition to the options of every crierd of the benchmark. */
static const char *const crierd_options[] = {
    "--retain-count",
    TEXT_OF(ORACLE_RETAIN_COUNT),
    "--retain-bytes",
    TEXT_OF(ORACLE_RETAIN_BYTES),
    "--retain-topic",
    "short/*:count=" TEXT_OF(ORACLE_RETAIN_SHORT),
    "--stall-timeout",
    TEXT_OF(SOAK_STALL_TIMEOUT) "s",
    "--max-update",
    TEXT_OF(SOAK_MAX_UPDATE),
    NULL};

struct options {
    struct scenario_size size;
    uint64_t seed;
    const char *svg;
};

static struct soak soak;

/* Parses a whole number from LOW to HIGH; ends the program if TEXT is not one. */
static uint64_t parse_number(const char *text, uint64_t low, uint64_t high)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end != '\0' || value < low || value > high) {
        fprintf(stderr, "soak: '%s' is not a number from %" PRIu64 " to %" PRIu64 "\n",
                text, low, high);
        exit(2);
    }
    return value;
}

static void set_option(struct options *options, int option, const char *text)
{
    struct server_settings *settings = &soak.settings;

    if (option == OPTION_CRIERD)
        settings->crierd = text;
    else if (option == OPTION_CRIER)
        options->size.crier = text;
    else if (option == OPTION_WWW)
        settings->www = text;
    else if (option == OPTION_DATA)
        settings->data = text;
    else if (option == OPTION_SECONDS)
        options->size.seconds = (unsigned)parse_number(text, 4, 10000000);
    else if (option == OPTION_SEED)
        options->seed = parse_number(text, 0, UINT64_MAX);
    else if (option == OPTION_CLIENTS)
        options->size.clients = parse_number(text, 20, 10000);
    else if (option == OPTION_SUBS)
        options->size.subs = parse_number(text, 0, 100);
    else if (option == OPTION_SVG)
        options->svg = text;
}

static void read_options(int argc, char **argv, struct options *options)
{
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPTION_HELP) {
            fputs(usage, stdout);
            exit(0);
        }
        if (option == '?') {
            fputs(usage, stderr);
            exit(2);
        }
        set_option(options, option, optarg);
    }
}

static bool check_programs(const struct options *options)
{
    if (!server_available(SERVER_CRIERD_SQLITE, &soak.settings))
        return fault("%s is missing", soak.settings.crierd);
    return access(options->size.crier, X_OK) == 0 ||
           fault("%s is missing", options->size.crier);
}

/* Runs, and prints the report. Returns the exit status. */
static int run_soak(const struct options *options)
{
    struct samples samples;
    bool ok;

    samples_init(&samples, &soak);
    ok = scenario_run(&soak, &samples, &options->size);
    if (ok) {
        samples_check(&samples);
    } else {
        invariant_skip(&soak.invariants, INVARIANT_FILES, "the run was cut short");
        invariant_skip(&soak.invariants, INVARIANT_MEMORY, "the run was cut short");
    }
    invariants_print(&soak.invariants);
    if (options->svg != NULL)
        ok = plot_write(&samples, options->seed, options->svg) && ok;
    samples_done(&samples);
    ok = ok && !invariants_any_broken(&soak.invariants);
    printf("\nsoak: seed %" PRIu64 ": %s\n", options->seed,
           ok ? "no invariant was broken" : fault_text());
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options options = {.size = {.seconds = 600,
                                       .clients = 2000,
                                       .subs = 8,
                                       .crier = "src/crier/crier"},
                              .seed = usage_now()};

    soak.settings = (struct server_settings){.crierd = "src/crierd/crierd",
                                             .www = "www",
                                             .data = "data",
                                             .more = crierd_options,
                                             .keep_alive = 1,
                                             .patience = 30};
    read_options(argc, argv, &options);
    fault_catch_signals();
    rng_seed(&soak.rng, options.seed);
    soak.invariants.begun = usage_now();
    fprintf(stderr, "soak: seed %" PRIu64 "\n", options.seed);
    if (server_enough_files(options.size.clients) && check_programs(&options))
        return run_soak(&options);
    fprintf(stderr, "soak: %s\n", fault_text());
    return 1;
}
