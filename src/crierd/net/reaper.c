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

#include "reaper.h"

#include "crier.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <utlist.h>

struct reaped {
    struct reaped *prev, *next;
    int fd;
    atomic_uint_least64_t deadline; /* or 0 */
    atomic_uint_least64_t idle;     /* between two requests since then, or 0 */
};

void reaper_init(struct reaper *reaper)
{
    reaper->wards = NULL;
    if (pthread_mutex_init(&reaper->lock, NULL) != 0)
        abort();
}

void reaper_done(struct reaper *reaper)
{
    pthread_mutex_destroy(&reaper->lock);
}

struct reaped *reaper_admit(struct reaper *reaper, int fd)
{
    struct reaped *reaped = calloc(1, sizeof *reaped);

    if (reaped == NULL)
        return NULL;
    reaped->fd = fd;
    pthread_mutex_lock(&reaper->lock);
    DL_APPEND(reaper->wards, reaped);
    pthread_mutex_unlock(&reaper->lock);
    return reaped;
}

void reaper_release(struct reaper *reaper, struct reaped *reaped)
{
    if (reaped == NULL)
        return;
    pthread_mutex_lock(&reaper->lock);
    DL_DELETE(reaper->wards, reaped);
    pthread_mutex_unlock(&reaper->lock);
    free(reaped);
}

void reaped_wait(struct reaped *reaped, uint64_t deadline)
{
    if (reaped == NULL)
        return;
    atomic_store(&reaped->idle, 0);
    atomic_store(&reaped->deadline, deadline);
}

void reaped_idle(struct reaped *reaped, uint64_t now, uint64_t deadline)
{
    if (reaped == NULL)
        return;
    atomic_store(&reaped->deadline, deadline);
    atomic_store(&reaped->idle, now);
}

void reaper_end_idle(struct reaper *reaper, uint64_t since, unsigned most)
{
    struct reaped *reaped;
    uint64_t idle;

    pthread_mutex_lock(&reaper->lock);
    DL_FOREACH (reaper->wards, reaped) {
        idle = atomic_load(&reaped->idle);
        if (idle == 0 || idle > since)
            continue;
        if (most-- == 0)
            break;
        atomic_store(&reaped->idle, 0);
        (void)shutdown(reaped->fd, SHUT_RD);
    }
    pthread_mutex_unlock(&reaper->lock);
}

void reaper_end_overdue(struct reaper *reaper)
{
    uint64_t now = crier_now(), deadline;
    struct reaped *reaped;

    pthread_mutex_lock(&reaper->lock);
    DL_FOREACH (reaper->wards, reaped) {
        deadline = atomic_load(&reaped->deadline);
        if (deadline != 0 && deadline <= now)
            (void)shutdown(reaped->fd, SHUT_RD);
    }
    pthread_mutex_unlock(&reaper->lock);
}
