#ifndef CRIER_TRANSPORT_H
#define CRIER_TRANSPORT_H

#include "pending.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* How the bytes of one stream reach its client. */
struct crier__transport {
    pthread_mutex_t lock; /* guards what follows */
    int fd;               /* -1 once the body has ended, or MHD is done with it */
    int epoll_fd;         /* where fd is watched, or -1 */
    bool parked;          /* suspended, and not resumed yet */
    bool ending;          /* the body ends after what is pending */
    bool cut;             /* nothing more is sent */
    bool owed;            /* a client that is still connected has lost frames by it */
    bool report_low;      /* on_low must be called */
    bool tls;             /* never changes */
    bool started;         /* the beginning of the body is pending or sent */
    bool urgent;          /* it must not wait for the next frame */

    /* With TLS only. */
    bool kept;            /* GnuTLS keeps a record that the kernel did not take whole */
    bool unheard;         /* input has come while it could not be read */
    uint16_t heard;       /* see crier__tls_hear() */

    uint64_t last_sent;   /* crier_now() */
    uint64_t sent;        /* bytes of the body that the kernel has taken */
    struct crier__pending pending;
    uint64_t busy_since;  /* when pending became non-empty, or the client was last seen
                             to take something; crier_now() */
    int broken;           /* -errno of a failed send by the reader; 0: none. Valid
                             after release, too */
    int queued;           /* the bytes that the kernel held at busy_since */
    size_t low_water;     /* for the cost of pending */
    void (*on_low)(struct crier__transport *transport);
    struct crier_frame *start; /* the beginning of the body until it is started: a
                                * reference, or NULL for none */

    /* These never change, so they need no lock. */
    struct MHD_Connection *connection;
    struct gnutls_session_int *session; /* NULL without TLS. Used under the lock, in the
                                         * content reader or while parked */
    void (*resume)(struct MHD_Connection *connection);
    _Atomic uint64_t *total; /* the shard's count of bytes: all but those of a frame that
                               crier__transport_send() has sent as a whole */

    /* The cost of all frames for this client: those in pending, and those that a
     * sender has posted to the shard. */
    atomic_size_t waiting;
};

/* Initializes TRANSPORT, a zeroed struct, for CONNECTION. RESUME is that of
 * crier_shards_options; when it is NULL the daemon must have threads of its own. Bytes are
 * added to TOTAL, the shard's. CRIER_ERR_DAEMON, CRIER_ERR_MHD, -errno. */
int crier__transport_init(struct crier__transport *transport,
                          struct MHD_Connection *connection,
                          void (*resume)(struct MHD_Connection *connection),
                          _Atomic uint64_t *total);

/* Frees what TRANSPORT holds, after crier__transport_release(). */
void crier__transport_done(struct crier__transport *transport);

/* Makes FRAME (a reference is taken; NULL for none) the beginning of the body, in place
 * of an earlier one. Unless it is URGENT, the kernel may keep it for 200 ms to send it
 * together with the next frame. Returns false, and changes nothing, when the body has
 * begun. */
bool crier__transport_start(struct crier__transport *transport,
                            struct crier_frame *frame, bool urgent);

/* Appends FRAME, whose cost must be in `waiting` already, for the next flush.
 * CRIER_ERR_MAX_PENDING when frames of LIMIT or more are pending behind the first one,
 * after sending what the kernel takes; -ENOMEM. */
int crier__transport_push(struct crier__transport *transport,
                          struct crier_frame *frame, size_t limit);

/* Sends FRAME, whose cost is not in `waiting`, immediately, at the time NOW. Returns 0
 * when all of it was sent; 1 when its rest is pending and counted; -EAGAIN when the
 * caller must push it, because other frames are pending or MHD has the connection;
 * another -errno when the connection is dead: cut it. */
int crier__transport_send(struct crier__transport *transport,
                          struct crier_frame *frame, uint64_t now);

/* Sends as much of the pending frames as the kernel takes. -errno when the connection
 * is dead: cut it. */
int crier__transport_flush(struct crier__transport *transport);

/* Handles what the client of a connection with TLS has sent, when EPOLL_FD has reported
 * input. -errno when the connection must end: cut it. */
int crier__transport_hear(struct crier__transport *transport);

/* Ends the body after the frames that are pending; flush afterwards. */
void crier__transport_end(struct crier__transport *transport);

/* Drops what is pending and ends the connection at once. GONE: the client has closed it
 * or is dead. With RESET, and when a client that is still connected loses pending
 * frames, the kernel also drops what it has not delivered, and the client sees an
 * error: a body that ends with its connection (RFC 9112, section 6.3) has no other sign
 * of that. */
void crier__transport_cut(struct crier__transport *transport, bool gone,
                          bool reset);

/* The content reader of MHD: see MHD_ContentReaderCallback. It returns no bytes, because
 * all of them are sent past MHD. */
ssize_t crier__transport_read(struct crier__transport *transport);

/* Tells the transport that MHD has closed the connection; it does not use the socket
 * any more. */
void crier__transport_release(struct crier__transport *transport);

/* Makes EPOLL_FD report, with POINTER, when the peer closes, the connection breaks, or
 * the socket is writable again after a flush; with TLS also when there is input. Does
 * nothing after release. -errno. */
int crier__transport_watch(struct crier__transport *transport, int epoll_fd,
                           void *pointer);

/* Returns when bytes were last sent, in ms of crier_now(). */
uint64_t crier__transport_last_sent(struct crier__transport *transport);

/* Returns how many bytes of the body have been sent. Valid after release, too. */
uint64_t crier__transport_sent(struct crier__transport *transport);

/* Returns how long the client has taken nothing while something is pending, in ms; 0
 * when nothing is pending. Progress is measured by comparing SIOCOUTQ with the previous
 * call, so call this once when data starts to queue. */
uint64_t crier__transport_stuck(struct crier__transport *transport);

/* Whether the cost of what is pending is at or below LOW_WATER. If not, ON_LOW is
 * called once, under the lock and on any thread, as soon as it is. */
bool crier__transport_is_low(struct crier__transport *transport,
                             size_t low_water,
                             void (*on_low)(struct crier__transport *transport));

/* Whether the TCP of the peer answers. */
enum crier__answer {
    CRIER__ANSWERED, /* it has answered the last segment, or there is none */
    CRIER__PENDING,  /* the answer may still be on its way */
    CRIER__OVERDUE   /* it has not answered the last segment */
};

/* Asks TCP whether the peer answers, and writes to *SILENCE how many ms ago its last
 * acknowledgement came. */
enum crier__answer crier__transport_answer(struct crier__transport *transport,
                                           uint32_t *silence);

#endif
