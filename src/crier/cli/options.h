#ifndef CRIER_OPTIONS_H
#define CRIER_OPTIONS_H

#include "crier_client.h"
#include "config_file.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

/* Maximum number of --header options. */
#define OPTIONS_HEADERS_MAX 100

/* Exit statuses beside EXIT_SUCCESS (0) and EXIT_FAILURE (1). */
enum {
    EXIT_USAGE = 2,   /* mistake in the command line or configuration file */
    EXIT_TIME = 3,    /* the timeout expired first */
    EXIT_COMMAND = 4, /* the command of --exec failed */
    EXIT_CUT = 5      /* the stream ended early, and crier was not to reconnect */
};

/* Options that all commands take. Strings are borrowed from the command line, the
 * environment and CONFIG. */
struct options {
    char *server;      /* URL, without a slash at its end */
    const char *token; /* NULL for none */
    const char *ca_file, *cert_file, *key_file;
    bool insecure;
    bool verbose;
    bool quiet;
    const char *headers[OPTIONS_HEADERS_MAX + 1];
    size_t header_count;

    char *token_file; /* content of --token-file; NULL for none */
    char **rest;      /* after OPTIONS_REST: the value and the words after it */
    bool token_given; /* on the command line */
    struct config_file config;
};

enum options_result {
    OPTIONS_RUN,  /* go on */
    OPTIONS_REST, /* the words after the value are not crier's */
    OPTIONS_DONE, /* --help was printed: exit with 0 */
    OPTIONS_BAD   /* a mistake was reported: exit with 2 */
};

/* Codes of a command's own options begin here. */
#define OPTIONS_OWN 512

/* Code of an argument. */
#define OPTIONS_ARGUMENT 1

/* The common options, to be included in a command's own table. */
#define OPTIONS_COMMON                                                                 \
    {"server", required_argument, NULL, OPTION_SERVER},                                \
        {"token", required_argument, NULL, OPTION_TOKEN},                              \
        {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},                    \
        {"header", required_argument, NULL, 'H'},                                      \
        {"cacert", required_argument, NULL, OPTION_CACERT},                            \
        {"cert", required_argument, NULL, OPTION_CERT},                                \
        {"key", required_argument, NULL, OPTION_KEY},                                  \
        {"insecure", no_argument, NULL, 'k'}, {"verbose", no_argument, NULL, 'v'},     \
        {"quiet", no_argument, NULL, 'q'}, OPTIONS_HELP

/* The end of the table of a command that reaches no server. */
#define OPTIONS_HELP                                                                   \
    {"help", no_argument, NULL, OPTION_HELP},                                          \
    {                                                                                  \
        NULL, 0, NULL, 0                                                               \
    }

enum {
    OPTION_SERVER = 256,
    OPTION_TOKEN,
    OPTION_TOKEN_FILE,
    OPTION_CACERT,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_HELP
};

/* The command-specific part of a command line. */
struct options_command {
    const char *help;
    const struct option *table; /* its own, and OPTIONS_COMMON */
    /* Handles an option of the command, or an argument, in the order given. */
    enum options_result (*set)(void *closure, struct options *options, int code,
                               char *value);
    /* Does what the command line asks for; for options_run(). Returns the exit status. */
    int (*run)(void *closure, const struct options *options);
    void *closure;
    const char *letters; /* its own one-letter options, as getopt() takes them; or NULL */
    /* It reaches no server: its table ends with OPTIONS_HELP, and neither the environment
     * nor the configuration file is read. */
    bool local;
};

/* Parses ARGV, whose first word is the command's name, then the environment and the
 * configuration file. Always initializes OPTIONS; release it with options_done().
 * Returns OPTIONS_RUN, OPTIONS_DONE or OPTIONS_BAD. */
enum options_result options_parse(struct options *options,
                                  const struct options_command *command, int argc,
                                  char **argv);

/* Frees what OPTIONS owns. */
void options_done(struct options *options);

/* Parses ARGV as options_parse() does and, if that returns OPTIONS_RUN, runs COMMAND.
 * Returns the exit status. */
int options_run(const struct options_command *command, int argc, char **argv);

/* Fills HTTP with the settings for a request to the server of OPTIONS or, if FOREIGN,
 * to another server, without the secrets meant for the former. Borrows from OPTIONS. */
void options_get_http(const struct options *options, bool foreign,
                      struct crier_http_options *http);

/* Returns the first --header named NAME, or NULL. Borrowed. */
const char *options_find_header(const struct options *options, const char *name);

/* Reports that VALUE of OPTION is not WANTED. Returns OPTIONS_BAD. */
enum options_result options_reject(const char *option, const char *value,
                                   const char *wanted);

/* Like options_reject(), for a URL: only its public parts are printed. */
enum options_result options_reject_url(const char *option, const char *url,
                                       const char *wanted);

/* Reports a mistake in one line. Returns OPTIONS_BAD. */
enum options_result options_report(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Parse the VALUE of OPTION into *NUMBER or *MILLISECONDS: a number from MIN to MAX, or
 * a time from MIN to MAX milliseconds. If VALUE is not valid they report it; WANTED
 * describes a valid time. */
enum options_result options_read_number(const char *option, const char *value,
                                        uint64_t min, uint64_t max, uint64_t *number);
enum options_result options_read_time(const char *option, const char *value,
                                      uint64_t min, uint64_t max, const char *wanted,
                                      uint64_t *milliseconds);

#endif
