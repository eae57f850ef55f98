/*
 * The command line. Every option has a default that suits a newcomer, and every
 * mistake gets one line that names it.
 */
#include <config.h>

#include "conf.h"

#include "crier.h"
#include "listener.h"
#include "text.h"

#include <getopt.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 64
#define CLIENTS_MAX 10000000
#define DAY ((uint64_t)24 * 60 * 60 * 1000)

enum option_code {
    OPT_LISTEN = 256,
    OPT_WWW,
    OPT_DATA,
    OPT_THREADS,
    OPT_PING,
    OPT_KEEP_ALIVE,
    OPT_MAX_CLIENTS,
    OPT_NO_GET_PUBLISH,
    OPT_LOG_LEVEL,
    OPT_VERSION,
    OPT_HELP
};

static const struct option options[] = {
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"www", required_argument, NULL, OPT_WWW},
    {"data", required_argument, NULL, OPT_DATA},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"ping-interval", required_argument, NULL, OPT_PING},
    {"keep-alive", required_argument, NULL, OPT_KEEP_ALIVE},
    {"max-clients", required_argument, NULL, OPT_MAX_CLIENTS},
    {"no-get-publish", no_argument, NULL, OPT_NO_GET_PUBLISH},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "Usage: crierd [OPTION]...\n"
    "Serve live event streams (Server-Sent Events) and the demo pages.\n"
    "\n"
    "  --listen HOST:PORT    address to listen on; port 0 takes a free one\n"
    "                        (default 127.0.0.1:8080; IPv6 as [::1]:8080)\n"
    "  --www DIR             the pages (default " PKGDATADIR "/www)\n"
    "  --data DIR            texts and quotes (default " PKGDATADIR "/data)\n"
    "  --threads N           HTTP threads and shards, N of each\n"
    "                        (default: one per CPU)\n"
    "  --ping-interval TIME  quiet time before a ping on /events and /chat\n"
    "                        (default 10s)\n"
    "  --keep-alive TIME     the same for all other streams (default 15s)\n"
    "  --max-clients N       streams open at once\n"
    "                        (default: what the open-file limit allows)\n"
    "  --no-get-publish      refuse GET /events/MSG\n"
    "  --log-level LEVEL     error, warning, info or debug (default info)\n"
    "  --version             print the version and exit\n"
    "  --help                print this and exit\n"
    "\n"
    "TIME is a number with ms, s, m or h; without a unit it means seconds.\n"
    "See crierd(8).\n";

bool conf_duration(const char *text, uint32_t *milliseconds)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000},
                 {"h", 3600000}};
    size_t digits = strspn(text, "0123456789"), i;
    char number[16];
    uint64_t value;

    if (digits >= sizeof number)
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    if (!number_text(number, 0, DAY, &value))
        return false;
    for (i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        value *= units[i].factor;
        if (value < 10 || value > DAY)
            return false;
        *milliseconds = (uint32_t)value;
        return true;
    }
    return false;
}

static enum conf_result bad(const char *option, const char *value,
                            const char *wanted)
{
    fprintf(stderr, "crierd: %s '%s' is not %s\n", option, value, wanted);
    return CONF_BAD;
}

static enum conf_result set_number(const char *option, uint64_t max,
                                   uint64_t *number)
{
    char wanted[64];

    if (number_text(optarg, 1, max, number))
        return CONF_RUN;
    snprintf(wanted, sizeof wanted, "a number from 1 to %llu",
             (unsigned long long)max);
    return bad(option, optarg, wanted);
}

static enum conf_result set_time(const char *option, uint32_t *milliseconds)
{
    if (conf_duration(optarg, milliseconds))
        return CONF_RUN;
    return bad(option, optarg, "a time from 10ms to 24h, such as 500ms or 10s");
}

static enum conf_result set_level(struct conf *conf)
{
    int level = log_level_by_name(optarg);

    if (level < 0)
        return bad("--log-level", optarg, "error, warning, info or debug");
    conf->log_level = (enum log_level)level;
    return CONF_RUN;
}

static enum conf_result set(struct conf *conf, int code)
{
    enum conf_result result = CONF_RUN;
    uint64_t number = 0;

    switch (code) {
    case OPT_LISTEN:
        conf->listen = optarg;
        return listener_valid(optarg)
                   ? CONF_RUN
                   : bad("--listen", optarg,
                         "HOST:PORT, such as 127.0.0.1:8080 or [::1]:0");
    case OPT_WWW:
        conf->www = optarg;
        return CONF_RUN;
    case OPT_DATA:
        conf->data = optarg;
        return CONF_RUN;
    case OPT_THREADS:
        result = set_number("--threads", THREADS_MAX, &number);
        conf->threads = (unsigned)number;
        return result;
    case OPT_PING:
        return set_time("--ping-interval", &conf->ping);
    case OPT_KEEP_ALIVE:
        return set_time("--keep-alive", &conf->keep_alive);
    case OPT_MAX_CLIENTS:
        result = set_number("--max-clients", CLIENTS_MAX, &number);
        conf->max_clients = (size_t)number;
        return result;
    case OPT_NO_GET_PUBLISH:
        conf->get_publish = false;
        return CONF_RUN;
    case OPT_LOG_LEVEL:
        return set_level(conf);
    case OPT_VERSION:
        printf("crierd %s (libmicrohttpd %s, jansson %s)\n", crier_version(),
               MHD_get_version(), jansson_version_str());
        return CONF_DONE;
    case OPT_HELP:
        fputs(help, stdout);
        return CONF_DONE;
    default: /* getopt_long has said why */
        return CONF_BAD;
    }
}

static unsigned default_threads(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);

    if (online < 1)
        return 1;
    return online < THREADS_MAX ? (unsigned)online : THREADS_MAX;
}

enum conf_result conf_parse(struct conf *conf, int argc, char **argv)
{
    enum conf_result result = CONF_RUN;
    int code;

    *conf = (struct conf){
        .listen = "127.0.0.1:8080",
        .www = PKGDATADIR "/www",
        .data = PKGDATADIR "/data",
        .threads = default_threads(),
        .ping = 10000,
        .keep_alive = 15000,
        .log_level = LOG_INFO,
        .get_publish = true,
    };
    while (result == CONF_RUN &&
           (code = getopt_long(argc, argv, "", options, NULL)) != -1)
        result = set(conf, code);
    if (result == CONF_RUN && optind < argc) {
        fprintf(stderr, "crierd: unexpected argument '%s'\n", argv[optind]);
        result = CONF_BAD;
    }
    return result;
}
