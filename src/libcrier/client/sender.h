#ifndef CRIER_SENDER_H
#define CRIER_SENDER_H

#include "base/buffer.h"
#include "base/curl.h"

#include <stdatomic.h>

/* Sends publications to one list of topics of one server, repeatedly until there is a
 * response. All zero holds nothing. */
struct crier__sender {
    char *url;        /* of the topics */
    char *target;     /* the same with a query */
    bool is_private;
    uint64_t timeout; /* ms for a publication; UINT64_MAX for none */
    void (*on_retry)(void *closure, const char *reason, uint64_t retry);
    void *closure;
    struct crier__http http;
    CURLM *multi;
    CURL *handle;
    struct curl_slist *headers;
    char trouble[CURL_ERROR_SIZE];
    struct crier__head head;
    struct crier__buffer answer;
    bool cut;          /* the response was too long and is incomplete */
    char run[32];      /* the prefix of the ids that it makes */
    uint64_t made;     /* the number of ids that it has made */
    atomic_bool stop;
    atomic_ullong retries;
};

/* A publication: the COUNT events in BODY. */
struct crier__publication {
    const char *body;
    size_t length;
    uint64_t count;
    bool dedupe; /* an id that exists is no error; so it is always after the first attempt
                    that was sent */
    bool last;   /* the last event is the last one of its topics */
};

/* The result of a publication, or of several together. */
struct crier__outcome {
    int error;
    uint64_t count, duplicates; /* updates that the journal has, also after an error */
    struct crier_published published;
};

/* Initializes SENDER. CRIER_ERR_URL, CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS,
 * CRIER_ERR_INVALID, -ENOMEM, -errno. Free it in any case. */
int crier__sender_init(struct crier__sender *sender,
                       const struct crier_publisher_options *options);
void crier__sender_done(struct crier__sender *sender);

/* Appends EVENT to OUT in the form in which it is published: with an id, which the
 * sender makes when there is none. CRIER_ERR_ID, CRIER_ERR_EMPTY (it has no data), the
 * errors of crier_event_encode(). One thread at a time. */
int crier__sender_write(struct crier__sender *sender,
                        const struct crier_event *event,
                        struct crier__buffer *out);

/* Publishes PUBLICATION and waits. The error of the outcome is 0, CRIER_ERR_EXISTS,
 * CRIER_ERR_TOPIC_ENDED, CRIER_ERR_STATUS, CRIER_ERR_ENCODING, CRIER_ERR_CERTIFICATE,
 * CRIER_ERR_URL, -ETIMEDOUT, -ENOMEM, or -ECANCELED after crier__sender_stop(). */
void crier__sender_send(struct crier__sender *sender,
                        const struct crier__publication *publication,
                        struct crier__outcome *outcome);

/* Makes crier__sender_send() return soon, now and in future. Any thread. */
void crier__sender_stop(struct crier__sender *sender);

#endif
