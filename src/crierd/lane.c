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
 * A turn's answer may come on any thread (lane_wake). It goes to the doorman, whose
 * thread alone touches lanes. A lane is there until the last of its turns is
 * answered, even when its client has long gone; the journal has been asked.
 */
#include <config.h>

#include "lane.h"

#include "door.h"
#include "head.h"
#include "later.h"
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

struct lane {
    struct server *server;
    struct doorman *doorman;
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

struct lane *lane_new(struct server *server, struct doorman *doorman, int fd)
{
    struct lane *lane = calloc(1, sizeof *lane);
    int send = SEND_BUFFER, receive = RECEIVE_BUFFER, on = 1;

    if (lane == NULL)
        return NULL;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    lane->server = server;
    lane->doorman = doorman;
    lane->fd = fd;
    lane->end = &lane->first;
    return lane;
}

void *lane_visitor(const struct lane *lane)
{
    return lane->visitor;
}

void lane_set_visitor(struct lane *lane, void *visitor)
{
    lane->visitor = visitor;
}

void lane_free(struct lane *lane)
{
    lane->fd = -1;
    if (lane->turn_count != 0)
        return;
    free(lane->out);
    free(lane->held);
    free(lane);
}

/* ---- turns ------------------------------------------------------------ */

static struct turn *turn_new(struct lane *lane)
{
    struct turn *turn = calloc(1, sizeof *turn);

    if (turn == NULL)
        return NULL;
    turn->lane = lane;
    *lane->end = turn;
    lane->end = &turn->next;
    lane->turn_count++;
    return turn;
}

/* Takes the first turn off. */
static void turn_shift(struct lane *lane)
{
    struct turn *turn = lane->first;

    lane->first = turn->next;
    if (lane->first == NULL)
        lane->end = &lane->first;
    lane->turn_count--;
    later_free(turn->later);
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

static bool put_out(struct lane *lane, const char *bytes, size_t length)
{
    return append(&lane->out, &lane->out_length, &lane->out_room, bytes,
                  length);
}

bool lane_put(struct turn *turn, const char *bytes, size_t length)
{
    struct lane *lane = turn->lane;
    size_t exact = turn->length;

    if (lane->fd < 0)
        return true;
    if (turn == lane->first)
        return put_out(lane, bytes, length);
    return append(&turn->bytes, &turn->length, &exact, bytes, length);
}

/* Moves the answers that are next in turn to what goes out. */
static void advance(struct lane *lane)
{
    struct turn *turn;

    while ((turn = lane->first) != NULL && turn->answered) {
        if (turn->length != 0 && lane->fd >= 0 &&
            !put_out(lane, turn->bytes, turn->length))
            lane->broken = true;
        turn_shift(lane);
    }
}

const char *lane_header(const struct turn *turn, const char *name)
{
    return turn->head != NULL ? head_field(turn->head, name) : NULL;
}

static struct request request_of(struct turn *turn)
{
    struct request request = {.server = turn->lane->server,
                              .turn = turn,
                              .method = MHD_HTTP_METHOD_POST,
                              .target = turn->target,
                              .body = "",
                              .later = &turn->later,
                              .received = turn->received};

    return request;
}

/* Has the request of HEAD handled, whose body is at BODY. */
static void handle(struct lane *lane, const struct head *head, char *body)
{
    struct turn *turn = turn_new(lane);
    char behind = body[head->body_length];
    struct request request;

    if (turn == NULL) {
        lane->broken = true;
        return;
    }
    turn->received = request_clock();
    turn->head = head;
    request = request_of(turn);
    request.target = head->target;
    request.body = body;
    request.body_length = head->body_length;
    body[head->body_length] = '\0';
    if (route_run(&request) != MHD_YES)
        lane->broken = true;
    body[head->body_length] = behind;
    turn->head = NULL;
    turn->answered = turn->later == NULL || !turn->later->waiting;
    if (!turn->answered)
        turn->target = strdup(head->target);
    advance(lane);
}

void lane_wake(struct turn *turn)
{
    door_wake(turn->lane->doorman, turn);
}

struct lane *lane_answer(struct turn *turn)
{
    struct lane *lane = turn->lane;
    struct request request = request_of(turn);

    if (request.target == NULL) /* memory was short for it */
        request.target = "/topics/?";
    if (turn->later->answer(&request, turn->later) != MHD_YES)
        lane->broken = true;
    turn->answered = true;
    advance(lane);
    if (lane->fd >= 0)
        return lane;
    lane_free(lane);
    return NULL;
}

/* ---- in and out ------------------------------------------------------- */

/* Sends what the kernel takes. False when the connection is dead. */
static bool flush(struct lane *lane, bool *moved)
{
    ssize_t sent;

    while (lane->out_sent < lane->out_length) {
        sent = send(lane->fd, lane->out + lane->out_sent,
                    lane->out_length - lane->out_sent,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ||
                   errno == ENOBUFS || errno == ENOMEM;
        lane->out_sent += (size_t)sent;
        *moved = true;
    }
    lane->out_sent = lane->out_length = 0;
    if (lane->out_room > OUT_KEPT) {
        free(lane->out);
        lane->out = NULL;
        lane->out_room = 0;
    }
    return true;
}

/* Has the requests handled of which LENGTH bytes are in WINDOW. Returns how many
 * bytes they were. */
static size_t take(struct lane *lane, char *window, size_t length)
{
    size_t used = 0;
    struct head head;

    lane->partial = false;
    while (!lane->broken && lane->turn_count < TURNS_MAX &&
           lane->out_length < OUT_MAX && used < length) {
        switch (head_read(&head, window + used, length - used)) {
        case HEAD_PARTIAL:
            lane->partial = true;
            lane->headed = head.length != 0;
            return used;
        case HEAD_OTHER:
            lane->leaving = true;
            return used;
        case HEAD_PLAIN:
            break;
        }
        if (head.body_length > lane->server->conf->max_message) {
            lane->leaving = true; /* as it was: NULs are no matter to it */
            return used;
        }
        handle(lane, &head, window + used + head.length);
        used += head.length + head.body_length;
    }
    return used;
}

/* Takes USED bytes, which have been looked at, from the socket. */
static bool consume(struct lane *lane, char *window, size_t used)
{
    ssize_t got;

    while (used != 0) {
        got = recv(lane->fd, window, used, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        used -= (size_t)got;
    }
    return true;
}

/* Whether what the kernel keeps for the socket leaves little room for more. */
static bool is_cramped(const struct lane *lane)
{
    uint32_t info[SK_MEMINFO_VARS];
    socklen_t size = sizeof info;

    return getsockopt(lane->fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 &&
           info[SK_MEMINFO_RMEM_ALLOC] > info[SK_MEMINFO_RCVBUF] / 2;
}

/* Holds the begin of a request, of which COUNT bytes have come. */
static bool hold(struct lane *lane, size_t count)
{
    char *held = realloc(lane->held, count);
    ssize_t got;

    if (held == NULL)
        return false;
    lane->held = held;
    while (lane->held_length < count) {
        got = recv(lane->fd, held + lane->held_length,
                   count - lane->held_length, MSG_DONTWAIT);
        if (got <= 0)
            return false;
        lane->held_length += (size_t)got;
    }
    return true;
}

/* Of the LENGTH bytes that have come, those held before them included, USED are done
 * with. */
static bool settle(struct lane *lane, char *window, size_t length, size_t used)
{
    if (used != 0) {
        if (!consume(lane, window, used - lane->held_length))
            return false;
        free(lane->held);
        lane->held = NULL;
        lane->held_length = 0;
    } else if (lane->leaving && lane->held_length != 0) {
        lane->leaving = false;
        lane->ended = true;
    }
    if (!lane->partial || !is_cramped(lane))
        return true;
    return hold(lane, length - used);
}

/* Whether nothing is read for the time being. */
static bool is_full(const struct lane *lane)
{
    return lane->turn_count >= TURNS_MAX || lane->out_length >= OUT_MAX;
}

/* Looks at what has come, once. Returns whether there may be more. */
static bool read_on(struct lane *lane, char *window, bool hung_up,
                    bool *moved)
{
    size_t length = lane->held_length, used;
    ssize_t got;

    if (lane->leaving || lane->ended || lane->broken || is_full(lane))
        return false;
    got = recv(lane->fd, window + length, LANE_WINDOW - length,
               MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) {
        lane->broken = errno != EAGAIN && errno != EWOULDBLOCK &&
                       errno != EINTR;
        return errno == EINTR;
    }
    if (length != 0)
        memcpy(window, lane->held, length);
    length += (size_t)got;
    used = take(lane, window, length);
    /* What is left then is no whole request. */
    lane->ended = got == 0 || (hung_up && used == 0 && !lane->leaving);
    if (!settle(lane, window, length, used))
        lane->broken = true;
    *moved = *moved || used != 0;
    return used != 0;
}

void lane_discard(struct lane *lane, char *window)
{
    int rounds;

    for (rounds = 0; rounds < ROUNDS; rounds++)
        if (recv(lane->fd, window, LANE_WINDOW, MSG_DONTWAIT) <= 0)
            return;
}

enum lane_verdict lane_run(struct lane *lane, char *window, bool hung_up,
                           bool *moved)
{
    bool more = true, full;
    int rounds;

    for (rounds = 0; more && rounds < ROUNDS; rounds++) {
        lane->broken = lane->broken || !flush(lane, moved);
        full = is_full(lane);
        more = read_on(lane, window, hung_up, moved);
        lane->broken = lane->broken || !flush(lane, moved);
        /* There is room again: what has come meanwhile is read now. */
        more = more || (full && !is_full(lane));
    }
    if (lane->broken)
        return LANE_OVER;
    if (more)
        return LANE_AGAIN;
    if (lane->turn_count != 0 || lane->out_length != 0)
        return LANE_STAYS;
    if (lane->leaving)
        return LANE_LEAVES;
    return lane->ended ? LANE_OVER : LANE_STAYS;
}

bool lane_is_idle(const struct lane *lane)
{
    char byte;

    if (lane->turn_count != 0 || lane->out_length != 0 ||
        (lane->partial && lane->headed))
        return false;
    return lane->partial ||
           recv(lane->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

enum lane_verdict lane_overdue(const struct lane *lane)
{
    if (lane->turn_count != 0)
        return LANE_STAYS;
    return lane->partial && lane->headed && lane->held_length == 0 &&
                   lane->out_length == 0
               ? LANE_LEAVES
               : LANE_OVER;
}
