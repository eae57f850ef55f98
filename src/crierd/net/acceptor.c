/*
 * The acceptor: connections wait here until the head of their first request is there, as
 * a whole. Then the service gets the connection, with nothing read from it, and serves it
 * on the same thread.
 *
 * Why libmicrohttpd does not accept by itself:
 *
 *   - A connection costs it a block of memory whose size is fixed beforehand, and that
 *     is most of what an idle client costs. Here it is known what the request needs,
 *     and a stream gets the smallest block that will do.
 *   - It waits 30 s for each next byte of a head, and so for ever for a client that
 *     sends one now and then. The acceptor gives 30 s for all of the head; and where
 *     descriptors are short, it closes the connection that has waited longest. A
 *     connection that has sent nothing costs a few hundred bytes.
 *   - After accept() has failed for want of files it accepts nothing until a connection
 *     is closed, and all it has may be streams that stay for days.
 *   - It cannot stop accepting: MHD_quiesce_daemon aborts the program when it races
 *     with an accept (0.9.75).
 *
 * All threads (acceptor_thread.c) listen on all sockets. The kernel reports a TCP
 * connection when its first bytes are there (listener.c), so most connections never
 * wait here.
 */
#include <config.h>

#include "acceptor.h"

#include "acceptor_thread.h"

#include <stdatomic.h>
#include <stdlib.h>

struct acceptor {
    const struct listeners *listeners;
    atomic_size_t waiting;      /* connections, of all threads */
    atomic_uint next;           /* the thread for acceptor_let_in() */
    unsigned prepared, started; /* threads */
    struct acceptor_thread threads[];
};

static void set_up_thread(struct acceptor *acceptor,
                          const struct acceptor_options *options, unsigned i)
{
    struct acceptor_thread *thread = &acceptor->threads[i];

    thread->service = options->service;
    thread->loop = options->service->loop(options->context, i);
    thread->listeners = options->listeners;
    thread->limit = options->crowded;
    thread->threads = acceptor->threads;
    thread->count = options->threads;
    thread->waiting_count = &acceptor->waiting;
}

struct acceptor *acceptor_open(const struct acceptor_options *options)
{
    struct acceptor *acceptor = calloc(
        1, sizeof *acceptor + options->threads * sizeof acceptor->threads[0]);
    unsigned i;

    if (acceptor == NULL)
        return NULL;
    acceptor->listeners = options->listeners;
    for (i = 0; i < options->threads; i++)
        set_up_thread(acceptor, options, i);
    for (i = 0; i < options->threads; i++) {
        acceptor->prepared++; /* what it made is freed also if it failed */
        if (!acceptor_thread_prepare(&acceptor->threads[i]))
            goto failed;
    }
    for (i = 0; i < options->threads; i++) {
        if (!acceptor_thread_start(&acceptor->threads[i]))
            goto failed;
        acceptor->started++;
    }
    return acceptor;
failed:
    acceptor_close(acceptor);
    return NULL;
}

size_t acceptor_count(struct acceptor *acceptor)
{
    return atomic_load(&acceptor->waiting);
}

void acceptor_let_in(struct acceptor *acceptor, int fd,
                     const struct listener *listener,
                     const struct sockaddr *address, socklen_t length)
{
    unsigned i = atomic_fetch_add(&acceptor->next, 1) % acceptor->started;

    acceptor_thread_receive(&acceptor->threads[i], fd, listener, address,
                            length);
}

unsigned acceptor_silent(struct acceptor *acceptor)
{
    unsigned i, silent = 0;

    for (i = 0; i < acceptor->started; i++)
        silent += acceptor_thread_silent(&acceptor->threads[i]);
    return silent;
}

static void shut_threads(struct acceptor *acceptor, bool stop)
{
    unsigned i;

    for (i = 0; i < acceptor->started; i++)
        acceptor_thread_shut(&acceptor->threads[i], stop);
}

void acceptor_shut(struct acceptor *acceptor)
{
    listeners_shut(acceptor->listeners);
    shut_threads(acceptor, false);
}

void acceptor_close(struct acceptor *acceptor)
{
    unsigned i;

    shut_threads(acceptor, true);
    for (i = 0; i < acceptor->started; i++)
        acceptor_thread_join(&acceptor->threads[i]);
    for (i = 0; i < acceptor->prepared; i++)
        acceptor_thread_done(&acceptor->threads[i]);
    free(acceptor);
}
