/*
 * A small server: a daemon with the flags that streams need, and the order in which its
 * parts end.
 *
 * That order is the reason for this file. First the hub waits until the journal has
 * answered everything, which resumes the connections that wait for it. Then the streams
 * end, because libmicrohttpd aborts when it is stopped while a connection is suspended.
 * Then the daemon stops; then the shards, on whose threads the last on_closed run; and
 * at last the hub is freed, which streams could use until then.
 *
 * libmicrohttpd opens the listening socket. With a socket of its own the server could
 * always tell a port in use from other failures, but 0.9.75 closes such a socket after
 * some failures and not after others.
 */
#include <config.h>

#include "base/number.h"
#include "crier_server.h"
#include "libcrier/stream/shards.h"
#include "base/thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_ADDRESS "127.0.0.1"

/* Seconds after which an idle connection that is not a stream is closed. */
#define CONNECTION_TIMEOUT 30

/* How long clients are asked to wait before they reconnect, and how long streams may
 * take to end, in ms. */
#define RETRY_MIN 1000
#define RETRY_MAX 5000
#define DRAIN_TIME 1000

#define NEEDED_FLAGS                                                          \
    ((unsigned)MHD_USE_EPOLL_INTERNAL_THREAD |                                \
     (unsigned)MHD_ALLOW_SUSPEND_RESUME)

/* ---- where to listen -------------------------------------------------- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool read_port(const char *text, in_port_t *port)
{
    uint64_t number;

    if (!crier__number_read(text, 0, UINT16_MAX, &number))
        return false;
    *port = htons((uint16_t)number);
    return true;
}

/* Reads the address at which SERVER listens. 0 or CRIER_ERR_INVALID. */
static int read_address(const struct crier_server *server,
                        union address *address)
{
    const char *text =
        server->address != NULL ? server->address : DEFAULT_ADDRESS;
    in_port_t port;

    memset(address, 0, sizeof *address);
    if (!read_port(server->port, &port))
        return CRIER_ERR_INVALID;
    if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = port;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = port;
        return 0;
    }
    return CRIER_ERR_INVALID;
}

/* Writes the URL of SERVER; an empty text when its daemon has no socket. */
static void write_url(struct crier_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_LISTEN_FD);
    const char *scheme =
        (server->flags & (unsigned)MHD_USE_TLS) != 0 ? "https" : "http";
    union address address;
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN], port[8];

    server->url[0] = '\0';
    if (info == NULL ||
        getsockname(info->listen_fd, &address.any, &size) != 0 ||
        getnameinfo(&address.any, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    snprintf(server->url, sizeof server->url,
             address.any.sa_family == AF_INET6 ? "%s://[%s]:%s/"
                                               : "%s://%s:%s/",
             scheme, host, port);
}

/* ---- start ------------------------------------------------------------ */

/* Binds a socket to ADDRESS, as libmicrohttpd does, and closes it. 0 or -errno. */
static int try_address(const union address *address)
{
    bool six = address->any.sa_family == AF_INET6;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1, off = 0;
    int error = 0;

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (six)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, &address->any,
             six ? sizeof address->v6 : sizeof address->v4) != 0)
        error = -errno;
    close(fd);
    return error;
}

/* Returns why libmicrohttpd did not start at ADDRESS (or NULL), after which errno was
 * ERROR. errno is not always right: it may be left over from TLS or the C library, and
 * 1.0.1 closes the socket that it could not bind a second time, hence EBADF. */
static int find_error(const union address *address, int error)
{
    int reason = address != NULL ? try_address(address) : 0;

    if (reason != 0)
        return reason;
    switch (error) {
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case EACCES:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return -error;
    default:
        return CRIER_ERR_START;
    }
}

/* Starts the daemon at ADDRESS, or, when that is NULL, where the options of the program
 * say. */
static int start_daemon(struct crier_server *server, union address *address)
{
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem where[] = {
        {MHD_OPTION_SOCK_ADDR, 0, address},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = NEEDED_FLAGS | server->flags;
    sigset_t all, before;
    int error;

    if (address != NULL && address->any.sa_family == AF_INET6)
        flags |= (unsigned)MHD_USE_DUAL_STACK;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = 0;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, crier_server_handle, server, MHD_OPTION_ARRAY,
        address != NULL ? where : none, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONNECTION_TIMEOUT, MHD_OPTION_THREAD_STACK_SIZE,
        CRIER__THREAD_STACK, MHD_OPTION_NOTIFY_COMPLETED, crier_server_completed,
        NULL, MHD_OPTION_ARRAY,
        server->options != NULL ? server->options : none, MHD_OPTION_END);
    error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (server->daemon == NULL)
        return find_error(address, error);
    error = crier_daemon_check(server->daemon, NULL);
    if (error != 0) {
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
    }
    return error;
}

int crier_server_start(struct crier_server *server)
{
    struct crier_shards *made = NULL;
    union address address;
    int error = 0;

    if (server == NULL || server->handle == NULL)
        return CRIER_ERR_NULL;
    if (server->port != NULL)
        error = read_address(server, &address);
    if (error == 0 && server->shards == NULL) {
        error = crier_shards_new(NULL, &made);
        if (error == 0)
            server->shards = made;
    }
    if (error == 0)
        error =
            start_daemon(server, server->port != NULL ? &address : NULL);
    if (error == 0) {
        write_url(server);
        return 0;
    }
    if (made != NULL) {
        crier_shards_free(made);
        server->shards = NULL;
    }
    return error;
}

/* ---- stop ------------------------------------------------------------- */

void crier_server_stop(struct crier_server *server)
{
    if (server == NULL)
        return;
    if (server->shards != NULL && crier__shards_run_here(server->shards)) {
        crier__shards_mistake(server->shards,
                              "crier_server_stop() in a callback of a stream "
                              "would wait for itself");
        return;
    }
    if (server->hub != NULL)
        crier_hub_close(server->hub);
    if (server->shards != NULL)
        crier_shards_drain(server->shards, RETRY_MIN, RETRY_MAX, DRAIN_TIME);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    crier_shards_free(server->shards);
    crier_hub_free(server->hub);
    server->daemon = NULL;
    server->shards = NULL;
    server->hub = NULL;
}
