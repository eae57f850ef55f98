/*
 * Standard output, in large writes. stdio would do, but for two things: a
 * write that waits for a slow reader must not keep crier from hearing a
 * signal, and what --state remembers must not go beyond what was really
 * written. Making the descriptor non-blocking would make it so for all who
 * share it, the user's shell included. So it is polled, and written in pieces
 * for which a pipe that polls writable always has room.
 */
#include <config.h>

#include "out.h"

#include "crier.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

/* The longest wait at a time, in ms. */
#define WAIT_MAX 1000000

void out_open(struct out *out)
{
    *out = (struct out){.terminal = isatty(STDOUT_FILENO)};
}

/* Waits until there is room. 0 or an error as out_flush()'s. */
static int wait_for_room(int signals, uint64_t until)
{
    struct pollfd polled[] = {{.fd = STDOUT_FILENO, .events = POLLOUT},
                              {.fd = signals, .events = POLLIN}};
    uint64_t now;
    int wait = -1;

    for (;;) {
        if (until != UINT64_MAX) {
            now = crier_now();
            wait = now >= until             ? 0
                   : until - now < WAIT_MAX ? (int)(until - now)
                                            : WAIT_MAX;
        }
        if (poll(polled, 2, wait) < 0 && errno != EINTR)
            return -errno;
        if (polled[0].revents != 0) /* what it is, write() will tell */
            return 0;
        if (polled[1].revents != 0)
            return -EINTR;
        if (wait == 0)
            return -ETIMEDOUT;
    }
}

int out_flush(struct out *out, int signals, uint64_t until)
{
    size_t done = 0, piece;
    ssize_t written;
    int error = 0;

    while (done < out->text.length && error == 0) {
        error = wait_for_room(signals, until);
        if (error != 0)
            break;
        piece = out->text.length - done;
        written = write(STDOUT_FILENO, out->text.bytes + done,
                        piece < PIPE_BUF ? piece : PIPE_BUF);
        if (written >= 0)
            done += (size_t)written;
        else if (errno != EINTR && errno != EAGAIN)
            error = -errno;
    }
    text_clear(&out->text);
    return error;
}

void out_close(struct out *out) { text_done(&out->text); }
