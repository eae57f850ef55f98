/*
 * Where the configuration comes from. The defaults come first, then the file, the
 * environment and the command line; each overrides what came before it. Every value is
 * read even where it is overridden, so that a mistake is not found only on the day when
 * it counts.
 */
#include <config.h>

#include "load.h"

#include "file.h"
#include "listen_entry.h"
#include "mistakes.h"
#include "print.h"
#include "base/thread.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <microhttpd.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

#define VARIABLE "CRIERD_"

/* getopt_long() returns this and the index of the row. */
#define CODE 256

struct argument {
    const struct option_row *row;
    const char *text;
};

/* What was on the command line. */
struct arguments {
    struct argument *list;
    size_t count;
    const char *file;
    const char *journal; /* to be checked */
    enum option_action action;
};

/* ---- the command line ------------------------------------------------- */

static void fill_long_options(struct option options[CONF_OPTIONS_MAX + 1])
{
    size_t i;

    memset(options, 0, (CONF_OPTIONS_MAX + 1) * sizeof options[0]);
    for (i = 0; i < option_count; i++)
        options[i] = (struct option){
            option_rows[i].name,
            option_rows[i].argument != NULL ? required_argument : no_argument,
            NULL, CODE + (int)i};
}

/* Reports why getopt_long(), which returned CODE, does not understand WORD. */
static void refuse_word(struct mistakes *mistakes, int code, const char *word)
{
    char name[64];
    const char *nearest;

    if (optopt >= CODE) {
        mistakes_add(mistakes,
                     code == ':' ? "option '--%s' requires an argument"
                                 : "option '--%s' takes no argument",
                     option_rows[optopt - CODE].name);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    nearest = option_nearest(name + strspn(name, "-"), false);
    mistakes_add(mistakes, "unrecognized option '%s'%s%s%s", name,
                 nearest != NULL ? "; did you mean '--" : "",
                 nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

static void take_argument(struct arguments *arguments,
                          const struct option_row *row)
{
    if (row->type != OPTION_ACTION)
        arguments->list[arguments->count++] = (struct argument){row, optarg};
    else if (row->action == ACTION_FILE)
        arguments->file = optarg;
    else if (arguments->action < row->action)
        arguments->action = row->action;
    if (row->action == ACTION_JOURNAL)
        arguments->journal = optarg;
}

/* Splits the command line up. Returns false when it is not understood. */
static bool read_arguments(struct arguments *arguments, int argc, char **argv,
                           struct mistakes *mistakes)
{
    struct option options[CONF_OPTIONS_MAX + 1];
    int code;

    fill_long_options(options);
    optind = 0; /* makes getopt start anew */
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (code < CODE) {
            refuse_word(mistakes, code, argv[optind - 1]);
            return false;
        }
        take_argument(arguments, &option_rows[code - CODE]);
    }
    if (optind == argc)
        return true;
    mistakes_add(mistakes, "unexpected argument '%s'", argv[optind]);
    return false;
}

static void apply_arguments(const struct arguments *arguments,
                            struct conf *conf, struct mistakes *mistakes)
{
    const struct argument *one;
    char label[64];
    size_t i;

    for (i = 0; i < arguments->count; i++) {
        one = &arguments->list[i];
        snprintf(label, sizeof label, "--%s", one->row->name);
        mistakes_assign(mistakes, conf, one->row,
                        (struct conf_source){CONF_COMMAND_LINE, 0}, label,
                        one->text);
    }
}

/* ---- the environment -------------------------------------------------- */

/* Sets ROW by its variable, if there is one. */
static void apply_variable(const struct option_row *row, struct conf *conf,
                           struct mistakes *mistakes)
{
    char variable[OPTION_VARIABLE_SIZE], *copy, *rest, *entry;
    const char *text;

    option_variable(row, variable);
    text = getenv(variable);
    if (text == NULL || row->type == OPTION_ACTION)
        return;
    copy = rest = strdup(text);
    if (copy == NULL)
        mistakes_add_memory(mistakes, variable);
    while (rest != NULL) {
        /* A list has an entry on each line. */
        entry = option_is_list(row) ? strsep(&rest, "\n") : rest;
        if (entry == rest)
            rest = NULL;
        mistakes_assign(mistakes, conf, row,
                        (struct conf_source){CONF_ENVIRONMENT, 0}, variable,
                        entry);
    }
    free(copy);
}

/* Whether NAME, of LENGTH bytes, is the variable of an option. */
static bool is_variable(const char *name, size_t length)
{
    char variable[OPTION_VARIABLE_SIZE];
    size_t i;

    for (i = 0; i < option_count; i++) {
        option_variable(&option_rows[i], variable);
        if (strlen(variable) == length && memcmp(variable, name, length) == 0)
            return true;
    }
    return false;
}

/* Reports a variable that looks like one of ours with a slip. Others are left alone:
 * container systems set variables of their own, such as CRIERD_SERVICE_HOST. */
static void check_variable(const char *variable, struct mistakes *mistakes)
{
    char name[64], meant[OPTION_VARIABLE_SIZE];
    size_t length = strcspn(variable, "=");
    const char *nearest;

    if (strncmp(variable, VARIABLE, strlen(VARIABLE)) != 0 ||
        is_variable(variable, length))
        return;
    snprintf(name, sizeof name, "%.*s", (int)length, variable);
    nearest = option_nearest(name + strlen(VARIABLE), true);
    if (nearest == NULL)
        return;
    option_variable(option_find(nearest), meant);
    mistakes_add(mistakes, "unknown variable %s; did you mean %s?", name, meant);
}

static void apply_environment(struct conf *conf, struct mistakes *mistakes)
{
    size_t i;

    for (i = 0; i < option_count; i++)
        apply_variable(&option_rows[i], conf, mistakes);
    for (i = 0; environ[i] != NULL; i++)
        check_variable(environ[i], mistakes);
}

/* ---- defaults --------------------------------------------------------- */

/* Without a file, crierd is being tried out: so it has the demo then. */
static bool apply_defaults(struct conf *conf)
{
    char wanted[OPTION_WANTED_SIZE];
    size_t i;

    for (i = 0; i < option_count; i++)
        if (option_rows[i].preset != NULL &&
            option_set(conf, &option_rows[i], option_rows[i].preset, wanted) != 0)
            return false;
    conf->threads =
        crier__thread_count((unsigned)option_find("threads")->max);
    conf->demo = conf->file == NULL;
    return true;
}

/* Without a key or token nobody could publish or subscribe by one. */
static void apply_anonymous(struct conf *conf)
{
    if (conf_origin_of(conf, "anonymous") == CONF_DEFAULT)
        conf->anonymous = conf_has_keys(conf) ? CONF_ANONYMOUS_NONE
                                              : CONF_ANONYMOUS_ALL;
}

/* Reads the certificate that CONF names. */
static void apply_certificate(struct conf *conf, struct mistakes *mistakes)
{
    char why[1024];

    if (conf->tls_cert == NULL && conf->tls_key == NULL) {
        if (conf->tls_listen.count != 0)
            mistakes_add(mistakes, "--tls-listen needs --tls-cert and --tls-key");
        return;
    }
    if (conf->tls_cert == NULL || conf->tls_key == NULL) {
        mistakes_add(mistakes, "--tls-cert and --tls-key need each other");
        return;
    }
    conf->certificate =
        certificate_read(conf->tls_cert, conf->tls_key, why, sizeof why);
    if (conf->certificate == NULL)
        mistakes_add(mistakes, "%s", why);
}

bool conf_is_guarded(const struct conf *conf)
{
    return conf_has_keys(conf) ||
           conf_origin_of(conf, "anonymous") != CONF_DEFAULT;
}

/* The first of TEXTS, where to listen, that others can reach, or NULL. */
static const char *find_reachable(const struct conf_texts *texts)
{
    struct listen_entry entry;
    size_t i;

    for (i = 0; i < texts->count; i++)
        if (listen_entry_read(&entry, texts->list[i]) == NULL &&
            !listen_entry_is_local(&entry))
            return texts->list[i];
    return NULL;
}

/* Whether crierd would let everybody who reaches it from elsewhere publish and subscribe,
 * although nobody has asked for that. Writes why not to WHY. */
static bool is_exposed(const struct conf *conf, char *why, size_t size)
{
    const char *where = find_reachable(&conf->listen);

    if (where == NULL)
        where = find_reachable(&conf->tls_listen);
    if (where == NULL)
        where = find_reachable(&conf->admin_listen);
    if (where == NULL || conf_is_guarded(conf))
        return false;
    snprintf(why, size, LOAD_EXPOSED, where);
    return true;
}

/* ---- all -------------------------------------------------------------- */

/* A new snapshot of all sources, or NULL when there were mistakes. */
static struct conf *gather_conf(const struct arguments *arguments,
                                struct mistakes *mistakes)
{
    const char *file = arguments->file != NULL ? arguments->file
                                               : getenv(VARIABLE "CONFIG");
    struct conf *conf = conf_new();
    char why[ADDRESS_HOST_SIZE + 256];

    if (conf == NULL)
        goto fail;
    if (file != NULL && (conf->file = strdup(file)) == NULL)
        goto fail;
    if (!apply_defaults(conf))
        goto fail;
    if (file != NULL)
        file_read(file, conf, mistakes);
    apply_environment(conf, mistakes);
    apply_arguments(arguments, conf, mistakes);
    apply_anonymous(conf);
    apply_certificate(conf, mistakes);
    if (is_exposed(conf, why, sizeof why))
        mistakes_add(mistakes, "%s", why);
    if (mistakes->count == 0)
        return conf;
    conf_unref(conf);
    return NULL;
fail:
    mistakes_add_memory(mistakes, NULL);
    conf_unref(conf);
    return NULL;
}

static void print_version(void)
{
    printf("crierd %s (libmicrohttpd %s, jansson %s, SQLite %s)\n",
           crier_version(), MHD_get_version(), jansson_version_str(),
           sqlite3_libversion());
}

/* Checks the file of a journal, NAME: its path, with or without "sqlite:" in front. */
static enum load_result check_journal(const char *name, struct mistakes *mistakes)
{
    const char *scheme = "sqlite:", *path = name;
    char reason[256] = "";
    int error;

    if (strncmp(path, scheme, strlen(scheme)) == 0)
        path += strlen(scheme);
    if (path[0] == '\0' || strcmp(path, "memory") == 0) {
        mistakes_add(mistakes, "--check-journal needs the path of a file");
        return LOAD_BAD;
    }
    error = crier_journal_check(path, reason, sizeof reason);
    if (error == 0)
        printf("%s: the journal is sound\n", path);
    else
        mistakes_add(mistakes, "%s: %s: %s", path,
                     error == CRIER_ERR_DAMAGED ? "the journal is damaged"
                                                : "cannot check the journal",
                     error == -ENOMEM ? crier_error_text(error) : reason);
    return error == 0 ? LOAD_DONE : LOAD_FAILED;
}

/* Serves what needs no configuration. LOAD_RUN: there is nothing of that kind. */
static enum load_result serve_action(const struct arguments *arguments,
                                     struct mistakes *mistakes)
{
    switch (arguments->action) {
    case ACTION_HELP:
        print_help(stdout);
        return LOAD_DONE;
    case ACTION_VERSION:
        print_version();
        return LOAD_DONE;
    case ACTION_JOURNAL:
        return check_journal(arguments->journal, mistakes);
    default:
        return LOAD_RUN;
    }
}

/* Serves what is about CONF, a reference that is given back then. */
static enum load_result serve_conf(enum option_action action, struct conf *conf,
                                   struct mistakes *mistakes)
{
    enum load_result result = LOAD_DONE;

    if (action == ACTION_CHECK) {
        if (conf_certificate_has_expired(conf))
            printf("warning: the certificate in %s has expired\n",
                   conf->tls_cert);
        printf("%s%sthe configuration is valid\n",
               conf->file != NULL ? conf->file : "",
               conf->file != NULL ? ": " : "");
    } else if (!print_dump(conf, stdout)) {
        mistakes_add_memory(mistakes, NULL);
        result = LOAD_BAD;
    }
    conf_unref(conf);
    return result;
}

/* Makes a configuration of ARGUMENTS, and does what they ask for with it. */
static enum load_result load_options(struct arguments *arguments,
                                     struct mistakes *mistakes,
                                     struct conf **conf)
{
    struct conf *made = gather_conf(arguments, mistakes);

    if (made == NULL)
        return LOAD_BAD;
    if (arguments->action != ACTION_NONE)
        return serve_conf(arguments->action, made, mistakes);
    *conf = made;
    return LOAD_RUN;
}

enum load_result load_conf(int argc, char **argv,
                           void (*report)(const char *text),
                           struct conf **conf)
{
    struct mistakes mistakes = {.report = report};
    struct arguments arguments = {0};
    enum load_result result = LOAD_BAD;

    arguments.list = calloc((size_t)argc + 1, sizeof arguments.list[0]);
    if (arguments.list == NULL) {
        mistakes_add_memory(&mistakes, NULL);
        return LOAD_FAILED;
    }
    if (!read_arguments(&arguments, argc, argv, &mistakes)) {
        mistakes_add(&mistakes, "try 'crierd --help'");
    } else {
        result = serve_action(&arguments, &mistakes);
        if (result == LOAD_RUN)
            result = load_options(&arguments, &mistakes, conf);
    }
    free(arguments.list);
    return result == LOAD_BAD && mistakes.no_memory ? LOAD_FAILED : result;
}

/* ---- reload ----------------------------------------------------------- */

/* Sets ROW's value in CONF to TEXT, as option_text() has written it. False when memory is
 * short. */
static bool restore_option(struct conf *conf, const struct option_row *row,
                           char *text)
{
    char wanted[OPTION_WANTED_SIZE], *entry;

    if (!option_is_list(row))
        return option_set(conf, row, text, wanted) == 0;
    option_clear(conf, row);
    while ((entry = strsep(&text, "\n")) != NULL)
        if (entry[0] != '\0' && option_set(conf, row, entry, wanted) != 0)
            return false;
    return true;
}

/* Compares ROW's values in OLD and CONF. One that needs a restart gets OLD's value.
 * Returns false when memory is short. */
static bool compare_option(const struct option_row *row, const struct conf *old,
                           struct conf *conf,
                           void (*changed)(const char *name, bool restart))
{
    char *before = option_text(old, row), *after = option_text(conf, row);
    bool well = before != NULL && after != NULL;

    if (well && strcmp(before, after) != 0) {
        if (!row->reload) {
            well = restore_option(conf, row, before);
            conf->sources[option_index(row)] = old->sources[option_index(row)];
        }
        changed(row->name, !row->reload);
    }
    free(before);
    free(after);
    return well;
}

enum load_result load_again(int argc, char **argv,
                            void (*report)(const char *text),
                            void (*changed)(const char *name, bool restart),
                            const struct conf *old, struct conf **conf)
{
    struct conf *made = NULL;
    char why[ADDRESS_HOST_SIZE + 256];
    size_t i;

    if (load_conf(argc, argv, report, &made) != LOAD_RUN)
        return LOAD_BAD;
    for (i = 0; i < option_count; i++)
        if (!compare_option(&option_rows[i], old, made, changed)) {
            report("out of memory");
            conf_unref(made);
            return LOAD_BAD;
        }
    if (is_exposed(made, why, sizeof why)) { /* where it listens already */
        report(why);
        conf_unref(made);
        return LOAD_BAD;
    }
    *conf = made;
    return LOAD_RUN;
}
