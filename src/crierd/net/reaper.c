/*
 * The reaper: enforces a deadline for each request that libmicrohttpd is reading. main
 * calls it every few seconds, and it shuts down the sockets that are overdue.
 *
 * libmicrohttpd waits 30 s for each next byte, and so for ever for a client that sends one
 * now and then: of the head of its next request, of a body, of what stands between the
 * chunks of one. Each such client costs a descriptor. So every connection that may keep
 * libmicrohttpd waiting has an entry here, with its deadline, which exchange.c sets. (The
 * acceptor sees to the head of a connection's first request; a connection that has only
 * one request, without a body, has no entry.)
 *
 * Only libmicrohttpd may close a connection, so its socket is shut down instead, for
 * receiving: libmicrohttpd reads the end of what comes, and closes. Responses are still
 * sent. Bytes that are there already are read before that end, and more may come, so it is
 * done again each time as long as the connection is there.
 *
 * Where descriptors are short, a connection between two requests costs one that a new
 * connection needs. Then idle connections are ended in the same way (acceptor_thread.c).
 *
 * The number of a descriptor that was closed may soon be another connection's.
 * libmicrohttpd reports the end of a connection before it closes the socket, so the
 * socket of every entry, under the lock, is still the connection's own.
 */
#include <config.h>

#include "reaper.h"

#include "crier.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <utlist.h>

struct reaper_entry {
    struct reaper_entry *prev, *next;
    int fd;
    atomic_uint_least64_t deadline; /* or 0 */
    atomic_uint_least64_t idle;     /* between two requests since then, or 0 */
};

void reaper_init(struct reaper *reaper)
{
    reaper->entries = NULL;
    if (pthread_mutex_init(&reaper->lock, NULL) != 0)
        abort();
}

void reaper_done(struct reaper *reaper)
{
    pthread_mutex_destroy(&reaper->lock);
}

struct reaper_entry *reaper_add(struct reaper *reaper, int fd)
{
    struct reaper_entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL)
        return NULL;
    entry->fd = fd;
    pthread_mutex_lock(&reaper->lock);
    DL_APPEND(reaper->entries, entry);
    pthread_mutex_unlock(&reaper->lock);
    return entry;
}

void reaper_remove(struct reaper *reaper, struct reaper_entry *entry)
{
    if (entry == NULL)
        return;
    pthread_mutex_lock(&reaper->lock);
    DL_DELETE(reaper->entries, entry);
    pthread_mutex_unlock(&reaper->lock);
    free(entry);
}

void reaper_set_deadline(struct reaper_entry *entry, uint64_t deadline)
{
    if (entry == NULL)
        return;
    atomic_store(&entry->idle, 0);
    atomic_store(&entry->deadline, deadline);
}

void reaper_set_idle(struct reaper_entry *entry, uint64_t now,
                     uint64_t deadline)
{
    if (entry == NULL)
        return;
    atomic_store(&entry->deadline, deadline);
    atomic_store(&entry->idle, now);
}

void reaper_end_idle(struct reaper *reaper, uint64_t since, unsigned most)
{
    struct reaper_entry *entry;
    uint64_t idle;

    pthread_mutex_lock(&reaper->lock);
    DL_FOREACH (reaper->entries, entry) {
        idle = atomic_load(&entry->idle);
        if (idle == 0 || idle > since)
            continue;
        if (most-- == 0)
            break;
        atomic_store(&entry->idle, 0);
        (void)shutdown(entry->fd, SHUT_RD);
    }
    pthread_mutex_unlock(&reaper->lock);
}

void reaper_end_overdue(struct reaper *reaper)
{
    uint64_t now = crier_now(), deadline;
    struct reaper_entry *entry;

    pthread_mutex_lock(&reaper->lock);
    DL_FOREACH (reaper->entries, entry) {
        deadline = atomic_load(&entry->deadline);
        if (deadline != 0 && deadline <= now)
            (void)shutdown(entry->fd, SHUT_RD);
    }
    pthread_mutex_unlock(&reaper->lock);
}
