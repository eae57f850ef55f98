/*
 * The processes of the cluster: three crierd, a Redis with a replica, and three sentinels;
 * or a single crierd with its journal in a file, by which the checks themselves are tested.
 *
 * Each Redis writes all changes to a file with "appendfsync always", so a server that is
 * killed and started again has everything that it has acknowledged. Its configuration is a
 * file, which the sentinels rewrite: a master that is started again after a failover is a
 * replica.
 *
 * Commands to Redis and the sentinels are few, and wait for their replies, at most 1 s.
 */
#include <config.h>

#include "site.h"

#include "bench/fault.h"
#include "bench/usage.h"
#include "tests/support/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MASTER_NAME "crier"
#define START_SECONDS 20
#define RETRIES 5 /* of each node in a run */
#define PATH_SIZE 384
#define LOG_TAIL 6000 /* bytes of a log to print */

/* With a network of our own the ports are free in any case. */
#define NODE_PORT 8080
#define SERVER_PORT 6379
#define SENTINEL_PORT 26379

static const struct place here = {.fd = -1};

/* ---- files -------------------------------------------------------------- */

static bool make_site_directory(struct site *site)
{
    const char *where = getenv("TMPDIR");

    if (where == NULL || *where == '\0')
        where = "/var/tmp";
    if ((size_t)snprintf(site->directory, sizeof site->directory,
                         "%s/crier-cluster-XXXXXX", where) >= sizeof site->directory)
        return fault("TMPDIR is too long");
    return mkdtemp(site->directory) != NULL ||
           fault("cannot make a directory in %s: %s", where, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *status, int type,
                        struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    (void)remove(path);
    return 0;
}

/* Writes a configuration file of PROCESS. */
static bool write_conf(const struct process *process, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool write_conf(const struct process *process, const char *format, ...)
{
    char path[PATH_SIZE];
    va_list arguments;
    FILE *file;
    bool ok;

    snprintf(path, sizeof path, "%s/conf", process->directory);
    file = fopen(path, "we");
    if (file == NULL)
        return fault("cannot write %s: %s", path, strerror(errno));
    fprintf(file,
            "bind %s\n"
            "port %u\n"
            "protected-mode no\n"
            "dir %s\n",
            process->address, process->port, process->directory);
    va_start(arguments, format);
    ok = vfprintf(file, format, arguments) > 0;
    va_end(arguments);
    return (fclose(file) == 0 && ok) || fault("cannot write %s", path);
}

static void print_log(const struct process *process)
{
    char path[PATH_SIZE], text[LOG_TAIL];
    size_t length;
    FILE *file;

    snprintf(path, sizeof path, "%s/log", process->directory);
    if ((file = fopen(path, "re")) == NULL)
        return;
    (void)fseek(file, -(long)sizeof text, SEEK_END); /* fails if the log is shorter */
    length = fread(text, 1, sizeof text, file);
    fclose(file);
    fprintf(stderr, "---- end of the log of %s:\n%.*s", process->name, (int)length, text);
}

void site_print_logs(const struct site *site)
{
    for (size_t i = 0; i < site->server_count; i++)
        print_log(&site->servers[i]);
    for (size_t i = 0; i < site->sentinel_count; i++)
        print_log(&site->sentinels[i]);
    for (size_t i = 0; i < site->node_count; i++)
        print_log(&site->nodes[i]);
}

/* ---- processes ---------------------------------------------------------- */

/* Starts WORDS as PROCESS, with its output appended to its log. */
static bool start_process(struct process *process, const char *const *words)
{
    struct spawn spawn = {.words = words, .death = SIGKILL};
    char path[PATH_SIZE];
    int log, error;

    snprintf(path, sizeof path, "%s/log", process->directory);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return fault("cannot write %s: %s", path, strerror(errno));
    spawn.files[1] = spawn.files[2] = log;
    error = net_spawn(&process->place, &spawn, &process->pid);
    close(log);
    if (error != 0)
        process->pid = 0;
    return error == 0 || fault("cannot start %s: %s", words[0], strerror(-error));
}

/* Gives PROCESS its address, port and directory. NUMBER: its place in a network of our
 * own; 0: here. */
static bool init_process(struct site *site, struct process *process, const char *name,
                         size_t index, unsigned number, unsigned port)
{
    *process = (struct process){.port = port, .held = -1, .place = here};
    snprintf(process->name, sizeof process->name, "%s%zu", name, index + 1);
    snprintf(process->directory, sizeof process->directory, "%s/%s", site->directory,
             process->name);
    if (mkdir(process->directory, 0700) != 0)
        return fault("cannot make %s: %s", process->directory, strerror(errno));
    snprintf(process->address, sizeof process->address, "127.0.0.1");
    snprintf(process->clients, sizeof process->clients, "127.0.0.1");
    if (!site->settings.apart) {
        process->port = (unsigned)port_hold(&process->held);
        return process->port != 0 || fault("no free port: %s", strerror(errno));
    }
    if (number == 0) {
        snprintf(process->address, sizeof process->address, NET_OWN_ADDRESS);
        return true;
    }
    snprintf(process->address, sizeof process->address, NET_PLACE_ADDRESS, number);
    snprintf(process->clients, sizeof process->clients, NET_CLIENT_ADDRESS, number);
    return net_make_place(&process->place, number);
}

/* Writes the option --journal. */
static void write_journal(const struct site *site, const struct process *node, char *text,
                          size_t size)
{
    const struct process *sentinels = site->sentinels;

    if (site->settings.journal == SITE_SQLITE)
        snprintf(text, size, "sqlite:%s/journal", node->directory);
    else
        snprintf(text, size,
                 "redis://" MASTER_NAME "?sentinel=%s:%u,%s:%u,%s:%u"
                 "&timeout=1s&cache=1M&wait=%u",
                 sentinels[0].address, sentinels[0].port, sentinels[1].address,
                 sentinels[1].port, sentinels[2].address, sentinels[2].port,
                 site->settings.wait);
}

bool site_start_node(struct site *site, size_t node)
{
    struct process *process = &site->nodes[node];
    char listen[32], journal[256];
    const char *const words[] = {site->settings.crierd,
                                 "--listen",
                                 listen,
                                 "--www",
                                 site->settings.www,
                                 "--data",
                                 site->settings.data,
                                 "--anonymous",
                                 "all",
                                 "--retain-count",
                                 "10000000",
                                 "--retain-bytes",
                                 "2G",
                                 "--journal",
                                 journal,
                                 NULL};

    snprintf(listen, sizeof listen, "%s:%u", process->clients, process->port);
    write_journal(site, process, journal, sizeof journal);
    return start_process(process, words);
}

bool site_start_server(struct site *site, size_t server)
{
    struct process *process = &site->servers[server];
    char conf[PATH_SIZE];
    const char *const words[] = {site->settings.redis, conf, NULL};

    snprintf(conf, sizeof conf, "%s/conf", process->directory);
    return start_process(process, words);
}

static bool start_sentinel(struct site *site, struct process *process)
{
    char conf[PATH_SIZE];
    const char *const words[] = {site->settings.redis, conf, "--sentinel", NULL};

    snprintf(conf, sizeof conf, "%s/conf", process->directory);
    return start_process(process, words);
}

bool site_signal(const struct process *process, int signal)
{
    return (process->pid > 0 && kill(process->pid, signal) == 0) ||
           fault("cannot signal %s: %s", process->name, strerror(errno));
}

bool site_has_ended(struct process *process, int *status)
{
    if (process->pid > 0 && waitpid(process->pid, status, WNOHANG) == process->pid)
        process->pid = 0;
    return process->pid == 0;
}

bool site_keep_node(struct site *site, size_t node)
{
    struct process *process = &site->nodes[node];
    int status = 0;

    if (!site_has_ended(process, &status))
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1 &&
        site->settings.journal == SITE_REDIS && process->retries++ < RETRIES) {
        printf("%s is started again\n", process->name);
        return site_start_node(site, node);
    }
    return fault("BROKEN: %s has ended with the status 0x%x", process->name,
                 (unsigned)status);
}

/* ---- connections -------------------------------------------------------- */

static struct sockaddr_in find_address(const struct process *process)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)process->port)};
    bool node = strncmp(process->name, "node", 4) == 0;

    (void)inet_pton(AF_INET, node ? process->clients : process->address,
                    &address.sin_addr);
    return address;
}

bool site_is_listening(const struct process *process)
{
    struct sockaddr_in address = find_address(process);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 &&
              connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

int site_connect(const struct site *site, size_t node)
{
    struct sockaddr_in address = find_address(&site->nodes[node]);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (fd < 0) {
        (void)fault("cannot open a socket: %s", strerror(errno));
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
        errno == EINPROGRESS || errno == ECONNREFUSED)
        return fd;
    (void)fault("cannot connect: %s", strerror(errno));
    close(fd);
    return -1;
}

/* Runs a command. Returns its reply, for freeReplyObject(), or NULL. */
static redisReply *ask_redis(const struct process *process, const char *format, ...)
{
    const struct timeval limit = {.tv_sec = 1};
    redisContext *context =
        redisConnectWithTimeout(process->address, (int)process->port, limit);
    redisReply *reply = NULL;
    va_list arguments;

    if (context == NULL)
        return NULL;
    if (context->err == 0 && redisSetTimeout(context, limit) == REDIS_OK) {
        va_start(arguments, format);
        reply = redisvCommand(context, format, arguments);
        va_end(arguments);
    }
    redisFree(context);
    return reply;
}

/* Frees REPLY. Returns whether it was one, and no error. */
static bool take_reply(redisReply *reply)
{
    bool ok = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    freeReplyObject(reply);
    return ok;
}

bool site_set_patience(const struct site *site, unsigned ms)
{
    for (size_t i = 0; i < site->sentinel_count; i++)
        if (!take_reply(ask_redis(&site->sentinels[i],
                                  "SENTINEL SET " MASTER_NAME
                                  " down-after-milliseconds %u",
                                  ms)))
            return false;
    return true;
}

/* Returns whether the sentinel PROCESS could promote a replica. */
static bool is_sentinel_ready(const struct process *process)
{
    redisReply *reply = ask_redis(process, "SENTINEL MASTER " MASTER_NAME);
    unsigned long replicas = 0, sentinels = 0;

    for (size_t i = 0; reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
                       i + 1 < reply->elements;
         i += 2) {
        if (strcmp(reply->element[i]->str, "num-slaves") == 0)
            replicas = strtoul(reply->element[i + 1]->str, NULL, 10);
        if (strcmp(reply->element[i]->str, "num-other-sentinels") == 0)
            sentinels = strtoul(reply->element[i + 1]->str, NULL, 10);
    }
    freeReplyObject(reply);
    return replicas >= SITE_SERVERS - 1 && sentinels == SITE_SENTINELS - 1 &&
           take_reply(ask_redis(process, "SENTINEL CKQUORUM " MASTER_NAME));
}

bool site_can_fail_over(const struct site *site)
{
    for (size_t i = 0; i < site->sentinel_count; i++)
        if (!is_sentinel_ready(&site->sentinels[i]))
            return false;
    return true;
}

/* Returns which server the sentinel PROCESS has for the master, or -1. */
static int ask_master(const struct site *site, const struct process *process)
{
    redisReply *reply =
        ask_redis(process, "SENTINEL GET-MASTER-ADDR-BY-NAME " MASTER_NAME);
    int found = -1;

    for (size_t i = 0; reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
                       reply->elements == 2 && i < site->server_count;
         i++)
        if (strcmp(reply->element[0]->str, site->servers[i].address) == 0 &&
            strtoul(reply->element[1]->str, NULL, 10) == site->servers[i].port)
            found = (int)i;
    freeReplyObject(reply);
    return found;
}

void site_fail_over(const struct site *site, int master)
{
    if (ask_master(site, &site->sentinels[0]) == master)
        freeReplyObject(
            ask_redis(&site->sentinels[0], "SENTINEL FAILOVER " MASTER_NAME));
}

int site_find_master(const struct site *site)
{
    int master = ask_master(site, &site->sentinels[0]);

    for (size_t i = 1; i < site->sentinel_count; i++)
        if (ask_master(site, &site->sentinels[i]) != master)
            return -1;
    return master;
}

bool site_is_in_sync(const struct site *site, size_t server)
{
    redisReply *reply = ask_redis(&site->servers[server], "INFO replication");
    bool ok = reply != NULL && reply->type == REDIS_REPLY_STRING &&
              strstr(reply->str, "role:slave") != NULL &&
              strstr(reply->str, "master_link_status:up") != NULL;

    freeReplyObject(reply);
    return ok;
}

bool site_follow(const struct site *site, size_t server)
{
    const struct process *other = &site->servers[1 - server];

    return take_reply(ask_redis(&site->servers[server], "REPLICAOF %s %u", other->address,
                                other->port)) &&
           take_reply(ask_redis(&site->servers[server], "CONFIG REWRITE"));
}

bool site_flush(const struct site *site, size_t server)
{
    return take_reply(ask_redis(&site->servers[server], "FLUSHALL"));
}

/* ---- the beginning and the end ------------------------------------------ */

static bool is_starting(struct site *site, struct process *process)
{
    int status;

    if (process >= site->nodes && process < site->nodes + SITE_NODES)
        return site_keep_node(site, (size_t)(process - site->nodes));
    return !site_has_ended(process, &status) || fault("%s did not start", process->name);
}

/* Waits until PROCESS accepts connections. Only at the start, when nothing else runs. */
static bool wait_until_listening(struct site *site, struct process *process)
{
    uint64_t until = usage_now() + START_SECONDS * UINT64_C(1000000000);

    while (!site_is_listening(process)) {
        if (!is_starting(site, process))
            return false;
        if (usage_now() > until || fault_interrupted())
            return fault("%s does not accept connections", process->name);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return true;
}

/* Waits until the second server is in sync, so that the sentinels find it at once. */
static bool wait_for_replica(const struct site *site)
{
    uint64_t until = usage_now() + START_SECONDS * UINT64_C(1000000000);

    while (!site_is_in_sync(site, 1) && usage_now() < until && !fault_interrupted())
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    return usage_now() < until;
}

static bool open_servers(struct site *site)
{
    struct process *server;

    for (size_t i = 0; i < SITE_SERVERS; i++) {
        server = &site->servers[i];
        if (!init_process(site, server, "redis", i, 21 + (unsigned)i, SERVER_PORT))
            return false;
        site->server_count++;
        if (!write_conf(server,
                        "save \"\"\n"
                        "appendonly yes\n"
                        "appendfsync always\n"
                        "repl-diskless-sync-delay 0\n"
                        "repl-ping-replica-period 1\n"
                        "repl-timeout 5\n") ||
            !site_start_server(site, i) || !wait_until_listening(site, server))
            return false;
    }
    return (site_follow(site, 1) && wait_for_replica(site)) ||
           fault("there is no replica");
}

static bool open_sentinels(struct site *site)
{
    struct process *sentinel;

    for (size_t i = 0; i < SITE_SENTINELS; i++) {
        sentinel = &site->sentinels[i];
        if (!init_process(site, sentinel, "sentinel", i, 0, SENTINEL_PORT + (unsigned)i))
            return false;
        site->sentinel_count++;
        if (!write_conf(sentinel,
                        "sentinel monitor " MASTER_NAME " %s %u 2\n"
                        "sentinel down-after-milliseconds " MASTER_NAME " 60000\n"
                        "sentinel failover-timeout " MASTER_NAME " 2000\n",
                        site->servers[0].address, site->servers[0].port) ||
            !start_sentinel(site, sentinel) || !wait_until_listening(site, sentinel))
            return false;
    }
    return true;
}

static bool open_nodes(struct site *site, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!init_process(site, &site->nodes[i], "node", i, 11 + (unsigned)i, NODE_PORT))
            return false;
        site->node_count++;
        if (!site_start_node(site, i) ||
            !wait_until_listening(site, &site->nodes[i]))
            return false;
    }
    return true;
}

bool site_open(struct site *site, const struct site_settings *settings)
{
    *site = (struct site){.settings = *settings};
    if (!make_site_directory(site))
        return false;
    if (settings->journal == SITE_SQLITE)
        return open_nodes(site, 1);
    return open_servers(site) && open_sentinels(site) && open_nodes(site, SITE_NODES);
}

static void end_process(struct process *process)
{
    if (process->pid > 0) {
        (void)kill(process->pid, SIGKILL);
        (void)waitpid(process->pid, NULL, 0);
    }
    if (process->held >= 0)
        close(process->held);
    net_close_place(&process->place);
}

void site_close(struct site *site)
{
    for (size_t i = 0; i < site->node_count; i++)
        end_process(&site->nodes[i]);
    for (size_t i = 0; i < site->sentinel_count; i++)
        end_process(&site->sentinels[i]);
    for (size_t i = 0; i < site->server_count; i++)
        end_process(&site->servers[i]);
    if (site->directory[0] != '\0')
        (void)nftw(site->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
