/*
 * A lane: a connection whose client publishes, request after request. libmicrohttpd
 * reads a request only when the one before is answered, and answers each with a send
 * of its own; so a publisher that has many on their way gains little, and a journal in
 * a file nothing at all: each update waits for a disk by itself. A lane takes all the
 * requests that are there, has them handled one after the other without waiting, and
 * sends all answers together.
 *
 * The handlers are those that libmicrohttpd's requests have; what they answer goes to
 * answer.c, which writes it here. Only requests that head.c calls plain are taken.
 * Everything else is libmicrohttpd's: a lane looks at what has come (MSG_PEEK), takes
 * from the socket no more than it has understood, and when the next request is another
 * one, and all before it are answered, leaves: the door hands the connection over with
 * that request unread. It does not come back.
 *
 * Answers go out in the order of their requests (RFC 9112 section 9.3.2). A turn is one
 * request that has not been answered, or not been answered alone.
 *
 *        request            answered, and first         sent
 *   new ---------> waiting ---------------------> out --------> gone
 *                     |                            ^
 *                     +----> answered, not first --+
 *
 * What is left unread has a price: the kernel keeps whole buffers as long as a byte in
 * them is unread, and so the begin of a request may keep a window shut through which
 * its end would have to come. Where that threatens, the lane holds the begin itself.
 * Should the whole turn out to be another request than it seemed, the connection can
 * only be closed, with that one unanswered; it takes a publisher that is faster than
 * crierd and changes its ways in mid-stream.
 *
 * A turn's answer may come on any thread (pipeline_wake). It goes to the doorman, whose
 * thread alone touches lanes. A lane is there until the last of its turns is
 * answered, even when its client has long gone; the journal has been asked.
 */
#include <config.h>

#include "pipeline.h"

#include "base/clock.h"
#include "crierd/net/acceptor.h"
#include "classify.h"
#include "deferred.h"
#include "request.h"
#include "route.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* No more requests wait for their answers, and no more bytes for the client: then
 * the lane reads on only when some have gone. */
#define TURNS_MAX 1024
#define OUT_MAX ((size_t)256 * 1024)

/* So often a lane reads before others have their turn. */
#define ROUNDS 8

/* What an idle lane keeps. */
#define OUT_KEPT ((size_t)4096)

/* What the kernel holds for a lane; left alone it would be megabytes both ways for
 * those who take no answers. */
#define SEND_BUFFER (64 * 1024)
#define RECEIVE_BUFFER (128 * 1024)

struct pipeline {
    struct server *server;
    struct acceptor_thread *thread;
    void *visitor;
    int fd; /* -1 when it is given up */
    struct turn *first, **end;
    size_t turn_count;
    char *out;
    size_t out_length, out_sent, out_room;
    char *held; /* the begin of a request, taken from the socket */
    size_t held_length;
    bool leaving; /* what comes next is not for lanes */
    bool partial; /* a request has begun to come */
    bool headed;  /* and its head is there */
    bool ended;   /* no more will come */
    bool broken;  /* memory was short in an answer */
};

struct pipeline *pipeline_new(struct server *server, struct acceptor_thread *thread, int fd)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    int send = SEND_BUFFER, receive = RECEIVE_BUFFER, on = 1;

    if (pipeline == NULL)
        return NULL;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pipeline->server = server;
    pipeline->thread = thread;
    pipeline->fd = fd;
    pipeline->end = &pipeline->first;
    return pipeline;
}

void *pipeline_visitor(const struct pipeline *pipeline)
{
    return pipeline->visitor;
}

void pipeline_set_visitor(struct pipeline *pipeline, void *visitor)
{
    pipeline->visitor = visitor;
}

void pipeline_free(struct pipeline *pipeline)
{
    pipeline->fd = -1;
    if (pipeline->turn_count != 0)
        return;
    free(pipeline->out);
    free(pipeline->held);
    free(pipeline);
}

/* ---- turns ------------------------------------------------------------ */

static struct turn *turn_new(struct pipeline *pipeline)
{
    struct turn *turn = calloc(1, sizeof *turn);

    if (turn == NULL)
        return NULL;
    turn->pipeline = pipeline;
    *pipeline->end = turn;
    pipeline->end = &turn->next;
    pipeline->turn_count++;
    return turn;
}

/* Takes the first turn off. */
static void turn_shift(struct pipeline *pipeline)
{
    struct turn *turn = pipeline->first;

    pipeline->first = turn->next;
    if (pipeline->first == NULL)
        pipeline->end = &pipeline->first;
    pipeline->turn_count--;
    deferred_free(turn->deferred);
    free(turn->target);
    free(turn->bytes);
    free(turn);
}

static bool append(char **bytes, size_t *length, size_t *room,
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
    return append(&pipeline->out, &pipeline->out_length, &pipeline->out_room, bytes,
                  length);
}

bool pipeline_put(struct turn *turn, const char *bytes, size_t length)
{
    struct pipeline *pipeline = turn->pipeline;
    size_t exact = turn->length;

    if (pipeline->fd < 0)
        return true;
    if (turn == pipeline->first)
        return put_out(pipeline, bytes, length);
    return append(&turn->bytes, &turn->length, &exact, bytes, length);
}

/* Moves the answers that are next in turn to what goes out. */
static void advance(struct pipeline *pipeline)
{
    struct turn *turn;

    while ((turn = pipeline->first) != NULL && turn->answered) {
        if (turn->length != 0 && pipeline->fd >= 0 &&
            !put_out(pipeline, turn->bytes, turn->length))
            pipeline->broken = true;
        turn_shift(pipeline);
    }
}

const char *pipeline_header(const struct turn *turn, const char *name)
{
    return turn->head != NULL ? head_field(turn->head, name) : NULL;
}

static struct request request_of(struct turn *turn)
{
    struct request request = {.server = turn->pipeline->server,
                              .turn = turn,
                              .method = MHD_HTTP_METHOD_POST,
                              .target = turn->target,
                              .body = "",
                              .deferred = &turn->deferred,
                              .received = turn->received};

    return request;
}

/* Has the request of HEAD handled, whose body is at BODY. */
static void handle(struct pipeline *pipeline, const struct head *head, char *body)
{
    struct turn *turn = turn_new(pipeline);
    char behind = body[head->body_length];
    struct request request;

    if (turn == NULL) {
        pipeline->broken = true;
        return;
    }
    turn->received = crier__clock_us();
    turn->head = head;
    request = request_of(turn);
    request.target = head->target;
    request.body = body;
    request.body_length = head->body_length;
    body[head->body_length] = '\0';
    if (!route_run(&request))
        pipeline->broken = true;
    body[head->body_length] = behind;
    turn->head = NULL;
    turn->answered = turn->deferred == NULL || !turn->deferred->waiting;
    if (!turn->answered)
        turn->target = strdup(head->target);
    advance(pipeline);
}

void pipeline_wake(struct turn *turn)
{
    acceptor_wake(turn->pipeline->thread, turn);
}

struct pipeline *pipeline_answer(struct turn *turn)
{
    struct pipeline *pipeline = turn->pipeline;
    struct request request = request_of(turn);

    if (request.target == NULL) /* memory was short for it */
        request.target = "/topics/?";
    if (!turn->deferred->answer(&request, turn->deferred))
        pipeline->broken = true;
    turn->answered = true;
    advance(pipeline);
    if (pipeline->fd >= 0)
        return pipeline;
    pipeline_free(pipeline);
    return NULL;
}

/* ---- in and out ------------------------------------------------------- */

/* Sends what the kernel takes. False when the connection is dead. */
static bool flush(struct pipeline *pipeline, bool *moved)
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

/* Has the requests handled of which LENGTH bytes are in WINDOW. Returns how many
 * bytes they were. */
static size_t take(struct pipeline *pipeline, char *window, size_t length)
{
    size_t used = 0;
    struct head head;

    pipeline->partial = false;
    while (!pipeline->broken && pipeline->turn_count < TURNS_MAX &&
           pipeline->out_length < OUT_MAX && used < length) {
        switch (head_read(&head, window + used, length - used)) {
        case HEAD_PARTIAL:
            pipeline->partial = true;
            pipeline->headed = head.length != 0;
            return used;
        case HEAD_OTHER:
            pipeline->leaving = true;
            return used;
        case HEAD_PLAIN:
            break;
        }
        if (head.body_length > conf_current()->max_update) {
            pipeline->leaving = true; /* as it was: NULs are no matter to it */
            return used;
        }
        handle(pipeline, &head, window + used + head.length);
        used += head.length + head.body_length;
    }
    return used;
}

/* Takes USED bytes, which have been looked at, from the socket. */
static bool consume(struct pipeline *pipeline, char *window, size_t used)
{
    ssize_t got;

    while (used != 0) {
        got = recv(pipeline->fd, window, used, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        used -= (size_t)got;
    }
    return true;
}

/* Whether what the kernel keeps for the socket leaves little room for more. */
static bool is_cramped(const struct pipeline *pipeline)
{
    uint32_t info[SK_MEMINFO_VARS];
    socklen_t size = sizeof info;

    return getsockopt(pipeline->fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 &&
           info[SK_MEMINFO_RMEM_ALLOC] > info[SK_MEMINFO_RCVBUF] / 2;
}

/* Holds the begin of a request, of which COUNT bytes have come. */
static bool hold(struct pipeline *pipeline, size_t count)
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

/* Of the LENGTH bytes that have come, those held before them included, USED are done
 * with. */
static bool settle(struct pipeline *pipeline, char *window, size_t length, size_t used)
{
    if (used != 0) {
        if (!consume(pipeline, window, used - pipeline->held_length))
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
    return hold(pipeline, length - used);
}

/* Whether nothing is read for the time being. */
static bool is_full(const struct pipeline *pipeline)
{
    return pipeline->turn_count >= TURNS_MAX || pipeline->out_length >= OUT_MAX;
}

/* Looks at what has come, once. Returns whether there may be more. */
static bool read_on(struct pipeline *pipeline, char *window, bool hung_up,
                    bool *moved)
{
    size_t length = pipeline->held_length, used;
    ssize_t got;

    if (pipeline->leaving || pipeline->ended || pipeline->broken || is_full(pipeline))
        return false;
    got = recv(pipeline->fd, window + length, LANE_WINDOW - length,
               MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) {
        pipeline->broken = errno != EAGAIN && errno != EWOULDBLOCK &&
                       errno != EINTR;
        return errno == EINTR;
    }
    if (length != 0)
        memcpy(window, pipeline->held, length);
    length += (size_t)got;
    used = take(pipeline, window, length);
    /* What is left then is no whole request. */
    pipeline->ended = got == 0 || (hung_up && used == 0 && !pipeline->leaving);
    if (!settle(pipeline, window, length, used))
        pipeline->broken = true;
    *moved = *moved || used != 0;
    return used != 0;
}

void pipeline_discard(struct pipeline *pipeline, char *window)
{
    int rounds;

    for (rounds = 0; rounds < ROUNDS; rounds++)
        if (recv(pipeline->fd, window, LANE_WINDOW, MSG_DONTWAIT) <= 0)
            return;
}

enum pipeline_verdict pipeline_run(struct pipeline *pipeline, char *window, bool hung_up,
                           bool *moved)
{
    bool more = true, full;
    int rounds;

    for (rounds = 0; more && rounds < ROUNDS; rounds++) {
        pipeline->broken = pipeline->broken || !flush(pipeline, moved);
        full = is_full(pipeline);
        more = read_on(pipeline, window, hung_up, moved);
        pipeline->broken = pipeline->broken || !flush(pipeline, moved);
        /* There is room again: what has come meanwhile is read now. */
        more = more || (full && !is_full(pipeline));
    }
    if (pipeline->broken)
        return PIPELINE_OVER;
    if (more)
        return PIPELINE_AGAIN;
    if (pipeline->turn_count != 0 || pipeline->out_length != 0)
        return PIPELINE_STAYS;
    if (pipeline->leaving)
        return PIPELINE_LEAVES;
    return pipeline->ended ? PIPELINE_OVER : PIPELINE_STAYS;
}

bool pipeline_is_idle(const struct pipeline *pipeline)
{
    char byte;

    if (pipeline->turn_count != 0 || pipeline->out_length != 0 ||
        (pipeline->partial && pipeline->headed))
        return false;
    return pipeline->partial ||
           recv(pipeline->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

enum pipeline_verdict pipeline_overdue(const struct pipeline *pipeline)
{
    if (pipeline->turn_count != 0)
        return PIPELINE_STAYS;
    return pipeline->partial && pipeline->headed && pipeline->held_length == 0 &&
                   pipeline->out_length == 0
               ? PIPELINE_LEAVES
               : PIPELINE_OVER;
}
