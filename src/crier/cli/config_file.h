#ifndef CRIER_CONF_H
#define CRIER_CONF_H

#include "crier_client.h"
#include "options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

/* Headers that can be added on the command line. */
#define CONF_HEADERS_MAX 100

/* Exit statuses; 0 and 1 are those of stdlib.h. */
enum {
    EXIT_USAGE = 2,  /* the command line or the config file is wrong */
    EXIT_TIME = 3,   /* the time was up before it was done */
    EXIT_COMMAND = 4, /* the command of --exec failed */
    EXIT_CUT = 5      /* the stream ended too early, and crier was not to reconnect */
};

/* What all commands have in common. Texts are borrowed from the command line,
 * the environment and the settings. */
struct conf {
    char *server;      /* the URL, without a slash at its end */
    const char *token; /* or NULL for none */
    const char *ca_file, *cert_file, *key_file;
    bool insecure;
    bool verbose;
    bool quiet;
    const char *headers[CONF_HEADERS_MAX + 1];
    size_t header_count;

    char **rest;      /* after CONF_REST: the value and what follows it */
    bool token_given; /* on the command line */
    struct settings settings;
};

enum conf_result {
    CONF_RUN,  /* go on */
    CONF_REST, /* what follows the value is no more crier's */
    CONF_DONE, /* --help: exit with 0 */
    CONF_BAD   /* a mistake, which was told: exit with 2 */
};

/* The codes of a command's own options begin here. */
#define CONF_OWN 512

/* The code of an argument. */
#define CONF_ARGUMENT 1

/* The common options, to be put into a command's own. */
#define CONF_OPTIONS                                                          \
    {"server", required_argument, NULL, CONF_SERVER},                         \
        {"token", required_argument, NULL, CONF_TOKEN},                       \
        {"header", required_argument, NULL, 'H'},                             \
        {"cacert", required_argument, NULL, CONF_CACERT},                     \
        {"cert", required_argument, NULL, CONF_CERT},                         \
        {"key", required_argument, NULL, CONF_KEY},                           \
        {"insecure", no_argument, NULL, 'k'},                                 \
        {"verbose", no_argument, NULL, 'v'},                                  \
        {"quiet", no_argument, NULL, 'q'},                                    \
        {"help", no_argument, NULL, CONF_HELP},                               \
    {                                                                         \
        NULL, 0, NULL, 0                                                      \
    }

enum {
    CONF_SERVER = 256,
    CONF_TOKEN,
    CONF_CACERT,
    CONF_CERT,
    CONF_KEY,
    CONF_HELP
};

/* A command's side of its command line. */
struct conf_command {
    const char *help;
    const struct option *options; /* its own, and CONF_OPTIONS */
    /* Takes an option of its own, or an argument; in the order given. */
    enum conf_result (*set)(void *closure, struct conf *conf, int code,
                            char *value);
    void *closure;
};

/* Reads ARGV, of which the first word is the command's name,
 * and then the environment and the config file. CONF is written in any case.
 * CONF_RUN, CONF_DONE, CONF_BAD. */
enum conf_result conf_parse(struct conf *conf,
                            const struct conf_command *command, int argc,
                            char **argv);

/* Frees what CONF holds. */
void conf_done(struct conf *conf);

/* How to reach the server, or, where FOREIGN, another one, which is not told
 * what was meant for the server. Borrows from CONF. */
void conf_http(const struct conf *conf, bool foreign,
               struct crier_http_options *http);

/* The first header named NAME that was added on the command line, or NULL.
 * Borrowed. */
const char *conf_header(const struct conf *conf, const char *name);

/* Says that VALUE of OPTION is not WANTED. */
enum conf_result conf_bad(const char *option, const char *value,
                          const char *wanted);

/* The same for a URL, of which only what may be shown is. */
enum conf_result conf_bad_url(const char *option, const char *url,
                              const char *wanted);

/* Says what does not fit, in one line. */
enum conf_result conf_mistake(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Read the VALUE of OPTION into *NUMBER, or tell the mistake: a number from
 * MIN to MAX; a time from MIN to MAX milliseconds, where WANTED says that in
 * words. */
enum conf_result conf_number(const char *option, const char *value,
                             uint64_t min, uint64_t max, uint64_t *number);
enum conf_result conf_time(const char *option, const char *value, uint64_t min,
                           uint64_t max, const char *wanted,
                           uint64_t *milliseconds);

#endif
