/*
 * The servers: starting and stopping them.
 *
 * Each server gets a new directory under $TMPDIR (or /var/tmp, which is usually on a
 * disk: a journal in a file should not be in memory), a free port, and a process group,
 * by which its processes are found and, if necessary, killed. A server ends when the
 * benchmark does, however that ends.
 *
 * crierd runs with its defaults except for --log-level warning, because the others do
 * not log requests, and --ping-interval, to match the others. The configuration of
 * nginx is below and in README. Redis listens on TCP, because Nchan knows nothing else,
 * and writes nothing to the disk.
 */
#include <config.h>

#include "server.h"

#include "fault.h"
#include "tests/support/certificate.h"
#include "tests/support/port.h"
#include "tests/support/spawn.h"
#include "usage.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 512
#define STOP_SECONDS 5
#define WORDS_MAX 40
#define LOG_TAIL 8192 /* bytes of a log to print */

static const char *const names[SERVER_KINDS + 1] = {
    "baseline",     "crierd", "crierd sqlite", "crierd redis",
    "crierd nodes", "nchan",  "nchan redis",   "redis"};

const char *server_name(enum server_kind kind) { return names[kind]; }

bool server_needs_redis(enum server_kind kind)
{
    return kind == SERVER_CRIERD_REDIS || kind == SERVER_CRIERD_NODES ||
           kind == SERVER_NCHAN_REDIS;
}

bool server_available(enum server_kind kind, const struct server_settings *settings)
{
    if (server_needs_redis(kind) && !server_available(SERVER_REDIS, settings))
        return false;
    switch (kind) {
    case SERVER_BASELINE:
        return access(settings->baseline, X_OK) == 0;
    case SERVER_REDIS:
        return access(settings->redis, X_OK) == 0;
    case SERVER_NCHAN:
    case SERVER_NCHAN_REDIS:
        return access(settings->nginx, X_OK) == 0 && access(settings->nchan, R_OK) == 0;
    default:
        return access(settings->crierd, X_OK) == 0;
    }
}

/* Moves the first one of CPUS to ONE. */
static void take_cpu(cpu_set_t *cpus, cpu_set_t *one)
{
    int cpu = 0;

    while (!CPU_ISSET(cpu, cpus))
        cpu++;
    CPU_ZERO(one);
    CPU_SET(cpu, one);
    CPU_CLR(cpu, cpus);
}

void server_set_apart(struct server_settings *settings)
{
    cpu_set_t own;

    if (sched_getaffinity(0, sizeof settings->cpus, &settings->cpus) != 0 ||
        CPU_COUNT(&settings->cpus) < 2)
        return;
    take_cpu(&settings->cpus, &own);
    settings->redis_cpus = own;
    if (CPU_COUNT(&settings->cpus) > 1)
        take_cpu(&settings->cpus, &settings->redis_cpus);
    settings->apart = sched_setaffinity(0, sizeof own, &own) == 0;
}

bool server_enough_files(size_t clients)
{
    struct rlimit limit = {0};

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    /* crierd uses nine tenths of the limit for streams. */
    return limit.rlim_cur >= clients + clients / 4 + 300 ||
           fault("%zu clients need more open files than %llu", clients,
                 (unsigned long long)limit.rlim_cur);
}

static void sleep_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static struct sockaddr_in make_address(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* ---- programs ----------------------------------------------------------- */

/* nginx with a single worker that only runs Nchan; everything else is its default. */
static const char nginx_conf[] = "load_module %s;\n"
                                 "daemon off;\n"
                                 "%s"
                                 "worker_processes 1;\n"
                                 "worker_rlimit_nofile 20000;\n"
                                 "pid %s/pid;\n"
                                 "events { worker_connections 19000; }\n"
                                 "http {\n"
                                 "    access_log off;\n"
                                 "    client_body_temp_path %s/body;\n"
                                 "    proxy_temp_path %s/proxy;\n"
                                 "    fastcgi_temp_path %s/fastcgi;\n"
                                 "    uwsgi_temp_path %s/uwsgi;\n"
                                 "    scgi_temp_path %s/scgi;\n"
                                 "    keepalive_requests 1000000000;\n"
                                 "    keepalive_timeout 1h;\n"
                                 "    client_body_buffer_size 128k;\n"
                                 "    nchan_shared_memory_size 256M;\n"
                                 "%s"
                                 "    server {\n"
                                 "        listen 127.0.0.1:%u backlog=4096;\n"
                                 "        location ~ ^/topics/(.+)$ {\n"
                                 "            nchan_pubsub;\n"
                                 "            nchan_channel_id $1;\n"
                                 "            nchan_message_buffer_length 1000;\n"
                                 "            nchan_message_timeout 1h;\n"
                                 "            nchan_subscriber_first_message oldest;\n"
                                 "            nchan_eventsource_ping_interval %u;\n"
                                 "            nchan_eventsource_ping_comment \" \";\n"
                                 "            nchan_eventsource_ping_event \"\";\n"
                                 "%s"
                                 "        }\n"
                                 "    }\n"
                                 "}\n";

static bool write_nginx_conf(const struct server *server,
                             const struct server_settings *settings, const char *path)
{
    const char *d = server->directory;
    char upstream[128] = "", pass[64] = "";
    FILE *file = fopen(path, "we");

    if (file == NULL)
        return fault("cannot write %s: %s", path, strerror(errno));
    if (server->kind == SERVER_NCHAN_REDIS) {
        snprintf(upstream, sizeof upstream,
                 "    upstream store { nchan_redis_server redis://127.0.0.1:%u; }\n",
                 settings->redis_port);
        snprintf(pass, sizeof pass, "            nchan_redis_pass store;\n");
    }
    fprintf(file, nginx_conf, settings->nchan, geteuid() == 0 ? "user root;\n" : "", d,
            d, d, d, d, d, upstream, server->port, settings->keep_alive, pass);
    return fclose(file) == 0 || fault("cannot write %s", path);
}

/* Starts the program WORDS, ended by NULL, with its output going to the descriptor LOG.
 */
static bool run_words(const char *const *words, int log, pid_t *pid)
{
    const struct spawn spawn = {
        .words = words, .files = {0, log, log}, .group = true, .death = SIGTERM};
    int error = spawn_program(&spawn, pid);

    return error == 0 || fault("cannot start %s: %s", words[0], strerror(-error));
}

static bool run_nginx(struct server *server, const struct server_settings *settings,
                      int log)
{
    char conf[PATH_SIZE], errors[PATH_SIZE];
    const char *const words[] = {
        settings->nginx, "-p", server->directory, "-e", errors, "-c", conf, NULL};

    snprintf(conf, sizeof conf, "%s/conf", server->directory);
    snprintf(errors, sizeof errors, "%s/error", server->directory);
    return write_nginx_conf(server, settings, conf) &&
           run_words(words, log, &server->pid);
}

/* Writes TEXT to a file. */
static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    bool ok = file != NULL && fputs(text, file) >= 0;

    if (file != NULL && fclose(file) != 0)
        ok = false;
    return ok || fault("cannot write %s: %s", path, strerror(errno));
}

static bool run_crierd(struct server *server, const struct server_settings *settings,
                       int log)
{
    char listen[32], ping[16], journal[PATH_SIZE] = "memory", tls[32];
    char chain[PATH_SIZE], secret[PATH_SIZE];
    const char *const tls_words[] = {"--tls-listen", tls,         "--tls-cert",
                                     chain,          "--tls-key", secret};
    const char *words[WORDS_MAX] = {
        settings->crierd, "--listen",        listen,         "--www",
        settings->www,    "--data",          settings->data, "--log-level",
        "warning",        "--ping-interval", ping,           "--journal",
        journal};
    const char *const *more = settings->more;
    size_t count = 13;

    snprintf(listen, sizeof listen, "127.0.0.1:%u", server->port);
    snprintf(ping, sizeof ping, "%us", settings->keep_alive);
    if (server->kind == SERVER_CRIERD_SQLITE)
        snprintf(journal, sizeof journal, "sqlite:%s/journal", server->directory);
    if (server_needs_redis(server->kind))
        snprintf(journal, sizeof journal, "redis://127.0.0.1:%u", settings->redis_port);
    snprintf(tls, sizeof tls, "127.0.0.1:%u", server->tls_port);
    snprintf(chain, sizeof chain, "%s/chain", server->directory);
    snprintf(secret, sizeof secret, "%s/key", server->directory);
    if (server->tls_port != 0 &&
        (!write_file(chain, certificate) || !write_file(secret, key)))
        return false;
    for (size_t i = 0; server->tls_port != 0 && i < 6; i++)
        words[count++] = tls_words[i];
    while (more != NULL && *more != NULL && count < WORDS_MAX - 1)
        words[count++] = *more++;
    return run_words(words, log, &server->pid);
}

static bool run_baseline(struct server *server, const struct server_settings *settings,
                         int log)
{
    char port[16], keep_alive[16];
    const char *const words[] = {settings->baseline, port, keep_alive,
                                 settings->baseline_fault, NULL};

    snprintf(port, sizeof port, "%u", server->port);
    snprintf(keep_alive, sizeof keep_alive, "%u", settings->keep_alive);
    return run_words(words, log, &server->pid);
}

static bool run_redis(struct server *server, const struct server_settings *settings,
                      int log)
{
    char port[16];
    const char *const words[] = {
        settings->redis, "--bind",       "127.0.0.1",       "--port", port,
        "--dir",         server->directory, "--save",       "",       "--appendonly",
        "no",            "--daemonize",  "no",              "--loglevel", "warning",
        NULL};

    snprintf(port, sizeof port, "%u", server->port);
    return run_words(words, log, &server->pid);
}

static bool run_kind(struct server *server, const struct server_settings *settings,
                     int log)
{
    switch (server->kind) {
    case SERVER_REDIS:
        return run_redis(server, settings, log);
    case SERVER_NCHAN:
    case SERVER_NCHAN_REDIS:
        return run_nginx(server, settings, log);
    case SERVER_BASELINE:
        return run_baseline(server, settings, log);
    default:
        return run_crierd(server, settings, log);
    }
}

/* Starts SERVER on the CPUs of the settings; a process inherits those of its parent. */
static bool run_apart(struct server *server, const struct server_settings *settings,
                      int log)
{
    const cpu_set_t *cpus =
        server->kind == SERVER_REDIS ? &settings->redis_cpus : &settings->cpus;
    cpu_set_t own;
    bool ok;

    if (!settings->apart)
        return run_kind(server, settings, log);
    (void)sched_getaffinity(0, sizeof own, &own);
    (void)sched_setaffinity(0, sizeof *cpus, cpus);
    ok = run_kind(server, settings, log);
    (void)sched_setaffinity(0, sizeof own, &own);
    return ok;
}

/* ---- starting and stopping ---------------------------------------------- */

static bool make_directory(struct server *server)
{
    const char *where = getenv("TMPDIR");

    if (where == NULL || *where == '\0')
        where = "/var/tmp";
    if ((size_t)snprintf(server->directory, sizeof server->directory,
                         "%s/crier-bench-XXXXXX", where) >= sizeof server->directory)
        return fault("TMPDIR is too long");
    return mkdtemp(server->directory) != NULL ||
           fault("cannot make a directory in %s: %s", where, strerror(errno));
}

static void remove_directory(const char *directory)
{
    char path[PATH_SIZE + 256];
    DIR *listing = opendir(directory);
    struct dirent *entry;

    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (strspn(entry->d_name, ".") == 0 && unlink(path) != 0)
            (void)rmdir(path);
    }
    if (listing != NULL)
        closedir(listing);
    (void)rmdir(directory);
}

/* Prints the end of the server's log. */
static void show_log(const struct server *server)
{
    char path[PATH_SIZE], text[LOG_TAIL];
    const char *const logs[] = {"log", "error"};
    size_t length;
    FILE *file;

    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", server->directory, logs[i]);
        if ((file = fopen(path, "re")) == NULL)
            continue;
        (void)fseek(file, -(long)sizeof text,
                    SEEK_END); /* fails if the log is shorter */
        length = fread(text, 1, sizeof text, file);
        fclose(file);
        if (length != 0)
            fprintf(stderr, "end of the log of %s:\n%.*s", names[server->kind],
                    (int)length, text);
    }
}

/* Waits until SERVER accepts connections. */
static bool wait_ready(struct server *server)
{
    struct sockaddr_in address = make_address(server->port);
    uint64_t until = usage_now() + server->patience * (uint64_t)1000000000;
    int fd, result;

    while (usage_now() < until && !fault_interrupted()) {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        result = connect(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        if (result == 0)
            return true;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            server->pid = 0;
            return fault("%s did not start", names[server->kind]);
        }
        sleep_briefly();
    }
    return fault("%s does not accept connections", names[server->kind]);
}

/* Starts SERVER in its directory, on its port. */
static bool launch_server(const struct server_settings *settings, struct server *server)
{
    char path[PATH_SIZE];
    bool ok;
    int log;

    snprintf(path, sizeof path, "%s/log", server->directory);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return fault("cannot write %s: %s", path, strerror(errno));
    ok = run_apart(server, settings, log);
    close(log);
    return ok && wait_ready(server);
}

static void let_ports_go(struct server *server)
{
    if (server->held >= 0)
        close(server->held);
    if (server->tls_held >= 0)
        close(server->tls_held);
    server->held = server->tls_held = -1;
}

bool server_start(enum server_kind kind, const struct server_settings *settings,
                  struct server *server)
{
    *server = (struct server){
        .kind = kind, .patience = settings->patience, .held = -1, .tls_held = -1};
    server->port = (unsigned)port_hold(&server->held);
    if (settings->tls)
        server->tls_port = (unsigned)port_hold(&server->tls_held);
    if (server->port == 0 || (settings->tls && server->tls_port == 0)) {
        let_ports_go(server);
        return fault("no free port: %s", strerror(errno));
    }
    if (!make_directory(server)) {
        let_ports_go(server);
        return false;
    }
    return server_restart(settings, server);
}

bool server_restart(const struct server_settings *settings, struct server *server)
{
    if (launch_server(settings, server))
        return true;
    (void)server_stop(server);
    return false;
}

bool server_has_exited(struct server *server, int *status)
{
    if (server->pid > 0 && waitpid(server->pid, status, WNOHANG) == server->pid)
        server->pid = 0;
    return server->pid == 0;
}

/* Waits until SERVER exits. Returns false if it takes too long. */
static bool reap_server(const struct server *server, int *status)
{
    uint64_t until = usage_now() + STOP_SECONDS * (uint64_t)1000000000;
    pid_t pid;

    do {
        pid = waitpid(server->pid, status, WNOHANG);
        if (pid != 0)
            return pid == server->pid;
        sleep_briefly();
    } while (usage_now() < until);
    return false;
}

bool server_stop(struct server *server)
{
    bool is_baseline = server->kind == SERVER_BASELINE;
    int status = 0;

    if (server->pid > 0) {
        (void)kill(server->pid, SIGTERM);
        if (!reap_server(server, &status)) {
            (void)kill(-server->pid, SIGKILL);
            (void)waitpid(server->pid, &status, 0);
        }
        (void)kill(-server->pid, SIGKILL); /* its remaining processes */
        if (!(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
            !(is_baseline && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM))
            (void)fault("%s failed (status %d)", names[server->kind], status);
    }
    if (*fault_text() != '\0')
        show_log(server);
    remove_directory(server->directory);
    let_ports_go(server);
    server->pid = 0;
    return *fault_text() == '\0';
}
