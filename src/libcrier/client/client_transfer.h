#ifndef CRIER_CLIENT_TRANSFER_H
#define CRIER_CLIENT_TRANSFER_H

#include "base/buffer.h"
#include "base/curl.h"
#include "base/fork.h"
#include "loop.h"

#include <stdatomic.h>

enum crier__client_state {
    CRIER__WAITING, /* until loop.at, then it connects */
    CRIER__RUNNING, /* libcurl has the transfer */
    CRIER__ENDING,  /* the transfer is over; what it brought is told first */
    CRIER__OVER     /* for good */
};

/* No notice. */
#define CRIER__SILENT (-1)

/* All of it belongs to the thread in crier_client_next(), but `orders`. */
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

    atomic_int orders; /* ORDER_*: any thread's wish */
    enum crier__client_state state;
    uint64_t due;      /* WAITING: when to connect */
    unsigned failures; /* attempts since a message came */

    int notice;        /* what is to be told beside messages, or SILENT */
    int error;         /* of the notice */
    char reason[512];
    uint64_t wait;
    bool closed;       /* CRIER_CLOSED has been told */

    /* The transfer. */
    CURL *handle;
    struct curl_slist *headers;
    char trouble[CURL_ERROR_SIZE]; /* libcurl's words */
    CURLcode result;
    bool connected;      /* and the request is on its way */
    struct crier__head head;
    bool answered;       /* the headers of the last answer are in */
    bool opened;         /* and it is an event stream */
    bool coded;          /* libcurl decodes it */
    bool paused;         /* for input to be read */
    bool resuming;       /* libcurl hands over what it held meanwhile */
    int verdict;         /* the answer is refused: CRIER_ERR_*; or 0 */
    long status;
    uint64_t heard;      /* when the last byte came */
    uint64_t body_until; /* how long a refusal or a redirect may go on, or NEVER */
    long redirects;      /* how many were followed when the last one came */
    struct crier__buffer input; /* the stream, or what a refusal says */
    size_t at;                  /* in input: it is parsed up to here */
};

/* Makes the handle. CRIER_ERR_INVALID (method), -ENOMEM. */
int crier__client_prepare(struct crier_client *client, size_t body_length);

/* Connects: RUNNING. -ENOMEM, CRIER_ERR_ID_SIZE (the last id is too long for a
 * header); the state is then as it was. */
int crier__client_connect(struct crier_client *client);

/* Takes the transfer from libcurl if it has it, and forgets what it brought. */
void crier__client_drop(struct crier_client *client);

/* What the transfer that is over came to: the error, with client->reason in words,
 * and in *AGAIN whether to connect again. */
int crier__client_judge(struct crier_client *client, bool *again);

#endif
