/*
 * Notifications for a service manager, by the protocol of sd_notify(3): each is one datagram
 * to the socket that $NOTIFY_SOCKET names, a path, or a name in the abstract namespace
 * behind an "@".
 *
 * The socket is opened at the start, so that a notification needs no descriptor, and is not
 * connected: a manager may bind a new socket to the path. Nothing here ever waits. A manager
 * that does not read makes the kernel refuse the datagram, and the caller decides whether
 * that one matters.
 *
 * Rejected: libsystemd. It would add two libraries to the process for what follows.
 */
#include <config.h>

#include "notify.h"

#include "crierd/log/log.h"
#include "base/number.h"
#include "crier.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The longest notification. */
#define TEXT_SIZE 512

/* The shortest time of a watchdog, in us. */
#define WATCHDOG_MIN 100000

/* All of it is written before any other thread starts. */
static int notify_fd = -1;
static struct sockaddr_un manager;
static socklen_t manager_length;
static uint64_t watchdog; /* ms, or 0 */

/* Writes the address that NAME stands for to `manager`. */
static bool read_address(const char *name)
{
    size_t length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || name[1] == '\0' ||
        length >= sizeof manager.sun_path)
        return false;
    manager.sun_family = AF_UNIX;
    memcpy(manager.sun_path, name, length + 1);
    manager_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (name[0] == '@')
        manager.sun_path[0] = '\0'; /* the abstract namespace */
    else
        manager_length++; /* a path ends with a NUL */
    return true;
}

static void open_socket(const char *name)
{
    if (name == NULL || name[0] == '\0')
        return;
    if (!read_address(name)) {
        log_line(LOG_WARNING,
                 "NOTIFY_SOCKET is neither a path nor an abstract name: '%s'", name);
        return;
    }
    notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify_fd < 0)
        log_line(LOG_WARNING, "cannot notify the service manager: %s",
                 crier_error_text(-errno));
}

/* Reads the time of the watchdog of process PID, or of any process where PID is NULL. */
static void read_watchdog(const char *time, const char *pid)
{
    uint64_t us, process;

    if (time == NULL)
        return;
    if (pid != NULL && crier__number_read(pid, 1, INT32_MAX, &process) &&
        process != (uint64_t)getpid())
        return; /* a parent's */
    if (crier__number_read(time, WATCHDOG_MIN, UINT64_MAX, &us))
        watchdog = us / 1000;
    else
        log_line(LOG_WARNING, "WATCHDOG_USEC is no time of %d us or more: '%s'",
                 WATCHDOG_MIN, time);
}

void notify_open(void)
{
    open_socket(getenv("NOTIFY_SOCKET"));
    if (notify_fd >= 0)
        read_watchdog(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

bool notify_send(const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    ssize_t sent;
    int length;

    if (notify_fd < 0)
        return true;
    va_start(arguments, format);
    length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return false;
    if ((size_t)length >= sizeof text)
        length = sizeof text - 1;
    do
        sent = sendto(notify_fd, text, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL,
                      (const struct sockaddr *)&manager, manager_length);
    while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

void notify_reloading(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                      (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

uint64_t notify_watchdog(void)
{
    return watchdog;
}
