/*
 * A pipeline: a connection whose client publishes, request after request. libmicrohttpd
 * reads a request only when the one before is answered, and sends each response by
 * itself; so a publisher that has many requests in flight gains little, and a journal in a
 * file nothing at all: each update waits for the disk alone. A pipeline takes all the
 * requests that are there, calls the handler for one after the other without waiting, and
 * sends all responses together.
 *
 * The handlers are those that libmicrohttpd's requests have. Only requests that
 * classify.c calls plain are taken. Everything else is libmicrohttpd's: a pipeline peeks
 * at what has come, takes from the socket no more than it has understood, and when the
 * next request is another one, and all before it are answered, gives the connection away
 * with that request unread. It does not come back.
 *
 * Responses are sent in the order of their requests (RFC 9112 section 9.3.2). A turn is
 * one request whose response has not been moved to what is sent:
 *
 *        request            response, and first         sent
 *   new ---------> waiting ---------------------> out --------> freed
 *                     |                            ^
 *                     +---> response, not first ---+
 *
 * Peeked bytes stay in the kernel's receive buffer. A partial request can therefore fill
 * that buffer and close the TCP window, so that the rest of the request never arrives.
 * When the buffer is more than half full, the partial request is read into
 * pipeline->held. (A unix socket has room for some hundred pieces, and does not report
 * how many there are: a request is held there once its head is complete, and is given to
 * libmicrohttpd before that.) Should the whole turn out not to be plain, the connection can
 * only be closed, with that request unanswered; that takes a publisher that is faster than
 * crierd and changes its ways in mid-stream.
 *
 * While the body of a request is still to come, the policy is asked whether it would be
 * refused; such a request is not for pipelines either. So a body is waited for only where
 * it is wanted.
 *
 * A turn's response may be completed on any thread (resume_turn()), and is sent by the
 * thread of the pipelines, which alone touches them. A pipeline is there until the last
 * of its turns is answered, even when its client has long gone; the journal has been
 * asked.
 *
 * Pipelines are in a list in the order of their deadlines; since all get the same time, a
 * pipeline that gets a new one goes to the end. Events only mark a pipeline as ready, and
 * pipelines_run() runs it: so a pipeline is never freed while events are handled.
 *
 * Lock order: the lock of the pipelines is the last, like a shard's: it is held to append
 * a turn or to take all of them.
 */
#include <config.h>

#include "pipeline.h"

#include "base/clock.h"
#include "classify.h"
#include "deferred.h"
#include "request.h"
#include "response.h"
#include "route.h"
#include "crierd/metrics/metrics.h"
#include "crierd/net/refuse.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

/* What is read at a time. */
#define WINDOW ((size_t)64 * 1024)

/* ms for which a pipeline may do nothing. */
#define IDLE_TIME 30000

/* No more requests wait for their responses, and no more bytes for the client: then the
 * pipeline reads on only when some have gone. */
#define TURNS_MAX 1024
#define OUT_MAX ((size_t)256 * 1024)

/* So often a pipeline reads before others have their turn. */
#define ROUNDS 8

/* What an idle pipeline keeps. */
#define OUT_KEPT ((size_t)4096)

/* What the kernel holds for a pipeline; by itself it would be megabytes both ways for
 * clients that take no responses. */
#define SEND_BUFFER (64 * 1024)
#define RECEIVE_BUFFER (128 * 1024)

struct pipeline {
    struct watch watch; /* first */
    struct pipelines *pipelines;
    struct pipeline *prev, *next; /* by deadline */
    struct pipeline *ready_next;
    uint64_t deadline;
    struct peer peer;
    int fd; /* -1 when it is given up */
    struct turn *first, **end;
    size_t turn_count;
    char *out;
    size_t out_length, out_sent, out_room;
    char *held; /* the beginning of a request, taken from the socket */
    size_t held_length;
    bool local;   /* a unix socket */
    bool ready;   /* in the list of those to be run */
    bool hung_up; /* the client will send no more */
    bool leaving; /* what comes next is not for pipelines */
    bool partial; /* a request has begun to come */
    bool headed;  /* and its head is there */
    bool ended;   /* no more will come */
    bool broken;  /* memory was short for a response, or the socket failed */
};

/* What to do with a pipeline that has been run. */
enum verdict {
    PIPELINE_WAIT,    /* nothing, until there is an event */
    PIPELINE_AGAIN,   /* run it again: there may be more to read */
    PIPELINE_HANDOFF, /* what comes is for libmicrohttpd */
    PIPELINE_CLOSE
};

/* A request of a pipeline. */
struct turn {
    struct request request;  /* first */
    struct turn *next;       /* of the same pipeline */
    struct turn *woken_next; /* of the thread, under its lock */
    struct pipeline *pipeline;
    const struct head *head; /* while the handler runs */
    char *target, *origin;   /* while the response is deferred */
    char *bytes;             /* the response, while others are before it */
    size_t length;
    bool answered;
};

static struct turn *turn_of(const struct request *request)
{
    return request->carried;
}

/* Frees PIPELINE, or gives it up when it still has turns. */
static void pipeline_free(struct pipeline *pipeline)
{
    pipeline->fd = -1;
    if (pipeline->turn_count != 0)
        return;
    free(pipeline->out);
    free(pipeline->held);
    free(pipeline);
}

/* ---- responses -------------------------------------------------------- */

/* Takes the first turn off. */
static void shift_turn(struct pipeline *pipeline)
{
    struct turn *turn = pipeline->first;

    pipeline->first = turn->next;
    if (pipeline->first == NULL)
        pipeline->end = &pipeline->first;
    pipeline->turn_count--;
    route_done(&turn->request);
    free(turn->target);
    free(turn->origin);
    free(turn->bytes);
    free(turn);
}

static bool append_bytes(char **bytes, size_t *length, size_t *room,
                         const char *more, size_t count)
{
    size_t need = *length + count;
    char *grown;

    if (need > *room) {
        need = need < 2 * *room ? 2 * *room : need;
        grown = realloc(*bytes, need);
        if (grown == NULL)
            return false;
        *bytes = grown;
        *room = need;
    }
    memcpy(*bytes + *length, more, count);
    *length += count;
    return true;
}

static bool put_out(struct pipeline *pipeline, const char *bytes, size_t length)
{
    return append_bytes(&pipeline->out, &pipeline->out_length,
                        &pipeline->out_room, bytes, length);
}

/* Appends to the response of TURN. */
static bool put_response(struct turn *turn, const char *bytes, size_t length)
{
    struct pipeline *pipeline = turn->pipeline;
    size_t exact = turn->length;

    if (pipeline->fd < 0)
        return true;
    if (turn == pipeline->first)
        return put_out(pipeline, bytes, length);
    return append_bytes(&turn->bytes, &turn->length, &exact, bytes, length);
}

/* Moves the responses that are next in turn to what is sent. */
static void advance_turns(struct pipeline *pipeline)
{
    struct turn *turn;

    while ((turn = pipeline->first) != NULL && turn->answered) {
        if (turn->length != 0 && pipeline->fd >= 0 &&
            !put_out(pipeline, turn->bytes, turn->length))
            pipeline->broken = true;
        shift_turn(pipeline);
    }
}

/* ---- the carrier ------------------------------------------------------ */

static const char *find_turn_field(const struct request *request,
                                   const char *name, size_t count)
{
    const struct turn *turn = turn_of(request);

    if (turn->head != NULL)
        return head_field(turn->head, name, count);
    return count == 0 && strcasecmp(name, MHD_HTTP_HEADER_ORIGIN) == 0
               ? turn->origin
               : NULL;
}

static bool write_response(struct request *request, struct response *response)
{
    struct turn *turn = turn_of(request);
    char head[RESPONSE_HEAD_SIZE];

    if (response->made != NULL)
        return false; /* pipelines have no streams */
    return put_response(turn, head,
                        response_write_head(head, response, false)) &&
           (response->length == 0 ||
            put_response(turn, response->body, response->length));
}

/* The pipeline goes on with what is behind the request. */
static void leave_waiting(struct request *request)
{
    (void)request;
}

static void resume_turn(void *carried)
{
    struct turn *turn = carried;
    struct pipelines *pipelines = turn->pipeline->pipelines;
    bool first;

    turn->woken_next = NULL;
    pthread_mutex_lock(&pipelines->lock);
    first = pipelines->woken == NULL;
    *pipelines->woken_end = turn;
    pipelines->woken_end = &turn->woken_next;
    pthread_mutex_unlock(&pipelines->lock);
    if (first)
        pipelines->wake(pipelines->closure);
}

static const struct carrier pipeline_carrier = {
    .header = find_turn_field,
    .respond = write_response,
    .suspend = leave_waiting,
    .resume = resume_turn,
};

/* ---- requests --------------------------------------------------------- */

/* Makes of TURN the request with HEAD and BODY. False when memory is short. */
static bool init_turn(struct turn *turn, struct pipeline *pipeline,
                      const struct head *head, const char *body)
{
    *turn = (struct turn){
        .request = {.server = pipeline->pipelines->server,
                    .carrier = &pipeline_carrier,
                    .carried = turn,
                    .peer = &pipeline->peer.address.any,
                    .method = MHD_HTTP_METHOD_POST,
                    .target = head->target,
                    .received = crier__clock_us(),
                    .body = body,
                    .body_length = head->body_length},
        .pipeline = pipeline,
        .head = head,
    };
    return request_find_client(&turn->request);
}

/* A new turn of PIPELINE, the last one, for the request with HEAD and BODY. NULL when
 * memory is short. */
static struct turn *turn_new(struct pipeline *pipeline,
                             const struct head *head, const char *body)
{
    struct turn *turn = malloc(sizeof *turn);

    if (turn == NULL || !init_turn(turn, pipeline, head, body)) {
        free(turn);
        return NULL;
    }
    *pipeline->end = turn;
    pipeline->end = &turn->next;
    pipeline->turn_count++;
    return turn;
}

/* What TURN has of its head and body is about to go. What a response needs stays: the
 * target, and the origin for its CORS fields, without which a page cannot read it. */
static void keep_target(struct turn *turn)
{
    struct request *request = &turn->request;
    const char *origin = request_header(request, MHD_HTTP_HEADER_ORIGIN);

    turn->origin = origin != NULL ? strdup(origin) : NULL;
    turn->head = NULL;
    request->body = "";
    request->body_length = 0;
    turn->target = strdup(request->target);
    request->target = turn->target != NULL ? turn->target : "?";
}

/* Calls the handler for the request of HEAD, whose body is at BODY. */
static void handle_turn(struct pipeline *pipeline, const struct head *head,
                        char *body)
{
    struct turn *turn = turn_new(pipeline, head, body);
    char behind = body[head->body_length];
    struct deferred *deferred;

    if (turn == NULL) {
        pipeline->broken = true;
        return;
    }
    body[head->body_length] = '\0';
    if (!route_run(&turn->request))
        pipeline->broken = true;
    body[head->body_length] = behind;
    deferred = turn->request.deferred;
    turn->answered = deferred == NULL || !deferred->waiting;
    if (!turn->answered)
        keep_target(turn);
    advance_turns(pipeline);
}

/* Responds to TURN, whose deferred response is completed. Returns its pipeline, to be run;
 * NULL when that is given up. */
static struct pipeline *respond_turn(struct turn *turn)
{
    struct pipeline *pipeline = turn->pipeline;
    struct deferred *deferred = turn->request.deferred;

    if (!deferred->respond(&turn->request, deferred))
        pipeline->broken = true;
    turn->answered = true;
    advance_turns(pipeline);
    if (pipeline->fd >= 0)
        return pipeline;
    pipeline_free(pipeline);
    return NULL;
}

/* Whether the request of HEAD, whose body has not been read, would be refused. Then it is
 * libmicrohttpd's, which reads its head once more and responds without the body. */
static bool is_unwanted(void *closure, const struct head *head)
{
    struct pipeline *pipeline = closure;
    struct turn turn;
    bool unwanted;

    if (pipeline->held_length != 0 || /* it cannot be given away any more */
        !init_turn(&turn, pipeline, head, ""))
        return false;
    unwanted = route_refuses(&turn.request);
    route_done(&turn.request);
    return unwanted;
}

/* ---- in and out ------------------------------------------------------- */

/* Sends what the kernel takes. False when the connection is dead. */
static bool send_out(struct pipeline *pipeline, bool *moved)
{
    ssize_t sent;

    while (pipeline->out_sent < pipeline->out_length) {
        sent = send(pipeline->fd, pipeline->out + pipeline->out_sent,
                    pipeline->out_length - pipeline->out_sent,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ||
                   errno == ENOBUFS || errno == ENOMEM;
        pipeline->out_sent += (size_t)sent;
        *moved = true;
    }
    pipeline->out_sent = pipeline->out_length = 0;
    if (pipeline->out_room > OUT_KEPT) {
        free(pipeline->out);
        pipeline->out = NULL;
        pipeline->out_room = 0;
    }
    return true;
}

/* Handles the requests of which LENGTH bytes are in WINDOW. Returns how many bytes they
 * were. */
static size_t take_requests(struct pipeline *pipeline, char *window,
                            size_t length)
{
    const struct server *server = pipeline->pipelines->server;
    size_t used = 0;
    struct head head;

    pipeline->partial = false;
    while (!pipeline->broken && pipeline->turn_count < TURNS_MAX &&
           pipeline->out_length < OUT_MAX && used < length) {
        switch (head_read(&head, server->tables, window + used, length - used,
                          is_unwanted, pipeline)) {
        case HEAD_PARTIAL:
            pipeline->leaving = pipeline->local && head.length == 0;
            pipeline->partial = true;
            pipeline->headed = head.length != 0;
            return used;
        case HEAD_OTHER:
            pipeline->leaving = true;
            return used;
        case HEAD_PLAIN:
            break;
        }
        handle_turn(pipeline, &head, window + used + head.length);
        used += head.length + head.body_length;
    }
    return used;
}

/* Takes USED bytes, which have been peeked at, from the socket. With MSG_TRUNC Linux does
 * not copy those of TCP once more (tcp(7)), but it does with a Unix socket. */
static bool consume_bytes(struct pipeline *pipeline, size_t used)
{
    char copied[16384];
    ssize_t got;

    while (used != 0) {
        got = recv(pipeline->fd, copied, used < sizeof copied ? used : sizeof copied,
                   MSG_DONTWAIT | MSG_TRUNC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        used -= (size_t)got;
    }
    return true;
}

/* Whether the receive buffer of the kernel is more than half full, or may be: it does not
 * report that of a unix socket. */
static bool is_cramped(const struct pipeline *pipeline)
{
    uint32_t info[SK_MEMINFO_VARS];
    socklen_t size = sizeof info;

    if (pipeline->local)
        return pipeline->headed;
    return getsockopt(pipeline->fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 &&
           info[SK_MEMINFO_RMEM_ALLOC] > info[SK_MEMINFO_RCVBUF] / 2;
}

/* Reads the beginning of a request, of which COUNT bytes have come, into `held`. */
static bool hold_partial(struct pipeline *pipeline, size_t count)
{
    char *held = realloc(pipeline->held, count);
    ssize_t got;

    if (held == NULL)
        return false;
    pipeline->held = held;
    while (pipeline->held_length < count) {
        got = recv(pipeline->fd, held + pipeline->held_length,
                   count - pipeline->held_length, MSG_DONTWAIT);
        if (got <= 0)
            return false;
        pipeline->held_length += (size_t)got;
    }
    return true;
}

/* Of the LENGTH bytes that have come, with those that were held, USED have been
 * handled. */
static bool settle_bytes(struct pipeline *pipeline, size_t length, size_t used)
{
    if (used != 0) {
        if (!consume_bytes(pipeline, used - pipeline->held_length))
            return false;
        free(pipeline->held);
        pipeline->held = NULL;
        pipeline->held_length = 0;
    } else if (pipeline->leaving && pipeline->held_length != 0) {
        pipeline->leaving = false;
        pipeline->ended = true;
    }
    if (!pipeline->partial || !is_cramped(pipeline))
        return true;
    return hold_partial(pipeline, length - used);
}

/* Whether nothing is read for the time being. */
static bool is_full(const struct pipeline *pipeline)
{
    return pipeline->turn_count >= TURNS_MAX || pipeline->out_length >= OUT_MAX;
}

/* Peeks at what has come, once, and handles it. Returns whether there may be more. */
static bool read_once(struct pipeline *pipeline, bool *moved)
{
    size_t length = pipeline->held_length, used;
    char *window = pipeline->pipelines->window;
    ssize_t got;

    if (pipeline->leaving || pipeline->ended || pipeline->broken || is_full(pipeline))
        return false;
    got = recv(pipeline->fd, window + length, WINDOW - length,
               MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) {
        pipeline->broken = errno != EAGAIN && errno != EWOULDBLOCK &&
                       errno != EINTR;
        return errno == EINTR;
    }
    if (length != 0)
        memcpy(window, pipeline->held, length);
    length += (size_t)got;
    used = take_requests(pipeline, window, length);
    /* What is left then is no whole request. */
    pipeline->ended =
        got == 0 || (pipeline->hung_up && used == 0 && !pipeline->leaving);
    if (!settle_bytes(pipeline, length, used))
        pipeline->broken = true;
    *moved = *moved || used != 0;
    return used != 0;
}

static enum verdict run_pipeline(struct pipeline *pipeline, bool *moved)
{
    bool more = true, full;
    int rounds;

    for (rounds = 0; more && rounds < ROUNDS; rounds++) {
        pipeline->broken = pipeline->broken || !send_out(pipeline, moved);
        full = is_full(pipeline);
        more = read_once(pipeline, moved);
        pipeline->broken = pipeline->broken || !send_out(pipeline, moved);
        /* There is room again: what has come meanwhile is read now. */
        more = more || (full && !is_full(pipeline));
    }
    if (pipeline->broken)
        return PIPELINE_CLOSE;
    if (more)
        return PIPELINE_AGAIN;
    if (pipeline->turn_count != 0 || pipeline->out_length != 0)
        return PIPELINE_WAIT;
    if (pipeline->leaving)
        return PIPELINE_HANDOFF;
    return pipeline->ended ? PIPELINE_CLOSE : PIPELINE_WAIT;
}

/* Whether PIPELINE has no request, at most the beginning of a head, and no response to
 * send. */
static bool is_idle(const struct pipeline *pipeline)
{
    char byte;

    if (pipeline->turn_count != 0 || pipeline->out_length != 0 ||
        (pipeline->partial && pipeline->headed))
        return false;
    return pipeline->partial ||
           recv(pipeline->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* What to do with PIPELINE, in which nothing has moved for as long as is allowed. */
static enum verdict judge_overdue(const struct pipeline *pipeline)
{
    if (pipeline->turn_count != 0)
        return PIPELINE_WAIT;
    return pipeline->partial && pipeline->headed &&
                   pipeline->held_length == 0 && pipeline->out_length == 0
               ? PIPELINE_HANDOFF
               : PIPELINE_CLOSE;
}

/* ---- all pipelines of a thread ---------------------------------------- */

bool pipelines_init(struct pipelines *pipelines, struct server *server,
                    atomic_uint *connections, void (*wake)(void *closure),
                    void (*leave)(void *closure, int fd,
                                  const struct peer *peer),
                    void *closure)
{
    *pipelines = (struct pipelines){
        .server = server,
        .connections = connections,
        .wake = wake,
        .leave = leave,
        .closure = closure,
        .epoll_fd = -1,
        .window = malloc(WINDOW + 1), /* and a NUL */
    };
    pipelines->woken_end = &pipelines->woken;
    if (pthread_mutex_init(&pipelines->lock, NULL) != 0)
        abort();
    return pipelines->window != NULL;
}

void pipelines_watch(struct pipelines *pipelines, int epoll_fd)
{
    pipelines->epoll_fd = epoll_fd;
}

static void set_ready(struct pipeline *pipeline)
{
    if (!pipeline->ready)
        LL_PREPEND2(pipeline->pipelines->ready, pipeline, ready_next);
    pipeline->ready = true;
}

static void note_pipeline(struct watch *watch, uint32_t events)
{
    struct pipeline *pipeline = (struct pipeline *)watch;

    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        pipeline->hung_up = true;
    set_ready(pipeline);
}

/* Sizes the kernel's buffers of FD, and has each send leave at once. */
static void set_options(int fd)
{
    int send = SEND_BUFFER, receive = RECEIVE_BUFFER, on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool pipelines_take(struct pipelines *pipelines, int fd,
                    const struct peer *peer, bool local)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    struct epoll_event event = {.events =
                                    EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};

    if (pipeline == NULL)
        return false;
    pipeline->watch.on_events = note_pipeline;
    event.data.ptr = &pipeline->watch;
    if (epoll_ctl(pipelines->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(pipeline);
        return false;
    }
    set_options(fd);
    pipeline->pipelines = pipelines;
    pipeline->fd = fd;
    pipeline->peer = *peer;
    pipeline->local = local;
    pipeline->end = &pipeline->first;
    pipeline->deadline = crier_now() + IDLE_TIME;
    DL_APPEND(pipelines->by_deadline, pipeline);
    atomic_fetch_add(pipelines->connections, 1);
    metrics_count(METRIC_CONNECTIONS_PIPELINE);
    set_ready(pipeline);
    return true;
}

/* Ends PIPELINE; its socket stays open. */
static void end_pipeline(struct pipelines *pipelines,
                         struct pipeline *pipeline)
{
    if (pipeline->ready)
        LL_DELETE2(pipelines->ready, pipeline, ready_next);
    DL_DELETE(pipelines->by_deadline, pipeline);
    atomic_fetch_sub(pipelines->connections, 1);
    metrics_add(METRIC_CONNECTIONS_PIPELINE, -1);
    pipeline_free(pipeline);
}

/* Closes PIPELINE. What has come is read, or closing would reset the connection, and the
 * client might lose its responses. */
static void close_pipeline(struct pipelines *pipelines,
                           struct pipeline *pipeline)
{
    int fd = pipeline->fd, rounds = 0;

    while (rounds++ < ROUNDS &&
           recv(fd, pipelines->window, WINDOW, MSG_DONTWAIT) > 0)
        ;
    end_pipeline(pipelines, pipeline);
    close(fd);
}

/* Gives the connection of PIPELINE away, unless what it sends next is no request at
 * all. */
static void hand_off(struct pipelines *pipelines, struct pipeline *pipeline)
{
    ssize_t got = recv(pipeline->fd, pipelines->window, HEAD_MAX,
                       MSG_PEEK | MSG_DONTWAIT);
    struct peer peer = pipeline->peer;
    int fd = pipeline->fd;

    (void)epoll_ctl(pipelines->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    end_pipeline(pipelines, pipeline);
    if (got > 0 &&
        classify_head(pipelines->window, (size_t)got, false) == SERVICE_REFUSE)
        refuse_connection(fd, REFUSE_BAD_REQUEST, "", pipelines->window,
                          WINDOW);
    else
        pipelines->leave(pipelines->closure, fd, &peer);
}

static void set_deadline(struct pipelines *pipelines,
                         struct pipeline *pipeline, uint64_t now)
{
    DL_DELETE(pipelines->by_deadline, pipeline);
    pipeline->deadline = now + IDLE_TIME;
    DL_APPEND(pipelines->by_deadline, pipeline);
}

static void run_ready(struct pipelines *pipelines, struct pipeline *pipeline,
                      uint64_t now)
{
    bool moved = false;

    switch (run_pipeline(pipeline, &moved)) {
    case PIPELINE_WAIT:
        break;
    case PIPELINE_AGAIN:
        set_ready(pipeline);
        break;
    case PIPELINE_HANDOFF:
        hand_off(pipelines, pipeline);
        return;
    case PIPELINE_CLOSE:
        close_pipeline(pipelines, pipeline);
        return;
    }
    if (moved)
        set_deadline(pipelines, pipeline, now);
}

/* Sends the responses that were completed, and marks their pipelines as ready. */
static void respond_woken(struct pipelines *pipelines)
{
    struct turn *turn, *next;
    struct pipeline *pipeline;

    pthread_mutex_lock(&pipelines->lock);
    turn = pipelines->woken;
    pipelines->woken = NULL;
    pipelines->woken_end = &pipelines->woken;
    pthread_mutex_unlock(&pipelines->lock);
    for (; turn != NULL; turn = next) {
        next = turn->woken_next;
        pipeline = respond_turn(turn);
        if (pipeline != NULL)
            set_ready(pipeline);
    }
}

static void end_overdue(struct pipelines *pipelines, uint64_t now)
{
    struct pipeline *pipeline;

    while ((pipeline = pipelines->by_deadline) != NULL &&
           pipeline->deadline <= now) {
        switch (judge_overdue(pipeline)) {
        case PIPELINE_HANDOFF:
            hand_off(pipelines, pipeline);
            break;
        case PIPELINE_CLOSE:
            close_pipeline(pipelines, pipeline);
            break;
        default:
            set_deadline(pipelines, pipeline, now);
        }
    }
}

void pipelines_run(struct pipelines *pipelines, uint64_t now)
{
    struct pipeline *pipeline, *ready;

    respond_woken(pipelines);
    ready = pipelines->ready;
    pipelines->ready = NULL; /* one that is to be run again is put there */
    while ((pipeline = ready) != NULL) {
        ready = pipeline->ready_next;
        pipeline->ready = false;
        run_ready(pipelines, pipeline, now);
    }
    end_overdue(pipelines, now);
}

uint64_t pipelines_due(const struct pipelines *pipelines)
{
    if (pipelines->ready != NULL)
        return 0;
    return pipelines->by_deadline != NULL ? pipelines->by_deadline->deadline
                                          : UINT64_MAX;
}

bool pipelines_close_idle(struct pipelines *pipelines, uint64_t since)
{
    struct pipeline *pipeline;

    DL_FOREACH (pipelines->by_deadline, pipeline) {
        if (pipeline->deadline - IDLE_TIME > since)
            return false;
        if (is_idle(pipeline)) {
            close_pipeline(pipelines, pipeline);
            return true;
        }
    }
    return false;
}

void pipelines_close(struct pipelines *pipelines)
{
    respond_woken(pipelines);
    while (pipelines->by_deadline != NULL)
        close_pipeline(pipelines, pipelines->by_deadline);
}

void pipelines_done(struct pipelines *pipelines)
{
    free(pipelines->window);
    pthread_mutex_destroy(&pipelines->lock);
}
