#ifndef CRIERD_SERVICE_H
#define CRIERD_SERVICE_H

#include "listener.h"
#include "peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the service finds in the first bytes of a connection. */
enum service_verdict {
    SERVICE_WAIT,   /* the head of a request is not there yet (with a unix socket, the
                       service takes it all the same) */
    SERVICE_CLOSE,  /* there will never be one */
    SERVICE_REFUSE, /* it is no request: 400 */
    SERVICE_TAKE    /* the service takes the connection */
};

/* What the acceptor hands connections to. The service has a loop for each thread of the
 * acceptor, LOOP below, which is used on that thread alone, but for load(). */
struct service {
    size_t head_max; /* classify() needs to see no more bytes; >= PROXY_HEADER_MAX */

    /* The loop number I. */
    void *(*loop)(void *service, unsigned i);

    /* Adds what LOOP waits for to the set EPOLL_FD (watch.h). False when the kernel
     * refuses. Before LOOP's thread begins. */
    bool (*start)(void *loop, int epoll_fd);

    /* Whether a connection from ADDRESS, which has just been accepted, is served; it is
     * closed otherwise. */
    bool (*admit)(void *loop, const struct sockaddr *address);

    /* What to do with a connection that has sent the LENGTH bytes at BYTES so far.
     * ENDED: it will send no more. */
    enum service_verdict (*classify)(const char *bytes, size_t length,
                                     bool ended);

    /* Takes the connection FD, which came from PEER to LISTENER, over, or closes it.
     * Nothing has been read from it but a header of the PROXY protocol; the first LENGTH
     * bytes are at BYTES. */
    void (*take)(void *loop, int fd, const struct listener *listener,
                 const struct peer *peer, const char *bytes, size_t length);

    /* Serves what there is to be served at NOW, by crier_now(). Called at the end of
     * each pass. */
    void (*run)(void *loop, uint64_t now);

    /* When run() is to be called, by crier_now(), even if there is no event. */
    uint64_t (*due)(const void *loop);

    /* How many connections LOOP has. Any thread. */
    unsigned (*load)(const void *loop);

    /* Closes one connection that has been idle since SINCE or longer. False when there
     * is none that can be closed at once. */
    bool (*close_idle)(void *loop, uint64_t since);

    /* Makes at most MOST connections that have been idle for so long end soon. */
    void (*end_idle)(void *loop, uint64_t since, unsigned most);

    /* Takes no more connections, and begins nothing that may last. */
    void (*shut)(void *loop);

    /* Closes what was never given away. Called once, at the end of the thread. */
    void (*stop)(void *loop);
};

#endif
