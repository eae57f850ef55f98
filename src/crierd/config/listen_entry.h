#ifndef CRIERD_LISTEN_ENTRY_H
#define CRIERD_LISTEN_ENTRY_H

#include "address.h"

#include <sys/types.h>

/* Room for the path of a unix socket (sockaddr_un), and for the name of a group. */
#define LISTEN_PATH_SIZE 108
#define LISTEN_GROUP_SIZE 33

/* The access to a unix socket of which nothing is said. */
#define LISTEN_MODE 0660

/* What an entry of --listen, --tls-listen or --admin-listen asks for. */
struct listen_entry {
    char host[ADDRESS_HOST_SIZE], port[ADDRESS_PORT_SIZE]; /* unless there is a path */
    char path[LISTEN_PATH_SIZE];                           /* of a unix socket, or "" */
    mode_t mode;                                           /* of that */
    char group[LISTEN_GROUP_SIZE];                         /* its, or "": crierd's */
    bool proxied; /* connections begin with a header of the PROXY protocol */
};

/* Reads TEXT, which is HOST:PORT[,proxy] or
 * unix:PATH[,mode=MODE][,group=NAME][,proxy]. Looks nothing up. Returns NULL, or what would
 * be right in the place of what is wrong (constant), such as "HOST:PORT ...", and ENTRY is
 * undefined. */
const char *listen_entry_read(struct listen_entry *entry, const char *text);

/* Whether ENTRY can be reached from this machine only. */
bool listen_entry_is_local(const struct listen_entry *entry);

#endif
