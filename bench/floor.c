/*
 * The floor: what one send() per delivery costs, and nothing else. A server of
 * the benchmark, not to be used for anything.
 *
 * GET /topics/NAME follows a topic, POST /topics/NAME publishes the body to
 * it. One thread, one epoll set; a POST is sent to each member before the next
 * byte is read. All that a real server does besides is missing on purpose: no
 * journal, no ids that outlive it, no limits, no validation. What it has is
 * what the other servers have, too: TCP_NODELAY, an id line, and frames that
 * wait when a socket takes only a part.
 *
 * Keep-alives go to all members in one go, when the interval is over. That is
 * the cheapest way, and so the strictest measure of another.
 *
 * What it does wrong on demand (FAULT) is for the test of the benchmark.
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

/* The update and the member of a topic that a fault is about. */
#define FAULTY_UPDATE 5
#define FAULTY_MEMBER 2

struct frame {
    size_t references;
    size_t length;
    char bytes[];
};

/* A frame that waits for one client. */
struct rest {
    struct frame *frame;
    size_t sent;
    struct rest *prev, *next;
};

struct topic {
    char name[NAME_SIZE];
    struct connection **members;
    size_t count, room;
    uint64_t updates;
    struct frame *kept; /* by the fault swap */
    UT_hash_handle hh;
};

struct connection {
    int fd;
    char *in; /* what of a request has come; NULL for nothing */
    size_t length;
    struct topic *topic; /* NULL unless it follows one */
    size_t place;        /* among the members */
    struct rest *rests;
};

static int poller;
static struct topic *topics;
static const char *fault = "";
static char block[REQUEST_MAX];

static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *must(void *memory)
{
    if (memory == NULL)
        die("memory");
    return memory;
}

/* ---- sending ---------------------------------------------------------- */

static void release(struct frame *frame)
{
    if (--frame->references == 0)
        free(frame);
}

static void watch(struct connection *connection, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};

    if (epoll_ctl(poller, how, connection->fd, &event) != 0)
        die("epoll_ctl");
}

/* Sends FRAME from SENT on; returns how far that came. An error shows when the
 * socket is read. */
static size_t push(struct connection *connection, const struct frame *frame,
                   size_t sent)
{
    ssize_t done = send(connection->fd, frame->bytes + sent,
                        frame->length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    return done < 0 ? sent : sent + (size_t)done;
}

static void deliver(struct connection *connection, struct frame *frame)
{
    struct rest *rest;
    size_t sent = 0;

    if (connection->rests == NULL) {
        sent = push(connection, frame, 0);
        if (sent == frame->length)
            return;
        watch(connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    rest = must(malloc(sizeof *rest));
    rest->frame = frame;
    rest->sent = sent;
    frame->references++;
    DL_APPEND(connection->rests, rest);
}

static void drop_rest(struct connection *connection)
{
    struct rest *rest = connection->rests;

    DL_DELETE(connection->rests, rest);
    release(rest->frame);
    free(rest);
}

/* There is room in the socket. */
static void go_on(struct connection *connection)
{
    struct rest *rest;

    while ((rest = connection->rests) != NULL) {
        rest->sent = push(connection, rest->frame, rest->sent);
        if (rest->sent < rest->frame->length)
            return;
        drop_rest(connection);
    }
    watch(connection, EPOLL_CTL_MOD, EPOLLIN);
}

/* ---- topics ----------------------------------------------------------- */

static struct topic *find(const char *name)
{
    struct topic *topic;

    HASH_FIND_STR(topics, name, topic);
    if (topic == NULL) {
        topic = must(calloc(1, sizeof *topic));
        snprintf(topic->name, sizeof topic->name, "%s", name);
        HASH_ADD_STR(topics, name, topic);
    }
    return topic;
}

static void join(struct connection *connection, struct topic *topic)
{
    if (topic->count == topic->room) {
        topic->room = topic->room != 0 ? topic->room * 2 : 8;
        topic->members = must(
            realloc(topic->members, topic->room * sizeof *topic->members));
    }
    connection->topic = topic;
    connection->place = topic->count;
    topic->members[topic->count++] = connection;
}

static void leave(struct connection *connection)
{
    struct topic *topic = connection->topic;
    struct connection *last;

    if (topic == NULL)
        return;
    last = topic->members[--topic->count];
    topic->members[connection->place] = last;
    last->place = connection->place;
}

/* Does to MEMBER what the fault says in place of the right thing. */
static void spoil(struct topic *topic, struct connection *member,
                  struct frame *frame)
{
    if (topic->kept != NULL) { /* swap: the one before comes after this one */
        deliver(member, frame);
        deliver(member, topic->kept);
        release(topic->kept);
        topic->kept = NULL;
    } else if (topic->updates != FAULTY_UPDATE) {
        deliver(member, frame);
    } else if (strcmp(fault, "double") == 0) {
        deliver(member, frame);
        deliver(member, frame);
    } else if (strcmp(fault, "swap") == 0) {
        topic->kept = frame;
        frame->references++;
    } else if (strcmp(fault, "spoil") == 0) {
        frame->bytes[frame->length - 3] = '\n';
        deliver(member, frame);
    } else if (strcmp(fault, "die") == 0) {
        abort();
    } else if (strcmp(fault, "hang") == 0) {
        (void)signal(SIGTERM, SIG_IGN);
        for (;;)
            pause();
    } /* drop: nothing */
}

static void publish(struct topic *topic, const char *body, size_t length)
{
    struct frame *frame = must(malloc(sizeof *frame + HEAD_SIZE + length));
    int head;

    frame->references = 1;
    head = snprintf(frame->bytes, HEAD_SIZE, "id: #%08x-%llu\ndata: ", 0,
                    (unsigned long long)++topic->updates);
    memcpy(frame->bytes + head, body, length);
    memcpy(frame->bytes + head + length, "\n\n", 2);
    frame->length = (size_t)head + length + 2;
    for (size_t i = 0; i < topic->count; i++)
        if (*fault != '\0' && i == FAULTY_MEMBER)
            spoil(topic, topic->members[i], frame);
        else
            deliver(topic->members[i], frame);
    release(frame);
}

static void keep_alive(void)
{
    static const char comment[] = ":\n";
    struct frame *frame = must(malloc(sizeof *frame + sizeof comment));
    struct topic *topic, *next;

    frame->references = 1;
    frame->length = sizeof comment - 1;
    memcpy(frame->bytes, comment, sizeof comment);
    HASH_ITER (hh, topics, topic, next)
        for (size_t i = 0; i < topic->count; i++)
            deliver(topic->members[i], frame);
    release(frame);
}

/* ---- requests --------------------------------------------------------- */

static void finish(struct connection *connection)
{
    leave(connection);
    while (connection->rests != NULL)
        drop_rest(connection);
    close(connection->fd);
    free(connection->in);
    free(connection);
}

static void answer(struct connection *connection, const char *text)
{
    (void)send(connection->fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Does the first request in the LENGTH bytes at BYTES, which end with a NUL.
 * Returns its length, 0 when it is not whole, -1 when it is not understood. */
static ssize_t serve(struct connection *connection, const char *bytes,
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
        answer(connection, "HTTP/1.1 200 OK\r\n"
                           "Content-Type: text/event-stream\r\n"
                           "Cache-Control: no-cache\r\n"
                           "Connection: close\r\n\r\n");
        join(connection, find(name));
        return (ssize_t)head;
    }
    field = strcasestr(bytes, "\r\nContent-Length:");
    if (field != NULL && field < end)
        body = strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
    if (body > REQUEST_MAX - 1 - head)
        return -1;
    if (length < head + body)
        return 0;
    publish(find(name), bytes + head, body);
    answer(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    return (ssize_t)(head + body);
}

/* Reads what has come, and does what is whole of it. */
static void take(struct connection *connection)
{
    size_t begin = 0, length = connection->length;
    ssize_t got, used;

    if (connection->in != NULL)
        memcpy(block, connection->in, length);
    got = recv(connection->fd, block + length, sizeof block - 1 - length,
               MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        finish(connection);
        return;
    }
    length += (size_t)got;
    block[length] = '\0';
    while (begin < length &&
           (used = serve(connection, block + begin, length - begin)) != 0) {
        if (used < 0) {
            finish(connection);
            return;
        }
        begin += (size_t)used;
    }
    free(connection->in);
    connection->in = NULL;
    connection->length = length - begin;
    if (connection->length != 0) {
        connection->in = must(malloc(connection->length));
        memcpy(connection->in, block + begin, connection->length);
    }
}

/* ---- the loop --------------------------------------------------------- */

static int listen_at(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, SOMAXCONN) != 0)
        die("listen");
    return fd;
}

static int timer_every(unsigned seconds)
{
    struct itimerspec when = {.it_interval.tv_sec = seconds,
                              .it_value.tv_sec = seconds};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

    if (fd < 0 || timerfd_settime(fd, 0, &when, NULL) != 0)
        die("timerfd");
    return fd;
}

static void let_in(int listener)
{
    struct connection *connection;
    int fd, on = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection = must(calloc(1, sizeof *connection));
        connection->fd = fd;
        watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void handle(const struct epoll_event *event,
                   const struct connection *listener,
                   const struct connection *timer)
{
    struct connection *connection = event->data.ptr;
    uint64_t ticks;

    if (connection == listener) {
        let_in(connection->fd);
    } else if (connection == timer) {
        if (read(timer->fd, &ticks, sizeof ticks) == sizeof ticks)
            keep_alive();
    } else {
        if (event->events & EPOLLOUT)
            go_on(connection);
        if (event->events & ~(uint32_t)EPOLLOUT)
            take(connection);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    struct connection listener = {0}, timer = {0};
    int count;

    if (argc < 3) {
        fprintf(stderr, "usage: floor PORT KEEP-ALIVE-SECONDS [FAULT]\n");
        return 2;
    }
    if (argc > 3)
        fault = argv[3];
    if ((poller = epoll_create1(0)) < 0)
        die("epoll_create1");
    listener.fd = listen_at((unsigned)strtoul(argv[1], NULL, 10));
    timer.fd = timer_every((unsigned)strtoul(argv[2], NULL, 10));
    watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
    watch(&timer, EPOLL_CTL_ADD, EPOLLIN);
    while ((count = epoll_wait(poller, events, 256, -1)) >= 0 ||
           errno == EINTR)
        for (int i = 0; i < count; i++)
            handle(&events[i], &listener, &timer);
    die("epoll_wait");
}
