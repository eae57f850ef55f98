/*
 * What all commands have in common: their options, the environment, the config
 * file. Every mistake gets one line that names it.
 *
 * A secret goes to whom it was meant for. What the config file says beside
 * `server` (a token, certificates) is for that server alone, or, when it names
 * none, for the default one; it is not used when --server or $CRIER_SERVER
 * names another. A stream that `crier sub` follows by its URL gets nothing
 * that was not given on the command line.
 */
#include <config.h>

#include "config_file.h"

#include "base/number.h"
#include "note.h"
#include "crier/output/print.h"
#include "secret.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_DEFAULT "http://127.0.0.1:8080"

/* As getopt_long() takes them. */
#define SHORT_OPTIONS "H:kvq"

enum conf_result conf_bad(const char *option, const char *value,
                          const char *wanted)
{
    note_error("%s '%s' is not %s", option, value, wanted);
    return CONF_BAD;
}

enum conf_result conf_mistake(const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    note_error("%s", line);
    return CONF_BAD;
}

/* ---- numbers ---------------------------------------------------------- */

enum conf_result conf_number(const char *option, const char *value,
                             uint64_t min, uint64_t max, uint64_t *number)
{
    char wanted[64];

    if (crier__number_read(value, min, max, number))
        return CONF_RUN;
    snprintf(wanted, sizeof wanted, "a number from %llu to %llu",
             (unsigned long long)min, (unsigned long long)max);
    return conf_bad(option, value, wanted);
}

enum conf_result conf_time(const char *option, const char *value, uint64_t min,
                           uint64_t max, const char *wanted,
                           uint64_t *milliseconds)
{
    uint64_t number;

    if (!crier__number_read_unit(value, crier__time_units, CRIER__TIME_UNITS,
                                 max, &number) ||
        number < min)
        return conf_bad(option, value, wanted);
    *milliseconds = number;
    return CONF_RUN;
}

/* ---- options ---------------------------------------------------------- */

/* Whether TEXT can be in a header: no control character but TAB. */
static bool fits_header(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

static enum conf_result add_header(struct conf *conf, const char *header)
{
    size_t name = strcspn(header, ":");
    const char *secret;

    /* it is not shown, for it may hold a token */
    if (header[name] == '\0' || name == 0 || strcspn(header, " \t") < name ||
        !fits_header(header))
        return conf_mistake("--header number %zu is not 'NAME: VALUE'",
                            conf->header_count + 1);
    if (conf->header_count == CONF_HEADERS_MAX)
        return conf_mistake("--header is given more than %d times",
                            CONF_HEADERS_MAX);
    if (curl_strnequal(header, "Authorization:", name + 1)) {
        secret = strrchr(header, ' '); /* behind the scheme */
        secret_add(secret != NULL ? secret + 1 : header + name + 1);
    }
    conf->headers[conf->header_count++] = header;
    return CONF_RUN;
}

static enum conf_result set_token(struct conf *conf, const char *token,
                                  const char *from)
{
    /* the token itself is for nobody's eyes */
    if (token[0] == '\0' || !fits_header(token))
        return conf_mistake("the token of %s is %s", from,
                            token[0] == '\0' ? "empty"
                                             : "not what a header can hold");
    secret_add(token);
    conf->token = token;
    return CONF_RUN;
}

/* Whether URL, with a scheme, is of HTTP and names a host. What does not, as
 * "http://", must not come to libcurl, which would find a host in the path. */
static bool names_host(const char *url)
{
    const char *authority = strstr(url, "://") + 3;
    size_t length = strcspn(authority, "/");
    CURLU *parts = curl_url();
    bool well;

    well = parts != NULL && length != 0 && authority[length - 1] != ':' &&
           curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
           (curl_strnequal(url, "http://", 7) ||
            curl_strnequal(url, "https://", 8));
    curl_url_cleanup(parts);
    return well;
}

enum conf_result conf_bad_url(const char *option, const char *url,
                              const char *wanted)
{
    struct text shown = {0};

    secret_url(&shown, url);
    note_error("%s '%s' is not %s", option, shown.bytes, wanted);
    text_done(&shown);
    return CONF_BAD;
}

/* Takes URL, which came FROM there, for the server's. */
static enum conf_result set_server(struct conf *conf, const char *url,
                                   const char *from)
{
    bool whole = strstr(url, "://") != NULL;
    size_t length;

    free(conf->server);
    if (asprintf(&conf->server, "%s%s", whole ? "" : "http://", url) < 0) {
        conf->server = NULL;
        return conf_mistake("out of memory");
    }
    if (!fits_header(url) || strpbrk(url, " \t?#") != NULL ||
        !names_host(conf->server))
        return conf_bad_url(from, url,
                            "a server, such as http://127.0.0.1:8080");
    length = strlen(conf->server);
    while (conf->server[length - 1] == '/')
        conf->server[--length] = '\0';
    return CONF_RUN;
}

static enum conf_result set_common(struct conf *conf, const char *help,
                                   int code)
{
    switch (code) {
    case CONF_SERVER:
        return set_server(conf, optarg, "--server");
    case CONF_TOKEN:
        conf->token_given = true;
        return set_token(conf, optarg, "--token");
    case 'H':
        return add_header(conf, optarg);
    case CONF_CACERT:
        conf->ca_file = optarg;
        return CONF_RUN;
    case CONF_CERT:
        conf->cert_file = optarg;
        return CONF_RUN;
    case CONF_KEY:
        conf->key_file = optarg;
        return CONF_RUN;
    case 'k':
        conf->insecure = true;
        return CONF_RUN;
    case 'v':
        conf->verbose = true;
        return CONF_RUN;
    case 'q':
        conf->quiet = true;
        note_quiet(true);
        return CONF_RUN;
    default: /* CONF_HELP */
        print("%s", help);
        return CONF_DONE;
    }
}

/* How many options begin with the LENGTH characters of NAME. */
static size_t count_options(const struct option *options, const char *name,
                            size_t length)
{
    size_t count = 0;

    for (; options->name != NULL; options++)
        count += strncmp(options->name, name, length) == 0;
    return count;
}

/* Says what is wrong with the option before optind, of which getopt_long() returned CODE.
 * (It would say so itself, but with the value, which may be a token.) */
static enum conf_result tell_option(const struct option *options, char **argv,
                                    int code)
{
    const char *word = argv[optind - 1];
    bool is_short = optopt != 0 && optopt < CONF_SERVER &&
                    (strncmp(word, "--", 2) != 0 ||
                     strchr(SHORT_OPTIONS, optopt) == NULL);
    int length = (int)strcspn(word, "=");

    if (is_short)
        return conf_mistake(code == ':' ? "option '-%c' requires an argument"
                                        : "unknown option '-%c'",
                            optopt);
    if (code == ':')
        return conf_mistake("option '%.*s' requires an argument", length, word);
    if (optopt != 0)
        return conf_mistake("option '%.*s' takes no argument", length, word);
    return conf_mistake(
        count_options(options, word + 2, (size_t)length - 2) > 1
            ? "option '%.*s' is ambiguous"
            : "unknown option '%.*s'",
        length, word);
}

/* ---- environment and config file -------------------------------------- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Uses the settings, which are for the server that CONF has. */
static enum conf_result use_settings(struct conf *conf)
{
    const struct settings *settings = &conf->settings;
    char from[512];

    if (conf->ca_file == NULL)
        conf->ca_file = settings->ca_file;
    if (conf->cert_file == NULL && conf->key_file == NULL) {
        conf->cert_file = settings->cert_file;
        conf->key_file = settings->key_file;
    }
    if (conf->token != NULL || settings->token == NULL)
        return CONF_RUN;
    snprintf(from, sizeof from, "%s:%d", settings->path, settings->token_line);
    return set_token(conf, settings->token, from);
}

/* Sets CONF's server to the one that the config file is about. */
static enum conf_result settings_server(struct conf *conf)
{
    const struct settings *settings = &conf->settings;
    char from[512];

    if (settings->server == NULL)
        return set_server(conf, SERVER_DEFAULT, "");
    snprintf(from, sizeof from, "%s:%d: server", settings->path,
             settings->server_line);
    return set_server(conf, settings->server, from);
}

/* Fills in what the command line left open. */
static enum conf_result complete(struct conf *conf)
{
    const char *server = environment("CRIER_SERVER");
    const char *token = environment("CRIER_TOKEN");
    struct conf own = {0}; /* its server is the config file's */
    enum conf_result result = CONF_RUN;
    bool is_own;

    if (conf->server == NULL && server != NULL)
        result = set_server(conf, server, "$CRIER_SERVER");
    if (result == CONF_RUN && conf->token == NULL && token != NULL)
        result = set_token(conf, token, "$CRIER_TOKEN");
    if (result != CONF_RUN || !settings_read(&conf->settings))
        return CONF_BAD;
    own.settings = conf->settings;
    result = settings_server(&own);
    if (result != CONF_RUN) {
        free(own.server);
        return result;
    }
    is_own = conf->server == NULL || strcmp(conf->server, own.server) == 0;
    if (conf->server == NULL)
        conf->server = own.server;
    else
        free(own.server);
    return is_own ? use_settings(conf) : CONF_RUN;
}

/* ---- all -------------------------------------------------------------- */

/* Hands option CODE of ARGV, or an argument, to whom it belongs. */
static enum conf_result take(struct conf *conf,
                             const struct conf_command *command, char **argv,
                             int code, char *value)
{
    enum conf_result result;

    if (code == '?' || code == ':') {
        result = tell_option(command->options, argv, code);
        fputs("Try 'crier --help'.\n", stderr);
        return result;
    }
    if (code == CONF_ARGUMENT || code >= CONF_OWN)
        return command->set(command->closure, conf, code, value);
    return set_common(conf, command->help, code);
}

enum conf_result conf_parse(struct conf *conf,
                            const struct conf_command *command, int argc,
                            char **argv)
{
    enum conf_result result = CONF_RUN;
    int code;

    *conf = (struct conf){0};
    optind = 1;
    opterr = 0;
    /* '-': arguments come in their place among the options; ':': an argument that is
     * missing can be distinguished from an unknown option. */
    while (result == CONF_RUN &&
           (code = getopt_long(argc, argv, "-:" SHORT_OPTIONS,
                               command->options, NULL)) != -1)
        result = take(conf, command, argv, code, optarg);
    if (result == CONF_REST) {
        conf->rest = argv + optind - 1;
        conf->rest[0] = optarg;
        result = CONF_RUN;
    } else {
        for (; result == CONF_RUN && optind < argc; optind++)
            result =
                take(conf, command, argv, CONF_ARGUMENT, argv[optind]);
    }
    return result == CONF_RUN ? complete(conf) : result;
}

void conf_done(struct conf *conf)
{
    free(conf->server);
    settings_done(&conf->settings);
}

void conf_http(const struct conf *conf, bool foreign,
               struct crier_http_options *http)
{
    const struct settings *settings = &conf->settings;

    *http = (struct crier_http_options){
        .headers = conf->headers,
        .token = foreign && !conf->token_given ? NULL : conf->token,
        .insecure = conf->insecure,
        .on_wire = conf->verbose ? note_wire : NULL,
    };
    if (!foreign || conf->ca_file != settings->ca_file)
        http->ca_file = conf->ca_file;
    if (!foreign || conf->cert_file != settings->cert_file)
        http->cert_file = conf->cert_file;
    if (!foreign || conf->key_file != settings->key_file)
        http->key_file = conf->key_file;
}

const char *conf_header(const struct conf *conf, const char *name)
{
    size_t i, length = strlen(name);

    for (i = 0; i < conf->header_count; i++)
        if (curl_strnequal(conf->headers[i], name, length) &&
            conf->headers[i][length] == ':')
            return conf->headers[i];
    return NULL;
}
