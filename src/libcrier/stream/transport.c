/*
 * The transport: how the bytes of a stream reach its client. This is the only file that
 * suspends and resumes MHD connections, and the only one that sends. (With TLS it sends
 * by tls.c, on the GnuTLS session of the connection.)
 *
 * A transport is open (MHD is sending headers or calling the content reader), parked
 * (the reader had nothing to send and suspended the connection), or released (MHD has
 * freed the response).
 *
 *          headers sent            everything possible sent
 *   new ---------------> open ------------------------> parked
 *                         ^                                |
 *                         +--------------------------------+
 *                           resume: the end of the body, or
 *                           a cut
 *
 * While the connection is parked, MHD does not touch the socket and holds no unsent
 * byte, because it calls the reader only when the kernel has everything from before. So
 * the shard sends to the socket itself; when the kernel takes less than everything,
 * epoll reports when it accepts more. Rejected: resuming for each send, which would
 * wake a thread of MHD that then walks through all its suspended connections: a message
 * to one client would cost O(clients). Also rejected, after a try: resuming only when a
 * send falls short, so that MHD waits until the socket is writable. MHD then calls the
 * readers of all stalled clients with each of its events, or ends them by a time-out of
 * its own.
 *
 * The body has no chunk framing (the response is in HTTP/1.0 compatible mode and ends
 * with the connection), so the bytes sent past MHD are those that it would have sent.
 *
 * With TLS the same holds for the GnuTLS session of the connection: while the connection
 * is parked, MHD does not use the session, and nothing is in it. The shard gathers
 * pending frames into records of up to 16 KiB, in a buffer on its stack. When the kernel
 * does not take a whole record, GnuTLS keeps it (`kept`), and its frames stay pending
 * until it is complete. MHD must not write in between, so the connection is not resumed
 * before, except for a cut, after which nothing of the body is sent. The shard also
 * reads what the client sends, which may be close_notify. Where it cannot when epoll
 * reports it, because MHD has the connection or GnuTLS keeps a record, `unheard` says so,
 * and whoever parks the connection or completes the record reads it. MHD sends
 * close_notify at the end of the body.
 *
 * A body that is cut ends as any other body does, because MHD logs an error for each
 * end with an error, and it is no error when a client leaves. Only when a client that
 * is still connected loses frames does the reader end with an error, and the client
 * gets a reset (with TLS and no close_notify), not an end that looks like that of a
 * complete stream.
 *
 * MHD calls the reader first immediately after it has sent the headers, on the same
 * thread; this call sends the beginning of the body. The two cannot share one send():
 * MHD (0.9.75 and 1.0.1) sends the headers of a response with a content reader alone
 * and sets TCP_NODELAY afterwards, which flushes them even with TCP_CORK. (So the
 * library need not set that option.) A comment, for which no client waits, is sent with
 * MSG_MORE: the kernel keeps it until something else is sent, the headers are
 * acknowledged, or 200 ms have passed. On loopback, where each segment is acknowledged
 * at once on the CPU of the sender, a segment of its own would take a fifth of all
 * connecting time. An id is sent at once: until it has arrived, its client cannot
 * resume.
 *
 * Rules of MHD: suspend only inside the reader; resume exactly once per suspend, for
 * which there is `parked`; do not return 0 from the reader without having suspended.
 *
 * The lock is held while sending, because a send never blocks. The locks of MHD come
 * after it: MHD calls the reader with the response's mutex held, and suspend and resume
 * take the daemon's. Nothing here is called with these in another order.
 */
#include <config.h>

#include "transport.h"

#include "daemon.h"
#include "libcrier/wire/frame.h"
#include "tls.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define VECTORS 64

/* How much the kernel holds for a client at most, as set; it doubles that for its own
 * bookkeeping. By default it would be megabytes for each stalled client. */
#define SEND_BUFFER (64 * 1024)

/* A delayed acknowledgement may take 200 ms. */
#define MOMENT 250

#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)

/* Finds out whether the connection has TLS. */
static void find_session(struct crier__transport *transport)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        transport->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    transport->tls = info != NULL;
    transport->session = info != NULL ? info->tls_session : NULL;
}

int crier__transport_init(struct crier__transport *transport,
                          struct MHD_Connection *connection,
                          void (*resume)(struct MHD_Connection *connection),
                          _Atomic uint64_t *total)
{
    const int send_buffer = SEND_BUFFER;
    const union MHD_ConnectionInfo *info;
    int error = crier__daemon_check_of(connection, resume != NULL, NULL);

    if (error != 0)
        return error;
    info = MHD_get_connection_info(connection,
                                   MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL)
        return CRIER_ERR_MHD;
    transport->fd = info->connect_fd;
    transport->epoll_fd = -1;
    transport->connection = connection;
    transport->resume = resume != NULL ? resume : MHD_resume_connection;
    find_session(transport);
    transport->total = total;
    atomic_init(&transport->waiting, 0);
    transport->last_sent = crier_now();
    /* Only an improvement: a socket that refuses it still works. */
    (void)setsockopt(transport->fd, SOL_SOCKET, SO_SNDBUF, &send_buffer,
                     sizeof send_buffer);
    return -pthread_mutex_init(&transport->lock, NULL);
}

void crier__transport_done(struct crier__transport *transport)
{
    crier_frame_unref(transport->start);
    crier__pending_clear(&transport->pending);
    pthread_mutex_destroy(&transport->lock);
}

/* ---- under the lock --------------------------------------------------- */

static void drop_pending(struct crier__transport *transport, size_t bytes)
{
    size_t cost = crier__pending_drop(&transport->pending, bytes);

    atomic_fetch_add_explicit(transport->total, bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&transport->waiting, cost,
                              memory_order_relaxed);
    transport->last_sent = crier_now();
    transport->sent += bytes;
    if (transport->report_low &&
        transport->pending.cost <= transport->low_water) {
        transport->report_low = false;
        transport->on_low(transport);
    }
}

static void clear_bytes(struct crier__transport *transport)
{
    size_t cost = crier__pending_clear(&transport->pending);

    atomic_fetch_sub_explicit(&transport->waiting, cost,
                              memory_order_relaxed);
}

/* Puts the beginning of the body in front of everything that is pushed. */
static void send_start(struct crier__transport *transport)
{
    struct crier_frame *start = transport->start;

    transport->started = true;
    if (start == NULL)
        return;
    transport->start = NULL;
    transport->busy_since = crier_now();
    atomic_fetch_add_explicit(&transport->waiting, crier__frame_cost(start),
                              memory_order_relaxed);
    /* The first frame never needs memory. */
    (void)crier__pending_push(&transport->pending, start);
    crier_frame_unref(start);
}

static void resume_connection(struct crier__transport *transport)
{
    transport->parked = false;
    transport->resume(transport->connection);
}

/* Whether a send that failed with ERROR may be tried again later. */
static bool may_keep_waiting(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR ||
           error == ENOBUFS || error == ENOMEM;
}

/* For a single vector, send() is cheaper than sendmsg(). */
static ssize_t send_vectors(int fd, struct iovec *vectors, int count,
                            int flags)
{
    struct msghdr message = {.msg_iov = vectors,
                             .msg_iovlen = (size_t)count};

    if (count == 1)
        return send(fd, vectors->iov_base, vectors->iov_len, flags);
    return sendmsg(fd, &message, flags);
}

/* Sends as much of the pending frames as the kernel takes, as transmit_pending() does,
 * over TLS. A single frame need not be copied. */
static int transmit_records(struct crier__transport *transport)
{
    struct crier__pending *pending = &transport->pending;
    char gathered[CRIER__TLS_RECORD];
    struct iovec record;
    ssize_t sent;

    while (pending->count != 0) {
        (void)crier__pending_vectors(pending, &record, 1);
        if (record.iov_len > sizeof gathered)
            record.iov_len = sizeof gathered;
        if (!transport->kept && pending->count > 1 &&
            record.iov_len < sizeof gathered) {
            record.iov_base = gathered;
            record.iov_len =
                crier__pending_copy(pending, gathered, sizeof gathered);
        }
        sent = crier__tls_send(transport->session, record.iov_base,
                               record.iov_len);
        transport->kept = sent == -EAGAIN;
        if (sent < 0)
            return transport->kept ? 0 : (int)sent;
        drop_pending(transport, (size_t)sent);
    }
    return 0;
}

/* Handles what the client has sent, unless GnuTLS keeps a record. An end is found again by
 * the next call, for callers that ignore errors. */
static int hear_client(struct crier__transport *transport)
{
    int error = 0;

    if (!transport->kept)
        error = crier__tls_hear(transport->session, transport->fd, &transport->heard);
    transport->unheard = transport->kept || error != 0;
    return error;
}

/* Sends over TLS, and reads what could not be read before. */
static int serve_client(struct crier__transport *transport)
{
    int error = transmit_records(transport);

    return error == 0 && transport->unheard ? hear_client(transport) : error;
}

/* Sends as much of the pending frames as the kernel takes. Returns 0, also when it
 * takes less than all; -errno when the connection is dead. */
static int transmit_pending(struct crier__transport *transport, int flags)
{
    struct iovec vectors[VECTORS];
    size_t wanted;
    ssize_t sent;
    int count, i;

    if (transport->tls)
        return serve_client(transport);
    while (transport->pending.count != 0) {
        count = crier__pending_vectors(&transport->pending, vectors, VECTORS);
        for (wanted = 0, i = 0; i < count; i++)
            wanted += vectors[i].iov_len;
        sent = send_vectors(transport->fd, vectors, count, flags);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return may_keep_waiting(errno) ? 0 : -errno;
        drop_pending(transport, (size_t)sent);
        if ((size_t)sent < wanted)
            break;
    }
    return 0;
}

/* Whether the body may end now. With TLS there must be room for close_notify: MHD does
 * not send it again when the kernel does not take it. If there is none, epoll reports
 * when there is. */
static bool may_finish(const struct crier__transport *transport)
{
    struct pollfd room = {.fd = transport->fd, .events = POLLOUT};

    if (!transport->ending || transport->pending.count != 0)
        return false;
    return !transport->tls || poll(&room, 1, 0) != 0;
}

/* From now on the socket belongs to MHD alone. */
static void leave_socket(struct crier__transport *transport)
{
    if (transport->epoll_fd >= 0)
        (void)epoll_ctl(transport->epoll_fd, EPOLL_CTL_DEL, transport->fd,
                        NULL);
    transport->epoll_fd = -1;
    transport->fd = -1;
}

/* Returns END, the last result of the reader. MHD closes the socket then, and the
 * descriptor may be used for another connection before the response is freed. MHD
 * closes the connection, too; but with epoll it frees it only when it walks through its
 * list of time-outs, and that walk stops at the first connection that is not due: one
 * idle browser would keep the sockets of all ended streams for the length of the
 * time-out. Connections with a time-out of their own are on a list that MHD always
 * walks to its end. That is up to a second later, and the client knows by the end of the
 * connection that the body is complete; so its direction is shut down at once. All bytes
 * have been sent past MHD by then. The shard stops watching the socket before that: a
 * client closes its own direction when it reads the end, and the shard would take such a
 * stream for one that its client has left. */
static ssize_t finish_body(struct crier__transport *transport, ssize_t end)
{
    int fd = transport->fd;

    leave_socket(transport);
    if (end == MHD_CONTENT_READER_END_OF_STREAM && !transport->tls && fd >= 0)
        (void)shutdown(fd, SHUT_WR);
    MHD_set_connection_option(transport->connection,
                              MHD_CONNECTION_OPTION_TIMEOUT, 1u);
    return end;
}

static ssize_t read_locked(struct crier__transport *transport)
{
    int flags = SEND_FLAGS;

    if (!transport->started && !transport->cut) {
        send_start(transport);
        if (!transport->urgent && !transport->ending)
            flags |= MSG_MORE;
    }
    if (!transport->cut)
        transport->broken = transmit_pending(transport, flags);
    if (transport->broken != 0) {
        transport->cut = true;
        clear_bytes(transport);
    }
    if (transport->cut) /* MHD logs each end with an error */
        return finish_body(transport, transport->owed
                                     ? MHD_CONTENT_READER_END_WITH_ERROR
                                     : MHD_CONTENT_READER_END_OF_STREAM);
    if (may_finish(transport))
        return finish_body(transport, MHD_CONTENT_READER_END_OF_STREAM);
    transport->parked = true;
    MHD_suspend_connection(transport->connection);
    return 0;
}

/* ---- the calls -------------------------------------------------------- */

ssize_t crier__transport_read(struct crier__transport *transport)
{
    ssize_t result;

    pthread_mutex_lock(&transport->lock);
    result = read_locked(transport);
    pthread_mutex_unlock(&transport->lock);
    return result;
}

bool crier__transport_start(struct crier__transport *transport,
                            struct crier_frame *frame, bool urgent)
{
    bool started;

    pthread_mutex_lock(&transport->lock);
    started = transport->started;
    if (!started) {
        crier_frame_unref(transport->start);
        transport->start = frame != NULL ? crier_frame_ref(frame) : NULL;
        transport->urgent = urgent;
    }
    pthread_mutex_unlock(&transport->lock);
    return !started;
}

int crier__transport_push(struct crier__transport *transport,
                          struct crier_frame *frame, size_t limit)
{
    struct crier__pending *pending = &transport->pending;
    int error = 0;

    pthread_mutex_lock(&transport->lock);
    if (transport->cut || transport->fd < 0)
        goto unlock;
    if (!transport->started)
        send_start(transport);
    /* A dead connection is noticed again at the flush. */
    if (crier__pending_behind(pending) >= limit && transport->parked)
        (void)transmit_pending(transport, SEND_FLAGS);
    if (pending->count == 0)
        transport->busy_since = crier_now();
    error = crier__pending_behind(pending) >= limit
                ? CRIER_ERR_MAX_PENDING
                : crier__pending_push(pending, frame);
unlock:
    pthread_mutex_unlock(&transport->lock);
    return error;
}

/* The first SENT bytes of FRAME have been sent; its rest becomes all that is
 * pending. */
static void keep_rest(struct crier__transport *transport,
                      struct crier_frame *frame, size_t sent)
{
    /* The first frame never needs memory. */
    (void)crier__pending_push(&transport->pending, frame);
    (void)crier__pending_drop(&transport->pending, sent);
    atomic_fetch_add_explicit(transport->total, sent, memory_order_relaxed);
    atomic_fetch_add_explicit(&transport->waiting, crier__frame_cost(frame),
                              memory_order_relaxed);
    transport->busy_since = crier_now();
}

/* Sends as much of FRAME as the kernel takes, where nothing is pending. Returns how much
 * that is, or -errno. */
static ssize_t send_frame(struct crier__transport *transport,
                          const struct crier_frame *frame)
{
    size_t length = frame->length;
    ssize_t sent;

    if (!transport->tls) {
        sent = send(transport->fd, frame->bytes, length, SEND_FLAGS);
        return sent < 0 ? -errno : sent;
    }
    if (length > CRIER__TLS_RECORD)
        length = CRIER__TLS_RECORD;
    sent = crier__tls_send(transport->session, frame->bytes, length);
    transport->kept = sent == -EAGAIN;
    return transport->kept ? 0 : sent;
}

int crier__transport_send(struct crier__transport *transport,
                          struct crier_frame *frame, uint64_t now)
{
    int result = -EAGAIN;
    ssize_t sent;

    pthread_mutex_lock(&transport->lock);
    if (transport->parked && transport->pending.count == 0) {
        sent = send_frame(transport, frame);
        if (sent >= 0) {
            transport->last_sent = now;
            transport->sent += (size_t)sent;
            result = (size_t)sent < frame->length;
        } else if (transport->tls || !may_keep_waiting((int)-sent)) {
            result = (int)sent;
        }
        if (result == 1)
            keep_rest(transport, frame, (size_t)sent);
    }
    pthread_mutex_unlock(&transport->lock);
    return result;
}

int crier__transport_flush(struct crier__transport *transport)
{
    int error = 0;

    pthread_mutex_lock(&transport->lock);
    if (transport->parked) {
        error = transmit_pending(transport, SEND_FLAGS);
        if (error == 0 && may_finish(transport))
            resume_connection(transport);
    }
    pthread_mutex_unlock(&transport->lock);
    return error;
}

int crier__transport_hear(struct crier__transport *transport)
{
    int error = 0;

    pthread_mutex_lock(&transport->lock);
    if (transport->parked)
        error = hear_client(transport);
    else
        transport->unheard = true;
    pthread_mutex_unlock(&transport->lock);
    return error;
}

void crier__transport_end(struct crier__transport *transport)
{
    pthread_mutex_lock(&transport->lock);
    transport->ending = true;
    pthread_mutex_unlock(&transport->lock);
}

/* Sends a reset immediately. shutdown() would send a FIN, and a TLS client that reads
 * it before the reset of close() may take it for the end of the stream (curl does). */
static void reset_connection(int fd)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    if (connect(fd, &nobody, sizeof nobody) != 0)
        (void)shutdown(fd, SHUT_RDWR);
}

void crier__transport_cut(struct crier__transport *transport, bool gone,
                          bool reset)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};

    pthread_mutex_lock(&transport->lock);
    if (!transport->cut && transport->fd >= 0) {
        transport->cut = true;
        transport->owed = !gone && transport->pending.count != 0;
        clear_bytes(transport);
        if (reset || transport->owed)
            (void)setsockopt(transport->fd, SOL_SOCKET, SO_LINGER, &none,
                             sizeof none);
        if (transport->owed && transport->tls) /* no close_notify */
            reset_connection(transport->fd);
        if (transport->parked)
            resume_connection(transport);
        else /* MHD may be waiting until it is writable: end that. */
            (void)shutdown(transport->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&transport->lock);
}

void crier__transport_release(struct crier__transport *transport)
{
    pthread_mutex_lock(&transport->lock);
    leave_socket(transport);
    transport->parked = false;
    clear_bytes(transport);
    pthread_mutex_unlock(&transport->lock);
}

int crier__transport_watch(struct crier__transport *transport, int epoll_fd,
                           void *pointer)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLOUT | EPOLLET,
                                .data.ptr = pointer};
    int error = 0;

    if (transport->tls)
        event.events |= EPOLLIN;
    pthread_mutex_lock(&transport->lock);
    if (transport->fd >= 0) {
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, transport->fd, &event) == 0)
            transport->epoll_fd = epoll_fd;
        else
            error = -errno;
    }
    pthread_mutex_unlock(&transport->lock);
    return error;
}

uint64_t crier__transport_sent(struct crier__transport *transport)
{
    uint64_t sent;

    pthread_mutex_lock(&transport->lock);
    sent = transport->sent;
    pthread_mutex_unlock(&transport->lock);
    return sent;
}

uint64_t crier__transport_last_sent(struct crier__transport *transport)
{
    uint64_t when;

    pthread_mutex_lock(&transport->lock);
    when = transport->last_sent;
    pthread_mutex_unlock(&transport->lock);
    return when;
}

uint64_t crier__transport_stuck(struct crier__transport *transport)
{
    uint64_t since, stuck = 0;
    int queued = 0;

    pthread_mutex_lock(&transport->lock);
    if (transport->pending.count != 0) {
        /* The kernel accepts more only when it has sent a good part of what it holds;
         * but a client that reads slowly empties its buffer little by little. */
        if (transport->fd >= 0)
            (void)ioctl(transport->fd, SIOCOUTQ, &queued);
        if (queued < transport->queued)
            transport->busy_since = crier_now();
        transport->queued = queued;
        since = transport->last_sent > transport->busy_since
                    ? transport->last_sent
                    : transport->busy_since;
        stuck = crier_now() - since;
    }
    pthread_mutex_unlock(&transport->lock);
    return stuck;
}

bool crier__transport_is_low(struct crier__transport *transport,
                             size_t low_water,
                             void (*on_low)(struct crier__transport *transport))
{
    bool now;

    pthread_mutex_lock(&transport->lock);
    now = transport->pending.cost <= low_water;
    transport->low_water = low_water;
    transport->on_low = on_low;
    transport->report_low = !now;
    pthread_mutex_unlock(&transport->lock);
    return now;
}

/* Judges whether the last segment was ours. It is not enough that bytes are
 * unacknowledged and no acknowledgement has come for long: a client with a full window
 * answers each retransmission and each probe, but TCP sends these less and less often.
 * A dead client answers none. */
static enum crier__answer judge_peer(const struct tcp_info *info)
{
    if (info->tcpi_unacked == 0 && info->tcpi_probes == 0)
        return CRIER__ANSWERED;
    if (info->tcpi_probes > 1) /* each answer sets them to 0 */
        return CRIER__OVERDUE;
    if (info->tcpi_unacked != 0 &&
        info->tcpi_last_ack_recv <= info->tcpi_last_data_sent)
        return CRIER__ANSWERED;
    if (info->tcpi_unacked == 0 || info->tcpi_last_data_sent < MOMENT)
        return CRIER__PENDING;
    return CRIER__OVERDUE;
}

enum crier__answer crier__transport_answer(struct crier__transport *transport,
                                           uint32_t *silence)
{
    enum crier__answer answer = CRIER__ANSWERED;
    struct tcp_info info;
    socklen_t size = sizeof info;
    int queued = 0;

    memset(&info, 0, sizeof info);
    pthread_mutex_lock(&transport->lock);
    /* Nearly always everything is acknowledged, which this ioctl shows cheaply. */
    if (transport->fd >= 0 &&
        (ioctl(transport->fd, SIOCOUTQ, &queued) != 0 || queued != 0) &&
        getsockopt(transport->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
        answer = judge_peer(&info);
    pthread_mutex_unlock(&transport->lock);
    *silence = info.tcpi_last_ack_recv;
    return answer;
}
