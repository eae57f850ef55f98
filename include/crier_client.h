/*
 * crier_client.h: the other end of Server-Sent Events: parse a stream, follow
 * one over HTTP, publish to crierd.
 *
 * Copyright (c) 2026 the Crier authors. MIT licence, see COPYING.
 *
 * What is here, from the bytes up:
 *
 *   parser       bytes of a text/event-stream in, events out; no I/O
 *   client       follows a stream over HTTP, and comes back when it breaks
 *   publisher    publishes to a crierd, one update or many
 *
 * Conventions are those of crier.h: errors, ownership, threads, NULL, units. HTTP is
 * spoken by libcurl, which takes proxies from the environment (http_proxy,
 * https_proxy, no_proxy). None of this handles SIGPIPE, which TLS libraries may
 * raise: a program that uses https should ignore it.
 */
#ifndef CRIER_CLIENT_H
#define CRIER_CLIENT_H

#include "crier.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- message ---------------------------------------------------------- */

enum crier_kind {
    CRIER_EVENT,   /* an event: data, type, id; topics and time from crierd */
    CRIER_COMMENT, /* a comment line: data */
    CRIER_RETRY,   /* the server set the reconnection time: retry. A client
                      applies it and does not tell. */
    CRIER_OPEN,    /* a client: the stream is open */
    CRIER_ERROR,   /* a client: what went wrong, and it will connect again in
                      `retry` ms: error, reason, status, retry */
    CRIER_CLOSED   /* a client: it is over for good, nothing follows: error (0
                      after crier_client_close()), reason, status */
};

/* What a parser or a client has to tell. All that it points to is borrowed until
 * the next call for the same parser or client. Texts are UTF-8 and
 * NUL-terminated; where a NUL may be inside, there is a length, too. */
struct crier_message {
    enum crier_kind kind;

    const char *data;   /* an event's data, its lines joined by LF; the text of a
                           comment, without the colon. "" in others. */
    size_t length;      /* of data */
    const char *type;   /* an event's type; "message" where it has none */
    size_t type_length;
    const char *id;     /* the last event id as it is now; "" for none */
    bool has_id;        /* this event itself had an id */
    const char *topics; /* crierd's extra fields (CRIER_FORMAT_FULL): the topics, */
    const char *time;   /* and when it was published (RFC 3339); NULL for none */

    uint64_t retry;     /* ms */

    int error;          /* CRIER_ERR_* or -errno */
    const char *reason; /* in words, a line; never NULL. It names no user or
                           password of a URL. */
    long status;        /* of HTTP; 0 when there was no answer */
};

/* ---- parser ----------------------------------------------------------- */

/*
 * The event-stream interpretation of WHATWG HTML, section 9.2.6, incremental:
 * bytes may be cut anywhere. One leading BOM is dropped. Lines end at LF, CRLF or
 * CR. What is not UTF-8 becomes U+FFFD, as the Encoding standard's decoder does
 * it. An event that is not complete when the stream ends is never given, and its
 * id does not count.
 *
 * Where the standard is silent: the last event id lives on when a new stream
 * begins (an event without an id keeps the one before it, as in browsers).
 *
 * A parser holds at most one line and one event and grows no further than its
 * limits. It belongs to one thread at a time.
 */
struct crier_parser;

/* Zero (or NULL for the whole) means the default. */
struct crier_parser_options {
    size_t max_line;  /* bytes of a line without its end; default 16 MiB */
    size_t max_event; /* bytes of an event's data, type, id and extra fields;
                         default 16 MiB */
};

/* A new parser, at the begin of a stream, written to *PARSER. -ENOMEM;
 * CRIER_ERR_INVALID for limits beyond 1 GiB. */
CRIER_API int crier_parser_new(const struct crier_parser_options *options,
                               struct crier_parser **parser);

/* Frees PARSER; NULL is allowed. */
CRIER_API void crier_parser_free(struct crier_parser *parser);

/* A new stream begins: what is incomplete is dropped, the last event id stays. */
CRIER_API void crier_parser_begin(struct crier_parser *parser);

/* Sets the last event id, as if the stream had. CRIER_ERR_NEWLINE when ID holds CR
 * or LF, CRIER_ERR_UTF8, CRIER_ERR_MAX_EVENT, -ENOMEM. */
CRIER_API int crier_parser_set_id(struct crier_parser *parser, const char *id);

/* The last event id: that of the last complete event, "" for none or for NULL. Borrowed
 * until the next call. */
CRIER_API const char *crier_parser_id(const struct crier_parser *parser);

/* Reads on in the *LENGTH bytes at *BYTES, up to the end of the next message, and
 * moves both past what was read. Returns 1 with *MESSAGE filled (an event, a
 * comment or a retry, each as soon as its last line has ended), or 0 when all
 * bytes are read and there is no message. So:
 *
 *     while ((result = crier_parser_next(parser, &bytes, &length, &message)) > 0)
 *         ... one message ...
 *
 * CRIER_ERR_MAX_LINE, CRIER_ERR_MAX_EVENT, -ENOMEM: the stream cannot be read
 * on; the same error comes again until crier_parser_begin(). */
CRIER_API int crier_parser_next(struct crier_parser *parser,
                                const char **bytes, size_t *length,
                                struct crier_message *message);

/* ---- how to reach a server -------------------------------------------- */

/* What clients and publishers have in common. Zero means the default; all of it is
 * copied. */
struct crier_http_options {
    /* More headers, each "Name: value", ended by NULL. They replace those that
     * would be sent by themselves; "Name:" takes one out, and "Name;" sends it
     * empty. On a redirect to another host, Authorization and Cookie are not
     * sent. */
    const char *const *headers;

    const char *token;   /* sent as "Authorization: Bearer TOKEN" */

    const char *ca_file; /* certificates to trust, PEM; default: the system's */
    const char *cert_file; /* the client's own certificate, PEM */
    const char *key_file;  /* its key, PEM; default: in cert_file */
    bool insecure;       /* do not verify the server's certificate */

    uint32_t connect_timeout; /* ms; default 30000 */

    /* Called with all that goes over the wire, or would without TLS, as it is: tokens
     * and passwords included. On the thread that works. DIRECTION is '>' (a request's
     * headers), '<' (a response's), '}' or '{' (bodies), '*' (libcurl's remarks). */
    void (*on_wire)(void *closure, char direction, const char *bytes,
                    size_t length);
    void *wire_closure;
};

/* ---- client ----------------------------------------------------------- */

/*
 * Follows one stream, and connects again when the connection breaks, with the
 * header Last-Event-ID; but not where the request's method is not idempotent, such as
 * POST, unless the program asks for that (enum crier_reconnect). Without reconnection,
 * CRIER_CLOSED says how the one request ended: CRIER_ERR_ENDED when the server ended
 * the stream, or the error. As long as the client has seen no id, it takes the one of
 * the response field Last-Event-ID, by which crierd says after which update a stream
 * begins: so a client that is cut off before its first event loses nothing.
 *
 * It has no thread of its own: it works inside crier_client_next() or
 * crier_client_run(), and reads no faster than its messages are taken. One thread at a
 * time may call these; crier_client_restart() and crier_client_close() may be called
 * from any thread and any callback.
 *
 * As the standard says (HTML 9.2.2, 9.2.3), it connects again when a stream ends
 * and after a network error; an answer that is not 200, or not text/event-stream,
 * ends it for good, and so do a certificate that cannot be trusted, a redirect to
 * what is not HTTP, a content coding that libcurl does not decode (see below), and a
 * line, an event or an id beyond its limit (64 KiB for an id that is to be sent again).
 * Redirects are followed, up to 20, each when its answer is complete, for which it has
 * 5 s; each new connection begins at the first URL again.
 *
 * What a refusal says becomes the reason: the words of an error in JSON (detail,
 * error_description, message, error, title; inside "error" first) or the first line of a
 * text. The client reads up to 8 KiB of it, for up to 5 s.
 *
 * It asks for no content coding (RFC 9110 8.4), but a server may use one unasked; so
 * it reads gzip, deflate, br and zstd as far as libcurl is built with them, each event
 * as soon as its bytes are there. Any other coding ends the client with
 * CRIER_ERR_ENCODING and a reason that names it, and so does a received piece (at most
 * 16 KiB) that decodes to more than 64 MiB.
 *
 * It waits for the reconnection time, which the server may set, before it connects
 * again. For each further attempt that brought no message the wait doubles, up to
 * retry_max. Up to half of it is added at random, so that the clients of a server
 * do not all return at once. (After an answer with Retry-After it waits that long
 * at least, but no longer than retry_max.)
 */
struct crier_client;

/* Whether a client makes its request again when the stream has ended, the connection
 * has failed, or the server has refused for the moment. */
enum crier_reconnect {
    CRIER_RECONNECT_IDEMPOTENT, /* with GET, HEAD, OPTIONS, TRACE, PUT and DELETE, the
                                   idempotent methods of RFC 9110 9.2.2 */
    CRIER_RECONNECT_ALWAYS,     /* with any method */
    CRIER_RECONNECT_NEVER       /* one request, and no other */
};

/* Zero means the default. All of it is copied. */
struct crier_client_options {
    const char *url;           /* http:// or https:// */
    const char *method;        /* default: GET, with a body POST */
    const char *body;          /* or NULL for none */
    size_t body_length;
    const char *last_event_id; /* where to begin; or NULL */
    uint32_t retry;            /* ms, the reconnection time until the server sets
                                  it; default 3000, or retry_max if that is less */
    uint32_t retry_max;        /* ms, the longest wait, unless the server asks for
                                  more by "retry"; default 60000 */
    uint32_t read_timeout;     /* ms; connect again when not a byte came for so
                                  long after the request was begun to be sent, or
                                  after another byte. Default: none (TCP keep-alive probes tell
                                  of a server whose machine is gone) */
    bool persist;              /* go on after 408, 429 and 5xx and after every
                                  network error */
    enum crier_reconnect reconnect; /* default: by the method */
    struct crier_parser_options limits;
    struct crier_http_options http;
};

/* A new client, which connects with the first crier_client_next(), written to
 * *CLIENT. CRIER_ERR_URL, CRIER_ERR_INVALID (a header or a method that HTTP cannot
 * carry, limits), CRIER_ERR_NEWLINE, CRIER_ERR_UTF8, CRIER_ERR_MAX_EVENT and
 * CRIER_ERR_ID_FIELD (of last_event_id, which must be what a header field can carry: RFC
 * 9110, section 5.5), -ENOMEM, -errno. */
CRIER_API int crier_client_new(const struct crier_client_options *options,
                               struct crier_client **client);

/* Has CLIENT use URL (copied) from its next connection on, for example one whose
 * query has to be renewed. By the thread that calls crier_client_next().
 * CRIER_ERR_URL, CRIER_ERR_NULL, CRIER_ERR_FORKED, -ENOMEM; the URL is then as it was. */
CRIER_API int crier_client_set_url(struct crier_client *client,
                                   const char *url);

/* Frees CLIENT, whose connection is closed; NULL is allowed. Nothing else may be
 * using it. */
CRIER_API void crier_client_free(struct crier_client *client);

/* A file descriptor (-1 for NULL) that polls readable as long as crier_client_next() should be
 * called: from the beginning on, and after crier_client_restart() and
 * crier_client_close(). Once crier_client_next() has returned CRIER_CLOSED it never
 * polls readable again, whatever is called; it stays open until crier_client_free(),
 * so a program may go on watching it or stop. Borrowed, and the same for the client's
 * life. (An epoll set: it may be watched by poll(2), epoll(7) and the like, and by
 * nothing else.) */
CRIER_API int crier_client_fd(const struct crier_client *client);

/* Works as far as it can without waiting. Returns 1 with the next *MESSAGE, or 0
 * when there is none yet: poll crier_client_fd() and call again. After CRIER_CLOSED
 * it returns CRIER_ERR_CLOSED. */
CRIER_API int crier_client_next(struct crier_client *client,
                                struct crier_message *message);

/* What crier_client_run() calls, each where it is not NULL. MESSAGE is borrowed
 * during the call. */
struct crier_client_callbacks {
    void (*on_open)(void *closure, struct crier_client *client);
    void (*on_event)(void *closure, struct crier_client *client,
                     const struct crier_message *message);
    void (*on_comment)(void *closure, struct crier_client *client,
                       const struct crier_message *message);
    void (*on_error)(void *closure, struct crier_client *client,
                     const struct crier_message *message);
    void (*on_closed)(void *closure, struct crier_client *client,
                      const struct crier_message *message);
    void *closure;
};

/* Follows the stream until it is over for good, on the calling thread, which
 * sleeps in between. Returns the error of CRIER_CLOSED: 0 after
 * crier_client_close(). No callback comes after on_closed. */
CRIER_API int
crier_client_run(struct crier_client *client,
                 const struct crier_client_callbacks *callbacks);

/* Drops the connection, with what was received and not yet told, and connects
 * again at once, from the last event told, whatever the option `reconnect` is. Any
 * thread. */
CRIER_API void crier_client_restart(struct crier_client *client);

/* Ends it: the next message is CRIER_CLOSED. Any thread. No wait is too long for
 * that; but libcurl may go on to resolve a name for a while, on a thread of its
 * own. */
CRIER_API void crier_client_close(struct crier_client *client);

/* ---- publisher -------------------------------------------------------- */

/*
 * Publishes to a crierd. What it cannot deliver it sends again, after the
 * reconnection time of a client (from 250 ms, doubling up to 10 s): when the server
 * cannot be reached, breaks off, or answers 408, 429 or 5xx. Each
 * update has an id, one of its own making where the event has none, and is sent
 * with dedupe=1; so it is published once, however often it is sent, as long as the
 * server's journal holds it. Any other answer is final.
 */

/* Zero means the default. All of it is copied. */
struct crier_publisher_options {
    const char *server;   /* its URL, such as http://127.0.0.1:8080 (default),
                             without a query */
    const char *topics;   /* "a" or "a,b" */
    uint64_t timeout;     /* ms that an update may take, all attempts together;
                             default 30000, UINT64_MAX for no limit */
    bool strict;          /* with crier_publish(): an id of the event's that is
                             there before the update was first sent is an error,
                             CRIER_ERR_EXISTS. (Sent again, an id that is there is
                             taken for this update's own.) */
    struct crier_http_options http;

    /* An attempt failed, and another one follows in RETRY ms. On the thread that
     * works. */
    void (*on_retry)(void *closure, const char *reason, uint64_t retry);
    void *closure;

    /* Of a bulk publisher: how many bytes of updates may wait in it; default 1 MiB.
     * One update is let in whatever its size. Beside them there is one request, of
     * 256 KiB or of one update that is larger. */
    size_t max_waiting;
};

/* What came of it. */
struct crier_published {
    long status;          /* of HTTP; 0 when there was no answer */
    char reason[256];     /* in words, better than crier_error_text()'s: what was in
                             the way, or what the server said. It names no user or
                             password of a URL. */
    char id[256];         /* of the update; of the last one of many */
    uint64_t position;    /* of the same */
    size_t subscribers;   /* to how many streams it went */
    bool duplicate;       /* it was there before; so `subscribers` is 0 */
};

/* Publishes EVENT (borrowed, unchanged) and waits for the answer; *PUBLISHED (may be
 * NULL) is written in any case. 0 says that the server's journal has it.
 * CRIER_ERR_URL, CRIER_ERR_INVALID, CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS,
 * CRIER_ERR_ID, the errors of crier_event_encode(): nothing was sent (but where the
 * status is not 0: it was redirected to what is no URL).
 * CRIER_ERR_EXISTS, CRIER_ERR_STATUS (reason tells what the server said),
 * CRIER_ERR_ENCODING (the status was 200), CRIER_ERR_CERTIFICATE, -ETIMEDOUT (the time is up; reason tells what was in the
 * way last), -ENOMEM. */
CRIER_API int crier_publish(const struct crier_publisher_options *options,
                            const struct crier_event *event,
                            struct crier_published *published);

/*
 * A bulk publisher: takes updates as they come and publishes them in this order, on
 * a thread of its own. What comes while a request is on its way goes into the next
 * one together, as a text/event-stream; so a slow network or disk makes the
 * requests larger and not the publisher slower.
 *
 * After a final refusal nothing more is sent, since the order would have a hole:
 * what was not acknowledged is counted as failed.
 */
struct crier_publisher;

/* A new bulk publisher, written to *PUBLISHER. Errors as crier_publish()'s of
 * which nothing was sent; -errno. */
CRIER_API int
crier_publisher_new(const struct crier_publisher_options *options,
                    struct crier_publisher **publisher);

/* Hands EVENT (borrowed, unchanged) over; waits while max_waiting is reached. Any
 * thread. The errors of crier_event_encode(), CRIER_ERR_ID; CRIER_ERR_FINISHED when
 * an update was refused for good (see crier_publisher_finish()), or after that. */
CRIER_API int crier_publisher_add(struct crier_publisher *publisher,
                                  const struct crier_event *event);

/* The same, but does not wait: CRIER_ERR_MAX_WAITING when max_waiting is reached. */
CRIER_API int crier_publisher_try(struct crier_publisher *publisher,
                                  const struct crier_event *event);

/* How far it is. Any thread. */
struct crier_progress {
    uint64_t added;
    uint64_t published;  /* acknowledged by the server, duplicates included */
    uint64_t duplicates; /* of these, those that were there before */
    uint64_t retries;    /* failed attempts */
    uint64_t failed;     /* refused, or not sent because one before was */
};
CRIER_API void crier_publisher_progress(struct crier_publisher *publisher,
                                        struct crier_progress *progress);

/* Waits until all that was added is acknowledged or failed, takes no more, and
 * tells how it ended: 0 when every update is in the journal; else an error of
 * crier_publish()'s, with *PUBLISHED (may be NULL) telling why. */
CRIER_API int crier_publisher_finish(struct crier_publisher *publisher,
                                     struct crier_published *published);

/* Frees PUBLISHER; what is still waiting is dropped, a request on its way is cut
 * off. NULL is allowed. */
CRIER_API void crier_publisher_free(struct crier_publisher *publisher);

#ifdef __cplusplus
}
#endif

#endif /* CRIER_CLIENT_H */
