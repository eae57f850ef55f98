/*
 * A fuzz target for all of crierd: what a client may send to it. The first two bytes of
 * the input are options (digits in the seed corpus); the clients send the rest.
 *
 *   1  odd: each client closes its connection at once; even: it closes its sending half,
 *      and reads to the end
 *   2  0: the bytes are sent at once; else this is the seed of random cuts
 *
 * A byte 1E separates what one connection sends from what the next one sends. All
 * connections stay open until everything is sent; so one can subscribe to what the next
 * ones publish.
 *
 * crierd's code runs in this process, except for main.c: an acceptor thread, the threads
 * of libmicrohttpd and a shard serve connections that are socketpairs. The threads cost
 * time, but no determinism: each input has a server of its own, except for the pages, and
 * waits until no connection and no stream is left. So no input influences the next one,
 * and an input that reveals a fault does so again when it is run alone. At a cut the
 * client waits until the server has read what was sent, or 1 ms.
 *
 * What must hold:
 *
 *   - each connection ends within seconds after its client has ended it;
 *   - the clients receive HTTP responses: a status line, fields, and as many bytes as
 *     Content-Length says; problem details have the status of their response, the parser
 *     accepts a stream of events, and each line of a stream of JSON is an object;
 *   - afterwards crierd counts no stream, no connection and no byte of a body, and
 *     /healthz reports that all is well.
 */
#include <config.h>

#include "fuzz.h"

#include "crier_client.h"
#include "crierd/api/api.h"
#include "crierd/api/mercure.h"
#include "crierd/auth/auth.h"
#include "crierd/demo/demo.h"
#include "crierd/net/acceptor.h"
#include "crierd/static/files.h"
#include "crierd/http/http.h"
#include "crierd/net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE 8000 /* ms */
#define QUIET 1000
#define STREAM_QUIET 20
#define CONNECTIONS 4 /* an input's */
#define ANSWER_MAX ((size_t)8 * 1024 * 1024)
#define LINE 2048
#define NEXT 0x1e

/* ---- the server ------------------------------------------------------- */

/* Small limits are soon reached; pings would be no answer to anything. */
static struct crier_topic_retention topics[] = {{"few*", {.count = 2}}};
static struct conf conf = {
    .references = 1,
    .threads = 1,
    .ping = 3600000,
    .log_level = LOG_ERROR,
    .get_publish = true,
    .anonymous = CONF_ANONYMOUS_ALL,
    .auth_cookie = "cookie",
    .query_token = true,
    .subscriptions = true,
    .retention = {.count = 50},
    .topics = topics,
    .topic_count = 1,
    .max_topics = 100,
    .max_update = 2048,
    .presence = "here,there",
    .stall_timeout = 30000,
};

static struct server server = {.conf = &conf};
static struct mercure *mercure; /* an input's */
static struct demo *demo; /* the same */
static struct http http;
static struct acceptor *acceptor; /* an input's */
static bool started;

static void stop(void)
{
    auth_close(server.auth);
    limits_free(server.limits);
    close(server.www);
}

static const char *directory(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL) {
        fprintf(stderr, "%s is to name a directory of the sources\n", name);
        exit(2);
    }
    return value;
}

static void start(void)
{
    log_set_level(conf.log_level);
    MUST(conf_publish(&conf));
    signal(SIGPIPE, SIG_IGN);
    server.descriptors = (struct descriptors){
        .most = 16, .clients = 16, .crowded = 1 << 20};
    server.started = crier_now();
    server.www = files_open(directory("WWW"));
    MUST(server.www >= 0);
    server.auth = auth_open(&conf);
    MUST(server.auth != NULL);
    server.limits = limits_new();
    MUST(server.limits != NULL);
    conf.data = directory("DATA");
    MUST(atexit(stop) == 0);
    started = true;
}

static void begin(void)
{
    const struct crier_shards_options shards = {
        .threads = 1, .max_streams = 16, .resume = exchange_resume};
    const struct crier_journal_options journal = {
        .retention = conf.retention,
        .topics = conf.topics,
        .topic_count = conf.topic_count,
        .max_topics = conf.max_topics,
    };
    const struct crier_hub_options hub = {.presence = conf.presence};
    struct acceptor_options options = {
        .service = &http_service, .threads = conf.threads, .crowded = 1 << 20};
    struct crier_journal *made;

    MUST(crier_shards_new(&shards, &server.shards) == 0);
    MUST(crier_journal_memory(&journal, &made) == 0);
    MUST(crier_hub_new(server.shards, made, &hub, &server.hub) == 0);
    demo = demo_open(&server);
    MUST(demo != NULL);
    server.tables[0] = (struct route_table){.routes = api_routes};
    server.tables[1] = (struct route_table){.routes = demo_routes,
                                            .context = demo};
    mercure = mercure_open(&server);
    MUST(mercure != NULL);
    server.tables[2] = (struct route_table){.routes = mercure_routes,
                                            .context = mercure};
    server.tables[3] = (struct route_table){.routes = files_routes};
    MUST(listeners_add(&server.listeners, "127.0.0.1:0", /* nobody comes that way */
                       &(struct listener){0}) == NULL);
    MUST(http_start(&http, &server));
    options.context = &http;
    options.listeners = &server.listeners;
    acceptor = acceptor_open(&options);
    MUST(acceptor != NULL);
}

static void end(void)
{
    acceptor_shut(acceptor);
    crier_hub_close(server.hub);
    MUST(crier_shards_drain(server.shards, 1, 2, PATIENCE) == 0);
    acceptor_close(acceptor);
    listeners_close(&server.listeners);
    http_stop(&http);
    crier_shards_free(server.shards);
    demo_close(demo);
    mercure_close(mercure);
    crier_hub_free(server.hub);
}

/* The server's ends of the connections of an input, and of the one that checks the health.
 * While the acceptor hands a connection over to libmicrohttpd, neither counts it. */
static struct {
    int fd;
    ino_t inode; /* of the socket: another one may get the number */
} ends[CONNECTIONS + 1];
static size_t end_count;

/* By /proc, since the descriptor is another thread's: the thread sanitizer does not
 * want to see it in use here while that thread closes it. */
static bool is_any_open(void)
{
    struct stat status;
    char path[64];
    size_t i;

    for (i = 0; i < end_count; i++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", ends[i].fd);
        if (stat(path, &status) == 0 && status.st_ino == ends[i].inode)
            return true;
    }
    return false;
}

static bool is_any_served(void)
{
    return is_any_open() || acceptor_count(acceptor) != 0 || http_count(&http) != 0 ||
           crier_shards_count(server.shards) != 0;
}

/* Waits until nobody is served any more. */
static void wait_for_the_end(void)
{
    uint64_t late = crier_now() + PATIENCE;

    while (is_any_served()) {
        MUST(crier_now() < late);
        usleep(20);
    }
    MUST(atomic_load(&server.bodies) == 0);
}

/* ---- a client --------------------------------------------------------- */

/* A new connection: the client's end. */
static int open_connection(void)
{
    const struct sockaddr address = {.sa_family = AF_UNIX};
    struct stat status;
    int pair[2];

    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    MUST(fcntl(pair[1], F_SETFL, O_NONBLOCK) == 0);
    MUST(fstat(pair[1], &status) == 0);
    ends[end_count].fd = pair[1];
    ends[end_count++].inode = status.st_ino;
    acceptor_let_in(acceptor, pair[1], server.listeners.list, &address, sizeof address);
    return pair[0];
}

static void wait_until_read(int fd)
{
    int left = 1, times;

    for (times = 0; times < 20 && left != 0; times++) {
        usleep(1);
        MUST(ioctl(fd, SIOCOUTQ, &left) == 0);
    }
}

static unsigned draw(unsigned *state)
{
    *state = *state * 1103515245U + 12345U;
    return *state >> 16;
}

/* Sends, cut by the seed CUT; as far as the server wants it. */
static void send_all(int fd, const char *bytes, size_t length, unsigned cut)
{
    unsigned state = cut;
    int pieces = cut == 0 ? 1 : 1 + (int)(cut % 7);
    size_t part;
    ssize_t sent = 0;

    while (length != 0 && sent >= 0) {
        part = --pieces > 0 ? 1 + draw(&state) % length : length;
        sent = send(fd, bytes, part, MSG_NOSIGNAL | MSG_DONTWAIT);
        MUST(sent == (ssize_t)part || (sent < 0 && errno == EPIPE));
        bytes += part;
        length -= part;
        wait_until_read(fd);
    }
}

/* ---- answers ---------------------------------------------------------- */

struct response {
    unsigned status;
    bool has_length, events, json, problem;
    size_t length; /* of the body, as it says */
};

/* Copies the line at *AT, which ends in CRLF, and moves behind it. */
static void take_line(const char **at, char line[LINE])
{
    size_t length = strcspn(*at, "\r\n");

    MUST(length < LINE && strncmp(*at + length, "\r\n", 2) == 0);
    memcpy(line, *at, length);
    line[length] = '\0';
    *at += length + 2;
}

static void read_field(struct response *answer, const char *line)
{
    const char *colon = strchr(line, ':'), *value;
    size_t name = strcspn(line, ": \t");
    char *stop;

    MUST(colon != NULL && name != 0 && line + name == colon);
    value = colon + 1 + strspn(colon + 1, " ");
    if (strncasecmp(line, "Content-Length", name) == 0) {
        MUST(!answer->has_length && *value >= '0' && *value <= '9');
        answer->has_length = true;
        answer->length = strtoul(value, &stop, 10);
        MUST(*stop == '\0');
    } else if (strncasecmp(line, "Content-Type", name) == 0) {
        answer->events = strcmp(value, "text/event-stream") == 0;
        answer->json = strcmp(value, "application/x-ndjson") == 0;
        answer->problem = strcmp(value, "application/problem+json") == 0;
    }
    MUST(strncasecmp(line, "Transfer-Encoding", name) != 0);
}

/* Reads the head of an answer at AT; returns what is behind it. */
static const char *read_head(struct response *answer, const char *at)
{
    char line[LINE];

    take_line(&at, line);
    memset(answer, 0, sizeof *answer);
    MUST(strncmp(line, "HTTP/1.1 ", 9) == 0 ||
         strncmp(line, "HTTP/1.0 ", 9) == 0);
    MUST(sscanf(line + 9, "%3u", &answer->status) == 1 && line[12] == ' ');
    MUST(answer->status >= 100 && answer->status < 600);
    for (take_line(&at, line); line[0] != '\0'; take_line(&at, line))
        read_field(answer, line);
    return at;
}

/* Whether the last of the answers that begin at AT is a stream, which does not end by
 * itself. */
static bool is_stream(const char *at, const char *end)
{
    struct response answer;

    while (at < end && memmem(at, (size_t)(end - at), "\r\n\r\n", 4) != NULL) {
        at = read_head(&answer, at);
        if (!answer.has_length)
            return answer.events || answer.json;
        if ((size_t)(end - at) < answer.length)
            return false;
        at += answer.length;
    }
    return false;
}

/* Reads all answers into new memory, and closes the connection. libmicrohttpd misses
 * the end of a client that closed its sending half before the last request was read,
 * and would keep the connection until its time-out. So this function closes a
 * connection on which nothing came for QUIET ms, or for STREAM_QUIET ms if the last
 * answer is a stream; HEAD says that answers may lack the body that their head
 * announces. */
static char *read_all(int fd, int quiet, bool head, size_t *length)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    size_t size = 4096;
    char *bytes = malloc(size);
    int ready;
    ssize_t got;

    *length = 0;
    for (;;) {
        MUST(bytes != NULL && *length < ANSWER_MAX);
        ready = poll(&wanted, 1, quiet);
        MUST(ready >= 0 || errno == EINTR); /* by the fuzzer's alarm */
        if (ready == 0)
            break;
        if (ready < 0)
            continue;
        got = recv(fd, bytes + *length, size - *length - 1, MSG_DONTWAIT);
        MUST(got >= 0 || errno == ECONNRESET);
        if (got <= 0)
            break;
        *length += (size_t)got;
        bytes[*length] = '\0';
        if (!head && is_stream(bytes, bytes + *length))
            quiet = STREAM_QUIET;
        if (size - *length < 1024) {
            size *= 2;
            bytes = realloc(bytes, size);
        }
    }
    close(fd);
    bytes[*length] = '\0';
    return bytes;
}

static void check_events(const char *bytes, size_t length)
{
    struct crier_parser *parser;
    struct crier_message message;
    int result;

    MUST(memchr(bytes, '\r', length) == NULL);
    MUST(crier_parser_new(NULL, &parser) == 0);
    while ((result = crier_parser_next(parser, &bytes, &length, &message)) > 0)
        MUST(memmem(message.data, message.length, "\xef\xbf\xbd", 3) == NULL ||
             message.kind == CRIER_EVENT);
    MUST(result == 0);
    crier_parser_free(parser);
}

/* Each line that has come as a whole. */
static void check_lines(const char *bytes, size_t length)
{
    const char *stop;
    json_t *object;

    while ((stop = memchr(bytes, '\n', length)) != NULL) {
        object = json_loadb(bytes, (size_t)(stop - bytes), JSON_ALLOW_NUL,
                            NULL);
        MUST(json_is_object(object) || stop == bytes); /* which is a ping */
        json_decref(object);
        length -= (size_t)(stop + 1 - bytes);
        bytes = stop + 1;
    }
}

static void check_body(const struct response *answer, const char *bytes,
                       size_t length)
{
    json_t *problem;

    if (answer->events)
        check_events(bytes, length);
    if (answer->json)
        check_lines(bytes, length);
    if (!answer->problem)
        return;
    problem = json_loadb(bytes, length, 0, NULL);
    MUST(json_integer_value(json_object_get(problem, "status")) ==
         answer->status);
    MUST(json_is_string(json_object_get(problem, "detail")));
    json_decref(problem);
}

/* All that came on one connection; HEAD when an answer may be one to HEAD. */
static void check_answers(const char *at, const char *end, bool head)
{
    struct response answer;
    size_t left;

    while (at < end) {
        at = read_head(&answer, at);
        left = (size_t)(end - at);
        if (answer.status < 200 || answer.status == 204 ||
            answer.status == 304)
            continue;
        if (head && (left == 0 || strncmp(at, "HTTP/1.", 7) == 0))
            continue;
        if (answer.has_length)
            MUST(left >= answer.length);
        if (answer.has_length && left > answer.length)
            left = answer.length;
        check_body(&answer, at, left);
        at += left;
    }
}

static void check_health(void)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n"
                                  "Connection: close\r\n\r\n";
    int fd = open_connection();
    char *bytes, *body;
    size_t length;
    const char *status;
    json_t *health;

    send_all(fd, request, strlen(request), 0);
    bytes = read_all(fd, PATIENCE, false, &length);
    MUST(strncmp(bytes, "HTTP/1.1 200 ", 13) == 0);
    body = strstr(bytes, "\r\n\r\n");
    MUST(body != NULL);
    health = json_loads(body, 0, NULL);
    status = json_string_value(json_object_get(health, "status"));
    MUST(status != NULL && strcmp(status, "ok") == 0);
    MUST(json_integer_value(json_object_get(health, "clients")) == 0);
    json_decref(health);
    free(bytes);
}

/* ---- the target ------------------------------------------------------- */

/* Sends the parts of what is to be sent; the number of connections. */
static int send_parts(int fds[CONNECTIONS], const char *bytes, size_t length,
                      unsigned cut)
{
    const char *stop = bytes, *end = bytes + length;
    int count;

    for (count = 0; count < CONNECTIONS && stop != NULL; count++) {
        stop = memchr(bytes, NEXT, (size_t)(end - bytes));
        fds[count] = open_connection();
        send_all(fds[count], bytes,
                 (size_t)((stop != NULL ? stop : end) - bytes), cut);
        bytes = stop != NULL ? stop + 1 : end;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    int fds[CONNECTIONS], count, i;
    bool head;
    char *bytes;
    size_t length;

    if (!started)
        start();
    if (size < 2)
        return 0;
    head = memmem(input, size, "HEAD", 4) != NULL;
    begin();
    end_count = 0;
    count = send_parts(fds, (const char *)input + 2, size - 2, input[1] % 16);
    for (i = 0; i < count; i++) {
        if (input[0] % 2 != 0) {
            close(fds[i]);
            continue;
        }
        MUST(shutdown(fds[i], SHUT_WR) == 0 || errno == ENOTCONN);
        bytes = read_all(fds[i], QUIET, head, &length);
        check_answers(bytes, bytes + length, head);
        free(bytes);
    }
    wait_for_the_end();
    check_health();
    wait_for_the_end();
    end();
    return 0;
}
