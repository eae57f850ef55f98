#ifndef CRIERD_LOAD_H
#define CRIERD_LOAD_H

#include "conf.h"

enum load_result {
    LOAD_RUN,  /* go on, with *CONF */
    LOAD_DONE, /* an option like --help was served: exit 0 */
    LOAD_BAD,  /* there are mistakes, which were reported: exit 2 */
    LOAD_FAILED /* memory was short, which was reported: exit 1 */
};

/* Reads the configuration from the file, the environment and the command line, and with
 * LOAD_RUN writes a new snapshot to *CONF (*new*). Each mistake is handed to REPORT as a
 * line. What options like --help print goes to standard output. One thread. */
enum load_result load_conf(int argc, char **argv,
                           void (*report)(const char *text),
                           struct conf **conf);

/* Whether CONF is for a crierd that others can reach: it has a key or token, or says itself
 * what may be done without one. */
bool conf_is_guarded(const struct conf *conf);

/* What WHERE, where others can reach a crierd that is not guarded, is refused with; a format
 * for printf(). */
#define LOAD_EXPOSED                                                          \
    "%s can be reached from elsewhere, and there is no key or token: configure " \
    "one (--jwt-key), or say --anonymous all if everybody may publish and "   \
    "subscribe"

/* Reads the configuration again for a reload of the program that runs with OLD: what
 * cannot be changed without a restart keeps OLD's value, and what differs is handed to
 * CHANGED with the option's name and whether it needs a restart. LOAD_RUN
 * or LOAD_BAD. */
enum load_result load_again(int argc, char **argv,
                            void (*report)(const char *text),
                            void (*changed)(const char *name, bool restart),
                            const struct conf *old, struct conf **conf);

#endif
