/*
 * The log: one line for each event on standard error, where systemd, a container or a
 * terminal reads it. What comes from outside can neither forge a line nor control a
 * terminal: every byte but printable ASCII is written as \xNN, and a backslash as two.
 *
 * Standard error belongs to the operator, and write() may block there for ever: on a
 * pipe that nobody reads, or on a terminal that was stopped by Ctrl-S. So no thread that
 * serves writes to it. Lines go into a buffer of bounded size, and a thread that does
 * nothing else writes them. While that thread is blocked, the buffer fills up, and then
 * lines are dropped and counted.
 *
 * There are two buffers: one that lines are added to, and one that is being written. The
 * thread exchanges them when it has written all of the second one. Once a line has been
 * dropped, all further lines are dropped until the next exchange; so the dropped lines
 * come after all lines in the buffer, and the line with their number is written at the
 * place where they are missing.
 *
 * The first line after a quiet time is written at once. Then the thread pauses, so that in
 * a busy time it is not woken for each line: that would cost more than the write().
 *
 * Lines that are written together are at most PIPE_BUF bytes, so that lines of several
 * processes do not mix in a pipe that they share. Where a write fails, its lines count
 * as dropped; but of a line that was written in part, the rest is written first of all
 * when writing works again. While lines are missing, the thread tries once a second.
 *
 * Rejected: O_NONBLOCK, which is a flag of the open file description and so would be
 * set for every process that has the same pipe or terminal; and a timer or a signal
 * that interrupts a blocked write(), which then may have written half a line.
 */
#include <config.h>

#include "log.h"

#include "base/clock.h"
#include "base/cond.h"
#include "crier.h"
#include "base/thread.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

/* A line with its time, level and newline. */
#define LINE_SIZE (LINE_MAX_BYTES + 64)

/* Bytes in each of the two buffers: some ten thousand requests. */
#define BUFFER_SIZE ((size_t)1024 * 1024)

/* How often to try again to report that lines are missing, in ms. */
#define RETRY_TIME 1000

/* How long lines gather after some have been written, in ms. */
#define PAUSE_TIME 10

static const char *const names[] = {"error", "warning", "info", "debug"};
static atomic_int threshold = LOG_INFO;
static _Atomic uint64_t lost; /* lines that were dropped, since the start */

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, level);
}

int log_level_by_name(const char *name)
{
    static const struct {
        const char *name;
        enum log_level level;
    } also[] = {{"err", LOG_ERROR}, {"warn", LOG_WARNING}};
    int level;
    size_t i;

    for (level = LOG_ERROR; level <= LOG_DEBUG; level++)
        if (strcasecmp(name, names[level]) == 0)
            return level;
    for (i = 0; i < sizeof also / sizeof also[0]; i++)
        if (strcasecmp(name, also[i].name) == 0)
            return (int)also[i].level;
    return -1;
}

/* ---- writing ------------------------------------------------------------ */

/* The log thread's alone, and before it is started the caller's of log_line(). */
static struct {
    char rest[LINE_SIZE]; /* of a line that was written in part */
    size_t rest_length;
    size_t missing; /* lines that were not written and not reported yet */
} writer;

/* Writes LENGTH bytes to standard error and waits as long as that takes. Returns how
 * many were written; fewer only after an error. */
static size_t write_bytes(const char *bytes, size_t length)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    size_t at = 0;
    ssize_t count;

    while (at < length) {
        count = write(STDERR_FILENO, bytes + at, length - at);
        if (count >= 0)
            at += (size_t)count;
        else if (errno == EAGAIN) /* another process has set O_NONBLOCK */
            (void)poll(&room, 1, -1);
        else if (errno != EINTR)
            break;
    }
    return at;
}

/* Writes the rest of a line. Returns whether there is none any more. */
static bool write_rest(void)
{
    size_t count = write_bytes(writer.rest, writer.rest_length);

    writer.rest_length -= count;
    memmove(writer.rest, writer.rest + count, writer.rest_length);
    return writer.rest_length == 0;
}

/* The length of the first line in LENGTH bytes of whole lines. */
static size_t line_length(const char *lines, size_t length)
{
    const char *end = memchr(lines, '\n', length);

    return (size_t)(end - lines) + 1;
}

static size_t count_log_lines(const char *lines, size_t length)
{
    size_t count = 0, at;

    for (at = 0; at < length; at += line_length(lines + at, length - at))
        count++;
    return count;
}

/* Writes LENGTH bytes of whole lines. Of those that cannot be written, one that has been
 * begun becomes the rest, and the others count as missing. */
static void write_whole(const char *lines, size_t length)
{
    size_t count = write_rest() ? write_bytes(lines, length) : 0;

    if (count != 0 && lines[count - 1] != '\n') {
        writer.rest_length = line_length(lines + count, length - count);
        memcpy(writer.rest, lines + count, writer.rest_length);
        count += writer.rest_length;
    }
    writer.missing += count_log_lines(lines + count, length - count);
}

static size_t begin_line(char line[LINE_SIZE], enum log_level level)
{
    char time[CRIER__CLOCK_TEXT_SIZE];

    crier__clock_text(crier__clock_real(), time);
    return (size_t)snprintf(line, LINE_SIZE, "%s %-7s ", time, names[level]);
}

/* Where lines are missing, writes how many. Returns false when that failed. */
static bool write_missing(void)
{
    size_t missing = writer.missing, at;
    char line[LINE_SIZE];

    if (missing == 0)
        return true;
    at = begin_line(line, LOG_WARNING);
    at += (size_t)snprintf(line + at, sizeof line - at,
                           "log lines dropped here, because standard error did "
                           "not accept them: %zu\n",
                           missing);
    writer.missing = 0;
    write_whole(line, at);
    if (writer.missing == 0)
        return true;
    writer.missing = missing;
    return false;
}

/* The length of the first lines in LENGTH bytes that are written together. */
static size_t chunk_length(const char *lines, size_t length)
{
    size_t at = 0, line;

    while (at < length) {
        line = line_length(lines + at, length - at);
        if (at != 0 && at + line > PIPE_BUF)
            break;
        at += line;
    }
    return at;
}

/* Writes LENGTH bytes of whole lines, behind which DROPPED lines are missing. */
static void write_lines(const char *lines, size_t length, size_t dropped)
{
    size_t at, chunk, before;

    for (at = 0; at < length; at += chunk) {
        chunk = chunk_length(lines + at, length - at);
        if (write_missing()) {
            before = writer.missing;
            write_whole(lines + at, chunk);
        } else {
            before = writer.missing;
            writer.missing += count_log_lines(lines + at, chunk);
        }
        atomic_fetch_add(&lost, writer.missing - before);
    }
    writer.missing += dropped;
    (void)write_missing();
}

/* ---- the buffers -------------------------------------------------------- */

static char buffers[2][BUFFER_SIZE];

static struct {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;  /* there is something to write, and WAITING or much of it; or
                             STOPPING */
    pthread_cond_t done;  /* ENDED */
    bool started;
    bool waiting; /* the thread, for the next line */
    int filling;    /* the buffer that lines are added to */
    size_t length;  /* of the lines in it */
    size_t dropped; /* lines that would come behind these */
    bool stopping, ended;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_t thread;

/* Adds a line to the buffer, or drops it. Never waits for standard error, unless the
 * log thread has not been started. */
static void put_line(const char *line, size_t length)
{
    pthread_mutex_lock(&queue.lock);
    if (!queue.started) {
        write_lines(line, length, 0);
    } else if (queue.dropped != 0 || queue.length + length > BUFFER_SIZE) {
        queue.dropped++;
        atomic_fetch_add(&lost, 1);
    } else {
        memcpy(buffers[queue.filling] + queue.length, line, length);
        queue.length += length;
        if (queue.waiting || queue.length > BUFFER_SIZE / 2)
            pthread_cond_signal(&queue.more);
    }
    pthread_mutex_unlock(&queue.lock);
}

/* Waits until there is something to write or to be reported again. Under the lock. */
static void wait_for_lines(void)
{
    uint64_t until =
        writer.missing != 0 ? crier_now() + RETRY_TIME : UINT64_MAX;

    queue.waiting = true;
    while (queue.length == 0 && !queue.stopping &&
           crier__cond_wait(&queue.more, &queue.lock, until))
        ;
    queue.waiting = false;
}

/* Lets lines gather. Under the lock. */
static void pause_for_lines(void)
{
    uint64_t until = crier_now() + PAUSE_TIME;

    while (queue.length <= BUFFER_SIZE / 2 && !queue.stopping &&
           crier__cond_wait(&queue.more, &queue.lock, until))
        ;
}

static void *write_log(void *unused)
{
    size_t length, dropped;
    const char *lines;
    bool stopping;

    (void)unused;
    pthread_mutex_lock(&queue.lock);
    do {
        wait_for_lines();
        lines = buffers[queue.filling];
        length = queue.length;
        dropped = queue.dropped;
        stopping = queue.stopping;
        queue.filling = !queue.filling;
        queue.length = queue.dropped = 0;
        pthread_mutex_unlock(&queue.lock);
        write_lines(lines, length, dropped);
        pthread_mutex_lock(&queue.lock);
        pause_for_lines();
    } while (!stopping);
    queue.ended = true;
    pthread_cond_signal(&queue.done);
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

bool log_start(void)
{
    queue.started = crier__cond_init(&queue.more) == 0 &&
                    crier__cond_init(&queue.done) == 0 &&
                    crier__thread_start(&thread, write_log, NULL) == 0;
    return queue.started;
}

void log_stop(uint64_t deadline)
{
    bool ended;

    pthread_mutex_lock(&queue.lock);
    queue.stopping = true;
    pthread_cond_signal(&queue.more);
    while (!queue.ended &&
           crier__cond_wait(&queue.done, &queue.lock, deadline))
        ;
    ended = queue.ended;
    pthread_mutex_unlock(&queue.lock);
    if (ended)
        pthread_join(thread, NULL);
    else
        pthread_detach(thread); /* it is blocked, and ends with the process */
}

uint64_t log_count_dropped(void)
{
    return atomic_load(&lost);
}

/* ---- lines -------------------------------------------------------------- */

/* Copies TEXT to LINE, at most ROOM bytes, and returns how many. */
static size_t copy_visible(char *line, size_t room, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    unsigned char c;

    for (; (c = (unsigned char)*text) != '\0' && at + 4 <= room; text++) {
        if (c == '\\')
            line[at++] = '\\';
        if (c >= 0x20 && c < 0x7f) {
            line[at++] = (char)c;
            continue;
        }
        line[at++] = '\\';
        line[at++] = 'x';
        line[at++] = hex[c >> 4];
        line[at++] = hex[c & 15];
    }
    return at;
}

void log_lines(enum log_level level, const char *format, va_list arguments)
{
    char text[LINE_MAX_BYTES], line[LINE_SIZE];
    size_t at;

    if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    at = begin_line(line, level);
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0'; /* libmicrohttpd ends its lines */
    at += copy_visible(line + at, sizeof line - at - 1, text);
    line[at++] = '\n';
    put_line(line, at);
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_lines(level, format, arguments);
    va_end(arguments);
}
