/*
 * Standard error. write_note() writes each line with one write(), so that the lines of
 * several threads do not mix. Before that, text_add_printable() escapes control
 * characters, because many lines quote a server, and secret_hide() removes secrets,
 * because many lines name a URL.
 */
#include <config.h>

#include "note.h"

#include "printable.h"
#include "secret.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_quiet;
static char progress[128]; /* text of the progress line; "" for none */

void note_quiet(bool quiet) { is_quiet = quiet; }

static void write_stderr(const struct text *text)
{
    size_t done = 0;
    ssize_t written;

    while (done < text->length) {
        written = write(STDERR_FILENO, text->bytes + done, text->length - done);
        if (written < 0)
            return; /* nowhere left to report this */
        done += (size_t)written;
    }
}

/* Writes LINE above the progress line, after HIDE has removed secrets. */
static void write_note(const char *prefix, const char *line, size_t length,
                       void (*hide)(char *line))
{
    struct text text = {0}, shown = {0};

    text_add_printable(&shown, line, length, NULL);
    text_add_string(&shown, "");
    hide(shown.bytes);
    pthread_mutex_lock(&lock);
    if (progress[0] != '\0')
        text_add_string(&text, "\r\033[K");
    text_add_string(&text, prefix);
    text_add_string(&text, shown.bytes);
    text_add_string(&text, "\n");
    text_add_string(&text, progress);
    write_stderr(&text);
    pthread_mutex_unlock(&lock);
    text_done(&text);
    text_done(&shown);
}

static void format_note(const char *format, va_list arguments)
{
    char *line;
    int length = vasprintf(&line, format, arguments);

    if (length < 0)
        return;
    write_note("crier: ", line, (size_t)length, secret_hide);
    free(line);
}

void note_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_note(format, arguments);
    va_end(arguments);
}

void note(const char *format, ...)
{
    va_list arguments;

    if (is_quiet)
        return;
    va_start(arguments, format);
    format_note(format, arguments);
    va_end(arguments);
}

void note_progress(const char *format, ...)
{
    struct text text = {0};
    va_list arguments;

    pthread_mutex_lock(&lock);
    va_start(arguments, format);
    vsnprintf(progress, sizeof progress, format, arguments);
    va_end(arguments);
    text_add_string(&text, "\r\033[K");
    text_add_string(&text, progress);
    write_stderr(&text);
    pthread_mutex_unlock(&lock);
    text_done(&text);
}

void note_progress_done(void)
{
    pthread_mutex_lock(&lock);
    if (progress[0] != '\0')
        write_stderr(&(struct text){.bytes = (char[]){'\n'}, .length = 1});
    progress[0] = '\0';
    pthread_mutex_unlock(&lock);
}

/* Returns the length of LINE without its LF or CR LF. */
static size_t strip_line_end(const char *line, size_t length)
{
    if (length != 0 && line[length - 1] == '\n')
        length--;
    if (length != 0 && line[length - 1] == '\r')
        length--;
    return length;
}

void note_wire(void *closure, char direction, const char *bytes, size_t length)
{
    const char prefix[] = {direction, ' ', '\0'};
    const char *end;
    size_t line;

    (void)closure;
    if (direction == '{' || direction == '}')
        return;
    for (; length != 0; bytes += line, length -= line) {
        end = memchr(bytes, '\n', length);
        line = end != NULL ? (size_t)(end - bytes) + 1 : length;
        write_note(prefix, bytes, strip_line_end(bytes, line), secret_hide_wire);
    }
}
