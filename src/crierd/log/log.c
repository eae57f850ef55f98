/*
 * The log: one line for each event on standard error, where systemd, a container or a
 * terminal reads it. log_text.c and log_json.c write what a line has to say; this
 * file adds what all lines begin with, and queues them.
 *
 * Where standard error is the journal of systemd, a line begins with its priority (<6>,
 * sd-daemon(3)) in place of the time and, as text, of the level: the journal has both.
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

#include "log_json.h"
#include "log_text.h"

#include "base/clock.h"
#include "base/cond.h"
#include "crier.h"
#include "base/thread.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_SIZE LOG_LINE_SIZE

/* Bytes in each of the two buffers: some ten thousand requests. */
#define BUFFER_SIZE ((size_t)1024 * 1024)

/* How often to try again to report that lines are missing, in ms. */
#define RETRY_TIME 1000

/* How long lines gather after some have been written, in ms. */
#define PAUSE_TIME 10

static const char *const names[] = {"error", "warning", "info", "debug"};
static atomic_int threshold = LOG_INFO;
static atomic_int line_format = LOG_TEXT;
static bool to_journal; /* set before any other thread starts */
static _Atomic uint64_t lost; /* lines that were dropped, since the start */

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, level);
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store(&line_format, format);
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

/* ---- what a line begins with ---------------------------------------------- */

bool log_is_journal(void)
{
    const char *said = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat status;

    if (said == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino);
    return strcmp(said, own) == 0;
}

/* Adds the time. The text of a second is kept for the next line. */
static void add_clock(struct log_line *line)
{
    static _Thread_local char text[CRIER__CLOCK_TEXT_SIZE];
    static _Thread_local int64_t second = -1;
    int64_t now = crier__clock_real();
    unsigned milliseconds = (unsigned)(now % 1000);
    char *point = text + strlen("2026-01-31T23:59:59");

    if (now / 1000 != second) {
        second = now / 1000;
        crier__clock_text(now, text);
    }
    point[1] = (char)('0' + milliseconds / 100);
    point[2] = (char)('0' + milliseconds / 10 % 10);
    point[3] = (char)('0' + milliseconds % 10);
    log_line_add(line, text, strlen(text));
}

/* Begins LINE, of LEVEL, up to the first part of its own. */
static void begin_line(struct log_line *line, enum log_level level)
{
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
    static const char *const padded[] = {" error   ", " warning ", " info    ",
                                         " debug   "};

    line->length = 0;
    line->json = atomic_load_explicit(&line_format, memory_order_relaxed) == LOG_JSON;
    if (to_journal)
        log_line_add_text(line, priorities[level]);
    if (line->json) {
        log_line_add_text(line, "{");
        if (!to_journal) {
            log_line_add_text(line, "\"time\":\"");
            add_clock(line);
            log_line_add_text(line, "\",");
        }
        log_line_add_text(line, "\"level\":\"");
        log_line_add_text(line, names[level]);
        log_line_add_text(line, "\"");
    } else if (!to_journal) {
        add_clock(line);
        log_line_add_text(line, padded[level]);
    }
}

/* Adds the text of a line that is nothing else, and ends LINE. */
static void end_with_text(struct log_line *line, const char *text)
{
    size_t length = strlen(text);

    if (line->json)
        log_json_text(line, "message", text, length, LOG_LINE_SIZE);
    else
        log_text_add(line, text, length, LOG_LINE_SIZE);
    log_line_end(line);
}

/* Where lines are missing, writes how many. Returns false when that failed. */
static bool write_missing(void)
{
    size_t missing = writer.missing;
    struct log_line line;
    char text[128];

    if (missing == 0)
        return true;
    snprintf(text, sizeof text,
             "log lines dropped here, because standard error did not accept them: %zu",
             missing);
    begin_line(&line, LOG_WARNING);
    end_with_text(&line, text);
    writer.missing = 0;
    write_whole(line.bytes, line.length);
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
    to_journal = log_is_journal();
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

void log_lines(enum log_level level, const char *format, va_list arguments)
{
    char text[LOG_LINE_SIZE];
    struct log_line line;

    if (!log_wants(level))
        return;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0'; /* libmicrohttpd ends its lines */
    begin_line(&line, level);
    end_with_text(&line, text);
    put_line(line.bytes, line.length);
}

void log_access(enum log_level level, const struct log_access *access)
{
    struct log_line line;

    if (!log_wants(level))
        return;
    begin_line(&line, level);
    if (line.json)
        log_json_access(&line, access);
    else
        log_text_access(&line, access);
    log_line_end(&line);
    put_line(line.bytes, line.length);
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_lines(level, format, arguments);
    va_end(arguments);
}
