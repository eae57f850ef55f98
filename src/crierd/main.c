/*
 * crierd: starts the modules, waits for a signal, and stops them.
 *
 * The order of the end matters. First the acceptor stops accepting. Then the journal
 * answers all that it was asked, which resumes the connections that wait for it. Then every
 * stream ends, because libmicrohttpd must not be stopped while it has suspended
 * connections. Then libmicrohttpd stops, and then the shards, on whose threads the last
 * streams call on_closed. Only then is freed what handlers and streams could reach.
 */
#include <config.h>

#include "crierd/auth/auth.h"
#include "crierd/config/backend.h"
#include "crierd/config/load.h"
#include "crierd/api/api.h"
#include "crierd/api/mercure.h"
#include "crierd/api/stats.h"
#include "crierd/demo/demo.h"
#include "crierd/net/acceptor.h"
#include "crierd/static/files.h"
#include "crierd/http/http.h"
#include "crierd/net/inherit.h"
#include "crierd/log/log.h"
#include "crierd/http/server.h"
#include "crierd/reload.h"
#include "crierd/supervise.h"
#include "crierd/systemd/notify.h"
#include "crierd/topics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The longest time between two sweeps for overdue requests and a corrected clock, in ms. */
#define SWEEP_TIME 5000

/* How long streams may take to end, in ms. With the rest it stays below 2 s. */
#define DRAIN_TIME 1200

/* How long after a signal crierd still tries to write the log, in ms; and how long it tries
 * in any case. */
#define END_TIME 1500
#define FLUSH_TIME 200

/* The command line, and the signals that crierd waits for. */
struct launch {
    int argc;
    char **argv;
    sigset_t signals;
};

/* ---- limits ----------------------------------------------------------- */

/* Divides the descriptors and logs the result. Returns false when there are too few. */
static bool plan_descriptors(const struct conf *conf,
                             const struct listeners *listeners,
                             struct descriptors *descriptors)
{
    size_t limit = descriptors_raise_limit();
    const char *argument;
    const enum backend_place place = backend_find(conf->journal, &argument)->place;
    const struct descriptors_needs needs = {
        .found = descriptors_open(limit),
        .threads = conf->threads,
        .http = http_descriptors(listeners, conf->threads),
        .journal_file = place == BACKEND_FILE,
        .journal_server = place == BACKEND_SERVER,
        .max_clients = conf->max_clients,
    };
    size_t needed = descriptors_divide(descriptors, &needs, limit);

    if (needed != 0) {
        log_line(LOG_ERROR,
                 "the open-file limit of %zu is too low: %u threads need %zu",
                 limit, conf->threads, needed);
        return false;
    }
    if (conf->max_clients > descriptors->clients)
        log_line(LOG_WARNING,
                 "the open-file limit allows %zu clients, not %zu",
                 descriptors->clients, conf->max_clients);
    log_line(LOG_INFO, "open-file limit %zu: at most %zu clients", limit,
             descriptors->clients);
    return true;
}

/* ---- start ------------------------------------------------------------ */

/* The modules that have something of their own. */
struct modules {
    struct stats *stats;
    struct mercure *mercure;
    struct demo *demo;
};

/* Opens the modules of SERVER and enters their routes. */
static bool open_modules(struct server *server, struct modules *modules)
{
    const struct conf *conf = server->conf;
    struct route_table *table = server->tables;

    _Static_assert(SERVER_TABLES >= 5 + 1, "and one without routes");
    server->limits = limits_new();
    if (server->limits == NULL) {
        log_line(LOG_ERROR, "cannot count what is limited: out of memory");
        return false;
    }
    server->auth = auth_open(conf);
    if (server->auth == NULL)
        return false;
    server->www = files_open(conf->www);
    if (server->www < 0) {
        log_line(LOG_ERROR, "cannot open %s (--www): %s", conf->www,
                 crier_error_text(server->www));
        return false;
    }
    if (!topics_open(server))
        return false;
    modules->stats = stats_open(server);
    if (modules->stats == NULL)
        return false;
    /* Its path is one of those that the API has for all topics. */
    *table++ = (struct route_table){stats_routes, modules->stats};
    *table++ = (struct route_table){.routes = api_routes};
    modules->mercure = mercure_open(server);
    if (modules->mercure == NULL)
        return false;
    *table++ = (struct route_table){mercure_routes, modules->mercure};
    if (conf->demo) {
        modules->demo = demo_open(server);
        if (modules->demo == NULL)
            return false;
        *table++ = (struct route_table){demo_routes, modules->demo};
    }
    *table = (struct route_table){.routes = files_routes};
    return true;
}

static void close_modules(struct server *server, const struct modules *modules)
{
    demo_close(modules->demo);
    mercure_close(modules->mercure);
    stats_close(modules->stats);
    crier_hub_free(server->hub);
    auth_close(server->auth);
    limits_free(server->limits);
    if (server->www >= 0)
        close(server->www);
}

/* ---- run -------------------------------------------------------------- */

/* Logs what the journal has noticed of the clock and of its file since *BEFORE, and sets
 * that to the present status. */
static void log_status(struct crier_hub *hub, struct crier_status *before)
{
    struct crier_status now;

    crier_hub_status(hub, &now);
    if (now.damaged != 0 && before->damaged == 0)
        log_line(LOG_ERROR, "the journal's file is damaged: %s", now.damage);
    if (now.check == CRIER_CHECK_SOUND && before->check != CRIER_CHECK_SOUND)
        log_line(LOG_INFO, "the journal's file has been checked: it is sound");
    if (now.corrected != before->corrected)
        log_line(LOG_WARNING,
                 "the clock was set back: corrected the times of %" PRIu64
                 " updates that were ahead of it",
                 now.corrected - before->corrected);
    if (now.clock_behind && !before->clock_behind)
        log_line(LOG_WARNING, "the clock is before 2026: no update expires until it "
                              "is set");
    *before = now;
}

/* Whether INFO is of a signal to read the configuration again, and there is a file of it,
 * or a certificate. When a terminal is closed, the same signal comes from the kernel. */
static bool is_reload(const siginfo_t *info)
{
    return info->si_signo == SIGHUP && info->si_code != SI_KERNEL &&
           (conf_current()->file != NULL || conf_current()->certificate != NULL);
}

/* Waits for one of SIGNALS until DUE (crier_now()). Returns the signal, or -1. */
static int wait_until(uint64_t due, const sigset_t *signals, siginfo_t *info)
{
    uint64_t now = crier_now(), time = due > now ? due - now : 0;

    return sigtimedwait(signals, info,
                        &(struct timespec){.tv_sec = (time_t)(time / 1000),
                                           .tv_nsec = (long)(time % 1000) * 1000000});
}

/* What the main thread does from time to time while crierd serves. */
struct chores {
    struct server *server;
    struct http *http;
    struct stats *stats;
    struct supervisor supervisor;
    uint64_t sweep;             /* when it is time to sweep, by crier_now() */
    struct crier_status status; /* of the journal, at the last sweep */
};

/* When the first of CHORES is due. */
static uint64_t find_due(const struct chores *chores)
{
    uint64_t due = supervise_due(&chores->supervisor);

    if (stats_due(chores->stats) < due)
        due = stats_due(chores->stats);
    return chores->sweep < due ? chores->sweep : due;
}

/* Does what is due at NOW. */
static void do_chores(struct chores *chores, uint64_t now)
{
    if (now >= chores->sweep) {
        chores->sweep = now + SWEEP_TIME;
        http_end_overdue(chores->http);
        log_status(chores->server->hub, &chores->status);
    }
    stats_sample(chores->stats, now);
    supervise(&chores->supervisor, now);
}

/* Waits for a signal to end. Meanwhile reloads the configuration when a signal asks for it,
 * sweeps, samples, and reports to the service manager. */
static int wait_for_signal(struct chores *chores, const struct launch *launch)
{
    siginfo_t info;
    int number;

    for (;;) {
        number = wait_until(find_due(chores), &launch->signals, &info);
        if (number == SIGUSR1) {
            log_line(LOG_WARNING, "SIGUSR1 does nothing: the log goes to standard "
                                  "error, and there is nothing to reopen");
        } else if (number >= 0 && is_reload(&info)) {
            notify_reloading();
            reload_conf(chores->server, launch->argc, launch->argv);
            supervise_ready(&chores->supervisor);
        } else if (number >= 0) {
            return number;
        }
        do_chores(chores, crier_now());
    }
}

/* Serves until there is a signal, doing CHORES, and ends all streams. */
static void serve_streams(struct chores *chores, struct acceptor *acceptor,
                          const struct launch *launch)
{
    struct server *server = chores->server;
    size_t cut;
    int number;

    chores->sweep = crier_now() + SWEEP_TIME;
    supervise_begin(&chores->supervisor, server, acceptor);
    number = wait_for_signal(chores, launch);
    server->signalled = crier_now();
    (void)notify_send("STOPPING=1");
    log_line(LOG_INFO, "%s: closing %zu streams",
             strsignal(number), crier_shards_count(server->shards));
    atomic_store(&server->stopping, true);
    acceptor_shut(acceptor);
    crier_hub_close(server->hub);
    cut = crier_shards_drain(server->shards, SERVER_RETRY_MIN, SERVER_RETRY_MAX,
                             DRAIN_TIME);
    if (cut != 0)
        log_line(LOG_WARNING, "cut %zu streams whose clients did not read to the end",
                 cut);
}

/* Serves HTTP with MODULES. Returns the exit status. */
static int run_http(struct server *server, const struct modules *modules,
                    const struct launch *launch)
{
    struct acceptor_options options = {
        .service = &http_service,
        .threads = server->conf->threads,
        .listeners = &server->listeners,
        .crowded = (int)server->descriptors.crowded,
    };
    struct http http;
    struct chores chores = {.server = server, .http = &http, .stats = modules->stats};
    struct acceptor *acceptor;
    int status = EXIT_FAILURE;

    tls_log_certificate(server->conf);
    if (!http_start(&http, server)) {
        log_line(LOG_ERROR, "libmicrohttpd did not start; --log-level debug "
                            "tells more");
        return EXIT_FAILURE;
    }
    options.context = &http;
    acceptor = acceptor_open(&options);
    if (acceptor != NULL) {
        listeners_log(&server->listeners);
        serve_streams(&chores, acceptor, launch);
        acceptor_close(acceptor);
        status = EXIT_SUCCESS;
    } else {
        log_line(LOG_ERROR, "cannot start threads");
    }
    http_stop(&http);
    if (status == EXIT_SUCCESS)
        log_line(LOG_INFO, "stopped");
    return status;
}

static int run_shards(struct server *server, const struct launch *launch)
{
    const struct crier_shards_options options = {
        .threads = server->conf->threads,
        .max_streams = server->descriptors.clients,
        .resume = exchange_resume,
    };
    const struct conf *conf = server->conf;
    int error = crier_shards_new(&options, &server->shards);
    struct modules modules = {0};
    int status = EXIT_FAILURE;

    if (error != 0) {
        log_line(LOG_ERROR, "cannot start threads: %s",
                 crier_error_text(error));
        return EXIT_FAILURE;
    }
    crier_shards_set_times(server->shards, conf->ping, conf->stall_timeout);
    if (open_modules(server, &modules))
        status = run_http(server, &modules, launch);
    if (server->hub != NULL)
        crier_hub_close(server->hub);
    crier_shards_free(server->shards);
    close_modules(server, &modules);
    return status;
}

/* Ends the log; after a signal, within the remainder of END_TIME. */
static void end_log(const struct server *server)
{
    uint64_t begun = crier_now(), deadline = begun + END_TIME;

    if (server->signalled != 0)
        deadline = server->signalled + END_TIME;
    if (deadline < begun + FLUSH_TIME)
        deadline = begun + FLUSH_TIME;
    log_stop(deadline);
}

static int run_server(struct server *server, const struct launch *launch)
{
    const struct conf *conf = server->conf;
    int status = EXIT_FAILURE;

    if (listeners_check(&server->listeners, conf) &&
        listeners_open(&server->listeners, conf) &&
        plan_descriptors(conf, &server->listeners, &server->descriptors))
        status = run_shards(server, launch);
    listeners_close(&server->listeners);
    return status;
}

/* ---- main ------------------------------------------------------------- */

/* Opens those of the descriptors 0 to 2 that are closed. Otherwise a socket or the journal
 * would get one of their numbers, and the log would be written into it. In the place of
 * standard output comes a descriptor that cannot be written to, so that printing fails. */
static bool open_standard_files(void)
{
    int fd;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != fd)
            return false;
    return true;
}

/* Blocks the signals that crierd waits for and writes them to SIGNALS; ignores those whose
 * errno is enough: EPIPE, and EFBIG where a file has reached the limit of `ulimit -f`. */
static void set_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static int start_server(struct conf *conf, struct launch *launch)
{
    struct server server = {
        .conf = conf, .started = crier_now(), .began = time(NULL), .www = -1};
    int status;

    atomic_init(&server.configured, server.began);
    set_signals(&launch->signals);
    notify_open();
    /* One thread allocates an update and another one frees it, much later. With an arena
     * for each thread, all of them would grow to the size of the journal. */
    mallopt(M_ARENA_MAX, 1);
    /* Otherwise SQLite takes a lock at each allocation, to count its memory. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    log_set_level(conf->log_level);
    log_set_format(conf->log_format);
    if (!log_start()) {
        log_line(LOG_ERROR, "cannot start the log's thread");
        return EXIT_FAILURE;
    }
    if (!inherit_listeners(&server.listeners)) {
        listeners_close(&server.listeners);
        status = EXIT_FAILURE;
    } else if (conf_publish(conf)) {
        status = run_server(&server, launch);
    } else {
        log_line(LOG_ERROR, "too many thread-specific keys");
        status = EXIT_FAILURE;
    }
    conf_publish(NULL);
    end_log(&server);
    return status;
}

/* Whether all that was printed has reached standard output. */
static int end_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    fprintf(stderr, "crierd: cannot write to standard output: %s\n",
            strerror(errno));
    return EXIT_FAILURE;
}

/* Prints a mistake in the configuration. The log has not started yet. */
static void report_mistake(const char *text)
{
    fprintf(stderr, "%s%s\n", log_is_journal() ? "<3>" : "crierd: ", text);
}

int main(int argc, char **argv)
{
    struct launch launch = {.argc = argc, .argv = argv};
    struct conf *conf;
    int status;

    if (!open_standard_files()) {
        fprintf(stderr, "crierd: cannot open /dev/null: %s\n",
                strerror(errno));
        return EXIT_FAILURE;
    }
    switch (load_conf(argc, argv, report_mistake, &conf)) {
    case LOAD_DONE:
        return end_output();
    case LOAD_BAD:
        return 2;
    case LOAD_FAILED:
        return EXIT_FAILURE;
    case LOAD_RUN:
        break;
    }
    status = start_server(conf, &launch);
    conf_unref(conf);
    return status;
}
