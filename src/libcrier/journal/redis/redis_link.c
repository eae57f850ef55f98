/*
 * The connections to Redis, on hiredis's asynchronous interface, and the loop of their thread.
 *
 * hiredis asks for readable and writable sockets by hooks, which keep one epoll set. All its
 * functions run on this thread. It frees a context by itself when that fails, and then calls
 * the hook `cleanup`, behind which the context is not used. A context is never freed inside a
 * callback: a failure is noted, and the loop gives all connections up when it is back.
 *
 * A session begins with a pipeline of commands on each connection: who we are, which server
 * that is, whether it may be written to; the scripts on the writer, the channels on the feed.
 * When all of these are answered, the link is up. With sentinels one of them is asked for the
 * address first, on a connection of its own.
 *
 * Each call has a time by which it must be answered; otherwise the session is given up, since
 * the server hangs, or cannot be reached any more. While nothing is asked, a PING now and then
 * finds that out. The feed has TCP's own keepalive.
 *
 * Looking up a host's name blocks this thread, and nobody else. A write to a closed
 * connection raises SIGPIPE for this thread only, which blocks all signals.
 *
 * hiredis aborts the program for some replies that a server in good order never sends: one
 * that nothing has asked for, a message of a channel without a name. Each object of a reply
 * is therefore checked before hiredis makes it; what is refused ends the session. The same
 * check limits the memory and the depth of a reply. The memory for what is sent is bounded by
 * the callers, which have few calls open at a time.
 *
 * A reason never has a part of a password: a server may repeat in an error what it was sent,
 * so that the text of an error of AUTH is not shown.
 */
#include <config.h>

#include "redis_link.h"

#include "redis_record.h"

#include "base/container_of.h"
#include "base/number.h"
#include "base/random.h"
#include "base/thread.h"

#include <crier.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

/* How long to wait before the next attempt, in ms. */
#define DELAY_MIN 50
#define DELAY_MAX 2000

/* After so many ms without a reply, a PING is sent. */
#define PING_PAUSE 3000

/* How often a sentinel is asked for the master, in ms. */
#define WATCH_PAUSE 1000

/* A reply may take so much memory, about, and have arrays in arrays up to this depth. */
#define REPLY_MAX ((size_t)512 * 1024 * 1024)
#define DEPTH_MAX 8

/* The one that asks a sentinel. */
#define SENTINEL CRIER__REDIS_CONNECTIONS
#define CONNECTIONS (CRIER__REDIS_CONNECTIONS + 1)

struct connection {
    struct crier__redis_loop *loop;
    redisAsyncContext *context; /* NULL: there is none */
    uint32_t events;            /* that epoll watches it for */
    struct crier__redis_call *calls; /* a DL list, in order */
    size_t awaited; /* replies that have not begun, messages aside */
    bool unasked;   /* the reply that is being read is not one of these */
    size_t size;    /* of that reply so far */
    const redisReplyObjectFunctions *standard; /* hiredis's own */
};

struct crier__redis_loop {
    struct crier__redis_link *link;
    pthread_t thread;
    int epoll, wake; /* -1: none */
    atomic_bool woken, stopping;
    struct connection connections[CONNECTIONS];

    bool up;
    bool watching;     /* a sentinel has been asked while the link is up */
    bool failed;       /* the session is to be given up, */
    char reason[160];  /* for this */
    unsigned open_steps; /* of the set-up that are not answered yet */
    char *shas[CRIER__REDIS_SCRIPTS]; /* of 40 digits, or NULL */
    struct crier__redis_address address; /* that a sentinel named; its host is owned */
    unsigned sentinel; /* the next one to ask */
    char server[128];  /* what the session leads to, for messages */
    unsigned delay;
    uint64_t answered; /* when the last reply came */
    struct crier__timer retry, deadline, ping, set_up, watch;
    struct crier__redis_call pings[2];
    const char **texts; /* for arguments */
    size_t *lengths;
    size_t capacity;
};

/* ---- arguments -------------------------------------------------------- */

static bool grow_args(const char ***texts, size_t **lengths, size_t *capacity, size_t need)
{
    size_t made = *capacity != 0 ? *capacity : 64;
    const char **more;
    size_t *sizes;

    if (need <= *capacity)
        return true;
    while (made < need)
        made *= 2;
    more = realloc(*texts, made * sizeof **texts);
    if (more == NULL)
        return false;
    *texts = more;
    sizes = realloc(*lengths, made * sizeof **lengths);
    if (sizes == NULL)
        return false;
    *lengths = sizes;
    *capacity = made;
    return true;
}

void crier__redis_arg(struct crier__redis_args *args, const char *text, size_t length)
{
    if (args->failed ||
        !grow_args(&args->texts, &args->lengths, &args->capacity, args->count + 1)) {
        args->failed = true;
        return;
    }
    args->texts[args->count] = text;
    args->lengths[args->count++] = length;
}

void crier__redis_args_done(struct crier__redis_args *args)
{
    free(args->texts);
    free(args->lengths);
    memset(args, 0, sizeof *args);
}

/* ---- failures --------------------------------------------------------- */

/* Gives the session up when the loop is back; the first reason counts. */
static void fail_session(struct crier__redis_loop *loop, const char *reason)
{
    char *at;

    if (loop->failed)
        return;
    loop->failed = true;
    snprintf(loop->reason, sizeof loop->reason, "%.60s: %.95s", loop->server, reason);
    for (at = loop->reason; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
}

void crier__redis_link_fail(struct crier__redis_link *link, const char *reason)
{
    fail_session(link->loop, reason);
}

/* The connection of CONTEXT was lost. */
static void fail_connection(struct crier__redis_loop *loop, const redisAsyncContext *context)
{
    fail_session(loop, context->errstr != NULL && context->errstr[0] != '\0'
                           ? context->errstr
                           : "the connection was closed");
}

bool crier__redis_link_is_up(const struct crier__redis_link *link)
{
    return link->loop->up && !link->loop->failed;
}

/* ---- hiredis's hooks -------------------------------------------------- */

static void watch_events(struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    int operation = connection->events == 0 ? EPOLL_CTL_ADD
                    : events == 0           ? EPOLL_CTL_DEL
                                            : EPOLL_CTL_MOD;

    if (events == connection->events)
        return;
    if (epoll_ctl(connection->loop->epoll, operation, connection->context->c.fd, &event) != 0)
        fail_session(connection->loop, "epoll does not watch its socket");
    connection->events = events;
}

static void add_read(void *closure)
{
    struct connection *connection = closure;

    watch_events(connection, connection->events | EPOLLIN);
}

static void drop_read(void *closure)
{
    struct connection *connection = closure;

    watch_events(connection, connection->events & ~(uint32_t)EPOLLIN);
}

static void add_write(void *closure)
{
    struct connection *connection = closure;

    watch_events(connection, connection->events | EPOLLOUT);
}

static void drop_write(void *closure)
{
    struct connection *connection = closure;

    watch_events(connection, connection->events & ~(uint32_t)EPOLLOUT);
}

/* hiredis is about to close the socket, and to free the context. A connection without open
 * calls ends the session here. */
static void forget_context(void *closure)
{
    struct connection *connection = closure;
    struct crier__redis_loop *loop = connection->loop;

    if (connection != &loop->connections[SENTINEL])
        fail_connection(loop, connection->context);
    watch_events(connection, 0);
    connection->context = NULL;
}

/* ---- what replies may be ---------------------------------------------- */

static bool is_channel(const struct crier__redis_link *link, const char *name,
                       size_t length)
{
    unsigned i;

    for (i = 0; i < link->channel_count; i++)
        if (strlen(link->channels[i]) == length &&
            memcmp(link->channels[i], name, length) == 0)
            return true;
    return false;
}

static bool equals_text(const char *text, size_t length, const char *expected)
{
    return length == strlen(expected) && memcmp(text, expected, length) == 0;
}

/* Whether this object may stand where TASK says in a reply that no command waits for: an
 * error, before the server closes the connection, or {"message" or "subscribe", channel,
 * text or number} on the feed. */
static bool allow_unasked(const struct connection *connection, const redisReadTask *task,
                          const char *text, size_t length, size_t elements)
{
    const struct crier__redis_loop *loop = connection->loop;

    if (task->parent == NULL)
        return task->type == REDIS_REPLY_ERROR ||
               (connection == &loop->connections[CRIER__REDIS_FEED] &&
                task->type == REDIS_REPLY_ARRAY && elements == 3);
    if (task->idx == 2)
        return task->type == REDIS_REPLY_STRING || task->type == REDIS_REPLY_INTEGER;
    if (task->type != REDIS_REPLY_STRING)
        return false;
    return task->idx == 0 ? equals_text(text, length, "message") ||
                                equals_text(text, length, "subscribe")
                          : is_channel(loop->link, text, length);
}

static size_t find_depth(const redisReadTask *task)
{
    size_t depth = 0;

    for (; task->parent != NULL; task = task->parent)
        depth++;
    return depth;
}

/* Whether hiredis is to make the object of TASK, with LENGTH bytes at TEXT or so many
 * ELEMENTS. Otherwise the session ends. */
static bool allow_object(const redisReadTask *task, const char *text, size_t length,
                         size_t elements)
{
    struct connection *connection = task->privdata;
    bool allowed;

    if (task->parent == NULL) {
        connection->unasked = connection->awaited == 0;
        connection->awaited -= !connection->unasked;
        connection->size = 0;
    }
    allowed = elements <= REPLY_MAX / sizeof(redisReply *) &&
              task->type <= REDIS_REPLY_ERROR && find_depth(task) <= DEPTH_MAX &&
              (!connection->unasked ||
               allow_unasked(connection, task, text, length, elements));
    if (allowed) {
        connection->size += sizeof(redisReply) + length + elements * sizeof(redisReply *);
        allowed = connection->size <= REPLY_MAX;
    }
    if (!allowed)
        fail_session(connection->loop, "it has sent a reply that cannot be right");
    return allowed;
}

static void *make_string(const redisReadTask *task, char *text, size_t length)
{
    const struct connection *connection = task->privdata;

    return allow_object(task, text, length, 0)
               ? connection->standard->createString(task, text, length)
               : NULL;
}

#if HIREDIS_MAJOR >= 1
static void *make_array(const redisReadTask *task, size_t elements)
#else
static void *make_array(const redisReadTask *task, int elements)
#endif
{
    const struct connection *connection = task->privdata;

    return allow_object(task, NULL, 0, (size_t)elements)
               ? connection->standard->createArray(task, elements)
               : NULL;
}

static void *make_integer(const redisReadTask *task, long long number)
{
    const struct connection *connection = task->privdata;

    return allow_object(task, NULL, 0, 0)
               ? connection->standard->createInteger(task, number)
               : NULL;
}

static void *make_nil(const redisReadTask *task)
{
    const struct connection *connection = task->privdata;

    return allow_object(task, NULL, 0, 0) ? connection->standard->createNil(task) : NULL;
}

#if HIREDIS_MAJOR >= 1
/* RESP3, which we do not ask for; allow_object() refuses it. */
static void *make_double(const redisReadTask *task, double number, char *text,
                         size_t length)
{
    (void)number;
    (void)allow_object(task, text, length, 0);
    return NULL;
}

static void *make_bool(const redisReadTask *task, int value)
{
    (void)value;
    (void)allow_object(task, NULL, 0, 0);
    return NULL;
}
#endif

static redisReplyObjectFunctions checked_objects = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = make_double,
    .createBool = make_bool,
#endif
    .freeObject = freeReplyObject,
};

/* ---- calls ------------------------------------------------------------ */

/* Whether ERROR means that this server cannot be used any more. */
static bool is_fatal(const redisReply *reply)
{
    return crier__redis_is_error(reply, "NOSCRIPT") ||
           crier__redis_is_error(reply, "READONLY") ||
           crier__redis_is_error(reply, "MASTERDOWN") ||
           crier__redis_is_error(reply, "LOADING") ||
           crier__redis_is_error(reply, "BUSY");
}

static void take_call_answer(redisAsyncContext *context, void *reply, void *closure)
{
    struct connection *connection = context->ev.data;
    struct crier__redis_loop *loop = connection->loop;
    struct crier__redis_call *call = closure;
    redisReply *answer = reply;

    DL_DELETE(connection->calls, call);
    if (answer == NULL) {
        fail_connection(loop, context);
    } else {
        loop->answered = crier_now();
        if (is_fatal(answer))
            fail_session(loop, answer->str);
    }
    call->on_reply(call, answer);
}

/* Sends COUNT arguments on CONNECTION, for CALL. */
static int send_call(struct connection *connection, size_t count, const char **texts,
                     const size_t *lengths, unsigned within,
                     struct crier__redis_call *call)
{
    struct crier__redis_loop *loop = connection->loop;

    if (!loop->up || loop->failed || connection->context == NULL)
        return CRIER_ERR_STORAGE;
    call->until = crier_now() + within;
    if (redisAsyncCommandArgv(connection->context, take_call_answer, call, (int)count,
                              texts, lengths) != REDIS_OK)
        return -ENOMEM;
    connection->awaited++;
    DL_APPEND(connection->calls, call);
    if (loop->deadline.place == 0 || call->until < loop->deadline.when)
        crier__timers_set(&loop->link->timers, &loop->deadline, call->until);
    return 0;
}

int crier__redis_command(struct crier__redis_link *link,
                         enum crier__redis_connection connection,
                         const struct crier__redis_args *args, unsigned within,
                         struct crier__redis_call *call)
{
    if (args->failed)
        return -ENOMEM;
    return send_call(&link->loop->connections[connection], args->count, args->texts,
                     args->lengths, within, call);
}

int crier__redis_run(struct crier__redis_link *link,
                     enum crier__redis_connection connection,
                     enum crier__redis_script script, const char *key,
                     const struct crier__redis_args *args, unsigned within,
                     struct crier__redis_call *call)
{
    struct crier__redis_loop *loop = link->loop;
    size_t count = 0, i;
    char keys[24];

    if (args->failed || !grow_args(&loop->texts, &loop->lengths, &loop->capacity,
                                   3 + link->key_count + args->count))
        return -ENOMEM;
    if (loop->shas[script] == NULL)
        return CRIER_ERR_STORAGE;
    snprintf(keys, sizeof keys, "%u", link->key_count);
    loop->texts[count++] = "EVALSHA";
    loop->texts[count++] = loop->shas[script];
    loop->texts[count++] = keys;
    for (i = 0; i < link->key_count; i++)
        loop->texts[count++] = link->keys[i];
    if (key != NULL)
        loop->texts[count - 1] = key;
    for (i = 0; i < count; i++)
        loop->lengths[i] = strlen(loop->texts[i]);
    for (i = 0; i < args->count; i++, count++) {
        loop->texts[count] = args->texts[i];
        loop->lengths[count] = args->lengths[i];
    }
    return send_call(&loop->connections[connection], count, loop->texts, loop->lengths,
                     within, call);
}

void crier__redis_link_works(struct crier__redis_link *link)
{
    link->loop->delay = 0;
}

/* ---- the set-up ------------------------------------------------------- */

/* A step that an error ends the session with; the rest of its text is the server's. */
static bool check_set_up(struct connection *connection, const redisAsyncContext *context,
                         const redisReply *reply, const char *what)
{
    char reason[128];

    if (reply == NULL) {
        fail_connection(connection->loop, context);
        return false;
    }
    if (reply->type != REDIS_REPLY_ERROR)
        return true;
    snprintf(reason, sizeof reason, "%.30s: %.90s", what, reply->str);
    fail_session(connection->loop, reason);
    return false;
}

/* The last step is answered: the link is up. */
static void come_up(struct crier__redis_loop *loop)
{
    loop->up = true;
    loop->answered = crier_now();
    crier__timers_set(&loop->link->timers, &loop->set_up, CRIER__NO_TIME);
    crier__timers_set(&loop->link->timers, &loop->ping, loop->answered + PING_PAUSE);
    if (loop->link->url->sentinel_count != 0)
        crier__timers_set(&loop->link->timers, &loop->watch,
                          loop->answered + WATCH_PAUSE);
    loop->link->on_up(loop->link);
}

static void finish_step(struct connection *connection)
{
    if (--connection->loop->open_steps == 0 && !connection->loop->failed)
        come_up(connection->loop);
}

/* Steps whose reply says nothing but that there is no error. */
static void take_plain(redisAsyncContext *context, void *reply, void *closure)
{
    struct connection *connection = context->ev.data;

    if (check_set_up(connection, context, reply, closure))
        finish_step(connection);
}

/* Takes the reply to AUTH. */
static void take_login(redisAsyncContext *context, void *reply, void *closure)
{
    struct connection *connection = context->ev.data;
    const redisReply *answer = reply;
    char reason[64];

    (void)closure;
    if (answer != NULL && answer->type == REDIS_REPLY_ERROR) {
        /* The code is WRONGPASS, NOPERM or ERR. */
        snprintf(reason, sizeof reason, "it refuses the password: %s",
                 crier__redis_is_error(answer, "WRONGPASS") ? "WRONGPASS"
                 : crier__redis_is_error(answer, "NOPERM")  ? "NOPERM"
                                                            : "ERR");
        fail_session(connection->loop, reason);
        return;
    }
    take_plain(context, reply, closure);
}

/* What stands in TEXT behind NAME, up to the end of the line; its length, or 0. */
static size_t find_info(const char *text, const char *name, const char **value)
{
    const char *at = strstr(text, name);

    if (at == NULL)
        return 0;
    *value = at + strlen(name);
    return strcspn(*value, "\r\n");
}

/* Takes INFO server: which process that is, and whether it is new enough. */
static void take_server(redisAsyncContext *context, void *reply, void *closure)
{
    struct connection *connection = context->ev.data;
    struct crier__redis_link *link = connection->loop->link;
    const redisReply *info = reply;
    const char *id, *version;
    unsigned major = 0, minor = 0;
    size_t length;

    if (!check_set_up(connection, context, info, closure))
        return;
    length = info->type == REDIS_REPLY_STRING ? find_info(info->str, "run_id:", &id) : 0;
    if (length == 0 || length >= sizeof link->run_id ||
        find_info(info->str, "redis_version:", &version) == 0 ||
        sscanf(version, "%u.%u", &major, &minor) != 2) {
        fail_session(connection->loop, "it does not say which server it is");
    } else if (major < 6 || (major == 6 && minor < 2)) {
        fail_session(connection->loop, "it is older than Redis 6.2");
    } else if (link->run_id[0] != '\0' &&
               (strncmp(link->run_id, id, length) != 0 || link->run_id[length] != '\0')) {
        fail_session(connection->loop, "the connections lead to different servers");
    } else {
        memcpy(link->run_id, id, length);
        link->run_id[length] = '\0';
        finish_step(connection);
    }
}

static void take_role(redisAsyncContext *context, void *reply, void *closure)
{
    struct connection *connection = context->ev.data;
    const redisReply *role = reply;

    if (!check_set_up(connection, context, role, closure))
        return;
    if (!crier__redis_is_array(role, 1) || role->element[0]->type != REDIS_REPLY_STRING ||
        strcmp(role->element[0]->str, "master") != 0)
        fail_session(connection->loop, "it is a replica, which cannot be written to");
    else
        finish_step(connection);
}

/* Takes INFO memory: a server that evicts keys would lose updates. */
static void take_memory(redisAsyncContext *context, void *reply, void *closure)
{
    struct connection *connection = context->ev.data;
    const redisReply *info = reply;
    const char *maximum, *policy;
    size_t length;
    char reason[128];

    if (!check_set_up(connection, context, info, closure))
        return;
    if (info->type == REDIS_REPLY_STRING &&
        find_info(info->str, "\nmaxmemory:", &maximum) != 0 && maximum[0] != '0' &&
        (length = find_info(info->str, "maxmemory_policy:", &policy)) != 0 &&
        strncmp(policy, "noeviction", length) != 0) {
        snprintf(reason, sizeof reason,
                 "its maxmemory-policy is %.*s, which loses updates: set noeviction",
                 (int)length, policy);
        fail_session(connection->loop, reason);
        return;
    }
    finish_step(connection);
}

static void take_script(redisAsyncContext *context, void *reply, void *closure)
{
    struct connection *connection = context->ev.data;
    char **sha = closure;
    const redisReply *digits = reply;

    if (!check_set_up(connection, context, digits, "SCRIPT LOAD"))
        return;
    free(*sha);
    *sha = digits->type == REDIS_REPLY_STRING ? strdup(digits->str) : NULL;
    if (*sha == NULL)
        fail_session(connection->loop, "it does not load a script");
    else
        finish_step(connection);
}

/* Takes a message, or the confirmation that the channel is subscribed to. */
static void take_feed(redisAsyncContext *context, void *reply, void *closure)
{
    struct connection *connection = context->ev.data;
    struct crier__redis_loop *loop = connection->loop;
    const redisReply *message = reply, *const *parts;

    if (!check_set_up(connection, context, message, closure))
        return;
    if (!crier__redis_is_array(message, 3))
        return;
    parts = (const redisReply *const *)message->element;
    if (parts[0]->type != REDIS_REPLY_STRING || parts[1]->type != REDIS_REPLY_STRING)
        return;
    if (strcmp(parts[0]->str, "subscribe") == 0 && !loop->up)
        finish_step(connection);
    else if (strcmp(parts[0]->str, "message") == 0 &&
             parts[2]->type == REDIS_REPLY_STRING && loop->up && !loop->failed)
        loop->link->on_message(loop->link, parts[1]->str, parts[2]->str, parts[2]->len);
}

/* Sends a step of the set-up: COUNT texts. */
static void send_set_up(struct connection *connection, redisCallbackFn *take,
                        const void *closure, int count, const char **texts)
{
    struct crier__redis_loop *loop = connection->loop;

    if (loop->failed || connection->context == NULL)
        return;
    loop->open_steps++;
    connection->awaited += take != take_feed;
    if (redisAsyncCommandArgv(connection->context, take, (void *)(uintptr_t)closure, count,
                              texts, NULL) != REDIS_OK)
        fail_session(loop, "memory is short");
}

#define SEND_STEP(connection, take, closure, ...)                             \
    send_set_up((connection), (take), (closure),                              \
                (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),\
                (const char *[]){__VA_ARGS__})

/* Says who we are. */
static void send_login(struct connection *connection, const char *user,
                       const char *password)
{
    if (password != NULL && user != NULL)
        SEND_STEP(connection, take_login, NULL, "AUTH", user, password);
    else if (password != NULL)
        SEND_STEP(connection, take_login, NULL, "AUTH", password);
}

static void set_up_connection(struct connection *connection)
{
    struct crier__redis_link *link = connection->loop->link;
    const struct crier__redis_url *url = link->url;
    char database[16], name[80];

    send_login(connection, url->user, url->password);
    snprintf(database, sizeof database, "%u", url->db);
    snprintf(name, sizeof name, "crier-%s", url->name);
    if (url->db != 0)
        SEND_STEP(connection, take_plain, "SELECT", "SELECT", database);
    SEND_STEP(connection, take_plain, "CLIENT SETNAME", "CLIENT", "SETNAME", name);
    SEND_STEP(connection, take_server, "INFO", "INFO", "server");
}

static void set_up_session(struct crier__redis_loop *loop)
{
    struct connection *writer = &loop->connections[CRIER__REDIS_WRITER];
    struct connection *feed = &loop->connections[CRIER__REDIS_FEED];
    unsigned i;

    for (i = 0; i < CRIER__REDIS_CONNECTIONS; i++)
        set_up_connection(&loop->connections[i]);
    SEND_STEP(writer, take_role, "ROLE", "ROLE");
    SEND_STEP(writer, take_memory, "INFO", "INFO", "memory");
    for (i = 0; i < CRIER__REDIS_SCRIPTS; i++)
        SEND_STEP(writer, take_script, &loop->shas[i], "SCRIPT", "LOAD",
                  crier__redis_script_text(i));
    for (i = 0; i < loop->link->channel_count; i++)
        SEND_STEP(feed, take_feed, "SUBSCRIBE", "SUBSCRIBE", loop->link->channels[i]);
}

/* ---- connecting ------------------------------------------------------- */

static void set_socket(int socket)
{
    static const int on = 1, idle = 5, interval = 2, count = 3;

    /* These fail on a unix socket, which needs none of them. */
    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* Begins to connect the connection INDEX to ADDRESS. When that fails, so does the session if
 * it is NEEDED. */
static bool open_connection(struct crier__redis_loop *loop, unsigned index,
                            const struct crier__redis_address *address, bool needed)
{
    struct connection *connection = &loop->connections[index];
    redisAsyncContext *context = address->host[0] == '/'
                                     ? redisAsyncConnectUnix(address->host)
                                     : redisAsyncConnect(address->host, (int)address->port);

    if (context == NULL || context->err != 0) {
        if (needed)
            fail_session(loop, context != NULL ? context->errstr : "memory is short");
        if (context != NULL)
            redisAsyncFree(context);
        return false;
    }
    connection->context = context;
    connection->events = 0;
    connection->awaited = 0;
    connection->standard = context->c.reader->fn;
    context->c.reader->fn = &checked_objects;
    context->c.reader->privdata = connection;
    context->ev.data = connection;
    context->ev.addRead = add_read;
    context->ev.delRead = drop_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = drop_write;
    context->ev.cleanup = forget_context;
    set_socket(context->c.fd);
    add_write(connection); /* says when it is connected */
    return true;
}

static void connect_server(struct crier__redis_loop *loop,
                           const struct crier__redis_address *address)
{
    bool opened = true;
    unsigned i;

    if (address->host[0] == '/')
        snprintf(loop->server, sizeof loop->server, "%s", address->host);
    else
        snprintf(loop->server, sizeof loop->server, "%s:%u", address->host, address->port);
    for (i = 0; i < CRIER__REDIS_CONNECTIONS && opened; i++)
        opened = open_connection(loop, i, address, true);
    if (opened)
        set_up_session(loop);
}

/* Takes the address of the master, {host, port}. */
static void take_address(redisAsyncContext *context, void *reply, void *closure)
{
    struct connection *connection = context->ev.data;
    struct crier__redis_loop *loop = connection->loop;
    const redisReply *address = reply;
    uint64_t port;

    if (!check_set_up(connection, context, address, closure))
        return;
    if (!crier__redis_is_array(address, 2) ||
        address->element[0]->type != REDIS_REPLY_STRING ||
        address->element[1]->type != REDIS_REPLY_STRING ||
        address->element[0]->str[0] == '\0' || address->element[0]->str[0] == '/' ||
        !crier__number_read(address->element[1]->str, 1, 65535, &port)) {
        fail_session(loop, "the sentinel does not know this master");
        return;
    }
    free(loop->address.host);
    loop->address.host = strdup(address->element[0]->str);
    loop->address.port = (unsigned)port;
    if (loop->address.host == NULL) {
        fail_session(loop, "memory is short");
        return;
    }
    connect_server(loop, &loop->address);
    finish_step(connection);
}

/* The sentinel that is to be asked next. */
static const struct crier__redis_address *next_sentinel(struct crier__redis_loop *loop)
{
    const struct crier__redis_url *url = loop->link->url;

    return &url->sentinels[loop->sentinel++ % url->sentinel_count];
}

static void ask_sentinel(struct crier__redis_loop *loop)
{
    const struct crier__redis_url *url = loop->link->url;
    const struct crier__redis_address *sentinel = next_sentinel(loop);
    struct connection *connection = &loop->connections[SENTINEL];

    snprintf(loop->server, sizeof loop->server, "sentinel %s:%u", sentinel->host,
             sentinel->port);
    if (!open_connection(loop, SENTINEL, sentinel, true))
        return;
    send_login(connection, NULL, url->sentinel_password);
    SEND_STEP(connection, take_address, "SENTINEL", "SENTINEL", "GET-MASTER-ADDR-BY-NAME",
              url->server.host);
}

/* ---- watching the sentinels ------------------------------------------- */

/* Takes what a sentinel says while the link is up. One that does not answer, or does not know
 * the master, says nothing about the session. */
static void take_watched(redisAsyncContext *context, void *reply, void *closure)
{
    struct connection *connection = context->ev.data;
    struct crier__redis_loop *loop = connection->loop;
    const redisReply *address = reply;
    uint64_t port;

    (void)closure;
    loop->watching = false;
    if (!crier__redis_is_array(address, 2) ||
        address->element[0]->type != REDIS_REPLY_STRING ||
        address->element[1]->type != REDIS_REPLY_STRING ||
        !crier__number_read(address->element[1]->str, 1, 65535, &port))
        return;
    if (strcmp(address->element[0]->str, loop->address.host) != 0 ||
        port != loop->address.port)
        fail_session(loop, "the sentinels have another master");
}

static void ignore_login(redisAsyncContext *context, void *reply, void *closure)
{
    (void)context;
    (void)reply;
    (void)closure;
}

/* Sends COUNT texts to the sentinel that is watched. */
static void send_watch(struct connection *connection, redisCallbackFn *take, int count,
                       const char **texts)
{
    connection->awaited++;
    if (redisAsyncCommandArgv(connection->context, take, NULL, count, texts, NULL) !=
        REDIS_OK)
        connection->loop->watching = false;
}

/* Asks the next sentinel whether the master is still the same: after a planned failover, the
 * old one goes on for a while and takes updates that are lost then. The one that was asked
 * before and has not answered is given up. */
static void watch_sentinel(struct crier__timer *timer, uint64_t now)
{
    struct crier__redis_loop *loop =
        CRIER__CONTAINER_OF(timer, struct crier__redis_loop, watch);
    const struct crier__redis_url *url = loop->link->url;
    struct connection *connection = &loop->connections[SENTINEL];
    const char *login[] = {"AUTH", url->sentinel_password};
    const char *question[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", url->server.host};

    if (connection->context != NULL)
        redisAsyncFree(connection->context);
    loop->watching = open_connection(loop, SENTINEL, next_sentinel(loop), false);
    if (loop->watching && url->sentinel_password != NULL)
        send_watch(connection, ignore_login, 2, login);
    if (loop->watching)
        send_watch(connection, take_watched, 3, question);
    crier__timers_set(&loop->link->timers, &loop->watch, now + WATCH_PAUSE);
}

static void begin_redis_session(struct crier__timer *timer, uint64_t now)
{
    struct crier__redis_loop *loop =
        CRIER__CONTAINER_OF(timer, struct crier__redis_loop, retry);
    struct crier__redis_link *link = loop->link;

    loop->failed = false;
    loop->open_steps = 0;
    link->run_id[0] = '\0';
    crier__timers_set(&link->timers, &loop->set_up, now + link->url->timeout);
    if (link->url->sentinel_count != 0)
        ask_sentinel(loop);
    else
        connect_server(loop, &link->url->server);
}

/* Closes all connections; what is open is answered with NULL. */
static void close_connections(struct crier__redis_loop *loop)
{
    unsigned i;

    loop->up = loop->watching = false;
    for (i = 0; i < CONNECTIONS; i++)
        if (loop->connections[i].context != NULL)
            redisAsyncFree(loop->connections[i].context);
    crier__timers_set(&loop->link->timers, &loop->set_up, CRIER__NO_TIME);
    crier__timers_set(&loop->link->timers, &loop->deadline, CRIER__NO_TIME);
    crier__timers_set(&loop->link->timers, &loop->ping, CRIER__NO_TIME);
    crier__timers_set(&loop->link->timers, &loop->watch, CRIER__NO_TIME);
}

static void end_redis_session(struct crier__redis_loop *loop)
{
    struct crier__redis_link *link = loop->link;

    close_connections(loop);
    loop->failed = false;
    loop->delay = loop->delay == 0           ? DELAY_MIN
                  : loop->delay * 2 < DELAY_MAX ? loop->delay * 2
                                                : DELAY_MAX;
    crier__timers_set(&link->timers, &loop->retry,
                      crier_now() + loop->delay / 2 + crier__random_below(loop->delay));
    link->on_down(link, loop->reason);
}

/* ---- timers ----------------------------------------------------------- */

static void fail_set_up(struct crier__timer *timer, uint64_t now)
{
    (void)now;
    fail_session(CRIER__CONTAINER_OF(timer, struct crier__redis_loop, set_up),
                 "it has not answered in time");
}

static void check_deadlines(struct crier__timer *timer, uint64_t now)
{
    struct crier__redis_loop *loop =
        CRIER__CONTAINER_OF(timer, struct crier__redis_loop, deadline);
    uint64_t next = CRIER__NO_TIME;
    struct crier__redis_call *call;
    unsigned i;

    for (i = 0; i < CONNECTIONS; i++)
        DL_FOREACH (loop->connections[i].calls, call)
            if (call->until < next)
                next = call->until;
    if (next <= now)
        fail_session(loop, "it has not answered in time");
    else
        crier__timers_set(&loop->link->timers, &loop->deadline, next);
}

static void ignore_pong(struct crier__redis_call *call, redisReply *reply)
{
    (void)reply;
    call->on_reply = NULL;
}

static void send_ping(struct crier__timer *timer, uint64_t now)
{
    struct crier__redis_loop *loop =
        CRIER__CONTAINER_OF(timer, struct crier__redis_loop, ping);
    static const size_t length = 4;
    const char *text = "PING";
    unsigned i;

    for (i = 0; now >= loop->answered + PING_PAUSE && i < 2; i++)
        if (loop->pings[i].on_reply == NULL) {
            loop->pings[i].on_reply = ignore_pong;
            if (send_call(&loop->connections[i], 1, &text, &length,
                          loop->link->url->timeout, &loop->pings[i]) != 0)
                loop->pings[i].on_reply = NULL;
        }
    crier__timers_set(&loop->link->timers, &loop->ping, now + PING_PAUSE);
}

/* ---- the loop --------------------------------------------------------- */

static void serve_connection(struct connection *connection, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && connection->context != NULL)
        redisAsyncHandleRead(connection->context);
    if (connection->context != NULL && connection->context->c.reader->len > REPLY_MAX)
        fail_session(connection->loop, "it has sent a reply that is too long");
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0 && connection->context != NULL)
        redisAsyncHandleWrite(connection->context);
}

static void serve_wake(struct crier__redis_loop *loop)
{
    uint64_t count;

    (void)!read(loop->wake, &count, sizeof count);
    atomic_store(&loop->woken, false);
    loop->link->on_wake(loop->link);
}

/* How long to wait for an event, in ms; -1: without a limit. */
static int time_left(const struct crier__timers *timers)
{
    uint64_t next = crier__timers_next(timers), now = crier_now();

    if (next == CRIER__NO_TIME)
        return -1;
    return next > now ? (int)(next - now < 60000 ? next - now : 60000) : 0;
}

static void *run_loop(void *closure)
{
    struct crier__redis_loop *loop = closure;
    struct epoll_event events[8];
    int count, i;

    while (!atomic_load(&loop->stopping)) {
        count = epoll_wait(loop->epoll, events, 8, time_left(&loop->link->timers));
        for (i = 0; i < count; i++)
            if (events[i].data.ptr != NULL)
                serve_connection(events[i].data.ptr, events[i].events);
        for (i = 0; i < count; i++)
            if (events[i].data.ptr == NULL && !atomic_load(&loop->stopping))
                serve_wake(loop);
        crier__timers_fire(&loop->link->timers, crier_now());
        if (loop->up && !loop->watching && loop->connections[SENTINEL].context != NULL)
            redisAsyncFree(loop->connections[SENTINEL].context);
        if (loop->failed)
            end_redis_session(loop);
    }
    close_connections(loop);
    return NULL;
}

void crier__redis_link_wake(struct crier__redis_link *link)
{
    static const uint64_t one = 1;

    if (!atomic_exchange(&link->loop->woken, true))
        (void)!write(link->loop->wake, &one, sizeof one);
}

/* ---- start and end ---------------------------------------------------- */

void crier__redis_link_free(struct crier__redis_link *link)
{
    struct crier__redis_loop *loop = link->loop;
    unsigned i;

    if (loop == NULL)
        return;
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->wake >= 0)
        close(loop->wake);
    for (i = 0; i < CRIER__REDIS_SCRIPTS; i++)
        free(loop->shas[i]);
    free(loop->address.host);
    free(loop->texts);
    free(loop->lengths);
    free(loop);
    link->loop = NULL;
}

static int open_loop(struct crier__redis_loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN};

    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll < 0 || loop->wake < 0 ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) != 0)
        return -errno;
    return crier__timers_reserve(&loop->link->timers, 5);
}

int crier__redis_link_start(struct crier__redis_link *link)
{
    struct crier__redis_loop *loop = calloc(1, sizeof *loop);
    int error;
    unsigned i;

    if (loop == NULL)
        return -ENOMEM;
    link->loop = loop;
    loop->link = link;
    loop->epoll = loop->wake = -1;
    for (i = 0; i < CONNECTIONS; i++)
        loop->connections[i].loop = loop;
    loop->retry.fire = begin_redis_session;
    loop->deadline.fire = check_deadlines;
    loop->ping.fire = send_ping;
    loop->watch.fire = watch_sentinel;
    loop->set_up.fire = fail_set_up;
    error = open_loop(loop);
    if (error == 0) {
        crier__timers_set(&link->timers, &loop->retry, crier_now());
        error = crier__thread_start(&loop->thread, run_loop, loop);
    }
    if (error != 0) {
        crier__timers_set(&link->timers, &loop->retry, CRIER__NO_TIME);
        crier__redis_link_free(link);
    }
    return error;
}

void crier__redis_link_stop(struct crier__redis_link *link)
{
    static const uint64_t one = 1;

    if (link->loop == NULL)
        return;
    atomic_store(&link->loop->stopping, true);
    (void)!write(link->loop->wake, &one, sizeof one);
    pthread_join(link->loop->thread, NULL);
}
