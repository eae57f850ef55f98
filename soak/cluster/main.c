/*
 * cluster: three crierd that share a journal in Redis, under faults, with a check of
 * everything that clients receive after each of them. ../README describes it.
 */
#include <config.h>

#include "faults.h"

#include "bench/fault.h"
#include "bench/server.h"
#include "bench/usage.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "Usage: cluster [OPTION]...\n"
    "Runs three crierd over one Redis under faults; see soak/README.\n"
    "  --crierd, --redis PATH  programs\n"
    "  --www, --data DIR       of crierd\n"
    "  --seconds N             duration, at least one round of all faults; 600\n"
    "  --seed N                repeat the choices of an earlier run\n"
    "  --clients N             3000, at most 10000\n"
    "  --rate N                updates a second of each publisher; 60\n"
    "  --stop MS               how long Redis is stopped; 10000\n"
    "  --wait N                replicas that must have an update; 0\n"
    "  --fault NAME            only this fault, or 'none'\n"
    "  --hurry                 make an old master a replica at once\n"
    "  --sqlite                one crierd with a journal in a file, without Redis\n"
    "  --no-net                do not make a network; no link is cut then\n"
    "  --damage drop|double|swap|gap\n"
    "                          damage what one client receives: the check must fail\n";

enum {
    OPTION_CRIERD = 256,
    OPTION_REDIS,
    OPTION_WWW,
    OPTION_DATA,
    OPTION_SECONDS,
    OPTION_SEED,
    OPTION_CLIENTS,
    OPTION_RATE,
    OPTION_STOP,
    OPTION_WAIT,
    OPTION_FAULT,
    OPTION_HURRY,
    OPTION_SQLITE,
    OPTION_NO_NET,
    OPTION_DAMAGE,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"crierd", required_argument, NULL, OPTION_CRIERD},
    {"redis", required_argument, NULL, OPTION_REDIS},
    {"www", required_argument, NULL, OPTION_WWW},
    {"data", required_argument, NULL, OPTION_DATA},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"clients", required_argument, NULL, OPTION_CLIENTS},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"stop", required_argument, NULL, OPTION_STOP},
    {"wait", required_argument, NULL, OPTION_WAIT},
    {"fault", required_argument, NULL, OPTION_FAULT},
    {"hurry", no_argument, NULL, OPTION_HURRY},
    {"sqlite", no_argument, NULL, OPTION_SQLITE},
    {"no-net", no_argument, NULL, OPTION_NO_NET},
    {"damage", required_argument, NULL, OPTION_DAMAGE},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0}};

struct options {
    struct site_settings site;
    unsigned seconds, rate, stop_ms;
    uint64_t seed;
    const char *only;
    bool hurry, no_net;
    enum damage damage;
};

static struct cluster cluster;

/* Parses a whole number from LOW to HIGH; ends the program if TEXT is not one. */
static uint64_t parse_number(const char *text, uint64_t low, uint64_t high)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end != '\0' || value < low || value > high) {
        fprintf(stderr, "cluster: '%s' is not a number from %" PRIu64 " to %" PRIu64 "\n",
                text, low, high);
        exit(2);
    }
    return value;
}

static enum damage parse_damage(const char *text)
{
    static const char *const names[] = {"none", "drop", "double", "swap", "gap"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0)
            return (enum damage)i;
    fprintf(stderr, "cluster: '%s' is no damage\n", text);
    exit(2);
}

static void set_number(struct options *options, int option, const char *text)
{
    if (option == OPTION_SECONDS)
        options->seconds = (unsigned)parse_number(text, 1, 10000000);
    else if (option == OPTION_SEED)
        options->seed = parse_number(text, 0, UINT64_MAX);
    else if (option == OPTION_CLIENTS)
        options->site.clients = parse_number(text, 20, 10000);
    else if (option == OPTION_RATE)
        options->rate = (unsigned)parse_number(text, 1, 10000);
    else if (option == OPTION_STOP)
        options->stop_ms = (unsigned)parse_number(text, 100, 60000);
    else if (option == OPTION_WAIT)
        options->site.wait = (unsigned)parse_number(text, 0, SITE_SERVERS - 1);
}

static void set_option(struct options *options, int option, const char *text)
{
    if (option == OPTION_CRIERD)
        options->site.crierd = text;
    else if (option == OPTION_REDIS)
        options->site.redis = text;
    else if (option == OPTION_WWW)
        options->site.www = text;
    else if (option == OPTION_DATA)
        options->site.data = text;
    else if (option == OPTION_FAULT)
        options->only = text;
    else if (option == OPTION_HURRY)
        options->hurry = true;
    else if (option == OPTION_SQLITE)
        options->site.journal = SITE_SQLITE;
    else if (option == OPTION_NO_NET)
        options->no_net = true;
    else if (option == OPTION_DAMAGE)
        options->damage = parse_damage(text);
    else
        set_number(options, option, text);
}

static void read_options(int argc, char **argv, struct options *options)
{
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPTION_HELP) {
            fputs(usage, stdout);
            printf("Faults:");
            play_print_faults();
            puts("");
            exit(0);
        }
        if (option == '?') {
            fputs(usage, stderr);
            exit(2);
        }
        set_option(options, option, optarg);
    }
}

/* Moves to a network of our own if that is possible. */
static void enter_network(struct options *options)
{
    char reason[256] = "--no-net";

    if (options->site.journal == SITE_SQLITE)
        return;
    options->site.apart = !options->no_net && net_enter(reason);
    if (!options->site.apart)
        printf("SKIPPED: the faults that cut a link: %s\n", reason);
}

static bool open_play(struct play *play)
{
    const struct site *site = &cluster.site;

    play->marks = calloc(cluster.oracle.topics, sizeof *play->marks);
    if (play->marks == NULL)
        return fault("out of memory");
    for (size_t i = 0; i < site->node_count; i++)
        publisher_init(&play->publishers[i], &cluster, i);
    return clients_open(&play->clients, &cluster, site->settings.clients);
}

static void close_play(struct play *play)
{
    for (size_t i = 0; i < cluster.site.node_count; i++)
        publisher_done(&play->publishers[i]);
    clients_close(&play->clients);
    free(play->marks);
}

static bool run_play(struct play *play, const struct options *options)
{
    uint64_t until = usage_now() + options->seconds * UINT64_C(1000000000);

    if (!play_begin(play))
        return false;
    if (options->only != NULL && strcmp(options->only, "none") == 0)
        return play_quietly(play);
    return play_run(play, until, options->only);
}

static bool run_cluster(const struct options *options)
{
    struct play play = {.cluster = &cluster,
                        .rate = options->rate,
                        .stop_ms = options->stop_ms,
                        .hurry = options->hurry};
    uint32_t topics = (uint32_t)(8 + options->site.clients / 60);
    bool ok;

    cluster.damage = options->damage;
    rng_seed(&cluster.rng, options->seed);
    ok = load_open(&cluster.load, 60) && oracle_open(&cluster.oracle, topics) &&
         site_open(&cluster.site, &options->site) && open_play(&play) &&
         run_play(&play, options);
    printf("%llu updates acknowledged, %llu requests refused, %llu deliveries, %llu gaps, "
           "%llu updates lost\n",
           (unsigned long long)cluster.acked, (unsigned long long)cluster.refused,
           (unsigned long long)cluster.delivered,
           (unsigned long long)cluster.oracle.gaps,
           (unsigned long long)cluster.oracle.losses);
    if (!ok)
        site_print_logs(&cluster.site);
    close_play(&play);
    site_close(&cluster.site);
    oracle_close(&cluster.oracle);
    load_close(&cluster.load);
    return ok;
}

int main(int argc, char **argv)
{
    struct options options = {.site = {.crierd = "src/crierd/crierd",
                                       .www = "www",
                                       .data = "data",
                                       .redis = "redis-server",
                                       .clients = 3000},
                              .seconds = 600,
                              .rate = 60,
                              .stop_ms = 10000,
                              .seed = usage_now()};
    bool ok;

    read_options(argc, argv, &options);
    fault_catch_signals();
    enter_network(&options);
    printf("cluster: seed %" PRIu64 "\n", options.seed);
    fflush(stdout);
    ok = server_enough_files(options.site.clients) && run_cluster(&options);
    printf("cluster: seed %" PRIu64 ": %s\n", options.seed,
           ok ? "everything arrived" : fault_text());
    return ok ? 0 : 1;
}
