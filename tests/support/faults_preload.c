/*
 * The part of faults.h that runs inside crierd.
 *
 * The errors are those that the kernel may return for the call. So no call on a socket
 * fails with EAGAIN, or sends or receives only a part: epoll would have to report an
 * edge later, which never comes. A connection that fails with ECONNRESET is shut down,
 * so that later calls on it fail as well.
 */
#include <config.h>

#include "faults.h"
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct faults *faults;
static void *_Atomic next_accept4, *_Atomic next_send, *_Atomic next_sendmsg,
    *_Atomic next_recv, *_Atomic next_epoll_ctl, *_Atomic next_epoll_wait,
    *_Atomic next_pread64, *_Atomic next_pwrite64, *_Atomic next_fdatasync,
    *_Atomic next_fsync;

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("CRIER_FAULTS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at;

    if (fd < 0)
        return;
    at = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED)
        faults = at;
}

static unsigned draw(void)
{
    unsigned x = atomic_fetch_add(&faults->seed, 0x9e3779b9u);

    x = (x ^ (x >> 16)) * 0x85ebca6bu;
    x = (x ^ (x >> 13)) * 0xc2b2ae35u;
    return x ^ (x >> 16);
}

/* Whether a call is to fail now; *N chooses how. */
static bool fails(enum fault fault, unsigned *n)
{
    unsigned one_in;

    if (faults == NULL)
        return false;
    one_in = atomic_load(&faults->one_in[fault]);
    if (one_in == 0 || draw() % one_in != 0)
        return false;
    atomic_fetch_add(&faults->failed[fault], 1);
    *n = draw();
    return true;
}

/* Sets errno to one of the COUNT ERRORS; 0 means that only a part is transferred. */
static int choose(unsigned n, const int *errors, unsigned count)
{
    errno = errors[n % count];
    return errno;
}

#define CHOOSE(n, ...)                                                        \
    choose(n, (const int[]){__VA_ARGS__},                                     \
           sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* Shuts the connection FD down if the error is a reset. */
static ssize_t failed(int fd)
{
    int error = errno;

    if (error == ECONNRESET)
        shutdown(fd, SHUT_RDWR);
    errno = error;
    return -1;
}

static size_t part(size_t length)
{
    return length > 1 ? length / 2 : length;
}

/* ---- sockets ---------------------------------------------------------- */

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length,
                   int flags)
{
    unsigned n;

    if (fails(FAULT_ACCEPT, &n)) {
        CHOOSE(n, EINTR, ECONNABORTED, ENOBUFS, EMFILE);
        return -1;
    }
    return REAL(accept4)(fd, address, length, flags);
}

EXPORT ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    unsigned n;

    if (fails(FAULT_SEND, &n)) {
        CHOOSE(n, EINTR, ENOBUFS, ECONNRESET);
        return failed(fd);
    }
    return REAL(send)(fd, bytes, length, flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    unsigned n;

    if (fails(FAULT_SEND, &n)) {
        CHOOSE(n, EINTR, ENOBUFS, ECONNRESET);
        return failed(fd);
    }
    return REAL(sendmsg)(fd, message, flags);
}

EXPORT ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
    unsigned n;

    if (fails(FAULT_RECV, &n)) {
        CHOOSE(n, EINTR, ECONNRESET);
        return failed(fd);
    }
    return REAL(recv)(fd, bytes, length, flags);
}

/* ---- epoll ------------------------------------------------------------ */

EXPORT int epoll_ctl(int set, int what, int fd, struct epoll_event *event)
{
    unsigned n;

    if (what == EPOLL_CTL_ADD && fails(FAULT_EPOLL_CTL, &n)) {
        CHOOSE(n, ENOMEM, ENOSPC);
        return -1;
    }
    return REAL(epoll_ctl)(set, what, fd, event);
}

EXPORT int epoll_wait(int set, struct epoll_event *events, int max, int wait)
{
    unsigned n;

    if (fails(FAULT_EPOLL_WAIT, &n)) {
        errno = EINTR;
        return -1;
    }
    return REAL(epoll_wait)(set, events, max, wait);
}

/* ---- files ------------------------------------------------------------ */

EXPORT ssize_t pread64(int fd, void *bytes, size_t length, off64_t at)
{
    unsigned n;

    if (fails(FAULT_READ, &n)) {
        if (CHOOSE(n, EINTR, EIO, 0) != 0)
            return -1;
        length = part(length);
    }
    return REAL(pread64)(fd, bytes, length, at);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at)
{
    unsigned n;

    if (fails(FAULT_WRITE, &n)) {
        if (CHOOSE(n, EINTR, ENOSPC, EIO, 0) != 0)
            return -1;
        length = part(length);
    }
    return REAL(pwrite64)(fd, bytes, length, at);
}

EXPORT int fdatasync(int fd)
{
    unsigned n;

    if (fails(FAULT_SYNC, &n)) {
        CHOOSE(n, EIO, ENOSPC);
        return -1;
    }
    return REAL(fdatasync)(fd);
}

EXPORT int fsync(int fd)
{
    unsigned n;

    if (fails(FAULT_SYNC, &n)) {
        CHOOSE(n, EIO, ENOSPC);
        return -1;
    }
    return REAL(fsync)(fd);
}
