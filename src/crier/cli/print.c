/*
 * Standard output by write(). With stdio an error can surface in any call, and its
 * errno is lost when the program ends; here the first error is kept and print_finish()
 * reports it.
 */
#include <config.h>

#include "print.h"

#include "note.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failure; /* errno of the failed write; 0 for none */

bool print_bytes(const char *bytes, size_t length)
{
    struct pollfd polled = {.fd = STDOUT_FILENO, .events = POLLOUT};
    ssize_t written;

    while (length != 0 && failure == 0) {
        written = write(STDOUT_FILENO, bytes, length);
        if (written >= 0) {
            bytes += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN) { /* another process made the descriptor
                                       * non-blocking */
            poll(&polled, 1, -1);
        } else if (errno != EINTR) {
            failure = errno;
        }
    }
    return failure == 0;
}

bool print_text(const char *format, ...)
{
    va_list arguments;
    char *text;
    int length;

    va_start(arguments, format);
    length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        failure = ENOMEM;
        return false;
    }
    print_bytes(text, (size_t)length);
    free(text);
    return failure == 0;
}

int print_finish(int status)
{
    if (failure == 0 || failure == EPIPE)
        return status;
    note_error("cannot write: %s", strerror(failure));
    return status != EXIT_SUCCESS ? status : EXIT_FAILURE;
}
