/*
 * The command line. Every option has a default that suits a newcomer, and every
 * mistake gets one line that names it.
 */
#include <config.h>

#include "conf.h"

#include "base/number.h"
#include "base/thread.h"
#include "crier.h"
#include "crierd/net/listener.h"

#include <getopt.h>
#include <microhttpd.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 64
#define CLIENTS_MAX 10000000
#define TOPICS_MIN 100
#define TOPICS_MAX 10000000
#define COUNT_MAX UINT64_C(1000000000000)
#define SIZE_LIMIT ((uint64_t)1 << 44)
#define MESSAGE_MAX ((size_t)15 * 1024 * 1024)
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
    OPT_JOURNAL,
    OPT_RETAIN_COUNT,
    OPT_RETAIN_BYTES,
    OPT_RETAIN_AGE,
    OPT_RETAIN_TOPIC,
    OPT_MAX_TOPICS,
    OPT_MAX_MESSAGE,
    OPT_PRESENCE,
    OPT_SLOW_CLIENT,
    OPT_STALL_TIMEOUT,
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
    {"journal", required_argument, NULL, OPT_JOURNAL},
    {"retain-count", required_argument, NULL, OPT_RETAIN_COUNT},
    {"retain-bytes", required_argument, NULL, OPT_RETAIN_BYTES},
    {"retain-age", required_argument, NULL, OPT_RETAIN_AGE},
    {"retain-topic", required_argument, NULL, OPT_RETAIN_TOPIC},
    {"max-topics", required_argument, NULL, OPT_MAX_TOPICS},
    {"max-message", required_argument, NULL, OPT_MAX_MESSAGE},
    {"presence", required_argument, NULL, OPT_PRESENCE},
    {"slow-client", required_argument, NULL, OPT_SLOW_CLIENT},
    {"stall-timeout", required_argument, NULL, OPT_STALL_TIMEOUT},
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
    "  --ping-interval TIME  quiet time before a ping on /topics, /events and\n"
    "                        /chat (default 10s)\n"
    "  --keep-alive TIME     the same for all other streams (default 15s)\n"
    "  --max-clients N       streams open at once\n"
    "                        (default: what the open-file limit allows)\n"
    "  --no-get-publish      refuse GET /events/MSG\n"
    "  --stall-timeout TIME  end a client that takes nothing at all for so long\n"
    "                        (default 30s)\n"
    "  --slow-client gap|disconnect\n"
    "                        what to do with a client that the journal has left\n"
    "                        behind (default gap)\n"
    "  --presence TOPICS     topics with presence, as a,b; or '*'\n"
    "  --max-message SIZE    the largest message to a topic (default 1M)\n"
    "  --max-topics N        topics remembered (default 100000)\n"
    "  --journal memory|sqlite:PATH\n"
    "                        where updates are held (default memory)\n"
    "  --retain-count N      how much of the past is held, in updates\n"
    "                        (default 100000; sqlite 10000000),\n"
    "  --retain-bytes SIZE   in bytes (default 16M; sqlite 1G),\n"
    "  --retain-age TIME     and for how long (default: for ever)\n"
    "  --retain-topic TOPIC:count=N,bytes=SIZE,age=TIME\n"
    "                        less for one topic, or for all that begin with what\n"
    "                        is before a '*'; one of the three is enough\n"
    "  --log-level LEVEL     error, warning, info or debug (default info)\n"
    "  --version             print the version and exit\n"
    "  --help                print this and exit\n"
    "\n"
    "TIME is a number with ms, s, m or h (and d for what is retained); without\n"
    "a unit it means seconds. SIZE is a number of bytes, or with K, M or G.\n"
    "See crierd(8).\n";

bool conf_age(const char *text, uint64_t *milliseconds)
{
    return crier__number_read_unit(text, crier__time_units, CRIER__TIME_UNITS,
                                   36500 * DAY, milliseconds);
}

bool conf_duration(const char *text, uint32_t *milliseconds)
{
    uint64_t value;

    if (strchr(text, 'd') != NULL || !conf_age(text, &value) || value < 10 ||
        value > DAY)
        return false;
    *milliseconds = (uint32_t)value;
    return true;
}

bool conf_size(const char *text, size_t *bytes)
{
    static const struct crier__unit units[] = {
        {"", 1}, {"K", 1024}, {"M", 1024 * 1024}, {"G", 1024 * 1024 * 1024}};
    uint64_t value;

    if (!crier__number_read_unit(text, units, sizeof units / sizeof units[0],
                                 SIZE_LIMIT, &value) ||
        value == 0)
        return false;
    *bytes = (size_t)value;
    return true;
}

static enum conf_result bad(const char *option, const char *value,
                            const char *wanted)
{
    fprintf(stderr, "crierd: %s '%s' is not %s\n", option, value, wanted);
    return CONF_BAD;
}

/* The command line itself is not understood, which has been said. */
static enum conf_result try_help(void)
{
    fputs("Try 'crierd --help'.\n", stderr);
    return CONF_BAD;
}

static enum conf_result set_number(const char *option, uint64_t min,
                                   uint64_t max, uint64_t *number)
{
    char wanted[64];

    if (crier__number_read(optarg, min, max, number))
        return CONF_RUN;
    snprintf(wanted, sizeof wanted, "a number from %llu to %llu",
             (unsigned long long)min, (unsigned long long)max);
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

/* ---- the journal ------------------------------------------------------ */

static enum conf_result set_size(const char *option, size_t *bytes)
{
    if (conf_size(optarg, bytes))
        return CONF_RUN;
    return bad(option, optarg, "a size, such as 4000, 64K, 16M or 2G");
}

static enum conf_result set_age(const char *option, uint64_t *age)
{
    if (conf_age(optarg, age) && *age != 0)
        return CONF_RUN;
    return bad(option, optarg, "a time, such as 90s, 12h or 30d");
}

static enum conf_result set_journal(struct conf *conf)
{
    if (strcmp(optarg, "memory") == 0)
        conf->journal = NULL;
    else if (strncmp(optarg, "sqlite:", 7) == 0 && optarg[7] != '\0')
        conf->journal = optarg + 7;
    else
        return bad("--journal", optarg, "memory or sqlite:PATH");
    return CONF_RUN;
}

/* One of the limits behind the colon of --retain-topic. */
static bool read_limit(char *limit, struct crier_retention *retention)
{
    uint64_t count;

    if (strncmp(limit, "count=", 6) == 0 &&
        crier__number_read(limit + 6, 1, COUNT_MAX, &count)) {
        retention->count = (size_t)count;
        return true;
    }
    if (strncmp(limit, "bytes=", 6) == 0)
        return conf_size(limit + 6, &retention->bytes);
    return strncmp(limit, "age=", 4) == 0 &&
           conf_age(limit + 4, &retention->age) && retention->age != 0;
}

/* Whether what is between the two is a topic, or the beginning of one and '*'. */
static bool is_pattern(const char *from, const char *to)
{
    for (; from < to; from++)
        if (*from == ',' || (*from == '*' && from + 1 != to) ||
            (unsigned char)*from < ' ')
            return false;
    return true;
}

/* TOPIC:LIMIT,LIMIT; optarg is cut up. */
static enum conf_result set_topic(struct conf *conf)
{
    struct crier_topic_retention *topic = &conf->topics[conf->topic_count];
    char *colon = strrchr(optarg, ':'), *limit;

    if (conf->topic_count == CONF_TOPICS_MAX) {
        fprintf(stderr, "crierd: --retain-topic is given more than %d times\n",
                CONF_TOPICS_MAX);
        return CONF_BAD;
    }
    if (colon == NULL || colon == optarg || !is_pattern(optarg, colon))
        return bad("--retain-topic", optarg,
                   "TOPIC:count=N,bytes=SIZE,age=TIME");
    *colon = '\0';
    topic->topic = optarg;
    colon++;
    while ((limit = strsep(&colon, ",")) != NULL)
        if (!read_limit(limit, &topic->retention))
            return bad("--retain-topic", limit,
                       "count=N, bytes=SIZE or age=TIME");
    conf->topic_count++;
    return CONF_RUN;
}

static enum conf_result set_presence(struct conf *conf)
{
    size_t length = strlen(optarg);

    if (length == 0 || optarg[0] == ',' || optarg[length - 1] == ',' ||
        strstr(optarg, ",,") != NULL || strchr(optarg, '$') != NULL ||
        (strcmp(optarg, "*") != 0 && strchr(optarg, '*') != NULL))
        return bad("--presence", optarg, "topics, as a,b, or '*'");
    conf->presence = optarg;
    return CONF_RUN;
}

static enum conf_result set_slow(struct conf *conf)
{
    if (strcmp(optarg, "gap") == 0)
        conf->slow = CRIER_SLOW_GAP;
    else if (strcmp(optarg, "disconnect") == 0)
        conf->slow = CRIER_SLOW_DISCONNECT;
    else
        return bad("--slow-client", optarg, "gap or disconnect");
    return CONF_RUN;
}

/* The options about topics. */
static enum conf_result set_topics(struct conf *conf, int code)
{
    enum conf_result result;
    uint64_t number = 0;

    switch (code) {
    case OPT_JOURNAL:
        return set_journal(conf);
    case OPT_RETAIN_COUNT:
        result = set_number("--retain-count", 1, COUNT_MAX, &number);
        conf->retention.count = (size_t)number;
        return result;
    case OPT_RETAIN_BYTES:
        return set_size("--retain-bytes", &conf->retention.bytes);
    case OPT_RETAIN_AGE:
        return set_age("--retain-age", &conf->retention.age);
    case OPT_RETAIN_TOPIC:
        return set_topic(conf);
    case OPT_MAX_TOPICS:
        result = set_number("--max-topics", TOPICS_MIN, TOPICS_MAX, &number);
        conf->max_topics = (size_t)number;
        return result;
    case OPT_MAX_MESSAGE:
        result = set_size("--max-message", &conf->max_message);
        if (result == CONF_RUN && conf->max_message > MESSAGE_MAX)
            return bad("--max-message", optarg, "15M or less");
        return result;
    case OPT_PRESENCE:
        return set_presence(conf);
    case OPT_SLOW_CLIENT:
        return set_slow(conf);
    case OPT_STALL_TIMEOUT:
        return set_time("--stall-timeout", &conf->stall_timeout);
    default: /* getopt_long has said why */
        return try_help();
    }
}

/* ---- all -------------------------------------------------------------- */

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
        result = set_number("--threads", 1, THREADS_MAX, &number);
        conf->threads = (unsigned)number;
        return result;
    case OPT_PING:
        return set_time("--ping-interval", &conf->ping);
    case OPT_KEEP_ALIVE:
        return set_time("--keep-alive", &conf->keep_alive);
    case OPT_MAX_CLIENTS:
        result = set_number("--max-clients", 1, CLIENTS_MAX, &number);
        conf->max_clients = (size_t)number;
        return result;
    case OPT_NO_GET_PUBLISH:
        conf->get_publish = false;
        return CONF_RUN;
    case OPT_LOG_LEVEL:
        return set_level(conf);
    case OPT_VERSION:
        printf("crierd %s (libmicrohttpd %s, jansson %s, SQLite %s)\n",
               crier_version(), MHD_get_version(), jansson_version_str(),
               sqlite3_libversion());
        return CONF_DONE;
    case OPT_HELP:
        fputs(help, stdout);
        return CONF_DONE;
    default:
        return set_topics(conf, code);
    }
}

enum conf_result conf_parse(struct conf *conf, int argc, char **argv)
{
    enum conf_result result = CONF_RUN;
    int code;

    *conf = (struct conf){
        .listen = "127.0.0.1:8080",
        .www = PKGDATADIR "/www",
        .data = PKGDATADIR "/data",
        .threads = crier__thread_count(THREADS_MAX),
        .ping = 10000,
        .keep_alive = 15000,
        .log_level = LOG_INFO,
        .get_publish = true,
        .demo = true,
        .max_message = 1024 * 1024,
        .stall_timeout = 30000,
    };
    while (result == CONF_RUN &&
           (code = getopt_long(argc, argv, "", options, NULL)) != -1)
        result = set(conf, code);
    if (result == CONF_RUN && optind < argc) {
        fprintf(stderr, "crierd: unexpected argument '%s'\n", argv[optind]);
        result = try_help();
    }
    return result;
}
