/*
 * The libmicrohttpd daemons of each doorman's thread, and when they run.
 *
 * libmicrohttpd has no threads of its own here. A doorman that hands a connection over
 * runs its daemon a moment later, on the same thread: so a newcomer costs no switch of
 * threads and no wake-up, and all that came together are answered together. With
 * threads of libmicrohttpd's, the hand-over cost more than the answer; and two for each
 * CPU, doormen and those, had nothing to do at the same time.
 *
 * The memory of a connection is an option of the daemon, and it is most of what an idle
 * client costs. So there are several, and a stream's connection goes to the smallest
 * in which its request has room (head.c). In all but the last a connection closes after
 * an answer, as a stream's always does: its next request might need more.
 *
 * libmicrohttpd is run when its own epoll set, which is in the doorman's, has an event;
 * when a connection was added; when a time-out is due; and when a connection was resumed
 * by another thread. Of that 0.9.75 tells nobody if it has no threads of its own, so
 * whoever resumes goes through http_resume().
 */
#include <config.h>

#include "http.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What libmicrohttpd may keep of a connection, in bytes: enough for the request of curl;
 * of a browser; of a browser behind a proxy, with some cookies; with 2 KB of cookies;
 * with 3; and for what most proxies let pass. What does not fit into the last is
 * answered with 431 (headroom.c). */
static const size_t memories[HTTP_PARTS] = {1536, 2816, 4288,
                                            6976, 9216, 12 * 1024};

/* ---- start and end ---------------------------------------------------- */

static void stop_loop(struct http_loop *loop)
{
    unsigned i;

    for (i = 0; i < HTTP_PARTS; i++)
        if (loop->parts[i].daemon != NULL)
            MHD_stop_daemon(loop->parts[i].daemon);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
}

static bool start_loop(struct http_loop *loop)
{
    struct http_part *part;
    unsigned i;

    loop->due = UINT64_MAX;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        return false;
    for (i = 0; i < HTTP_PARTS; i++) {
        part = &loop->parts[i];
        part->loop = loop;
        part->memory = memories[i];
        part->last = i != HTTP_PARTS - 1;
        part->reaper = part->last ? NULL : &loop->http->reaper;
        part->due = UINT64_MAX;
        if (!http_start_part(part))
            return false;
    }
    return true;
}

bool http_start(struct http *http, struct server *server)
{
    unsigned threads = server->conf->threads;

    *http = (struct http){.server = server};
    reaper_init(&http->reaper);
    http->loops = calloc(threads, sizeof http->loops[0]);
    while (http->loops != NULL && http->count < threads) {
        http->loops[http->count].http = http;
        if (!start_loop(&http->loops[http->count++]))
            break;
        if (http->count == threads)
            return true;
    }
    http_stop(http);
    return false;
}

void http_stop(struct http *http)
{
    unsigned i;

    for (i = 0; i < http->count; i++)
        stop_loop(&http->loops[i]);
    free(http->loops);
    reaper_done(&http->reaper);
}

size_t http_descriptors(unsigned threads)
{
    /* Of each daemon the epoll set, of each thread the eventfd. */
    return (size_t)threads * (HTTP_PARTS + 1);
}

void http_make_room(struct http *http, uint64_t since, unsigned most)
{
    reaper_make_room(&http->reaper, since, most);
}

void http_look(struct http *http)
{
    reaper_look(&http->reaper);
}

unsigned http_count(struct http *http)
{
    unsigned count = 0, i;

    for (i = 0; i < http->count; i++)
        count += atomic_load(&http->loops[i].connections);
    return count;
}

/* ---- when to run ------------------------------------------------------ */

bool http_watch(struct http_loop *loop, int epoll_fd)
{
    /* Edge-triggered, so that the eventfd need not be read. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET,
                                .data.ptr = loop};
    struct http_part *part;

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0)
        return false;
    event.events = EPOLLIN;
    for (part = loop->parts; part < loop->parts + HTTP_PARTS; part++) {
        event.data.ptr = part;
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD,
                      MHD_get_daemon_info(part->daemon,
                                          MHD_DAEMON_INFO_EPOLL_FD)
                          ->epoll_fd,
                      &event) != 0)
            return false;
    }
    return true;
}

bool http_is_ready(struct http_loop *loop, void *pointer)
{
    uintptr_t at = (uintptr_t)pointer - (uintptr_t)loop;

    if (at >= sizeof *loop)
        return false;
    if (at != 0) { /* else http_run() looks for who was resumed */
        ((struct http_part *)pointer)->ready = true;
        loop->ready = true;
    }
    return true;
}

void http_resume(struct MHD_Connection *connection)
{
    struct http_part *part = http_part_of(connection);
    uint64_t one = 1;

    MHD_resume_connection(connection); /* which may be gone from here on */
    /* Who finds the mark set has it looked at after that, too. */
    atomic_store(&part->resumed, true);
    if (!atomic_exchange(&part->loop->resumed, true) &&
        write(part->loop->wake_fd, &one, sizeof one) < 0)
        return; /* full: so it wakes already */
}

/* ---- running ---------------------------------------------------------- */

void http_take(struct http_loop *loop, int fd, const struct sockaddr *address,
               socklen_t length, size_t need)
{
    struct http_part *part = loop->parts;

    while (part < loop->parts + HTTP_PARTS - 1 && need > part->memory)
        part++;
    part->ready = loop->ready = true;
    /* which closes it when it fails */
    (void)MHD_add_connection(part->daemon, fd, address, length);
}

/* Runs PART, and asks when it is to be run again. */
static void run_part(struct http_part *part)
{
    MHD_UNSIGNED_LONG_LONG wait;

    part->ready = false;
    (void)MHD_run(part->daemon);
    part->due = MHD_get_timeout(part->daemon, &wait) == MHD_YES
                    ? crier_now() + wait
                    : UINT64_MAX;
}

void http_run(struct http_loop *loop, uint64_t now)
{
    struct http_part *part;

    if (!loop->ready && loop->due > now && !atomic_load(&loop->resumed))
        return;
    /* Before the parts' marks, which are set before it. */
    atomic_store(&loop->resumed, false);
    loop->ready = false;
    loop->due = UINT64_MAX;
    for (part = loop->parts; part < loop->parts + HTTP_PARTS; part++) {
        if (atomic_exchange(&part->resumed, false) || part->ready ||
            part->due <= now)
            run_part(part);
        if (part->due < loop->due)
            loop->due = part->due;
    }
}
