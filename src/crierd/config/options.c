/*
 * The table of options: what there is to configure, in one place. The command line, the
 * environment, the file, --help, --dump-config, and what a reload may change come from
 * it, and a test holds the manual page against it. A new option is a row here, a member
 * of struct conf, and its item in doc/crierd.8.
 *
 * A value is read and written by its type. What is a number in struct conf, an enum and a
 * bool included, is stored by the size of its member.
 */
#include <config.h>

#include "options.h"

#include "backend.h"
#include "keyring.h"
#include "listen_entry.h"
#include "retain.h"
#include "texts.h"
#include "url.h"
#include "value.h"
#include "base/number.h"
#include "base/token.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DAY ((uint64_t)24 * 60 * 60 * 1000)
#define AGE_MAX (36500 * DAY)
#define SIZE_LIMIT ((uint64_t)1 << 44)

/* libcrier's parser takes events of up to 16 MiB. */
#define UPDATE_MAX ((uint64_t)15 * 1024 * 1024)

static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const policies[] = {"gap", "disconnect", NULL};
static const char *const switches[] = {"off", "on", NULL};
static const char *const anonymous[] = {"none", "subscribe", "publish", "all",
                                        NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const any_origin[] = {"*", NULL};

const char *const option_groups[GROUPS] = {
    [GROUP_SERVER] = "Server",
    [GROUP_ACCESS] = "Who may publish and subscribe",
    [GROUP_LIMITS] = "Limits against abuse",
    [GROUP_STREAMS] = "Streams",
    [GROUP_TOPICS] = "Topics and their journal",
    [GROUP_DEMO] = "Demo",
    [GROUP_GENERAL] = "General",
};

#define MEMBER(name) .at = offsetof(struct conf, name), \
                     .size = sizeof(((struct conf *)0)->name)

const struct option_row option_rows[] = {
    {"listen", OPTION_LISTEN, GROUP_SERVER, false, "HOST:PORT|unix:PATH",
     "127.0.0.1:8080", NULL,
     "where to listen; port 0 takes a free one, IPv6 as [::1]:8080. ',proxy' "
     "behind it: clients come by a proxy that sends the PROXY protocol; "
     "',mode=0660' and ',group=NAME' for a path. Up to 64 times",
     MEMBER(listen)},
    {"tls-listen", OPTION_LISTEN, GROUP_SERVER, false, "HOST:PORT|unix:PATH",
     NULL, "none", "the same for clients that use https. Up to 64 times",
     MEMBER(tls_listen)},
    {"tls-cert", OPTION_TEXT, GROUP_SERVER, true, "FILE", NULL, "none",
     "crierd's certificate and its chain, in PEM, for listeners with TLS",
     MEMBER(tls_cert)},
    {"tls-key", OPTION_TEXT, GROUP_SERVER, true, "FILE", NULL, "none",
     "the private key of that certificate, in PEM", MEMBER(tls_key)},
    {"admin-listen", OPTION_LISTEN, GROUP_SERVER, false, "HOST:PORT|unix:PATH",
     NULL, "none",
     "listen for metrics and health alone; the other listeners then do not serve "
     "metrics. Up to 64 times",
     MEMBER(admin_listen)},
    {"threads", OPTION_NUMBER, GROUP_SERVER, false, "N", NULL, "one per CPU",
     "threads for HTTP, and as many for streams", .min = 1, .max = 64,
     MEMBER(threads)},
    {"max-clients", OPTION_NUMBER, GROUP_SERVER, true, "N", NULL,
     "what the open-file limit allows", "streams open at once", .min = 1,
     .max = 10000000, MEMBER(max_clients)},
    {"www", OPTION_TEXT, GROUP_SERVER, false, "DIR", PKGDATADIR "/www", NULL,
     "directory of the pages", MEMBER(www)},
    {"log-level", OPTION_CHOICE, GROUP_SERVER, true, "LEVEL", "info", NULL,
     "error, warning, info or debug", .choices = levels, MEMBER(log_level)},
    {"log-format", OPTION_CHOICE, GROUP_SERVER, true, "text|json", "text", NULL,
     "how the lines of the log are written", .choices = log_formats,
     MEMBER(log_format)},

    {"jwt-key", OPTION_KEY, GROUP_ACCESS, true, "ALG:SECRET|ALG:@FILE", NULL,
     "none",
     "a key that verifies tokens: the algorithm and a secret (HS256, HS384, "
     "HS512), or a file in PEM or with JWKs. Up to 32 times",
     MEMBER(jwt_keys)},
    {"jwks", OPTION_JWKS, GROUP_ACCESS, true, "FILE|URL", NULL, "none",
     "a JWK set with more public keys, read again from time to time",
     MEMBER(jwks)},
    {"public-url", OPTION_URL, GROUP_ACCESS, true, "URL", NULL, "none",
     "the URL that clients know crierd by, which tokens name as their audience",
     MEMBER(public_url)},
    {"anonymous", OPTION_CHOICE, GROUP_ACCESS, true, "none|subscribe|publish|all",
     NULL, "none; all without keys and tokens", "what may be done without a token",
     .choices = anonymous, MEMBER(anonymous)},
    {"auth-cookie", OPTION_COOKIE, GROUP_ACCESS, true, "NAME",
     "mercureAuthorization", NULL, "the cookie that may hold a token",
     MEMBER(auth_cookie)},
    {"query-token", OPTION_SWITCH, GROUP_ACCESS, true, "on|off", "on", NULL,
     "whether ?authorization= may hold a token", .choices = switches, .max = 1,
     MEMBER(query_token)},
    {"publish-origin", OPTION_ORIGINS, GROUP_ACCESS, true, "ORIGIN", NULL, "none",
     "another origin whose pages may publish with the cookie. Up to 64 times",
     MEMBER(publish_origins)},
    {"cors-origin", OPTION_ORIGINS, GROUP_ACCESS, true, "ORIGIN|*", NULL, "none",
     "an origin whose pages may read responses, or '*' for all, without cookies. "
     "Up to 64 times",
     .choices = any_origin, MEMBER(cors_origins)},
    {"trusted-proxy", OPTION_NETWORKS, GROUP_ACCESS, true, "CIDR|unix", NULL, "none",
     "a proxy, or a network of them, whose X-Forwarded-For, -Proto and -Host and "
     "Forwarded are believed. Up to 64 times",
     MEMBER(trusted_proxies)},

    {"max-clients-per-address", OPTION_NUMBER, GROUP_LIMITS, true, "N", NULL,
     "no limit",
     "streams open at once from one address (IPv6: one /64), and for one subject of "
     "tokens",
     .min = 1, .max = 10000000, MEMBER(max_clients_per_address)},
    {"publish-rate", OPTION_RATE, GROUP_LIMITS, true, "UPDATES[,SIZE]", NULL,
     "no limit",
     "updates, and bytes, a second that one subject of tokens, or else one address, "
     "may publish",
     MEMBER(publish_rate)},
    {"connect-rate", OPTION_NUMBER, GROUP_LIMITS, true, "N", NULL, "no limit",
     "new connections a second from one address; others are closed", .min = 1,
     .max = 1000000, MEMBER(connect_rate)},
    {"limit-exempt", OPTION_NETWORKS, GROUP_LIMITS, true, "CIDR|unix", NULL, "none",
     "addresses that the limits above do not apply to. Up to 64 times",
     MEMBER(limit_exempt)},

    {"ping-interval", OPTION_TIME, GROUP_STREAMS, true, "TIME", "10s", NULL,
     "quiet time before a stream is sent a ping", .min = 10, .max = DAY,
     MEMBER(ping)},
    {"stall-timeout", OPTION_TIME, GROUP_STREAMS, true, "TIME", "30s", NULL,
     "disconnect a client that reads nothing for TIME", .min = 10, .max = DAY,
     MEMBER(stall_timeout)},
    {"slow-client", OPTION_CHOICE, GROUP_STREAMS, true, "gap|disconnect", "gap",
     NULL, "what to do when a slow client's next update has expired",
     .choices = policies, MEMBER(slow)},
    {"presence", OPTION_TOPICS, GROUP_STREAMS, true, "TOPICS", NULL, "none",
     "topics with presence, such as a,log/*", MEMBER(presence)},
    {"subscriptions", OPTION_SWITCH, GROUP_STREAMS, false, "on|off", "off", NULL,
     "whether Mercure subscriptions are listed and reported", .choices = switches,
     .max = 1, MEMBER(subscriptions)},

    {"journal", OPTION_JOURNAL, GROUP_TOPICS, false, "", "memory", NULL,
     "where updates are stored: in this crierd, in a file, or in a server of Redis or "
     "Valkey that several crierds share",
     MEMBER(journal)},
    {"retain-count", OPTION_NUMBER, GROUP_TOPICS, true, "N", NULL,
     "100000; sqlite 10000000; redis 1000000", "how many updates are kept", .min = 1,
     .max = RETAIN_COUNT_MAX, MEMBER(retention.count)},
    {"retain-bytes", OPTION_SIZE, GROUP_TOPICS, true, "SIZE", NULL,
     "16M; sqlite 1G; redis 256M", "how many bytes of updates are kept", .min = 1,
     .max = SIZE_LIMIT, MEMBER(retention.bytes)},
    {"retain-age", OPTION_TIME, GROUP_TOPICS, true, "TIME", NULL, "for ever",
     "how long updates are kept", .min = 1, .max = AGE_MAX,
     MEMBER(retention.age)},
    {"retain-topic", OPTION_RETAIN, GROUP_TOPICS, true, "TOPIC:LIMITS", NULL,
     "none",
     "keep less of one topic, or of all that begin with what is before a final "
     "'*'; LIMITS are one or more of count=N,bytes=SIZE,age=TIME. Up to 64 "
     "times",
     MEMBER(topics)},
    {"max-topics", OPTION_NUMBER, GROUP_TOPICS, true, "N", "100000", NULL,
     "topics remembered", .min = 100, .max = 10000000, MEMBER(max_topics)},
    {"max-update", OPTION_SIZE, GROUP_TOPICS, true, "SIZE", "1M", NULL,
     "the largest body of a POST to a topic", .min = 1, .max = UPDATE_MAX,
     MEMBER(max_update)},

    {"demo", OPTION_SWITCH, GROUP_DEMO, false, "on|off", NULL,
     "on; off with --config", "the example application", .choices = switches,
     .max = 1, MEMBER(demo)},
    {"data", OPTION_TEXT, GROUP_DEMO, false, "DIR", PKGDATADIR "/data", NULL,
     "directory of its texts and quotes", MEMBER(data)},
    {"get-publish", OPTION_SWITCH, GROUP_DEMO, true, "on|off", "on", NULL,
     "whether GET /events/MSG publishes", .choices = switches, .max = 1,
     MEMBER(get_publish)},

    {"config", OPTION_ACTION, GROUP_GENERAL, false, "FILE", NULL, NULL,
     "read options from FILE, as NAME = VALUE; SIGHUP reads it again",
     .action = ACTION_FILE},
    {"check-config", OPTION_ACTION, GROUP_GENERAL, .help = "check all options and exit: 0, or 2 for a mistake",
     .action = ACTION_CHECK},
    {"check-journal", OPTION_ACTION, GROUP_GENERAL, .argument = "PATH",
     .help = "check the file of a journal and exit: 0, or 1 when it is damaged",
     .action = ACTION_JOURNAL},
    {"dump-config", OPTION_ACTION, GROUP_GENERAL, .help = "print all options as a file, with the origin of each, and exit",
     .action = ACTION_DUMP},
    {"version", OPTION_ACTION, GROUP_GENERAL, .help = "print the version and exit",
     .action = ACTION_VERSION},
    {"help", OPTION_ACTION, GROUP_GENERAL, .help = "print this and exit",
     .action = ACTION_HELP},
};

const size_t option_count = sizeof option_rows / sizeof option_rows[0];

_Static_assert(sizeof option_rows / sizeof option_rows[0] <= CONF_OPTIONS_MAX,
               "raise CONF_OPTIONS_MAX");

/* ---- names ------------------------------------------------------------ */

const struct option_row *option_find(const char *name)
{
    size_t i;

    for (i = 0; i < option_count; i++)
        if (strcmp(option_rows[i].name, name) == 0)
            return &option_rows[i];
    return NULL;
}

size_t option_index(const struct option_row *row)
{
    return (size_t)(row - option_rows);
}

void option_variable(const struct option_row *row,
                     char name[OPTION_VARIABLE_SIZE])
{
    size_t i;

    snprintf(name, OPTION_VARIABLE_SIZE, "CRIERD_%s", row->name);
    for (i = 0; name[i] != '\0'; i++)
        name[i] = name[i] == '-'                       ? '_'
                  : name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32)
                                                     : name[i];
}

#define NAME_MAX_LENGTH 31

static unsigned smallest_of(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* Whether A and B are one letter: an underscore for a hyphen is no mistake to speak of,
 * nor is a capital. */
static bool same_letter(char a, char b)
{
    return (a == '_' ? '-' : a) == (b == '_' ? '-' : b) ||
           strncasecmp(&a, &b, 1) == 0;
}

/* How many letters are to be changed, added or left out to make A of B (Levenshtein). */
static unsigned edit_distance(const char *a, const char *b)
{
    unsigned costs[NAME_MAX_LENGTH + 1], before, above, i, j;
    unsigned length = (unsigned)strlen(b);

    for (j = 0; j <= length; j++)
        costs[j] = j;
    for (i = 1; a[i - 1] != '\0'; i++) {
        before = costs[0];
        costs[0] = i;
        for (j = 1; j <= length; j++) {
            above = costs[j];
            costs[j] = smallest_of(above + 1, costs[j - 1] + 1,
                                before + !same_letter(a[i - 1], b[j - 1]));
            before = above;
        }
    }
    return costs[length];
}

const char *option_nearest(const char *name, bool settings)
{
    unsigned least = (unsigned)strlen(name) / 3 + 1, distance;
    const char *nearest = NULL;
    size_t i;

    if (strlen(name) > NAME_MAX_LENGTH)
        return NULL;
    for (i = 0; i < option_count; i++) {
        if (settings && option_rows[i].argument == NULL)
            continue;
        distance = edit_distance(name, option_rows[i].name);
        if (distance < least) {
            least = distance;
            nearest = option_rows[i].name;
        }
    }
    return nearest;
}

/* ---- members ---------------------------------------------------------- */

static void store_number(struct conf *conf, const struct option_row *row,
                         uint64_t value)
{
    char *member = (char *)conf + row->at;
    uint32_t word = (uint32_t)value;
    bool flag = value != 0;

    if (row->size == sizeof flag)
        memcpy(member, &flag, sizeof flag);
    else if (row->size == sizeof word)
        memcpy(member, &word, sizeof word);
    else
        memcpy(member, &value, sizeof value);
}

static uint64_t load_number(const struct conf *conf,
                            const struct option_row *row)
{
    const char *member = (const char *)conf + row->at;
    uint64_t value = 0;
    uint32_t word;
    bool flag;

    if (row->size == sizeof flag) {
        memcpy(&flag, member, sizeof flag);
        return flag;
    }
    if (row->size == sizeof word) {
        memcpy(&word, member, sizeof word);
        return word;
    }
    memcpy(&value, member, sizeof value);
    return value;
}

static const char *load_text(const struct conf *conf,
                             const struct option_row *row)
{
    const char *text;

    memcpy(&text, (const char *)conf + row->at, sizeof text);
    return text;
}

static int store_text(struct conf *conf, const struct option_row *row,
                      const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        return -ENOMEM;
    free((char *)load_text(conf, row));
    memcpy((char *)conf + row->at, &copy, sizeof copy);
    return 0;
}

static struct conf_texts *find_texts(struct conf *conf,
                                     const struct option_row *row)
{
    return (struct conf_texts *)(void *)((char *)conf + row->at);
}

static struct cidr_list *find_networks(struct conf *conf,
                                       const struct option_row *row)
{
    return (struct cidr_list *)(void *)((char *)conf + row->at);
}

static struct conf_rate *find_rate(struct conf *conf, const struct option_row *row)
{
    return (struct conf_rate *)(void *)((char *)conf + row->at);
}

bool option_tells_fault(const struct option_row *row)
{
    return row->type == OPTION_KEY || row->type == OPTION_JWKS ||
           row->type == OPTION_JOURNAL;
}

bool option_is_list(const struct option_row *row)
{
    return row->type == OPTION_RETAIN || row->type == OPTION_ORIGINS ||
           row->type == OPTION_LISTEN || row->type == OPTION_NETWORKS ||
           row->type == OPTION_KEY;
}

void option_clear(struct conf *conf, const struct option_row *row)
{
    if (row->type == OPTION_RETAIN)
        retain_clear(conf);
    else if (row->type == OPTION_KEY)
        keyring_clear_keys(&conf->jwt_keys);
    else if (row->type == OPTION_NETWORKS)
        cidr_clear(find_networks(conf, row));
    else
        texts_clear(find_texts(conf, row));
}

/* ---- reading ---------------------------------------------------------- */

/* Reads a number, size or time of ROW. */
static bool read_number(const struct option_row *row, const char *text,
                        uint64_t *number)
{
    size_t bytes = 0;
    bool well;

    switch (row->type) {
    case OPTION_TIME:
        well = value_time(text, number);
        break;
    case OPTION_SIZE:
        well = value_size(text, &bytes);
        *number = bytes;
        break;
    default:
        well = crier__number_read(text, 0, UINT64_MAX, number);
        break;
    }
    return well && *number >= row->min && *number <= row->max;
}

/* Reads one of ROW's words. Of a switch, those that other programs take for them, too. */
static bool read_choice(const struct option_row *row, const char *text,
                        uint64_t *number)
{
    static const struct {
        const char *name;
        const char *means;
    } also[] = {{"err", "error"}, {"warn", "warning"}};
    size_t i;

    for (i = 0; row->choices == levels && i < 2; i++)
        if (strcasecmp(text, also[i].name) == 0)
            text = also[i].means;
    for (i = 0; row->choices[i] != NULL; i++)
        if (strcasecmp(text, row->choices[i]) == 0) {
            *number = i;
            return true;
        }
    return false;
}

/* As many selectors can be given to crier_hub_set_presence(). */
#define TOPICS_MAX 100

/* Whether TEXT is a list of up to TOPICS_MAX topics, or of beginnings of topics and '*',
 * none of which is Crier's own. */
static bool are_topics(const char *text)
{
    size_t length, count = 0;

    for (;;) {
        length = strcspn(text, ",");
        if (++count > TOPICS_MAX || text[0] == '$' ||
            !retain_is_topic(text, length))
            return false;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

#define COOKIE_NAME_MAX 64

static bool is_origin(const struct option_row *row, const char *text)
{
    uint64_t number;

    return url_is_origin(text) ||
           (row->choices != NULL && read_choice(row, text, &number));
}

/* Adds where to listen to ROW's list. */
static int read_listen(struct conf *conf, const struct option_row *row,
                       const char *text, char wanted[OPTION_WANTED_SIZE])
{
    struct listen_entry entry;
    const char *wrong = listen_entry_read(&entry, text);

    if (wrong == NULL)
        return texts_add(find_texts(conf, row), text, strlen(text));
    snprintf(wanted, OPTION_WANTED_SIZE, "%s", wrong);
    return -EINVAL;
}

static int read_value(struct conf *conf, const struct option_row *row,
                      const char *text, char wanted[OPTION_WANTED_SIZE])
{
    uint64_t number = 0;
    bool well = false;

    switch (row->type) {
    case OPTION_ACTION:
        return -EINVAL;
    case OPTION_RETAIN:
        return retain_add_text(conf, text);
    case OPTION_TEXT:
        well = text[0] != '\0';
        break;
    case OPTION_LISTEN:
        return read_listen(conf, row, text, wanted);
    case OPTION_JOURNAL:
        well = backend_check(text, wanted, OPTION_WANTED_SIZE);
        break;
    case OPTION_TOPICS:
        well = are_topics(text);
        break;
    case OPTION_KEY:
        return keyring_read_key(&conf->jwt_keys, text, wanted,
                                    OPTION_WANTED_SIZE);
    case OPTION_JWKS:
        if (!keyring_check_jwks(text, wanted, OPTION_WANTED_SIZE))
            return -EINVAL;
        well = true;
        break;
    case OPTION_URL:
        well = url_is_base(text);
        break;
    case OPTION_COOKIE:
        well = crier__token_valid(text) && strlen(text) <= COOKIE_NAME_MAX;
        break;
    case OPTION_ORIGINS:
        if (!is_origin(row, text))
            return -EINVAL;
        return texts_add(find_texts(conf, row), text, strlen(text));
    case OPTION_NETWORKS:
        return cidr_add(find_networks(conf, row), text);
    case OPTION_RATE:
        return value_rate(text, &find_rate(conf, row)->updates,
                          &find_rate(conf, row)->bytes)
                   ? 0
                   : -EINVAL;
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_TIME:
        if (!read_number(row, text, &number))
            return -EINVAL;
        store_number(conf, row, number);
        return 0;
    case OPTION_SWITCH:
    case OPTION_CHOICE:
        if (!read_choice(row, text, &number))
            return -EINVAL;
        store_number(conf, row, number);
        return 0;
    }
    return well ? store_text(conf, row, text) : -EINVAL;
}

/* ---- what would be right ---------------------------------------------- */

/* Writes ROW's words, as in "error, warning, info or debug". */
static void print_choices(const struct option_row *row, char *text, size_t size)
{
    size_t at = 0, i;

    for (i = 0; row->choices[i] != NULL && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s",
                               i == 0                           ? ""
                               : row->choices[i + 1] != NULL ? ", "
                                                              : " or ",
                               row->choices[i]);
}

static void print_range(const struct option_row *row, char *text, size_t size)
{
    char min[VALUE_SIZE], max[VALUE_SIZE];

    switch (row->type) {
    case OPTION_TIME:
        value_print_time(min, row->min);
        value_print_time(max, row->max);
        snprintf(text, size, "a time from %s to %s, such as 500ms, 10s or 2h",
                 min, max);
        break;
    case OPTION_SIZE:
        value_print_size(min, row->min);
        value_print_size(max, row->max);
        snprintf(text, size, "a size from %s to %s, such as 4000 or 64K", min,
                 max);
        break;
    default:
        snprintf(text, size, "a number from %" PRIu64 " to %" PRIu64, row->min,
                 row->max);
        break;
    }
}

static void print_wanted(const struct option_row *row,
                         char text[OPTION_WANTED_SIZE])
{
    static const char *const fixed[] = {
        [OPTION_TEXT] = "a text that is not empty",
        [OPTION_TOPICS] = "topics, such as a,log/*",
        [OPTION_URL] = "a URL such as https://example.com or http://localhost:8080, "
                       "without a '/' at its end",
        [OPTION_COOKIE] = "the name of a cookie",
        [OPTION_ORIGINS] = "an origin as browsers send it, such as "
                           "https://example.com or http://localhost:3000",
        [OPTION_NETWORKS] = "an address or a network such as 10.0.0.0/8 or "
                            "2001:db8::/32, with no bit set behind its prefix, or "
                            "unix",
        [OPTION_RATE] = "UPDATES from 1 to 1000000 or UPDATES,SIZE, such as 100 or "
                        "100,1M",
        [OPTION_RETAIN] = RETAIN_EXAMPLE,
    };

    switch (row->type) {
    case OPTION_SWITCH:
    case OPTION_CHOICE:
        print_choices(row, text, OPTION_WANTED_SIZE);
        break;
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_TIME:
        print_range(row, text, OPTION_WANTED_SIZE);
        break;
    default:
        snprintf(text, OPTION_WANTED_SIZE, "%s", fixed[row->type]);
        break;
    }
}

int option_set(struct conf *conf, const struct option_row *row,
               const char *text, char wanted[OPTION_WANTED_SIZE])
{
    int error = read_value(conf, row, text, wanted);

    if (error == -EINVAL && !option_tells_fault(row) &&
        row->type != OPTION_LISTEN)
        print_wanted(row, wanted);
    return error;
}

enum conf_origin conf_origin_of(const struct conf *conf, const char *name)
{
    return conf->sources[option_index(option_find(name))].origin;
}

/* ---- writing ---------------------------------------------------------- */

/* Writes ROW's number, of which 0 stands for the default in words. */
static void print_number(const struct option_row *row, uint64_t number,
                         FILE *to)
{
    char text[VALUE_SIZE] = "";

    if (number == 0 && row->preset == NULL)
        return;
    if (row->type == OPTION_TIME)
        value_print_time(text, number);
    else if (row->type == OPTION_SIZE)
        value_print_size(text, number);
    else
        snprintf(text, sizeof text, "%" PRIu64, number);
    fputs(text, to);
}

/* Writes the entry I of KEYS, on a line of its own. */
static void print_entry(const struct conf_keys *keys, size_t i, FILE *to)
{
    if (i != 0)
        fputc('\n', to);
    keyring_print_key(&keys->list[i], to);
}

static void print_texts(const struct conf_texts *texts, FILE *to)
{
    size_t i;

    for (i = 0; i < texts->count; i++)
        fprintf(to, "%s%s", i == 0 ? "" : "\n", texts->list[i]);
}

static void print_networks(const struct cidr_list *networks, FILE *to)
{
    char text[CIDR_TEXT_SIZE];
    size_t i;

    for (i = 0; i < networks->count; i++) {
        cidr_write(&networks->list[i], text);
        fprintf(to, "%s%s", i == 0 ? "" : "\n", text);
    }
}

static void print_rate(const struct conf_rate *rate, FILE *to)
{
    char size[VALUE_SIZE];

    if (rate->updates != 0)
        fprintf(to, "%" PRIu64, rate->updates);
    if (rate->bytes == 0)
        return;
    value_print_size(size, rate->bytes);
    fprintf(to, ",%s", size);
}

static void print_value(const struct conf *conf, const struct option_row *row,
                        FILE *to)
{
    char shown[BACKEND_TEXT_SIZE];
    size_t i;

    switch (row->type) {
    case OPTION_ACTION:
        break;
    case OPTION_RETAIN:
        for (i = 0; i < conf->topic_count; i++) {
            if (i != 0)
                fputc('\n', to);
            retain_print_entry(&conf->topics[i], to);
        }
        break;
    case OPTION_KEY:
        for (i = 0; i < conf->jwt_keys.count; i++)
            print_entry(&conf->jwt_keys, i, to);
        break;
    case OPTION_LISTEN:
    case OPTION_ORIGINS:
        print_texts(find_texts((struct conf *)conf, row), to);
        break;
    case OPTION_NETWORKS:
        print_networks(find_networks((struct conf *)conf, row), to);
        break;
    case OPTION_RATE:
        print_rate(find_rate((struct conf *)conf, row), to);
        break;
    case OPTION_JOURNAL:
        backend_show(conf->journal, shown);
        fputs(shown, to);
        break;
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_TIME:
        print_number(row, load_number(conf, row), to);
        break;
    case OPTION_SWITCH:
    case OPTION_CHOICE:
        fputs(row->choices[load_number(conf, row)], to);
        break;
    default:
        if (load_text(conf, row) != NULL)
            fputs(load_text(conf, row), to);
        break;
    }
}

char *option_text(const struct conf *conf, const struct option_row *row)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    if (to == NULL)
        return NULL;
    print_value(conf, row, to);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

bool option_hides(const struct conf *conf, const struct option_row *row,
                  const char *text)
{
    if (row->type == OPTION_KEY)
        return text[0] != '\0' && strstr(text, ":@") == NULL;
    return row->type == OPTION_JOURNAL && strcmp(text, conf->journal) != 0;
}
