#ifndef SOAK_VIRTUAL_CLIENT_H
#define SOAK_VIRTUAL_CLIENT_H

#include "bench/reader.h"
#include "check.h"
#include "clients.h"

#define CLIENT_NEVER UINT64_MAX

enum client_kind { KIND_STEADY, KIND_VISITOR, KIND_STALLER, KIND_PAGE };

enum client_state {
    STATE_AWAY,
    STATE_CONNECTING,
    STATE_PARTIAL,
    STATE_OPEN,
    STATE_STALLED,
    STATE_HALF_CLOSED
};

struct virtual_client {
    struct reader reader; /* first member */
    struct clients *clients;
    struct check check;
    enum client_kind kind;
    enum client_state state;
    bool returning;   /* connects with its last id */
    bool poll;        /* its stream ends by itself */
    bool goodbye;     /* the last message was a goodbye */
    uint64_t since;   /* start of the connection, ns */
    uint64_t due;     /* when it acts next */
    uint64_t stalled; /* start of the last stall; 0: none on this stream */
    uint64_t resumed; /* end of the last stall */
    uint64_t stall;   /* total of stalls without much reading between them */
};

/* Initializes a client of CLIENTS, unconnected. */
bool virtual_client_init(struct virtual_client *client, struct clients *clients,
                         enum client_kind kind);
void virtual_client_done(struct virtual_client *client);

/* Disconnects (see reader_close()); it reconnects after PAUSE ns. */
void virtual_client_disconnect(struct virtual_client *client, bool gently,
                               uint64_t pause);

/* Acts: what it does at NOW depends on its kind and state. */
bool virtual_client_act(struct virtual_client *client, uint64_t now);

/* Acts while everything becomes quiet: a stalled client reads again; one that polls,
 * leaves or has sent half a request finishes; others do nothing. */
bool virtual_client_settle(struct virtual_client *client, uint64_t now);

#endif
