/*
 * The listening sockets. crierd opens them itself rather than leave it to libmicrohttpd, so
 * that it can report "address already in use" as just that, and which port it got for
 * port 0; others it inherits (inherit.c).
 *
 * A host name may have several addresses, of IPv4 and IPv6, and a client may choose any. So
 * crierd listens on all of them. One of a family that this machine does not have is left
 * out, as long as there is another one.
 *
 * What is inherited belongs to others, too: shutdown() would end the socket for them all,
 * and with it the connections that wait for the next crierd. So it is closed and nothing
 * else, and the file of a unix socket stays.
 */
#include <config.h>

#include "listener.h"

#include "peer.h"
#include "crierd/config/listen_entry.h"
#include "crierd/config/load.h"
#include "crierd/log/log.h"
#include "crier.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(LISTEN_PATH_SIZE == LOCAL_PATH_SIZE, "the same paths");

/* Seconds for which the kernel does not report a connection that has sent nothing. So the
 * request is nearly always there when the connection is accepted. After that the
 * connection is reported in any case. */
#define SILENCE 1

/* How many ports are tried where any port will do and a name has several addresses. */
#define PORT_TRIES 20

/* ---- names ------------------------------------------------------------ */

/* Writes the name of the unix socket at ADDRESS, of LENGTH bytes. */
static void name_local(struct listener *listener,
                       const struct sockaddr_un *address, socklen_t length)
{
    size_t before = offsetof(struct sockaddr_un, sun_path);

    snprintf(listener->name, sizeof listener->name, "unix:%.*s",
             length > before ? (int)(length - before) : 0, address->sun_path);
}

static void name_network(struct listener *listener,
                         const struct sockaddr *address, socklen_t length)
{
    char host[64] = "?", port[8] = "?";

    (void)getnameinfo(address, length, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(listener->name, sizeof listener->name,
             address->sa_family == AF_INET6 ? "http%s://[%s]:%s/"
                                            : "http%s://%s:%s/",
             listener->tls ? "s" : "", host, port);
}

/* Writes the name of LISTENER, and whether it is a unix socket; the other members are set. */
static void name_listener(struct listener *listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_storage storage;
    } address = {.storage.ss_family = AF_UNSPEC};
    socklen_t length = sizeof address;

    (void)getsockname(listener->socket, &address.any, &length);
    listener->local = address.any.sa_family == AF_UNIX;
    if (listener->local)
        name_local(listener, &address.local, length);
    else
        name_network(listener, &address.any, length);
}

void listeners_log(const struct listeners *listeners)
{
    const struct listener *listener;
    size_t i;

    for (i = 0; i < listeners->count; i++) {
        listener = &listeners->list[i];
        log_line(LOG_INFO, "crierd %s listening on %s%s%s%s%s",
                 crier_version(), listener->name,
                 listener->tls && listener->local ? " (TLS)" : "",
                 listener->admin ? " (admin)" : "",
                 listener->proxied ? " (PROXY protocol)" : "",
                 listener->inherited ? " (inherited)" : "");
    }
}

/* ---- opening ---------------------------------------------------------- */

bool listeners_take(struct listeners *listeners, int socket,
                    const struct listener *kind)
{
    struct listener *more = realloc(listeners->list, (listeners->count + 1) *
                                                         sizeof *more);
    struct listener *listener;

    if (more == NULL) {
        close(socket);
        return false;
    }
    listeners->list = more;
    listener = &more[listeners->count++];
    *listener = *kind;
    listener->socket = socket;
    name_listener(listener);
    return true;
}

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

/* Where the port of ADDRESS, of IPv4 or IPv6, is. */
static in_port_t *port_of(struct sockaddr *address)
{
    return address->sa_family == AF_INET6
               ? &((struct sockaddr_in6 *)(void *)address)->sin6_port
               : &((struct sockaddr_in *)(void *)address)->sin_port;
}

/* The port of SOCKET. */
static in_port_t bound_port(int socket)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
    } address = {.storage.ss_family = AF_INET};
    socklen_t length = sizeof address;

    (void)getsockname(socket, &address.any, &length);
    return *port_of(&address.any);
}

/* Whether ADDRESS is among ALL before it: names have addresses twice at times. */
static bool is_twice(const struct addrinfo *all, const struct addrinfo *address)
{
    for (; all != address; all = all->ai_next)
        if (all->ai_addrlen == address->ai_addrlen &&
            memcmp(all->ai_addr, address->ai_addr, all->ai_addrlen) == 0)
            return true;
    return false;
}

static void set_ports(const struct addrinfo *addresses, in_port_t port)
{
    for (; addresses != NULL; addresses = addresses->ai_next)
        *port_of(addresses->ai_addr) = port;
}

/* Opens all of ADDRESSES, which have one port; where that is 0, they get the one that is free
 * for the first of them. Returns 0, or the errno of the one that it cannot open. */
static int open_addresses(struct listeners *listeners, const struct addrinfo *addresses,
                          const struct listener *kind)
{
    size_t before = listeners->count;
    const struct addrinfo *address;
    int fd, missing = 0;

    for (address = addresses; address != NULL; address = address->ai_next) {
        if (is_twice(addresses, address))
            continue;
        fd = open_address(address);
        if (fd < 0 && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
            return errno;
        if (fd < 0)
            missing = errno;
        else if (!listeners_take(listeners, fd, kind))
            return ENOMEM;
        else
            set_ports(addresses, bound_port(fd));
    }
    return listeners->count > before ? 0 : missing;
}

/* Closes the listeners after the first COUNT ones. */
static void close_addresses(struct listeners *listeners, size_t count)
{
    while (listeners->count > count)
        close(listeners->list[--listeners->count].socket);
}

/* Opens all of ADDRESSES. Where the port is 0, the one that is free for the first of them may
 * be in use at another one: then it tries the next. Returns as open_addresses(). */
static int open_same_port(struct listeners *listeners, const struct addrinfo *addresses,
                          const struct listener *kind)
{
    size_t before = listeners->count;
    in_port_t port = *port_of(addresses->ai_addr);
    int error, tries = 0;

    while ((error = open_addresses(listeners, addresses, kind)) == EADDRINUSE && port == 0 &&
           ++tries < PORT_TRIES) {
        close_addresses(listeners, before);
        set_ports(addresses, port);
    }
    return error;
}

/* Opens what the host and port of ENTRY stand for. */
static const char *open_network(struct listeners *listeners,
                                const struct listen_entry *entry,
                                const struct listener *kind)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    int error = getaddrinfo(entry->host, entry->port, &hints, &addresses);

    if (error != 0)
        return gai_strerror(error);
    error = open_same_port(listeners, addresses, kind);
    freeaddrinfo(addresses);
    return error == 0 ? NULL : strerror(error);
}

static const char *open_local(struct listeners *listeners,
                              const struct listen_entry *entry,
                              struct listener *kind)
{
    const char *wrong;
    int fd = local_socket_open(entry->path, entry->mode, entry->group,
                               &kind->file, &wrong);

    if (fd < 0)
        return wrong;
    if (listeners_take(listeners, fd, kind))
        return NULL;
    local_socket_remove(&kind->file);
    return strerror(ENOMEM);
}

const char *listeners_add(struct listeners *listeners, const char *text,
                          const struct listener *kind)
{
    struct listener listener = {.tls = kind->tls, .admin = kind->admin};
    struct listen_entry entry;
    const char *wanted = listen_entry_read(&entry, text);

    if (wanted != NULL)
        return wanted;
    listener.proxied = entry.proxied;
    return entry.path[0] != '\0' ? open_local(listeners, &entry, &listener)
                                 : open_network(listeners, &entry, &listener);
}

/* Opens all that TEXTS ask for. */
static bool open_all(struct listeners *listeners,
                     const struct conf_texts *texts,
                     const struct listener *kind)
{
    const char *wrong;
    size_t i;

    for (i = 0; i < texts->count; i++) {
        wrong = listeners_add(listeners, texts->list[i], kind);
        if (wrong != NULL) {
            log_line(LOG_ERROR, "cannot listen on %s: %s", texts->list[i],
                     wrong);
            return false;
        }
    }
    return true;
}

/* Whether LISTENERS or CONF have another one for clients than the default. */
static bool is_default_replaced(const struct listeners *listeners,
                                const struct conf *conf)
{
    size_t i;

    for (i = 0; i < listeners->count; i++)
        if (!listeners->list[i].admin)
            return true;
    return conf->tls_listen.count != 0;
}

bool listeners_open(struct listeners *listeners, const struct conf *conf)
{
    const struct listener plain = {0}, tls = {.tls = true},
                          admin = {.admin = true};

    return ((conf_origin_of(conf, "listen") == CONF_DEFAULT &&
             is_default_replaced(listeners, conf)) ||
            open_all(listeners, &conf->listen, &plain)) &&
           open_all(listeners, &conf->tls_listen, &tls) &&
           open_all(listeners, &conf->admin_listen, &admin);
}

/* ---- all of them ------------------------------------------------------ */

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

/* Whether nobody but this machine reaches LISTENER. */
static bool is_local(const struct listener *listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
    } address = {.storage.ss_family = AF_UNSPEC};
    socklen_t length = sizeof address;

    return getsockname(listener->socket, &address.any, &length) == 0 &&
           peer_is_local(&address.any);
}

bool listeners_check(const struct listeners *listeners,
                     const struct conf *conf)
{
    const struct listener *listener;
    size_t i;

    if (listeners_have_tls(listeners) && conf->certificate == NULL) {
        log_line(LOG_ERROR, "a listener with TLS needs --tls-cert and --tls-key");
        return false;
    }
    for (i = 0; i < listeners->count; i++) {
        listener = &listeners->list[i];
        if (listener->inherited && !conf_is_guarded(conf) &&
            !is_local(listener)) {
            log_line(LOG_ERROR, LOAD_EXPOSED, listener->name);
            return false;
        }
    }
    return true;
}

void listeners_shut(const struct listeners *listeners)
{
    size_t i;

    for (i = 0; i < listeners->count; i++)
        if (!listeners->list[i].inherited)
            (void)shutdown(listeners->list[i].socket, SHUT_RDWR);
}

void listeners_close(struct listeners *listeners)
{
    size_t i;

    for (i = 0; i < listeners->count; i++) {
        local_socket_remove(&listeners->list[i].file);
        close(listeners->list[i].socket);
    }
    free(listeners->list);
    *listeners = (struct listeners){.count = 0};
}
