/*
 * The baseline: the cost of one send() per delivery, and nothing else. A server for the
 * benchmark only.
 *
 * GET /topics/NAME subscribes to a topic, POST /topics/NAME publishes the body to it.
 * There is one thread with one epoll set; a POST is sent to every member before the
 * next byte is read. Everything else that a real server does is missing on purpose: a
 * journal, persistent ids, limits, validation. It shares with the other servers
 * TCP_NODELAY, an id line, and a queue of frames that a socket did not take at once.
 *
 * Keep-alives go to all members at the same time. That is the cheapest way, and so the
 * strictest comparison.
 *
 * FAULT makes it misbehave, for the test of the benchmark.
 */
#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#define REQUEST_MAX ((size_t)2 * 1024 * 1024)
#define NAME_SIZE 256
#define HEAD_SIZE 64

/* The update, and the member of its topic, that a fault affects. */
#define FAULTY_UPDATE 5
#define FAULTY_MEMBER 2

struct frame {
    size_t references;
    size_t length;
    char bytes[];
};

/* A frame waiting to be sent to one client. */
struct pending {
    struct frame *frame;
    size_t sent;
    struct pending *prev, *next;
};

struct topic {
    char name[NAME_SIZE];
    struct connection **members;
    size_t count, capacity;
    uint64_t updates;
    struct frame *kept; /* frame held back by the fault "swap" */
    UT_hash_handle hh;
};

struct connection {
    int fd;
    char *in; /* start of an incomplete request; NULL for none */
    size_t length;
    struct topic *topic; /* subscribed topic, or NULL */
    size_t place;        /* index in the topic's members */
    struct pending *pending;
};

static int poller;
static struct topic *topics;
static const char *fault = "";
static char block[REQUEST_MAX];

static void fail_with_errno(const char *what)
{
    fprintf(stderr, "baseline: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *check_memory(void *memory)
{
    if (memory == NULL)
        fail_with_errno("memory");
    return memory;
}

/* ---- sending ------------------------------------------------------------ */

static void release_frame(struct frame *frame)
{
    if (--frame->references == 0)
        free(frame);
}

static void watch_connection(struct connection *connection, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};

    if (epoll_ctl(poller, how, connection->fd, &event) != 0)
        fail_with_errno("epoll_ctl");
}

/* Sends FRAME from SENT on. Returns how many of its bytes have been sent then. An error
 * of the socket is handled when it is read. */
static size_t send_frame(struct connection *connection, const struct frame *frame,
                         size_t sent)
{
    ssize_t done = send(connection->fd, frame->bytes + sent, frame->length - sent,
                        MSG_NOSIGNAL | MSG_DONTWAIT);

    return done < 0 ? sent : sent + (size_t)done;
}

static void deliver_frame(struct connection *connection, struct frame *frame)
{
    struct pending *first;
    size_t sent = 0;

    if (connection->pending == NULL) {
        sent = send_frame(connection, frame, 0);
        if (sent == frame->length)
            return;
        watch_connection(connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    first = check_memory(malloc(sizeof *first));
    first->frame = frame;
    first->sent = sent;
    frame->references++;
    DL_APPEND(connection->pending, first);
}

static void drop_pending(struct connection *connection)
{
    struct pending *first = connection->pending;

    DL_DELETE(connection->pending, first);
    release_frame(first->frame);
    free(first);
}

/* Sends what is pending. Called when the socket is writable. */
static void send_pending(struct connection *connection)
{
    struct pending *first;

    while ((first = connection->pending) != NULL) {
        first->sent = send_frame(connection, first->frame, first->sent);
        if (first->sent < first->frame->length)
            return;
        drop_pending(connection);
    }
    watch_connection(connection, EPOLL_CTL_MOD, EPOLLIN);
}

/* ---- topics ------------------------------------------------------------- */

static struct topic *find_topic(const char *name)
{
    struct topic *topic;

    HASH_FIND_STR(topics, name, topic);
    if (topic == NULL) {
        topic = check_memory(calloc(1, sizeof *topic));
        snprintf(topic->name, sizeof topic->name, "%s", name);
        HASH_ADD_STR(topics, name, topic);
    }
    return topic;
}

static void join_topic(struct connection *connection, struct topic *topic)
{
    if (topic->count == topic->capacity) {
        topic->capacity = topic->capacity != 0 ? topic->capacity * 2 : 8;
        topic->members = check_memory(
            realloc(topic->members, topic->capacity * sizeof *topic->members));
    }
    connection->topic = topic;
    connection->place = topic->count;
    topic->members[topic->count++] = connection;
}

static void leave_topic(struct connection *connection)
{
    struct topic *topic = connection->topic;
    struct connection *last;

    if (topic == NULL)
        return;
    last = topic->members[--topic->count];
    topic->members[connection->place] = last;
    last->place = connection->place;
}

/* Sends FRAME to MEMBER with the fault. */
static void apply_fault(struct topic *topic, struct connection *member,
                        struct frame *frame)
{
    if (topic->kept != NULL) { /* swap: the earlier frame comes after this one */
        deliver_frame(member, frame);
        deliver_frame(member, topic->kept);
        release_frame(topic->kept);
        topic->kept = NULL;
    } else if (topic->updates != FAULTY_UPDATE) {
        deliver_frame(member, frame);
    } else if (strcmp(fault, "double") == 0) {
        deliver_frame(member, frame);
        deliver_frame(member, frame);
    } else if (strcmp(fault, "swap") == 0) {
        topic->kept = frame;
        frame->references++;
    } else if (strcmp(fault, "spoil") == 0) {
        frame->bytes[frame->length - 3] = '\n';
        deliver_frame(member, frame);
    } else if (strcmp(fault, "die") == 0) {
        abort();
    } else if (strcmp(fault, "hang") == 0) {
        (void)signal(SIGTERM, SIG_IGN);
        for (;;)
            pause();
    } /* drop: send nothing */
}

static void publish_update(struct topic *topic, const char *body, size_t length)
{
    struct frame *frame = check_memory(malloc(sizeof *frame + HEAD_SIZE + length));
    int head;

    frame->references = 1;
    head = snprintf(frame->bytes, HEAD_SIZE, "id: #%08x-%llu\ndata: ", 0,
                    (unsigned long long)++topic->updates);
    memcpy(frame->bytes + head, body, length);
    memcpy(frame->bytes + head + length, "\n\n", 2);
    frame->length = (size_t)head + length + 2;
    for (size_t i = 0; i < topic->count; i++)
        if (*fault != '\0' && i == FAULTY_MEMBER)
            apply_fault(topic, topic->members[i], frame);
        else
            deliver_frame(topic->members[i], frame);
    release_frame(frame);
}

static void send_keep_alives(void)
{
    static const char comment[] = ":\n";
    struct frame *frame = check_memory(malloc(sizeof *frame + sizeof comment));
    struct topic *topic, *next;

    frame->references = 1;
    frame->length = sizeof comment - 1;
    memcpy(frame->bytes, comment, sizeof comment);
    HASH_ITER(hh, topics, topic, next)
    for (size_t i = 0; i < topic->count; i++)
        deliver_frame(topic->members[i], frame);
    release_frame(frame);
}

/* ---- requests ----------------------------------------------------------- */

static void close_connection(struct connection *connection)
{
    leave_topic(connection);
    while (connection->pending != NULL)
        drop_pending(connection);
    close(connection->fd);
    free(connection->in);
    free(connection);
}

static void send_response(struct connection *connection, const char *text)
{
    (void)send(connection->fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Handles the first request in the LENGTH bytes at BYTES, which end with a NUL. Returns
 * its length, 0 if it is incomplete, or -1 if it is invalid. */
static ssize_t serve_request(struct connection *connection, const char *bytes,
                             size_t length)
{
    char method[8], name[NAME_SIZE];
    const char *end = strstr(bytes, "\r\n\r\n"), *field;
    size_t head, body = 0;

    if (end == NULL)
        return length < REQUEST_MAX - 1 ? 0 : -1;
    head = (size_t)(end - bytes) + 4;
    if (sscanf(bytes, "%7s /topics/%255s", method, name) != 2)
        return -1;
    if (strcmp(method, "GET") == 0) {
        send_response(connection, "HTTP/1.1 200 OK\r\n"
                                  "Content-Type: text/event-stream\r\n"
                                  "Cache-Control: no-cache\r\n"
                                  "Connection: close\r\n\r\n");
        join_topic(connection, find_topic(name));
        return (ssize_t)head;
    }
    field = strcasestr(bytes, "\r\nContent-Length:");
    if (field != NULL && field < end)
        body = strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
    if (body > REQUEST_MAX - 1 - head)
        return -1;
    if (length < head + body)
        return 0;
    publish_update(find_topic(name), bytes + head, body);
    send_response(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    return (ssize_t)(head + body);
}

/* Reads available bytes and handles the complete requests in them. */
static void read_requests(struct connection *connection)
{
    size_t begin = 0, length = connection->length;
    ssize_t got, used;

    if (connection->in != NULL)
        memcpy(block, connection->in, length);
    got = recv(connection->fd, block + length, sizeof block - 1 - length, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        close_connection(connection);
        return;
    }
    length += (size_t)got;
    block[length] = '\0';
    while (begin < length &&
           (used = serve_request(connection, block + begin, length - begin)) != 0) {
        if (used < 0) {
            close_connection(connection);
            return;
        }
        begin += (size_t)used;
    }
    free(connection->in);
    connection->in = NULL;
    connection->length = length - begin;
    if (connection->length != 0) {
        connection->in = check_memory(malloc(connection->length));
        memcpy(connection->in, block + begin, connection->length);
    }
}

/* ---- the loop ----------------------------------------------------------- */

static int open_listener(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, SOMAXCONN) != 0)
        fail_with_errno("listen");
    return fd;
}

static int open_timer(unsigned seconds)
{
    struct itimerspec when = {.it_interval.tv_sec = seconds,
                              .it_value.tv_sec = seconds};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

    if (fd < 0 || timerfd_settime(fd, 0, &when, NULL) != 0)
        fail_with_errno("timerfd");
    return fd;
}

static void accept_connections(int listener)
{
    struct connection *connection;
    int fd, on = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection = check_memory(calloc(1, sizeof *connection));
        connection->fd = fd;
        watch_connection(connection, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void handle_event(const struct epoll_event *event,
                         const struct connection *listener,
                         const struct connection *timer)
{
    struct connection *connection = event->data.ptr;
    uint64_t ticks;

    if (connection == listener) {
        accept_connections(connection->fd);
    } else if (connection == timer) {
        if (read(timer->fd, &ticks, sizeof ticks) == sizeof ticks)
            send_keep_alives();
    } else {
        if (event->events & EPOLLOUT)
            send_pending(connection);
        if (event->events & ~(uint32_t)EPOLLOUT)
            read_requests(connection);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    struct connection listener = {0}, timer = {0};
    int count;

    if (argc < 3) {
        fprintf(stderr, "usage: baseline PORT KEEP-ALIVE-SECONDS [FAULT]\n");
        return 2;
    }
    if (argc > 3)
        fault = argv[3];
    if ((poller = epoll_create1(0)) < 0)
        fail_with_errno("epoll_create1");
    listener.fd = open_listener((unsigned)strtoul(argv[1], NULL, 10));
    timer.fd = open_timer((unsigned)strtoul(argv[2], NULL, 10));
    watch_connection(&listener, EPOLL_CTL_ADD, EPOLLIN);
    watch_connection(&timer, EPOLL_CTL_ADD, EPOLLIN);
    while ((count = epoll_wait(poller, events, 256, -1)) >= 0 || errno == EINTR)
        for (int i = 0; i < count; i++)
            handle_event(&events[i], &listener, &timer);
    fail_with_errno("epoll_wait");
}
