#ifndef CRIER_OPTIONS_H
#define CRIER_OPTIONS_H

#include "crier_client.h"
#include "config_file.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

/* Headers that can be added on the command line. */
#define OPTIONS_HEADERS_MAX 100

/* Exit statuses; 0 and 1 are those of stdlib.h. */
enum {
    EXIT_USAGE = 2,   /* the command line or the config file is wrong */
    EXIT_TIME = 3,    /* the time was up before it was done */
    EXIT_COMMAND = 4, /* the command of --exec failed */
    EXIT_CUT = 5      /* the stream ended too early, and crier was not to reconnect */
};

/* What all commands have in common. Texts are borrowed from the command line,
 * the environment and the config. */
struct options {
    char *server;      /* the URL, without a slash at its end */
    const char *token; /* or NULL for none */
    const char *ca_file, *cert_file, *key_file;
    bool insecure;
    bool verbose;
    bool quiet;
    const char *headers[OPTIONS_HEADERS_MAX + 1];
    size_t header_count;

    char **rest;      /* after OPTIONS_REST: the value and what follows it */
    bool token_given; /* on the command line */
    struct config_file config;
};

enum options_result {
    OPTIONS_RUN,  /* go on */
    OPTIONS_REST, /* what follows the value is no more crier's */
    OPTIONS_DONE, /* --help: exit with 0 */
    OPTIONS_BAD   /* a mistake, which was told: exit with 2 */
};

/* The codes of a command's own options begin here. */
#define OPTIONS_OWN 512

/* The code of an argument. */
#define OPTIONS_ARGUMENT 1

/* The common options, to be put into a command's own. */
#define OPTIONS_COMMON                                                                 \
    {"server", required_argument, NULL, OPTION_SERVER},                                \
        {"token", required_argument, NULL, OPTION_TOKEN},                              \
        {"header", required_argument, NULL, 'H'},                                      \
        {"cacert", required_argument, NULL, OPTION_CACERT},                            \
        {"cert", required_argument, NULL, OPTION_CERT},                                \
        {"key", required_argument, NULL, OPTION_KEY},                                  \
        {"insecure", no_argument, NULL, 'k'}, {"verbose", no_argument, NULL, 'v'},     \
        {"quiet", no_argument, NULL, 'q'}, {"help", no_argument, NULL, OPTION_HELP},   \
    {                                                                                  \
        NULL, 0, NULL, 0                                                               \
    }

enum {
    OPTION_SERVER = 256,
    OPTION_TOKEN,
    OPTION_CACERT,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_HELP
};

/* A command's side of its command line. */
struct options_command {
    const char *help;
    const struct option *table; /* its own, and OPTIONS_COMMON */
    /* Takes an option of its own, or an argument; in the order given. */
    enum options_result (*set)(void *closure, struct options *options, int code,
                               char *value);
    void *closure;
};

/* Reads ARGV, of which the first word is the command's name,
 * and then the environment and the config file. CONF is written in any case.
 * OPTIONS_RUN, OPTIONS_DONE, OPTIONS_BAD. */
enum options_result options_parse(struct options *options,
                                  const struct options_command *command, int argc,
                                  char **argv);

/* Frees what CONF holds. */
void options_done(struct options *options);

/* How to reach the server, or, where FOREIGN, another one, which is not told
 * what was meant for the server. Borrows from CONF. */
void options_get_http(const struct options *options, bool foreign,
                      struct crier_http_options *http);

/* The first header named NAME that was added on the command line, or NULL.
 * Borrowed. */
const char *options_find_header(const struct options *options, const char *name);

/* Says that VALUE of OPTION is not WANTED. */
enum options_result options_reject(const char *option, const char *value,
                                   const char *wanted);

/* The same for a URL, of which only what may be shown is. */
enum options_result options_reject_url(const char *option, const char *url,
                                       const char *wanted);

/* Says what does not fit, in one line. */
enum options_result options_report(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Read the VALUE of OPTION into *NUMBER, or tell the mistake: a number from
 * MIN to MAX; a time from MIN to MAX milliseconds, where WANTED says that in
 * words. */
enum options_result options_read_number(const char *option, const char *value,
                                        uint64_t min, uint64_t max, uint64_t *number);
enum options_result options_read_time(const char *option, const char *value,
                                      uint64_t min, uint64_t max, const char *wanted,
                                      uint64_t *milliseconds);

#endif
