/*
 * The listening socket. crierd opens it itself rather than leave it to libmicrohttpd, so
 * that it can report "address already in use" as just that, and which port it got for
 * port 0.
 */
#include <config.h>

#include "listener.h"

#include "crierd/config/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Seconds for which the kernel does not report a connection that has sent nothing. So the
 * request is nearly always there when the connection is accepted. After that the
 * connection is reported in any case. */
#define SILENCE 1

static int open_address(const struct addrinfo *address)
{
    int on = 1, wait = SILENCE, error, fd;

    fd = socket(address->ai_family,
                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &wait, sizeof wait);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(fd, SOMAXCONN) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

int listener_open(const char *where, const char **why)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses, *address;
    char host[ADDRESS_HOST_SIZE], port[ADDRESS_PORT_SIZE];
    int error, fd = -1;

    if (!address_split(where, host, port)) {
        *why = "not HOST:PORT";
        return -1;
    }
    error = getaddrinfo(host, port, &hints, &addresses);
    if (error != 0) {
        *why = gai_strerror(error);
        return -1;
    }
    for (address = addresses; address != NULL && fd < 0;
         address = address->ai_next)
        fd = open_address(address);
    if (fd < 0)
        *why = strerror(errno);
    freeaddrinfo(addresses);
    return fd;
}

void listener_address(int socket, char text[LISTENER_ADDRESS_SIZE])
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[64] = "?", port[8] = "?";

    if (getsockname(socket, (struct sockaddr *)&address, &size) == 0)
        (void)getnameinfo((struct sockaddr *)&address, size, host,
                          sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(text, LISTENER_ADDRESS_SIZE,
             address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

bool listeners_have_tls(const struct listeners *listeners)
{
    size_t i;

    for (i = 0; i < listeners->count; i++)
        if (listeners->list[i].tls)
            return true;
    return false;
}

bool listeners_have_admin(const struct listeners *listeners)
{
    size_t i;

    for (i = 0; i < listeners->count; i++)
        if (listeners->list[i].admin)
            return true;
    return false;
}
