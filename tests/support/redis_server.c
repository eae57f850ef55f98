#include <config.h>

#include "redis_server.h"

#include "port.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The server writes a log to its directory. A caller that waits for it to start waits for the
 * line of the log that says so, with inotify, and for the end of the process, with a
 * pidfd. The files of a server are named by absolute paths, because a server changes to
 * its directory.
 *
 * The program behaves as the name says by which it was started: so its directory has
 * links to it, under the two names that count.
 *
 * This file does not use check, because the benchmark and the soak may use it, too.
 */

#define PATIENCE 120000 /* ms */
#define WORDS_MAX 64

/* ---- failing ---------------------------------------------------------- */

/* Returns the log in new memory, "" if there is none. */
static char *read_server_log(const struct redis_server *server)
{
    char path[96], *text = NULL;
    size_t capacity = 0;
    FILE *log;

    snprintf(path, sizeof path, "%s/log", server->directory);
    log = fopen(path, "re");
    if (log == NULL || getdelim(&text, &capacity, '\0', log) < 0) {
        free(text);
        text = strdup("");
    }
    if (log != NULL)
        fclose(log);
    return text;
}

/* Reports that WHAT failed, for REASON, and aborts. */
static _Noreturn void fail_server(const struct redis_server *server, const char *what,
                                  const char *reason)
{
    char *log = read_server_log(server);

    fprintf(stderr, "the server in %s: %s: %s\nIts log:\n%s", server->directory, what,
            reason, log);
    free(log);
    abort();
}

static void require_success(const struct redis_server *server, bool success,
                            const char *what)
{
    if (!success)
        fail_server(server, what, strerror(errno));
}

/* ---- the program ------------------------------------------------------ */

bool redis_is_wanted(void)
{
    return getenv("CRIER_OOM") == NULL;
}

/* Writes to PATH where the program NAME is. Returns whether $PATH has it. */
static bool find_in_path(const char *name, char path[4096])
{
    const char *all = getenv("PATH"), *end;

    for (; all != NULL; all = *end == ':' ? end + 1 : NULL) {
        end = strchrnul(all, ':');
        snprintf(path, 4096, "%.*s/%s", (int)(end - all), all, name);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

bool redis_find(char path[4096])
{
    static const char *const names[] = {"redis-server", "redis-check-rdb",
                                        "valkey-server", "valkey-check-rdb"};
    const char *named = getenv("REDIS_SERVER");
    size_t i;

    if (named != NULL && named[0] != '\0') {
        if (realpath(named, path) != NULL)
            return true;
        fprintf(stderr, "REDIS_SERVER: %s: %s\n", named, strerror(errno));
        return false;
    }
    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (find_in_path(names[i], path))
            return true;
    fprintf(stderr, "This test needs a Redis or a Valkey: install redis-tools or"
                    " valkey-tools (Debian),\nor name the program in $REDIS_SERVER.\n");
    return false;
}

bool redis_find_valkey(char path[4096])
{
    return find_in_path("valkey-server", path) || find_in_path("valkey-check-rdb", path);
}

/* Links NAME in the directory to PROGRAM, or to what redis_find() finds. */
static void link_program(const struct redis_server *server, const char *name,
                         const char *program)
{
    char found[4096], path[96];

    if (program == NULL) {
        if (!redis_find(found))
            abort();
        program = found;
    }
    snprintf(path, sizeof path, "%s/%s", server->directory, name);
    require_success(server, symlink(program, path) == 0, "symlink");
}

/* ---- starting --------------------------------------------------------- */

/* Whether the log has TEXT behind its first FROM bytes. */
static bool has_logged(const struct redis_server *server, size_t from, const char *text)
{
    char *log = read_server_log(server);
    bool has = strlen(log) > from && strstr(log + from, text) != NULL;

    free(log);
    return has;
}

/* Waits until INOTIFY has an event, and takes all; fails if the process ends. */
static void await_more_log(const struct redis_server *server, int inotify, int process)
{
    struct pollfd polled[] = {{.fd = inotify, .events = POLLIN},
                              {.fd = process, .events = POLLIN}};
    char events[4096];
    int got;

    do
        got = poll(polled, 2, PATIENCE);
    while (got < 0 && errno == EINTR);
    require_success(server, got >= 0, "poll");
    if (got == 0)
        fail_server(server, "start", "it takes too long");
    if (polled[1].revents != 0)
        fail_server(server, "start", "it has ended");
    require_success(server, read(inotify, events, sizeof events) > 0, "inotify");
}

/* Runs WORDS and waits until the log says READY. */
static void run_server(struct redis_server *server, const char *const *words,
                       const char *ready)
{
    struct spawn spawn = {.words = words, .death = SIGKILL};
    char *before = read_server_log(server);
    size_t length = strlen(before);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), inotify, process;
    int error;

    free(before);
    inotify = inotify_init1(IN_CLOEXEC);
    require_success(server, null >= 0 && inotify >= 0, "open");
    require_success(server,
                    inotify_add_watch(inotify, server->directory, IN_MODIFY) >= 0,
                    "inotify");
    spawn.files[0] = spawn.files[1] = spawn.files[2] = null;
    error = spawn_program(&spawn, &server->pid);
    if (error < 0)
        fail_server(server, words[0], strerror(-error));
    process = pidfd_open(server->pid, 0);
    require_success(server, process >= 0, "pidfd_open");
    while (!has_logged(server, length, ready))
        await_more_log(server, inotify, process);
    close(process);
    close(inotify);
    close(null);
}

/* Appends the words that end with NULL to WORDS. */
static void append_words(const char *words[WORDS_MAX], const char *const *more)
{
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    while (*more != NULL && count < WORDS_MAX - 1)
        words[count++] = *more++;
    if (*more != NULL)
        abort();
}

static void run_redis(struct redis_server *server)
{
    const struct redis_options *options = &server->options;
    char program[96], log[96], port[16], master_port[16] = "";
    const char *words[WORDS_MAX] = {program, "--port", port, "--bind", "127.0.0.1",
        "--unixsocket", server->socket, "--dir", server->directory, "--logfile", log,
        "--save", "", "--repl-diskless-sync-delay", "0"};

    snprintf(program, sizeof program, "%s/redis-server", server->directory);
    snprintf(log, sizeof log, "%s/log", server->directory);
    snprintf(port, sizeof port, "%d", server->port);
    if (options->password != NULL)
        append_words(words, (const char *const[]){"--requirepass", options->password,
                                "--masterauth", options->password, NULL});
    if (options->appendfsync != NULL)
        append_words(words, (const char *const[]){"--appendonly", "yes", "--appendfsync",
                                options->appendfsync, NULL});
    if (options->replica_of != NULL) {
        snprintf(master_port, sizeof master_port, "%d", options->replica_of->port);
        append_words(words, (const char *const[]){"--replicaof", "127.0.0.1", master_port,
                                NULL});
    }
    if (options->more != NULL)
        append_words(words, options->more);
    /* "Ready ..." for a port, "... ready ..." for a socket. */
    run_server(server, words, "eady to accept connections");
}

static void run_sentinel(struct redis_server *sentinel)
{
    char program[96], conf[96];
    const char *words[] = {program, conf, NULL};

    snprintf(program, sizeof program, "%s/redis-sentinel", sentinel->directory);
    snprintf(conf, sizeof conf, "%s/conf", sentinel->directory);
    run_server(sentinel, words, "+monitor");
}

/* Makes the directory, and reserves a port if it is to listen on one. */
static void prepare_server(struct redis_server *server, bool tcp)
{
    const char *in = getenv("CRIER_SCRATCH");

    memset(server, 0, sizeof *server);
    snprintf(server->directory, sizeof server->directory, "%s%s-XXXXXX",
             in != NULL ? in : "/tmp/crier-redis", in != NULL ? "/r" : "");
    require_success(server, mkdtemp(server->directory) != NULL, "mkdtemp");
    server->port_holder = -1;
    if (tcp) {
        server->port = port_hold(&server->port_holder);
        require_success(server, server->port != 0, "port_hold");
    }
}

void redis_start(struct redis_server *server, const struct redis_options *options)
{
    static const struct redis_options none;

    prepare_server(server, options != NULL && options->tcp);
    server->options = options != NULL ? *options : none;
    if (server->options.password != NULL)
        snprintf(server->password, sizeof server->password, "%s",
                 server->options.password);
    snprintf(server->socket, sizeof server->socket, "%s/socket", server->directory);
    link_program(server, "redis-server", server->options.program);
    run_redis(server);
}

static void write_sentinel_conf(const struct redis_server *sentinel,
                                const struct redis_watch *watch)
{
    const char *name = watch->name, *password = watch->master->options.password;
    char path[96];
    FILE *to;

    snprintf(path, sizeof path, "%s/conf", sentinel->directory);
    to = fopen(path, "we");
    require_success(sentinel, to != NULL, path);
    fprintf(to, "port %d\nbind 127.0.0.1\ndir %s\nlogfile %s/log\n",
            sentinel->port, sentinel->directory, sentinel->directory);
    fprintf(to, "sentinel monitor %s 127.0.0.1 %d %u\n", name, watch->master->port,
            watch->quorum);
    fprintf(to, "sentinel down-after-milliseconds %s %u\n", name, watch->down);
    fprintf(to, "sentinel failover-timeout %s %u\n", name, 10 * watch->down);
    if (password != NULL)
        fprintf(to, "sentinel auth-pass %s %s\n", name, password);
    if (watch->password != NULL)
        fprintf(to, "requirepass %s\nsentinel sentinel-pass %s\n", watch->password,
                watch->password);
    require_success(sentinel, fclose(to) == 0, path);
}

void redis_start_sentinel(struct redis_server *sentinel, const struct redis_watch *watch)
{
    prepare_server(sentinel, true);
    if (watch->password != NULL)
        snprintf(sentinel->password, sizeof sentinel->password, "%s", watch->password);
    link_program(sentinel, "redis-sentinel", NULL);
    write_sentinel_conf(sentinel, watch);
    run_sentinel(sentinel);
}

void redis_restart(struct redis_server *server)
{
    if (server->socket[0] != '\0')
        run_redis(server);
    else
        run_sentinel(server);
}

/* ---- ending ----------------------------------------------------------- */

static void close_connection(struct redis_server *server)
{
    if (server->connection != NULL)
        redisFree(server->connection);
    server->connection = NULL;
}

/* Sends SIGNAL and waits for the end. Returns the status. */
static int end_process(struct redis_server *server, int signal)
{
    int status;

    close_connection(server);
    require_success(server, kill(server->pid, signal) == 0, "kill");
    require_success(server, waitpid(server->pid, &status, 0) == server->pid, "waitpid");
    server->pid = 0;
    return status;
}

void redis_stop(struct redis_server *server)
{
    int status = end_process(server, SIGTERM);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_server(server, "stop", "it failed");
}

void redis_kill(struct redis_server *server)
{
    end_process(server, SIGKILL);
}

void redis_pause(struct redis_server *server)
{
    int status;

    require_success(server, kill(server->pid, SIGSTOP) == 0, "SIGSTOP");
    require_success(server, waitpid(server->pid, &status, WUNTRACED) == server->pid,
                    "waitpid");
    if (!WIFSTOPPED(status))
        fail_server(server, "SIGSTOP", "it has ended");
}

void redis_resume(struct redis_server *server)
{
    require_success(server, kill(server->pid, SIGCONT) == 0, "SIGCONT");
}

void redis_remove(struct redis_server *server)
{
    char command[96];

    if (server->pid != 0)
        redis_kill(server);
    if (server->port_holder >= 0)
        close(server->port_holder);
    snprintf(command, sizeof command, "rm -r '%s'", server->directory);
    if (system(command) != 0)
        fail_server(server, command, "failed");
    memset(server, 0, sizeof *server);
    server->port_holder = -1;
}

/* ---- commands --------------------------------------------------------- */

char *redis_url(const struct redis_server *server)
{
    char *url;
    int length;

    if (server->port == 0)
        length = asprintf(&url, "redis+unix:%s%s%s", server->socket,
                          server->password[0] != '\0' ? "?password=" : "",
                          server->password);
    else
        length = asprintf(&url, "redis://%s%s%s127.0.0.1:%d",
                          server->password[0] != '\0' ? ":" : "", server->password,
                          server->password[0] != '\0' ? "@" : "", server->port);
    require_success(server, length > 0, "asprintf");
    return url;
}

/* Returns REPLY unless it is NULL or, if ALLOWED does not hold, an error. */
static redisReply *check_reply(struct redis_server *server, redisReply *reply,
                               bool allowed)
{
    if (reply == NULL)
        fail_server(server, "a command", server->connection->errstr);
    if (reply->type == REDIS_REPLY_ERROR && !allowed)
        fail_server(server, "a command", reply->str);
    return reply;
}

static void connect_server(struct redis_server *server)
{
    redisContext *context = server->port != 0 ? redisConnect("127.0.0.1", server->port)
                                              : redisConnectUnix(server->socket);

    server->connection = context;
    if (context == NULL || context->err != 0)
        fail_server(server, "connect", context != NULL ? context->errstr : "no memory");
    if (server->password[0] != '\0')
        freeReplyObject(check_reply(
            server, redisCommand(context, "AUTH %s", server->password), false));
}

static redisReply *ask_server(struct redis_server *server, const char *format,
                              va_list arguments, bool allowed)
{
    if (server->connection != NULL && server->connection->err != 0)
        close_connection(server);
    if (server->connection == NULL)
        connect_server(server);
    return check_reply(server, redisvCommand(server->connection, format, arguments),
                       allowed);
}

redisReply *redis_ask(struct redis_server *server, const char *format, ...)
{
    va_list arguments;
    redisReply *reply;

    va_start(arguments, format);
    reply = ask_server(server, format, arguments, true);
    va_end(arguments);
    return reply;
}

long long redis_ask_number(struct redis_server *server, const char *format, ...)
{
    va_list arguments;
    redisReply *reply;
    long long number;

    va_start(arguments, format);
    reply = ask_server(server, format, arguments, false);
    va_end(arguments);
    if (reply->type != REDIS_REPLY_INTEGER)
        fail_server(server, format, "not an integer");
    number = reply->integer;
    freeReplyObject(reply);
    return number;
}

void redis_do(struct redis_server *server, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    freeReplyObject(ask_server(server, format, arguments, false));
    va_end(arguments);
}

void redis_wait_replicas(struct redis_server *master, int count)
{
    /* WAIT waits for what its own connection has written. */
    redis_do(master, "PUBLISH crier:test wait");
    while (redis_ask_number(master, "WAIT %d 0", count) < count)
        ;
}
