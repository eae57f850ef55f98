/*
 * Standard output, in large writes. stdio is not enough: a write that waits for a slow
 * reader must be interruptible by a signal, and --state must not move beyond what was
 * really written. Making the descriptor non-blocking would change it for every process
 * that shares it, such as the user's shell. So it is polled, and written in pieces that
 * a writable pipe always has room for.
 *
 * Half an event at the end of a file is worse than none: the next run would append the
 * whole event after it, and a program that reads lines would get neither. So the end of
 * each event is marked, and writing stops only at a mark.
 */
#include <config.h>

#include "output.h"

#include "crier.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Longest timeout of a poll(), in ms. */
#define WAIT_MAX 1000000

/* Time for writing the rest of an event when crier is to end, in ms. */
#define GRACE 2000

/* Number of bytes from which the output counts as full. */
#define FULL 65536

struct output_mark {
    size_t end; /* of an event, in the text */
    size_t id;  /* offset of its id in the ids */
};

void output_open(struct output *output)
{
    *output = (struct output){.terminal = isatty(STDOUT_FILENO)};
}

/* ---- events ------------------------------------------------------------- */

static size_t count_marks(const struct output *output)
{
    return output->marks.length / sizeof(struct output_mark);
}

static const struct output_mark *get_mark(const struct output *output, size_t number)
{
    return (const struct output_mark *)output->marks.bytes + number;
}

void output_mark_event(struct output *output, const char *id)
{
    struct output_mark mark = {.end = output->text.length, .id = output->ids.length};
    const struct output_mark *last = NULL;

    if (output->marks.length != 0)
        last = get_mark(output, count_marks(output) - 1);
    if (last != NULL && strcmp(output->ids.bytes + last->id, id) == 0) {
        if (last->end == mark.end)
            return;
        mark.id = last->id;
    } else {
        text_add(&output->ids, id, strlen(id) + 1);
    }
    text_add(&output->marks, (const char *)&mark, sizeof mark);
}

bool output_is_full(const struct output *output)
{
    return output->text.length >= FULL || output->ids.length >= FULL;
}

/* Returns the end of the event that the byte before DONE belongs to; 0 for 0. */
static size_t find_event_end(const struct output *output, size_t done)
{
    size_t i;

    for (i = 0; done != 0 && i < count_marks(output); i++)
        if (get_mark(output, i)->end >= done)
            return get_mark(output, i)->end;
    return done;
}

/* Returns the last id of the last event that ends within the first DONE bytes; NULL if
 * there is none. */
static const char *find_id(const struct output *output, size_t done)
{
    size_t i = count_marks(output);

    while (i > 0)
        if (get_mark(output, --i)->end <= done)
            return output->ids.bytes + get_mark(output, i)->id;
    return NULL;
}

/* ---- writing ------------------------------------------------------------ */

/* Waits until the output is writable. Returns 0 or an error of output_flush(). */
static int wait_until_writable(int signals, uint64_t until)
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
        if (polled[0].revents != 0) /* an error shows in write() */
            return 0;
        if (polled[1].revents != 0)
            return -EINTR;
        if (wait == 0)
            return -ETIMEDOUT;
    }
}

/* Writes from *DONE up to END and advances *DONE. Returns 0 or an error of
 * output_flush(), except -ECANCELED. */
static int write_up_to(const struct output *output, size_t *done, size_t end,
                       int signals, uint64_t until)
{
    ssize_t written;
    size_t piece;
    int error;

    while (*done < end) {
        error = wait_until_writable(signals, until);
        if (error != 0)
            return error;
        piece = end - *done;
        written = write(STDOUT_FILENO, output->text.bytes + *done,
                        piece < PIPE_BUF ? piece : PIPE_BUF);
        if (written >= 0)
            *done += (size_t)written;
        else if (errno != EINTR && errno != EAGAIN)
            return -errno;
    }
    return 0;
}

/* Writes the rest of the event that writing stopped in at DONE, for REASON: a signal or
 * the timeout. */
static int finish_event(const struct output *output, size_t *done,
                        struct signals *signals, int reason)
{
    bool by_kernel;
    int error;

    while (signals_take(signals, &by_kernel) != 0)
        continue;
    error = write_up_to(output, done, find_event_end(output, *done), signals->fd,
                        crier_now() + GRACE);
    if (error == -EINTR || error == -ETIMEDOUT)
        return -ECANCELED;
    return error != 0 ? error : reason;
}

int output_flush(struct output *output, struct signals *signals, uint64_t until,
                 const char **id)
{
    size_t done = 0;
    int error = write_up_to(output, &done, output->text.length, signals->fd, until);

    if (error == -EINTR || error == -ETIMEDOUT)
        error = finish_event(output, &done, signals, error);
    *id = find_id(output, done);
    text_clear(&output->text);
    text_clear(&output->marks);
    text_clear(&output->ids); /* the memory stays, for *ID */
    return error;
}

void output_close(struct output *output)
{
    text_done(&output->text);
    text_done(&output->marks);
    text_done(&output->ids);
}
