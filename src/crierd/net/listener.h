#ifndef CRIERD_LISTENER_H
#define CRIERD_LISTENER_H

#include "local_socket.h"
#include "crierd/config/conf.h"

#include <stdbool.h>
#include <stddef.h>

/* Room for the name of a listener. */
#define LISTENER_NAME_SIZE (LOCAL_PATH_SIZE + 64)

/* A listening socket, and what its connections are. It does not change while connections
 * of it are there. */
struct listener {
    int socket;
    bool tls;       /* clients use TLS */
    bool admin;     /* it is one of --admin-listen: for administration alone */
    bool proxied;   /* each connection begins with a header of the PROXY protocol */
    bool local;     /* it is a unix socket */
    bool inherited; /* the socket is that of whoever started crierd, and goes on to listen
                       when crierd has ended */
    struct local_file file; /* of a unix socket of crierd's own */
    char name[LISTENER_NAME_SIZE]; /* "http://127.0.0.1:8080/" or "unix:/run/crier" */
};

/* All that crierd listens on. */
struct listeners {
    struct listener *list;
    size_t count;
};

/* Opens what CONF wants to listen on, behind what LISTENERS have already (the sockets of
 * inherit_listeners()). The default of --listen is left out where they have one that is not
 * for administration, or CONF has another one. Returns false when one cannot be opened,
 * which is logged; listeners_close() is to be called all the same. One thread, and before
 * others are started that make files. */
bool listeners_open(struct listeners *listeners, const struct conf *conf);

/* Adds what TEXT asks for (config/listen_entry.h) to LISTENERS, as KIND says: `tls` and
 * `admin` count. A host name is listened on at all its addresses. Returns NULL, or why that
 * is impossible (constant or borrowed until the next call). */
const char *listeners_add(struct listeners *listeners, const char *text,
                          const struct listener *kind);

/* Adds the listening SOCKET, which is the listeners' from here on, as KIND says. False when
 * memory is short, and SOCKET is closed. */
bool listeners_take(struct listeners *listeners, int socket,
                    const struct listener *kind);

/* Whether one of LISTENERS uses TLS, or is for administration. */
bool listeners_have_tls(const struct listeners *listeners);
bool listeners_have_admin(const struct listeners *listeners);

/* Whether CONF is fit for LISTENERS: it has a certificate if one of them uses TLS, and is
 * for clients from elsewhere (conf_is_guarded()) if one is inherited that these can reach.
 * Logs why not. */
bool listeners_check(const struct listeners *listeners,
                     const struct conf *conf);

/* Logs what each of LISTENERS listens on. */
void listeners_log(const struct listeners *listeners);

/* Makes LISTENERS refuse connections from here on. With an inherited socket they wait for
 * the next program that has it. Any thread. */
void listeners_shut(const struct listeners *listeners);

/* Closes LISTENERS, and removes the files of unix sockets. */
void listeners_close(struct listeners *listeners);

#endif
