/*
 * crierd: puts the rooms together, waits for a signal, takes them apart again.
 *
 * The order of the end matters. First nobody new gets in; then the journal answers
 * what it was asked, which resumes the connections that wait for it; then every stream
 * gets its goodbye, because MHD must not be stopped while it has suspended
 * connections; then MHD stops, then the shards, on whose threads the last
 * streams say that they are closed; and only then is freed what handlers and
 * streams could reach.
 */
#include <config.h>

#include "crierd/config/backend.h"
#include "crierd/config/load.h"
#include "crierd/api/api.h"
#include "crierd/demo/demo.h"
#include "crierd/net/acceptor.h"
#include "crierd/static/files.h"
#include "crierd/http/http.h"
#include "crierd/net/listener.h"
#include "crierd/log/log.h"
#include "crierd/http/server.h"

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

/* What clients are told to wait before they come back, drawn from this range so
 * that they do not come all at once. */
#define RETRY_MIN 1000
#define RETRY_MAX 5000

/* Seconds between two looks at who keeps crierd waiting. */
#define LOOK_TIME 5

/* How long streams may take to end. With the rest it stays below 2 s. */
#define DRAIN_TIME 1200

/* After a signal, ms from there to the last attempt to write the log; and how long that
 * may take in any case. */
#define END_TIME 1500
#define FLUSH_TIME 200

/* ---- limits ----------------------------------------------------------- */

/* Divides the descriptors and logs what comes out. False when there are too few. */
static bool plan_descriptors(const struct conf *conf,
                             struct descriptors *descriptors)
{
    size_t limit = descriptors_raise_limit();
    const char *argument;
    const struct descriptors_needs needs = {
        .found = descriptors_open(limit),
        .threads = conf->threads,
        .http = http_descriptors(conf->threads),
        .journal_file = backend_find(conf->journal, &argument)->file,
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

/* What of the past Crier's own topics hold, unless the command line says
 * otherwise. */
static const struct crier_topic_retention own_topics[] = {
    {DEMO_TOPICS, {.count = DEMO_RETAINED}},
    {"$presence/*", {.count = 1000}},
};

#define OWN_TOPICS (sizeof own_topics / sizeof own_topics[0])

static struct crier_journal *open_journal(const struct conf *conf)
{
    struct crier_topic_retention topics[CONF_TOPICS_MAX + OWN_TOPICS];
    const struct crier_journal_options options = {
        .retention = conf->retention,
        .topics = topics,
        .topic_count = conf->topic_count + OWN_TOPICS,
        .max_topics = conf->max_topics,
    };
    const struct backend *backend;
    struct crier_journal *journal;
    const char *argument;
    char reason[256] = "";
    int error;

    if (conf->topic_count != 0)
        memcpy(topics, conf->topics, conf->topic_count * sizeof topics[0]);
    memcpy(topics + conf->topic_count, own_topics, sizeof own_topics);
    backend = backend_find(conf->journal, &argument);
    error = backend->open(argument, &options, &journal, reason, sizeof reason);
    if (error == 0)
        return journal;
    log_line(LOG_ERROR, "journal %s: %s%s%s",
             argument != NULL ? argument : "in memory", crier_error_text(error),
             reason[0] != '\0' ? ": " : "", reason);
    return NULL;
}

static bool open_hub(struct server *server)
{
    const struct conf *conf = server->conf;
    const struct crier_hub_options options = {.slow = conf->slow,
                                              .presence = conf->presence};
    struct crier_journal *journal = open_journal(conf);
    int error;

    if (journal == NULL)
        return false;
    error = crier_hub_new(server->shards, journal, &options, &server->hub);
    if (error != 0)
        log_line(LOG_ERROR, "cannot open the topics (--presence %s): %s",
                 conf->presence != NULL ? conf->presence : "not given",
                 crier_error_text(error));
    return error == 0;
}

/* Opens the modules of SERVER and enters their routes. */
static bool open_modules(struct server *server, struct demo **demo)
{
    const struct conf *conf = server->conf;
    struct route_table *table = server->tables;

    server->www = files_open(conf->www);
    if (server->www < 0) {
        log_line(LOG_ERROR, "cannot open %s: %s", conf->www,
                 crier_error_text(server->www));
        return false;
    }
    if (!open_hub(server))
        return false;
    *table++ = (struct route_table){.routes = api_routes};
    if (conf->demo) {
        *demo = demo_open(server);
        if (*demo == NULL)
            return false;
        *table++ = (struct route_table){demo_routes, *demo};
    }
    *table = (struct route_table){.routes = files_routes};
    return true;
}

static void close_modules(struct server *server, struct demo *demo)
{
    demo_close(demo);
    crier_hub_free(server->hub);
    if (server->www >= 0)
        close(server->www);
}

/* ---- run -------------------------------------------------------------- */

/* Logs what the journal has found of the clock since BEFORE, which is set to that. */
static void log_clock(struct crier_hub *hub, struct crier_status *before)
{
    struct crier_status now;

    crier_hub_status(hub, &now);
    if (now.corrected != before->corrected)
        log_line(LOG_WARNING,
                 "the clock has been set back: corrected the times of updates "
                 "that were ahead of it (%" PRIu64 ")",
                 now.corrected - before->corrected);
    if (now.clock_behind && !before->clock_behind)
        log_line(LOG_WARNING, "the clock says a time before 2026: nothing grows "
                              "old in the journal until it is set");
    *before = now;
}

/* Waits for one of SIGNALS, and looks after HTTP and the clock meanwhile. */
static int wait_for_signal(struct server *server, struct http *http,
                           const sigset_t *signals)
{
    const struct timespec time = {.tv_sec = LOOK_TIME};
    struct crier_status status = {0};
    int number;

    while ((number = sigtimedwait(signals, NULL, &time)) < 0) {
        http_end_overdue(http);
        log_clock(server->hub, &status);
    }
    return number;
}

/* Serves until there is a signal, and says goodbye. */
static void serve(struct server *server, struct http *http, struct acceptor *acceptor,
                  const sigset_t *signals)
{
    int number = wait_for_signal(server, http, signals);
    size_t cut;

    server->signalled = crier_now();
    log_line(LOG_INFO, "%s: saying goodbye to %zu clients",
             strsignal(number), crier_shards_count(server->shards));
    atomic_store(&server->stopping, true);
    acceptor_shut(acceptor);
    crier_hub_close(server->hub);
    cut = crier_shards_drain(server->shards, RETRY_MIN, RETRY_MAX, DRAIN_TIME);
    if (cut != 0)
        log_line(LOG_WARNING, "%zu clients took no goodbye and were cut off",
                 cut);
}

/* Answers on SOCKET, which is closed in the end, until told to stop. */
static int open_door(struct server *server, int socket,
                     const sigset_t *signals)
{
    struct acceptor_options options = {
        .service = &http_service,
        .threads = server->conf->threads,
        .socket = socket,
        .crowded = (int)server->descriptors.crowded,
    };
    char address[LISTENER_ADDRESS_SIZE];
    struct http http;
    struct acceptor *acceptor;
    int status = EXIT_FAILURE;

    if (!http_start(&http, server)) {
        log_line(LOG_ERROR, "libmicrohttpd did not start; --log-level debug "
                            "tells more");
        close(socket);
        return EXIT_FAILURE;
    }
    listener_address(socket, address);
    options.context = &http;
    acceptor = acceptor_open(&options);
    if (acceptor != NULL) {
        log_line(LOG_INFO, "crierd %s listening on http://%s/",
                 crier_version(), address);
        serve(server, &http, acceptor, signals);
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

static int run_shards(struct server *server, int socket,
                      const sigset_t *signals)
{
    const struct crier_shards_options options = {
        .threads = server->conf->threads,
        .max_streams = server->descriptors.clients,
        .resume = exchange_resume,
    };
    int error = crier_shards_new(&options, &server->shards);
    struct demo *demo = NULL;
    int status = EXIT_FAILURE;

    if (error != 0) {
        log_line(LOG_ERROR, "cannot start threads: %s",
                 crier_error_text(error));
        close(socket);
        return EXIT_FAILURE;
    }
    if (open_modules(server, &demo))
        status = open_door(server, socket, signals);
    else
        close(socket);
    if (server->hub != NULL)
        crier_hub_close(server->hub);
    crier_shards_free(server->shards);
    close_modules(server, demo);
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

static int run_server(struct server *server, const sigset_t *signals)
{
    const struct conf *conf = server->conf;
    const char *why;
    int socket;

    if (!plan_descriptors(conf, &server->descriptors))
        return EXIT_FAILURE;
    socket = listener_open(conf->listen, &why);
    if (socket < 0) {
        log_line(LOG_ERROR, "cannot listen on %s: %s", conf->listen, why);
        return EXIT_FAILURE;
    }
    return run_shards(server, socket, signals);
}

/* ---- main ------------------------------------------------------------- */

/* Makes sure that the descriptors 0 to 2 are open. Otherwise a socket or the journal
 * would get one of their numbers, and the log would be written into it. What is opened
 * for standard output cannot be written to, so that it is an error to print there. */
static bool open_standard_files(void)
{
    int fd;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != fd)
            return false;
    return true;
}

/* Signals: those in SIGNALS are waited for; for the others errno is enough, EPIPE, and
 * EFBIG where a file has reached the limit of `ulimit -f`. */
static void set_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    /* A terminal that is closed ends crierd as Ctrl-C does. */
    sigaddset(signals, SIGHUP);
    sigprocmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static int start_server(struct conf *conf)
{
    struct server server = {.conf = conf, .started = crier_now(), .www = -1};
    sigset_t signals;
    int status;

    set_signals(&signals);
    /* Whatever thread publishes, the journal holds, and another one lets go; with
     * an arena for each of them, all would grow to the size of the journal. */
    mallopt(M_ARENA_MAX, 1);
    /* SQLite would take a lock for each piece of memory, to know how much it has. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    log_set_level(conf->log_level);
    if (!log_start()) {
        log_line(LOG_ERROR, "cannot start the log's thread");
        return EXIT_FAILURE;
    }
    if (conf_publish(conf)) {
        status = run_server(&server, &signals);
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

static void report_mistake(const char *text)
{
    fprintf(stderr, "crierd: %s\n", text);
}

int main(int argc, char **argv)
{
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
    case LOAD_RUN:
        break;
    }
    status = start_server(conf);
    conf_unref(conf);
    return status;
}
