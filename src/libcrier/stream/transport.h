#ifndef CRIER_TRANSPORT_H
#define CRIER_TRANSPORT_H

#include "pending.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* The way of one stream's bytes to its client. */
struct crier__transport {
    pthread_mutex_t lock; /* guards what follows */
    int fd;               /* -1 once the body has ended, or MHD is done with it */
    int epoll_fd;         /* where fd is watched, or -1 */
    bool parked;          /* suspended, and not resumed yet */
    bool ending;          /* the body ends after what is pending */
    bool cut;             /* nothing is sent any more */
    bool owed;            /* and a client that is still there lacks something */
    bool begun;           /* the headers are out */
    bool hungry;          /* low is to be called */
    bool tls;             /* never changes */
    bool started;         /* what the body begins with is pending, or gone */
    bool urgent;          /* it is not to wait for what comes next */
    uint64_t last_sent;   /* crier_now() */
    struct crier__pending pending;
    uint64_t busy_since;  /* when pending ceased to be empty, or the client was seen
                             to take something, likewise */
    int broken;           /* -errno of a send by the reader; 0: none has failed. To be
                             read after release, too */
    int queued;           /* bytes that the kernel held then */
    size_t low_water;     /* of the cost of pending */
    void (*low)(struct crier__transport *transport);
    struct crier_frame *start; /* what the body begins with, until it is started: a
                                * reference; or NULL for nothing */

    /* These never change, so they need no lock. */
    struct MHD_Connection *connection;
    void (*resume)(struct MHD_Connection *connection);

    /* The cost of all frames on their way here: those in pending, and those
     * that a sender has handed to the shard. */
    atomic_size_t waiting;
};

/* Prepares TRANSPORT, zeroed, for CONNECTION. RESUME is crier_shards_options'; with NULL
 * the daemon must have threads of its own. CRIER_ERR_DAEMON, CRIER_ERR_MHD, -errno. */
int crier__transport_init(struct crier__transport *transport,
                          struct MHD_Connection *connection,
                          void (*resume)(struct MHD_Connection *connection));

/* Frees what TRANSPORT holds, after crier__transport_release(). */
void crier__transport_done(struct crier__transport *transport);

/* Makes FRAME (a reference is taken; NULL for nothing) what the body begins with,
 * before all that is pushed, in the place of what that was. Unless it is URGENT, the
 * kernel may keep it for 200 ms to send it together with what comes next. Returns
 * false, and changes nothing, when the body has begun. */
bool crier__transport_start(struct crier__transport *transport,
                            struct crier_frame *frame, bool urgent);

/* Appends FRAME, whose cost must be in waiting already, for the next flush. When
 * frames of LIMIT or more are pending behind the first one, after sending what
 * can be sent, CRIER_ERR_MAX_PENDING; -ENOMEM. */
int crier__transport_push(struct crier__transport *transport,
                          struct crier_frame *frame, size_t limit);

/* Sends FRAME, whose cost is not in waiting, at once, at the time NOW. 0 when all of
 * it went; 1 when its rest is pending, and counted. -EAGAIN when it has to be pushed:
 * something is before it, or the connection is not ours now; another -errno when
 * that is dead: cut it. */
int crier__transport_send(struct crier__transport *transport,
                          struct crier_frame *frame, uint64_t now);

/* Sends what the kernel takes of what is pending. -errno when the
 * connection is dead: cut it. */
int crier__transport_flush(struct crier__transport *transport);

/* Ends the body once what is pending now is sent; flush afterwards. */
void crier__transport_end(struct crier__transport *transport);

/* Drops what is pending and ends the connection at once. The client is still there or
 * has GONE. With RESET, and where a client that is still there loses what was pending,
 * the kernel drops what it has not delivered, too, and the client sees an error: a body
 * that ends with its connection (RFC 9112, section 6.3) has no other sign of that. */
void crier__transport_cut(struct crier__transport *transport, bool gone,
                          bool reset);

/* MHD's content reader: see MHD_ContentReaderCallback. */
ssize_t crier__transport_read(struct crier__transport *transport, char *to,
                              size_t max);

/* MHD is done with the connection; the socket is not ours any more. */
void crier__transport_release(struct crier__transport *transport);

/* Has EPOLL_FD report, with POINTER, when the peer closes, the connection breaks,
 * or there is room again for what a flush left. Does nothing after release.
 * -errno. */
int crier__transport_watch(struct crier__transport *transport, int epoll_fd,
                           void *pointer);

/* When bytes last went out, in ms of crier_now(). */
uint64_t crier__transport_last_sent(struct crier__transport *transport);

/* How long the client has taken nothing though something waits, in ms; 0 when
 * nothing waits. What it takes from the kernel counts as seen by the call before,
 * so there should be one when something begins to wait. */
uint64_t crier__transport_stuck(struct crier__transport *transport);

/* Whether LOW_WATER or less is pending. If not, LOW is called once, under the
 * lock and on any thread, as soon as it is. */
bool crier__transport_hungry(struct crier__transport *transport,
                             size_t low_water,
                             void (*low)(struct crier__transport *transport));

/* How the peer's TCP answers. */
enum crier__answer {
    CRIER__ANSWERED, /* nothing is out, or it has answered what was sent last */
    CRIER__PENDING,  /* what was sent last is too young to tell */
    CRIER__OVERDUE   /* what was sent last has had no answer */
};

/* Asks TCP how things stand; how many ms ago the last acknowledgement came goes
 * to *SILENCE. */
enum crier__answer crier__transport_answer(struct crier__transport *transport,
                                           uint32_t *silence);

#endif
