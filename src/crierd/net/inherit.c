/*
 * Listening sockets that crierd inherits from its parent. The protocol is sd_listen_fds(3)'s:
 * LISTEN_FDS is how many descriptors there are, from 3 on; LISTEN_PID is the process they
 * are for, since variables are inherited by others, too; LISTEN_FDNAMES is a name for each,
 * with colons between.
 *
 * What is inherited is not trusted to be what the unit's author meant: a descriptor that is
 * not a listening stream socket, as with `Accept=yes`, is refused with its number and name.
 *
 * Whether reads wait is a property of the socket, which all share that have it; crierd
 * changes that, since several of its threads accept from one socket. TCP_DEFER_ACCEPT is
 * changed where the owner has not set it: clients of HTTP and TLS, and senders of the PROXY
 * protocol speak first, so no client is kept waiting by it.
 */
#include <config.h>

#include "inherit.h"

#include "base/number.h"
#include "crierd/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The first inherited descriptor, and how many there can be. */
#define FIRST 3
#define INHERITED_MAX 64

/* Seconds, as in listener.c. */
#define SILENCE 1

/* Reads the option NAME of SOCKET; -1 when it has none. */
static int read_option(int socket, int level, int name)
{
    int value;
    socklen_t length = sizeof value;

    return getsockopt(socket, level, name, &value, &length) == 0 ? value : -1;
}

/* Whether SOCKET's address is an abstract one, or none at all, of a unix socket. */
static bool is_nameless(int socket)
{
    struct sockaddr_un address;
    socklen_t length = sizeof address;

    return getsockname(socket, (struct sockaddr *)&address, &length) != 0 ||
           length <= offsetof(struct sockaddr_un, sun_path) ||
           address.sun_path[0] == '\0';
}

/* What is wrong with SOCKET, or NULL. */
static const char *find_fault(int socket)
{
    int domain = read_option(socket, SOL_SOCKET, SO_DOMAIN);

    if (domain < 0)
        return "is not a socket";
    if (read_option(socket, SOL_SOCKET, SO_TYPE) != SOCK_STREAM ||
        (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX))
        return "is not a TCP socket or a unix stream socket";
    if (read_option(socket, SOL_SOCKET, SO_ACCEPTCONN) != 1)
        return "does not listen (is it from a unit with Accept=yes?)";
    if (domain == AF_UNIX && is_nameless(socket))
        return "has no path: abstract names are not supported";
    return NULL;
}

/* Prepares SOCKET as one of our own would be. False when the kernel refuses. */
static bool prepare_socket(int socket)
{
    int flags = fcntl(socket, F_GETFL), wait = SILENCE;

    if (read_option(socket, IPPROTO_TCP, TCP_DEFER_ACCEPT) == 0)
        (void)setsockopt(socket, IPPROTO_TCP, TCP_DEFER_ACCEPT, &wait,
                         sizeof wait);
    return flags >= 0 && fcntl(socket, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* Reads the kind of NAME, which is cut up. False when it is none that a listener has. */
static bool read_kind(char *name, struct listener *kind)
{
    char *word;

    while ((word = strsep(&name, "-")) != NULL) {
        if (strcmp(word, "tls") == 0)
            kind->tls = true;
        else if (strcmp(word, "admin") == 0)
            kind->admin = true;
        else if (strcmp(word, "proxy") == 0)
            kind->proxied = true;
        else
            return false;
    }
    return true;
}

/* Adds the descriptor SOCKET called NAME. */
static bool take_socket(struct listeners *listeners, int socket,
                        const char *name)
{
    const char *fault = find_fault(socket);
    struct listener kind = {0};
    char copy[32];

    if (fault == NULL && !prepare_socket(socket))
        fault = "cannot be set not to block";
    snprintf(copy, sizeof copy, "%s", name);
    if (!read_kind(copy, &kind))
        kind = (struct listener){0};
    if (fault == NULL && kind.tls && kind.admin)
        fault = "has two kinds: listeners for administration have no TLS";
    if (fault != NULL) {
        log_line(LOG_ERROR, "cannot listen on the inherited descriptor %d (%s): "
                            "it %s",
                 socket, name[0] != '\0' ? name : "no name", fault);
        return false;
    }
    kind.inherited = true;
    if (listeners_take(listeners, socket, &kind))
        return true;
    log_line(LOG_ERROR, "out of memory");
    return false;
}

/* Adds COUNT descriptors with the names in NAMES, which is cut up. */
static bool take_sockets(struct listeners *listeners, unsigned count,
                         char *names)
{
    const char *name;
    unsigned i;

    for (i = 0; i < count; i++) /* also those behind a bad one */
        (void)fcntl(FIRST + (int)i, F_SETFD, FD_CLOEXEC);
    for (i = 0; i < count; i++) {
        name = strsep(&names, ":");
        if (!take_socket(listeners, FIRST + (int)i, name != NULL ? name : ""))
            return false;
    }
    return true;
}

/* Reads the variables. False when one is malformed. *COUNT is 0 when they are not for this
 * process. */
static bool read_variables(unsigned *count)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    uint64_t process, number;

    *count = 0;
    if (pid == NULL || fds == NULL)
        return true;
    if (!crier__number_read(pid, 1, INT32_MAX, &process)) {
        log_line(LOG_ERROR, "LISTEN_PID is not the number of a process");
        return false;
    }
    if (process != (uint64_t)getpid())
        return true;
    if (!crier__number_read(fds, 0, INHERITED_MAX, &number)) {
        log_line(LOG_ERROR, "LISTEN_FDS is not a number from 0 to %d",
                 INHERITED_MAX);
        return false;
    }
    *count = (unsigned)number;
    return true;
}

bool inherit_listeners(struct listeners *listeners)
{
    const char *names = getenv("LISTEN_FDNAMES");
    char *copy = strdup(names != NULL ? names : "");
    unsigned count;
    bool well = copy != NULL && read_variables(&count) &&
                take_sockets(listeners, count, copy);

    if (copy == NULL)
        log_line(LOG_ERROR, "out of memory");
    free(copy);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return well;
}
