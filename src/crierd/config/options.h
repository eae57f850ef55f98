#ifndef CRIERD_OPTIONS_H
#define CRIERD_OPTIONS_H

#include "conf.h"

#include <stdio.h>

/* What a value is, and so how it is read and written. */
enum option_type {
    OPTION_ACTION,  /* only on the command line: has no value in struct conf */
    OPTION_TEXT,    /* a text that is not empty */
    OPTION_LISTEN, /* a list: where to listen (listen_entry.h) */
    OPTION_JOURNAL, /* names a backend */
    OPTION_TOPICS,  /* topics separated by commas, or "*" */
    OPTION_NUMBER,
    OPTION_SIZE,   /* bytes */
    OPTION_TIME,   /* ms */
    OPTION_SWITCH, /* on or off */
    OPTION_CHOICE, /* one of some words, for an enum that counts from 0 */
    OPTION_KEY,    /* a list: ALG:SECRET or ALG:@FILE; a secret is never shown */
    OPTION_JWKS,   /* a file with a JWK set, or an https:// URL */
    OPTION_URL,    /* http:// or https://, without a query */
    OPTION_COOKIE, /* the name of a cookie */
    OPTION_ORIGINS, /* a list: as in the field Origin; with choices, one of these, too */
    OPTION_NETWORKS, /* a list: CIDR or "unix" */
    OPTION_RATE,     /* UPDATES[,SIZE] a second */
    OPTION_RETAIN  /* a list: TOPIC:count=N,bytes=SIZE,age=TIME */
};

enum option_group {
    GROUP_SERVER,
    GROUP_ACCESS,
    GROUP_LIMITS,
    GROUP_STREAMS,
    GROUP_TOPICS,
    GROUP_DEMO,
    GROUP_GENERAL,
    GROUPS
};

/* What the actions do; option.action. */
enum option_action {
    ACTION_NONE,
    ACTION_FILE,  /* --config FILE */
    ACTION_JOURNAL, /* --check-journal FILE */
    ACTION_CHECK, /* --check-config */
    ACTION_DUMP,  /* --dump-config */
    ACTION_VERSION,
    ACTION_HELP
};

/* A row of the table. */
struct option_row {
    const char *name; /* --name, and the key in the file */
    enum option_type type;
    enum option_group group;
    bool reload;             /* a reload can change it */
    const char *argument;    /* what its value is called; NULL: an action without one */
    const char *preset;      /* the default as one would write it; NULL: none */
    const char *preset_text; /* the default in words; NULL: as PRESET */
    const char *help;
    uint64_t min, max;
    const char *const *choices; /* ends with NULL */
    size_t at, size;            /* the member of struct conf */
    enum option_action action;
};

extern const struct option_row option_rows[];
extern const size_t option_count;
extern const char *const option_groups[GROUPS]; /* titles */

/* The row called NAME, or NULL. */
const struct option_row *option_find(const char *name);

/* The name that is most like NAME, of all options or, with SETTINGS, of those that have a
 * value; NULL when none is like it. */
const char *option_nearest(const char *name, bool settings);

/* The place of ROW in the table. */
size_t option_index(const struct option_row *row);

/* Whether ROW's value is a list: it can be given several times, and has an entry on each
 * line of a variable. */
bool option_is_list(const struct option_row *row);

/* Whether option_set() says what is wrong with a value of ROW. The value may be a secret
 * then. */
bool option_tells_fault(const struct option_row *row);

/* Empties ROW's list in CONF. */
void option_clear(struct conf *conf, const struct option_row *row);

/* Sets ROW's value in CONF as TEXT says; a list is given one entry more. Returns 0;
 * -EINVAL with what would be right in WANTED, such as "a number from 1 to 64", or what is
 * wrong where option_tells_fault(); -ENOMEM; -E2BIG when the list is full. */
#define OPTION_WANTED_SIZE 320
int option_set(struct conf *conf, const struct option_row *row,
               const char *text, char wanted[OPTION_WANTED_SIZE]);

/* ROW's value in CONF as option_set() reads it, but without secrets, in a new text; of a
 * list all entries, one a line. "" when it has no value; NULL when memory is short. */
char *option_text(const struct conf *conf, const struct option_row *row);

/* Whether TEXT, which is ROW's value in CONF as option_text() writes it, or of a list an entry
 * of it, leaves out a secret. */
bool option_hides(const struct conf *conf, const struct option_row *row,
                  const char *text);

/* Writes the variable of ROW, such as CRIERD_RETAIN_COUNT. */
#define OPTION_VARIABLE_SIZE 48
void option_variable(const struct option_row *row,
                     char name[OPTION_VARIABLE_SIZE]);

#endif
