/*
 * soak: crierd under all that clients, publishers and operators do to it, for
 * as long as is wanted, while everything it promises is checked. README tells
 * what is done and how it is judged.
 */
#include <config.h>

#include "bench/fault.h"
#include "bench/usage.h"
#include "play.h"
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
    "Plays with a crierd and checks what it promises; see soak/README.\n"
    "  --crierd, --crier PATH  the programs\n"
    "  --www, --data DIR       crierd's\n"
    "  --seconds N             how long; 600\n"
    "  --seed N                what is tried; otherwise a new one\n"
    "  --clients N             2000, at most 10000\n"
    "  --subs N                processes of crier sub; 8, at most 100\n"
    "  --svg FILE              write the plot there\n";

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

/* Beside what every crierd of the benchmark is given. */
static const char *const crierd_options[] = {
    "--retain-count",  TEXT_OF(LEDGER_RETAIN_COUNT),
    "--retain-bytes",  TEXT_OF(LEDGER_RETAIN_BYTES),
    "--retain-topic",  "short/*:count=" TEXT_OF(LEDGER_RETAIN_SHORT),
    "--stall-timeout", TEXT_OF(SOAK_STALL_TIMEOUT) "s",
    "--max-update",   TEXT_OF(SOAK_MAX_MESSAGE),
    NULL};

struct options {
    struct play_size size;
    uint64_t seed;
    const char *svg;
};

static struct soak soak;

/* A whole number from LOW to HIGH; ends the program when TEXT is not one. */
static uint64_t number(const char *text, uint64_t low, uint64_t high)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end != '\0' || value < low || value > high) {
        fprintf(stderr,
                "soak: '%s' is not a number from %" PRIu64 " to %" PRIu64
                "\n",
                text, low, high);
        exit(2);
    }
    return value;
}

static void set(struct options *options, int option, const char *text)
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
        options->size.seconds = (unsigned)number(text, 4, 10000000);
    else if (option == OPTION_SEED)
        options->seed = number(text, 0, UINT64_MAX);
    else if (option == OPTION_CLIENTS)
        options->size.clients = number(text, 20, 10000);
    else if (option == OPTION_SUBS)
        options->size.subs = number(text, 0, 100);
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
        set(options, option, optarg);
    }
}

static bool installed(const struct options *options)
{
    if (!server_available(SERVER_CRIERD_SQLITE, &soak.settings))
        return fault("there is no %s", soak.settings.crierd);
    return access(options->size.crier, X_OK) == 0 ||
           fault("there is no %s", options->size.crier);
}

/* Runs, and tells all there is to tell; returns the exit status. */
static int run(const struct options *options)
{
    struct record record;
    bool well;

    record_open(&record, &soak);
    well = play(&soak, &record, &options->size);
    if (well) {
        record_judge(&record);
    } else {
        verdict_open(&soak.verdict, PROMISE_FILES, "the run was cut short");
        verdict_open(&soak.verdict, PROMISE_MEMORY, "the run was cut short");
    }
    verdict_print(&soak.verdict);
    if (options->svg != NULL)
        well = plot_write(&record, options->seed, options->svg) && well;
    record_close(&record);
    well = well && !verdict_any(&soak.verdict);
    printf("\nsoak: seed %" PRIu64 ": %s\n", options->seed,
           well ? "no promise was broken" : fault_text());
    return well ? 0 : 1;
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
    dice_seed(&soak.dice, options.seed);
    soak.verdict.begun = usage_now();
    fprintf(stderr, "soak: seed %" PRIu64 "\n", options.seed);
    if (server_enough_files(options.size.clients) && installed(&options))
        return run(&options);
    fprintf(stderr, "soak: %s\n", fault_text());
    return 1;
}
