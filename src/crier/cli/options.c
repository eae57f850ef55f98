/*
 * Options that all commands take, from the command line, the environment and the
 * configuration file. Every mistake is reported in one line that names it.
 *
 * A secret is sent only to the server it was meant for. The token and certificates of
 * the configuration file are used only for the `server` that this file names, or for
 * the default server if it names none; they are not used when --server or $CRIER_SERVER
 * names another. A URL given to `crier sub` gets only what was given on the command
 * line.
 */
#include <config.h>

#include "options.h"

#include "base/number.h"

#include "note.h"
#include "print.h"
#include "secret.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_DEFAULT "http://127.0.0.1:8080"

/* The most bytes of a token in a file. */
#define TOKEN_MAX 65536

/* For getopt_long(). */
#define SHORT_OPTIONS "H:kvq"

enum options_result options_reject(const char *option, const char *value,
                                   const char *wanted)
{
    note_error("%s '%s' is not %s", option, value, wanted);
    return OPTIONS_BAD;
}

enum options_result options_report(const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    note_error("%s", line);
    return OPTIONS_BAD;
}

/* ---- numbers ------------------------------------------------------------ */

enum options_result options_read_number(const char *option, const char *value,
                                        uint64_t min, uint64_t max, uint64_t *number)
{
    char wanted[64];

    if (crier__number_read(value, min, max, number))
        return OPTIONS_RUN;
    snprintf(wanted, sizeof wanted, "a number from %llu to %llu",
             (unsigned long long)min, (unsigned long long)max);
    return options_reject(option, value, wanted);
}

enum options_result options_read_time(const char *option, const char *value,
                                      uint64_t min, uint64_t max, const char *wanted,
                                      uint64_t *milliseconds)
{
    uint64_t number;

    if (!crier__number_read_unit(value, crier__time_units, CRIER__TIME_UNITS, max,
                                 &number) ||
        number < min)
        return options_reject(option, value, wanted);
    *milliseconds = number;
    return OPTIONS_RUN;
}

/* ---- options ------------------------------------------------------------ */

/* Returns whether TEXT is possible in a header: it has no control character but TAB. */
static bool fits_header(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

static enum options_result add_header(struct options *options, const char *header)
{
    size_t name = strcspn(header, ":");
    const char *secret;

    /* The message does not quote the header: it may hold a token. */
    if (header[name] == '\0' || name == 0 || strcspn(header, " \t") < name ||
        !fits_header(header))
        return options_report("--header number %zu is not 'NAME: VALUE'",
                              options->header_count + 1);
    if (options->header_count == OPTIONS_HEADERS_MAX)
        return options_report("--header is given more than %d times",
                              OPTIONS_HEADERS_MAX);
    if (curl_strnequal(header, "Authorization:", name + 1)) {
        secret = strrchr(header, ' '); /* after the scheme */
        secret_add(secret != NULL ? secret + 1 : header + name + 1);
    }
    options->headers[options->header_count++] = header;
    return OPTIONS_RUN;
}

static enum options_result set_token(struct options *options, const char *token,
                                     const char *from)
{
    /* The message does not quote the token. */
    if (token[0] == '\0' || !fits_header(token))
        return options_report(
            "the token of %s is %s", from,
            token[0] == '\0'
                ? "empty"
                : "not possible in a header: it contains a control character");
    secret_add(token);
    options->token = token;
    return OPTIONS_RUN;
}

/* Sets the token to the first line of the file PATH. */
static enum options_result read_token_file(struct options *options, const char *path)
{
    FILE *file = fopen(path, "re");
    bool ok;

    if (file == NULL)
        return options_report("cannot open %s: %s", path, strerror(errno));
    free(options->token_file);
    options->token_file = calloc(1, TOKEN_MAX);
    ok = options->token_file != NULL &&
         (fgets(options->token_file, TOKEN_MAX, file) != NULL || !ferror(file));
    fclose(file);
    if (!ok)
        return options_report("cannot read %s: %s", path, strerror(errno));
    options->token_file[strcspn(options->token_file, "\r\n")] = '\0';
    options->token_given = true;
    return set_token(options, options->token_file, path);
}

/* Returns whether URL, which has a scheme, is an HTTP URL with a host. URLs without a
 * host, such as "http://", must not reach libcurl, which would take a part of the path
 * for the host. */
static bool has_host(const char *url)
{
    const char *authority = strstr(url, "://") + 3;
    size_t length = strcspn(authority, "/");
    CURLU *parts = curl_url();
    bool ok;

    ok = parts != NULL && length != 0 && authority[length - 1] != ':' &&
         curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
         (curl_strnequal(url, "http://", 7) || curl_strnequal(url, "https://", 8));
    curl_url_cleanup(parts);
    return ok;
}

enum options_result options_reject_url(const char *option, const char *url,
                                       const char *wanted)
{
    struct text shown = {0};

    secret_url(&shown, url);
    note_error("%s '%s' is not %s", option, shown.bytes, wanted);
    text_done(&shown);
    return OPTIONS_BAD;
}

/* Sets the server to URL. FROM names the source of URL in messages. */
static enum options_result set_server(struct options *options, const char *url,
                                      const char *from)
{
    bool whole = strstr(url, "://") != NULL;
    size_t length;

    free(options->server);
    if (asprintf(&options->server, "%s%s", whole ? "" : "http://", url) < 0) {
        options->server = NULL;
        return options_report("out of memory");
    }
    if (!fits_header(url) || strpbrk(url, " \t?#") != NULL ||
        !has_host(options->server))
        return options_reject_url(from, url, "a server, such as http://127.0.0.1:8080");
    length = strlen(options->server);
    while (options->server[length - 1] == '/')
        options->server[--length] = '\0';
    return OPTIONS_RUN;
}

static enum options_result set_common(struct options *options, const char *help,
                                      int code)
{
    switch (code) {
    case OPTION_SERVER:
        return set_server(options, optarg, "--server");
    case OPTION_TOKEN:
        options->token_given = true;
        return set_token(options, optarg, "--token");
    case OPTION_TOKEN_FILE:
        return read_token_file(options, optarg);
    case 'H':
        return add_header(options, optarg);
    case OPTION_CACERT:
        options->ca_file = optarg;
        return OPTIONS_RUN;
    case OPTION_CERT:
        options->cert_file = optarg;
        return OPTIONS_RUN;
    case OPTION_KEY:
        options->key_file = optarg;
        return OPTIONS_RUN;
    case 'k':
        options->insecure = true;
        return OPTIONS_RUN;
    case 'v':
        options->verbose = true;
        return OPTIONS_RUN;
    case 'q':
        options->quiet = true;
        note_quiet(true);
        return OPTIONS_RUN;
    default: /* OPTION_HELP */
        print_text("%s", help);
        return OPTIONS_DONE;
    }
}

/* Returns how many options begin with the LENGTH characters of NAME. */
static size_t count_options(const struct option *table, const char *name, size_t length)
{
    size_t count = 0;

    for (; table->name != NULL; table++)
        count += strncmp(table->name, name, length) == 0;
    return count;
}

/* Reports the error CODE of getopt_long() for the option before optind. getopt_long()'s
 * own message would quote the value, which may be a token. */
static enum options_result report_option(const struct option *table, char **argv,
                                         int code)
{
    const char *word = argv[optind - 1];
    bool is_short =
        optopt != 0 && optopt < OPTION_SERVER &&
        (strncmp(word, "--", 2) != 0 || strchr(SHORT_OPTIONS, optopt) == NULL);
    int length = (int)strcspn(word, "=");

    if (is_short)
        return options_report(code == ':' ? "option '-%c' requires an argument"
                                          : "unknown option '-%c'",
                              optopt);
    if (code == ':')
        return options_report("option '%.*s' requires an argument", length, word);
    if (optopt != 0)
        return options_report("option '%.*s' takes no argument", length, word);
    return options_report(count_options(table, word + 2, (size_t)length - 2) > 1
                              ? "option '%.*s' is ambiguous"
                              : "unknown option '%.*s'",
                          length, word);
}

/* ---- environment and configuration file --------------------------------- */

static const char *read_environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Applies the configuration file, which is for the server of OPTIONS. */
static enum options_result apply_config_file(struct options *options)
{
    const struct config_file *config = &options->config;
    char from[512];

    if (options->ca_file == NULL)
        options->ca_file = config->ca_file;
    if (options->cert_file == NULL && options->key_file == NULL) {
        options->cert_file = config->cert_file;
        options->key_file = config->key_file;
    }
    if (options->token != NULL || config->token == NULL)
        return OPTIONS_RUN;
    snprintf(from, sizeof from, "%s:%d", config->path, config->token_line);
    return set_token(options, config->token, from);
}

/* Sets the server of OPTIONS to that of the configuration file, or to the default. */
static enum options_result set_config_server(struct options *options)
{
    const struct config_file *config = &options->config;
    char from[512];

    if (config->server == NULL)
        return set_server(options, SERVER_DEFAULT, "");
    snprintf(from, sizeof from, "%s:%d: server", config->path, config->server_line);
    return set_server(options, config->server, from);
}

/* Fills in what the command line did not set. */
static enum options_result complete_options(struct options *options)
{
    const char *server = read_environment("CRIER_SERVER");
    const char *token = read_environment("CRIER_TOKEN");
    struct options own = {0}; /* with the server of the configuration file */
    enum options_result result = OPTIONS_RUN;
    bool is_own;

    if (options->server == NULL && server != NULL)
        result = set_server(options, server, "$CRIER_SERVER");
    if (result == OPTIONS_RUN && options->token == NULL && token != NULL)
        result = set_token(options, token, "$CRIER_TOKEN");
    if (result != OPTIONS_RUN || !config_file_read(&options->config))
        return OPTIONS_BAD;
    own.config = options->config;
    result = set_config_server(&own);
    if (result != OPTIONS_RUN) {
        free(own.server);
        return result;
    }
    is_own = options->server == NULL || strcmp(options->server, own.server) == 0;
    if (options->server == NULL)
        options->server = own.server;
    else
        free(own.server);
    return is_own ? apply_config_file(options) : OPTIONS_RUN;
}

/* ---- parsing ------------------------------------------------------------ */

/* Whether CODE is one of the one-letter options of COMMAND. */
static bool is_own_letter(const struct options_command *command, int code)
{
    return command->letters != NULL && code < OPTION_SERVER &&
           strchr(command->letters, code) != NULL;
}

/* Handles option CODE, or an argument. */
static enum options_result take_option(struct options *options,
                                       const struct options_command *command,
                                       char **argv, int code, char *value)
{
    enum options_result result;

    if (code == '?' || code == ':') {
        result = report_option(command->table, argv, code);
        fputs("Try 'crier --help'.\n", stderr);
        return result;
    }
    if (code == OPTIONS_ARGUMENT || code >= OPTIONS_OWN || is_own_letter(command, code))
        return command->set(command->closure, options, code, value);
    return set_common(options, command->help, code);
}

/* Parses ARGV. LETTERS are the one-letter options, as getopt_long() takes them. */
static enum options_result parse_words(struct options *options,
                                       const struct options_command *command,
                                       const char *letters, int argc, char **argv)
{
    enum options_result result = OPTIONS_RUN;
    int code;

    *options = (struct options){0};
    optind = 1;
    opterr = 0;
    /* '-': arguments are returned in their order among the options. ':': a missing
     * argument is distinguished from an unknown option. */
    while (result == OPTIONS_RUN &&
           (code = getopt_long(argc, argv, letters, command->table, NULL)) != -1)
        result = take_option(options, command, argv, code, optarg);
    if (result == OPTIONS_REST) {
        options->rest = argv + optind - 1;
        options->rest[0] = optarg;
        result = OPTIONS_RUN;
    } else {
        for (; result == OPTIONS_RUN && optind < argc; optind++)
            result =
                take_option(options, command, argv, OPTIONS_ARGUMENT, argv[optind]);
    }
    return result;
}

enum options_result options_parse(struct options *options,
                                  const struct options_command *command, int argc,
                                  char **argv)
{
    enum options_result result;
    char letters[32];

    snprintf(letters, sizeof letters, "-:%s%s", command->local ? "" : SHORT_OPTIONS,
             command->letters != NULL ? command->letters : "");
    result = parse_words(options, command, letters, argc, argv);
    return result == OPTIONS_RUN && !command->local ? complete_options(options) : result;
}

void options_done(struct options *options)
{
    free(options->server);
    free(options->token_file);
    config_file_done(&options->config);
}

int options_run(const struct options_command *command, int argc, char **argv)
{
    struct options options;
    enum options_result result = options_parse(&options, command, argc, argv);
    int status = EXIT_SUCCESS;

    if (result == OPTIONS_BAD)
        status = EXIT_USAGE;
    else if (result == OPTIONS_RUN)
        status = command->run(command->closure, &options);
    options_done(&options);
    return status;
}

void options_get_http(const struct options *options, bool foreign,
                      struct crier_http_options *http)
{
    const struct config_file *config = &options->config;

    *http = (struct crier_http_options){
        .headers = options->headers,
        .token = foreign && !options->token_given ? NULL : options->token,
        .insecure = options->insecure,
        .on_wire = options->verbose ? note_wire : NULL,
    };
    if (!foreign || options->ca_file != config->ca_file)
        http->ca_file = options->ca_file;
    if (!foreign || options->cert_file != config->cert_file)
        http->cert_file = options->cert_file;
    if (!foreign || options->key_file != config->key_file)
        http->key_file = options->key_file;
}

const char *options_find_header(const struct options *options, const char *name)
{
    size_t i, length = strlen(name);

    for (i = 0; i < options->header_count; i++)
        if (curl_strnequal(options->headers[i], name, length) &&
            options->headers[i][length] == ':')
            return options->headers[i];
    return NULL;
}
