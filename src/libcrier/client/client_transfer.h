#ifndef CRIER_CLIENT_TRANSFER_H
#define CRIER_CLIENT_TRANSFER_H

#include "base/buffer.h"
#include "base/curl.h"
#include "base/fork.h"
#include "loop.h"

#include <stdatomic.h>

enum crier__client_state {
    CRIER__WAITING, /* for loop.at, to connect */
    CRIER__RUNNING, /* libcurl has the transfer */
    CRIER__ENDING,  /* the transfer is over; its messages come first */
    CRIER__OVER     /* for good */
};

/* There is no notice. */
#define CRIER__SILENT (-1)

/* Belongs to the thread in crier_client_next(), except `orders`. */
struct crier_client {
    unsigned born;             /* see fork.h */
    uint64_t retry, retry_max; /* ms */
    uint32_t read_timeout;     /* ms; 0 for none */
    bool persist;
    bool reconnects;
    char *url, *method, *body;
    struct crier__http http;
    struct crier__loop loop;
    struct crier_parser *parser;

    atomic_int orders; /* ORDER_*, set by any thread */
    enum crier__client_state state;
    uint64_t due;      /* WAITING: when to connect */
    unsigned failures; /* attempts since a message came */

    int notice;        /* the kind of a message to report, or SILENT */
    int error;         /* of the notice */
    char reason[512];
    uint64_t wait;
    bool closed;       /* CRIER_CLOSED has been reported */

    /* The transfer. */
    CURL *handle;
    struct curl_slist *headers;
    char trouble[CURL_ERROR_SIZE]; /* the error text of libcurl */
    CURLcode result;
    bool connected;      /* and the request is being sent */
    struct crier__head head;
    bool answered;       /* the headers of the last response are complete */
    bool opened;         /* and it is an event stream */
    bool coded;          /* libcurl decodes it */
    bool paused;         /* until the input is parsed */
    bool resuming;       /* libcurl passes on what it held meanwhile */
    int verdict;         /* why the response is refused: CRIER_ERR_*; or 0 */
    long status;
    uint64_t heard;      /* when the last byte came */
    uint64_t body_until; /* until when a refusal or a redirect may last, or NEVER */
    long redirects;      /* how many had been followed at the last one */
    struct crier__buffer input; /* the stream, or the body of a refusal */
    size_t at;                  /* the input is parsed up to here */
};

/* Makes the handle. CRIER_ERR_INVALID (method), -ENOMEM. */
int crier__client_prepare(struct crier_client *client, size_t body_length);

/* Connects: RUNNING. -ENOMEM, CRIER_ERR_ID_SIZE; the state is unchanged then. */
int crier__client_connect(struct crier_client *client);

/* Takes the transfer back from libcurl and discards what it has received. */
void crier__client_drop(struct crier_client *client);

/* Returns the result of the transfer, which is over: its error, with the text in
 * client->reason; writes to *AGAIN whether to reconnect. */
int crier__client_judge(struct crier_client *client, bool *again);

#endif
