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
    struct reader reader; /* first */
    struct clients *clients;
    struct check check;
    enum client_kind kind;
    enum client_state state;
    bool returning;   /* with its last id, when it comes */
    bool poll;        /* its stream ends by itself */
    bool goodbye;     /* the last message was one */
    uint64_t since;   /* when it began to connect; ns */
    uint64_t due;     /* when it does something */
    uint64_t stalled; /* when it last began to; 0: not on this stream */
    uint64_t resumed; /* when it last went on */
    uint64_t stall;   /* how long it did, without reading for long between */
};

/* A client of CROWD that has not come yet. */
bool virtual_client_init(struct virtual_client *client, struct clients *clients,
                         enum client_kind kind);
void virtual_client_done(struct virtual_client *client);

/* It has no connection any more, which it closes (see reader_close()), and
 * comes back after PAUSE ns. */
void virtual_client_disconnect(struct virtual_client *client, bool gently,
                               uint64_t pause);

/* Does what it is to do at NOW. */
bool virtual_client_act(struct virtual_client *client, uint64_t now);

/* While all is to become quiet: who stalls reads again, who polls, leaves or
 * sent half a request finishes, and nobody else moves. */
bool virtual_client_settle(struct virtual_client *client, uint64_t now);

#endif
