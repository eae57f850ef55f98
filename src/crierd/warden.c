/*
 * The warden: sees to it that no client of libmicrohttpd's has its request waited for
 * without end.
 *
 * libmicrohttpd waits 30 s for each next byte, and so for ever for a client that sends
 * one now and then: of the head of its next request, of a body, of what stands between
 * the parts of one. Each such client costs a descriptor. So every connection that may
 * make one wait has a ward here, with the time when what it is to send must be there;
 * http.c says when that is. Who is late is given up by main, which looks every few
 * seconds. (The head of a connection's first request is the door's matter, and a
 * connection that has only one request, without a body, has no ward.)
 *
 * Only libmicrohttpd may close a connection, so its socket is shut down instead, for
 * receiving: libmicrohttpd reads the end of what comes, and closes. Answers still go
 * out. Bytes that are there already are read before that end, and more may come, so it
 * is done again each time as long as the connection is there.
 *
 * Where descriptors are short, a connection between two requests costs one that somebody
 * else needs. Then connections that are idle are ended in the same way (doorman.c).
 *
 * A descriptor that was closed may soon be somebody else's. libmicrohttpd tells of the
 * end of a connection before it closes the socket, so whoever is in the list, under
 * the lock, still has his own.
 */
#include <config.h>

#include "warden.h"

#include "crier.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <utlist.h>

struct ward {
    struct ward *prev, *next;
    int fd;
    atomic_uint_least64_t deadline; /* or 0 */
    atomic_uint_least64_t idle;     /* between two requests since then, or 0 */
};

void warden_init(struct warden *warden)
{
    warden->wards = NULL;
    if (pthread_mutex_init(&warden->lock, NULL) != 0)
        abort();
}

void warden_done(struct warden *warden)
{
    pthread_mutex_destroy(&warden->lock);
}

struct ward *warden_admit(struct warden *warden, int fd)
{
    struct ward *ward = calloc(1, sizeof *ward);

    if (ward == NULL)
        return NULL;
    ward->fd = fd;
    pthread_mutex_lock(&warden->lock);
    DL_APPEND(warden->wards, ward);
    pthread_mutex_unlock(&warden->lock);
    return ward;
}

void warden_release(struct warden *warden, struct ward *ward)
{
    if (ward == NULL)
        return;
    pthread_mutex_lock(&warden->lock);
    DL_DELETE(warden->wards, ward);
    pthread_mutex_unlock(&warden->lock);
    free(ward);
}

void ward_wait(struct ward *ward, uint64_t deadline)
{
    if (ward == NULL)
        return;
    atomic_store(&ward->idle, 0);
    atomic_store(&ward->deadline, deadline);
}

void ward_idle(struct ward *ward, uint64_t now, uint64_t deadline)
{
    if (ward == NULL)
        return;
    atomic_store(&ward->deadline, deadline);
    atomic_store(&ward->idle, now);
}

void warden_make_room(struct warden *warden, uint64_t since, unsigned most)
{
    struct ward *ward;
    uint64_t idle;

    pthread_mutex_lock(&warden->lock);
    DL_FOREACH (warden->wards, ward) {
        idle = atomic_load(&ward->idle);
        if (idle == 0 || idle > since)
            continue;
        if (most-- == 0)
            break;
        atomic_store(&ward->idle, 0);
        (void)shutdown(ward->fd, SHUT_RD);
    }
    pthread_mutex_unlock(&warden->lock);
}

void warden_look(struct warden *warden)
{
    uint64_t now = crier_now(), deadline;
    struct ward *ward;

    pthread_mutex_lock(&warden->lock);
    DL_FOREACH (warden->wards, ward) {
        deadline = atomic_load(&ward->deadline);
        if (deadline != 0 && deadline <= now)
            (void)shutdown(ward->fd, SHUT_RD);
    }
    pthread_mutex_unlock(&warden->lock);
}
