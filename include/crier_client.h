/*
 * crier_client.h: the other end of Server-Sent Events: parse a stream, subscribe to one
 * over HTTP, publish to crierd.
 *
 * Copyright (c) 2026 the Crier authors. MIT licence, see COPYING.
 *
 * The objects, from the bytes up:
 *
 *   parser       bytes of a text/event-stream in, events out; no I/O
 *   client       receives a stream over HTTP, and reconnects when it breaks
 *   publisher    publishes to a crierd, one update or many
 *
 * The conventions of crier.h hold here: errors, ownership, threads, NULL, units. libcurl
 * speaks HTTP; it takes proxies from the environment (http_proxy, https_proxy, no_proxy).
 * Nothing here handles SIGPIPE, which TLS libraries may raise: a program that uses https
 * should ignore it.
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
    CRIER_RETRY,   /* the server has set the reconnection time: retry. A client
                      applies it and does not report it. */
    CRIER_OPEN,    /* from a client: the stream is open */
    CRIER_ERROR,   /* from a client: an error, after which it reconnects in `retry`
                      ms: error, reason, status, retry */
    CRIER_CLOSED   /* from a client: it has ended, and no message follows: error (0
                      after crier_client_close()), reason, status */
};

/* A message from a parser or a client. Everything that it points to is borrowed until
 * the next call for the same parser or client. Texts are UTF-8 and NUL-terminated; a
 * text that may hold a NUL has its length beside it. */
struct crier_message {
    enum crier_kind kind;

    const char *data;   /* the data of an event, its lines joined by LF; the text of a
                           comment, without the colon; "" in other messages */
    size_t length;      /* of data */
    const char *type;   /* the type of an event; "message" if it has none */
    size_t type_length;
    const char *id;     /* the last event id after this message; "" for none */
    bool has_id;        /* this event itself had an id */
    const char *topics; /* extra fields of crierd (CRIER_FORMAT_FULL): the topics, */
    const char *time;   /* and the time of publication (RFC 3339); NULL for none */

    uint64_t retry;     /* ms */

    int error;          /* CRIER_ERR_* or -errno */
    const char *reason; /* the error in words, one line; never NULL. It contains no
                           user or password of a URL. */
    long status;        /* of HTTP; 0 when there was no response */
};

/* ---- parser ----------------------------------------------------------- */

/*
 * The event-stream interpretation of WHATWG HTML, section 9.2.6, incremental: the bytes
 * may be cut anywhere. One leading BOM is dropped. Lines end at LF, CRLF or CR. Bytes
 * that are not UTF-8 become U+FFFD, as in the decoder of the Encoding standard. An
 * event that is not complete when the stream ends is dropped, and its id does not
 * count.
 *
 * Where the standard is silent: the last event id stays when a new stream begins (an
 * event without an id keeps the id of the one before, as in browsers).
 *
 * A parser holds at most one line and one event, and grows no further than its limits.
 * Only one thread at a time may use it.
 */
struct crier_parser;

/* Zero (or NULL for the whole) means the default. */
struct crier_parser_options {
    size_t max_line;  /* bytes of a line without its end; default 16 MiB */
    size_t max_event; /* bytes of an event's data, type, id and extra fields;
                         default 16 MiB */
};

/* Writes a new parser, at the beginning of a stream, to *PARSER. -ENOMEM;
 * CRIER_ERR_INVALID for limits beyond 1 GiB. */
CRIER_API int crier_parser_new(const struct crier_parser_options *options,
                               struct crier_parser **parser);

/* Frees PARSER; NULL is allowed. */
CRIER_API void crier_parser_free(struct crier_parser *parser);

/* Begins a new stream: an incomplete line or event is dropped, the last event id
 * stays. */
CRIER_API void crier_parser_begin(struct crier_parser *parser);

/* Sets the last event id, as the stream can. CRIER_ERR_NEWLINE when ID holds CR or LF,
 * CRIER_ERR_UTF8, CRIER_ERR_MAX_EVENT, -ENOMEM. */
CRIER_API int crier_parser_set_id(struct crier_parser *parser, const char *id);

/* Returns the last event id: that of the last complete event, "" for none or when
 * PARSER is NULL. Borrowed until the next call. */
CRIER_API const char *crier_parser_id(const struct crier_parser *parser);

/* Reads the *LENGTH bytes at *BYTES up to the end of the next message, and moves both
 * past what it has read. Returns 1 with *MESSAGE filled (an event, a comment or a
 * retry, each as soon as its last line has ended), or 0 when it has read all bytes and
 * there is no message. So:
 *
 *       while ((result = crier_parser_next(parser, &bytes, &length, &message)) > 0)
 *           ... one message ...
 *
 * CRIER_ERR_MAX_LINE, CRIER_ERR_MAX_EVENT, -ENOMEM: the stream cannot be read on; the
 * same error is returned until crier_parser_begin(). */
CRIER_API int crier_parser_next(struct crier_parser *parser,
                                const char **bytes, size_t *length,
                                struct crier_message *message);

/* ---- how to reach a server -------------------------------------------- */

/* The options that clients and publishers share. Zero means the default; everything is
 * copied. */
struct crier_http_options {
    /* More headers, each "Name: value", ended by NULL. They replace the headers that
     * would be sent without them; "Name:" omits a header, and "Name;" sends it empty.
     * Authorization and Cookie are not sent after a redirect to another host. */
    const char *const *headers;

    const char *token;   /* sent as "Authorization: Bearer TOKEN" */

    const char *ca_file; /* certificates to trust, PEM; default: the system's */
    const char *cert_file; /* the client's own certificate, PEM */
    const char *key_file;  /* its key, PEM; default: in cert_file */
    bool insecure;       /* do not verify the server's certificate */

    uint32_t connect_timeout; /* ms; default 30000 */

    /* Called with everything that is sent and received (with TLS, before it is
     * encrypted and after it is decrypted), including tokens and passwords, on the
     * thread that transfers. DIRECTION is '>' (the headers of a request), '<' (those of
     * a response), '}' or '{' (bodies), '*' (remarks of libcurl). */
    void (*on_wire)(void *closure, char direction, const char *bytes,
                    size_t length);
    void *wire_closure;
};

/* ---- client ----------------------------------------------------------- */

/*
 * Receives one stream, and reconnects when the connection breaks, with the header
 * Last-Event-ID; but not when the method of the request is not idempotent, such as
 * POST, unless the program asks for that (enum crier_reconnect). Without reconnection,
 * CRIER_CLOSED tells how the request ended: with CRIER_ERR_ENDED when the server ended
 * the stream, or with the error. As long as the client has received no id, it uses the
 * one in the response field Last-Event-ID, in which crierd sends the id after which a
 * stream begins; so a client that is cut off before its first event loses nothing.
 *
 * A client has no thread of its own: it works inside crier_client_next() or
 * crier_client_run(), and reads no faster than the program takes its messages. One
 * thread at a time may call these two; any thread and any callback may call
 * crier_client_restart() and crier_client_close().
 *
 * As the standard requires (HTML 9.2.2, 9.2.3), the client reconnects when a stream
 * ends and after a network error. It ends after a response that is not 200 or not
 * text/event-stream, a certificate that cannot be trusted, a redirect to a URL that is
 * not HTTP, a content coding that libcurl does not decode (see below), and a line, an
 * event or an id beyond its limit (64 KiB for an id that has to be sent again). It
 * follows up to 20 redirects, each when its response is complete, within 5 s; each new
 * connection begins at the first URL again.
 *
 * The reason of a refusal is taken from its response: from an error in JSON (detail,
 * error_description, message, error, title; inside "error" first) or the first line of
 * a text. The client reads up to 8 KiB of it, for up to 5 s.
 *
 * The client asks for no content coding (RFC 9110 8.4), but a server may use one
 * unasked; so it decodes gzip, deflate, br and zstd as far as libcurl is built with
 * them, each event as soon as its bytes have arrived. Any other coding ends the client
 * with CRIER_ERR_ENCODING and a reason that names it, and so does a received piece (at
 * most 16 KiB) that decodes to more than 64 MiB.
 *
 * Before it reconnects, the client waits for the reconnection time, which the server
 * may set. The wait doubles with each further attempt that brought no message, up to
 * retry_max. Up to half of it is added at random, so that the clients of a server do
 * not all return at once. (After a response with Retry-After the client waits at least
 * that long, but no longer than retry_max.)
 */
struct crier_client;

/* When a client repeats its request after the stream has ended, the connection has
 * failed, or the server has refused temporarily. */
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
    const char *last_event_id; /* the id after which to begin; or NULL */
    uint32_t retry;            /* ms, the reconnection time until the server sets
                                  it; default 3000, or retry_max if that is less */
    uint32_t retry_max;        /* ms, the longest wait, unless the server asks for
                                  more by "retry"; default 60000 */
    uint32_t read_timeout;     /* ms; reconnect when no byte has arrived for this
                                  long, since the request or the last byte. Default:
                                  none (TCP keep-alive probes detect a server whose
                                  host is gone) */
    bool persist;              /* reconnect after 408, 429 and 5xx, and after every
                                  network error */
    enum crier_reconnect reconnect; /* default: by the method */
    struct crier_parser_options limits;
    struct crier_http_options http;
};

/* Writes a new client to *CLIENT; it connects with the first crier_client_next().
 * CRIER_ERR_URL, CRIER_ERR_INVALID (a header or a method that HTTP cannot carry,
 * limits), CRIER_ERR_NEWLINE, CRIER_ERR_UTF8, CRIER_ERR_MAX_EVENT and CRIER_ERR_ID_FIELD
 * (last_event_id, which must be what a header field can carry: RFC 9110, section 5.5),
 * -ENOMEM, -errno. */
CRIER_API int crier_client_new(const struct crier_client_options *options,
                               struct crier_client **client);

/* Makes CLIENT use URL (copied) from its next connection on, for example when a token
 * in its query has to be renewed. Only on the thread that calls crier_client_next().
 * CRIER_ERR_URL, CRIER_ERR_NULL, CRIER_ERR_FORKED, -ENOMEM; the URL is unchanged
 * then. */
CRIER_API int crier_client_set_url(struct crier_client *client,
                                   const char *url);

/* Closes the connection and frees CLIENT; NULL is allowed. No other thread may be using
 * it. */
CRIER_API void crier_client_free(struct crier_client *client);

/* Returns a file descriptor (-1 for NULL) that polls readable whenever the program
 * should call crier_client_next(): from the beginning, and after crier_client_restart()
 * and crier_client_close(). Once crier_client_next() has returned CRIER_CLOSED it never
 * polls readable again; it stays open until crier_client_free(), so a program may go on
 * watching it. Borrowed, and the same for the whole life of the client. (It is an epoll
 * set: poll(2), epoll(7) and the like may watch it, and nothing else.) */
CRIER_API int crier_client_fd(const struct crier_client *client);

/* Works as far as it can without waiting. Returns 1 with the next *MESSAGE, or 0 when
 * there is none yet: poll crier_client_fd() and call again. After CRIER_CLOSED it
 * returns CRIER_ERR_CLOSED. */
CRIER_API int crier_client_next(struct crier_client *client,
                                struct crier_message *message);

/* The callbacks of crier_client_run(); each may be NULL. MESSAGE is borrowed during the
 * call. */
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

/* Receives the stream until the client ends, on the calling thread, which sleeps in
 * between. Returns the error of CRIER_CLOSED: 0 after crier_client_close(). No callback
 * follows on_closed. */
CRIER_API int
crier_client_run(struct crier_client *client,
                 const struct crier_client_callbacks *callbacks);

/* Drops the connection, with everything received and not reported yet, and reconnects
 * at once, after the last reported event, whatever the option `reconnect` is. Any
 * thread. */
CRIER_API void crier_client_restart(struct crier_client *client);

/* Ends CLIENT: the next message is CRIER_CLOSED. Any thread. This interrupts every
 * wait; but libcurl may go on resolving a name for a while, on a thread of its own. */
CRIER_API void crier_client_close(struct crier_client *client);

/* ---- publisher -------------------------------------------------------- */

/*
 * Publishes to a crierd. It sends an update again, after the reconnection time of a
 * client (from 250 ms, doubling up to 10 s), when the server cannot be reached, the
 * connection breaks, or the response is 408, 429 or 5xx. Each update has an id (the
 * publisher makes one when the event has none) and is sent with dedupe=1; so it is
 * published once, however often it is sent, as long as the journal of the server holds
 * it. After 429 it waits for at least as long as Retry-After says; where that is more than
 * is left of the timeout, 429 is final, as any other response is.
 */

/* Zero means the default. All of it is copied. */
struct crier_publisher_options {
    const char *server;   /* its URL, such as http://127.0.0.1:8080 (default),
                             without a query */
    const char *topics;   /* "a" or "a,b" */
    uint64_t timeout;     /* ms that an update may take, all attempts together;
                             default 30000, UINT64_MAX for no limit */
    bool strict;          /* with crier_publish(): it is an error, CRIER_ERR_EXISTS,
                             when the first attempt finds the id of the event in the
                             journal. (Later attempts take it for this update.) */
    bool is_private;      /* only clients that are granted one of the topics are sent the
                             updates */
    bool last;            /* the update is the last one of its topics (see struct
                             crier_publish_options). Of a bulk publisher: the last one
                             that was added before crier_publisher_finish(); so each
                             update waits until the next one is added */
    struct crier_http_options http;

    /* Called when an attempt has failed and another one follows in RETRY ms. On the
     * thread that transfers. */
    void (*on_retry)(void *closure, const char *reason, uint64_t retry);
    void *closure;

    /* For a bulk publisher: how many bytes of updates may wait in it; default 1 MiB. It
     * always accepts one update, of any size. In addition there is one request, of 256
     * KiB or of one update that is larger. */
    size_t max_waiting;
};

/* The result of a publication. */
struct crier_published {
    long status;          /* of HTTP; 0 when there was no response */
    char reason[256];     /* the error in words, more exact than crier_error_text():
                             what failed, or what the server said. It contains no
                             user or password of a URL. */
    char id[256];         /* of the update; of the last one of many */
    uint64_t position;    /* of the same */
    size_t subscribers;   /* the number of streams it went to */
    bool duplicate;       /* the journal held it before; `subscribers` is 0 then */
};

/* Publishes EVENT (borrowed, unchanged) and waits for the response; *PUBLISHED (may be
 * NULL) is written in any case. 0 means that the journal of the server holds the
 * update.
 *
 * CRIER_ERR_URL, CRIER_ERR_INVALID, CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS,
 * CRIER_ERR_ID, the errors of crier_event_encode(): nothing was sent (unless the status
 * is not 0: then the server redirected to something that is no URL of an HTTP server).
 * CRIER_ERR_EXISTS, CRIER_ERR_TOPIC_ENDED, CRIER_ERR_STATUS (the reason is what the
 * server said), CRIER_ERR_ENCODING (the status was 200), CRIER_ERR_CERTIFICATE,
 * -ETIMEDOUT (the reason is the last failure), -ENOMEM. */
CRIER_API int crier_publish(const struct crier_publisher_options *options,
                            const struct crier_event *event,
                            struct crier_published *published);

/*
 * A bulk publisher: accepts updates at any time and publishes them in this order, on a
 * thread of its own. Updates that arrive while a request is on its way go into the next
 * one together, as a text/event-stream; so a slow network or disk makes the requests
 * larger and not the publisher slower.
 *
 * After a final refusal it sends nothing more, because the order would have a hole:
 * every update that was not acknowledged counts as failed.
 */
struct crier_publisher;

/* Writes a new bulk publisher to *PUBLISHER. The errors of crier_publish() with which
 * nothing was sent; -errno. */
CRIER_API int
crier_publisher_new(const struct crier_publisher_options *options,
                    struct crier_publisher **publisher);

/* Adds EVENT (borrowed, unchanged); waits while max_waiting is reached. Any thread. The
 * errors of crier_event_encode(), CRIER_ERR_ID; CRIER_ERR_FINISHED after a final
 * refusal (see crier_publisher_finish()), and after crier_publisher_finish(). */
CRIER_API int crier_publisher_add(struct crier_publisher *publisher,
                                  const struct crier_event *event);

/* The same, but does not wait: CRIER_ERR_MAX_WAITING when max_waiting is reached. */
CRIER_API int crier_publisher_try(struct crier_publisher *publisher,
                                  const struct crier_event *event);

/* The progress of a publisher, in updates. */
struct crier_progress {
    uint64_t added;
    uint64_t published;  /* acknowledged by the server, duplicates included */
    uint64_t duplicates; /* of these, those that the journal held before */
    uint64_t retries;    /* failed attempts */
    uint64_t failed;     /* refused, or not sent because an earlier one was refused */
};

/* Writes the progress of PUBLISHER to *PROGRESS. Any thread. */
CRIER_API void crier_publisher_progress(struct crier_publisher *publisher,
                                        struct crier_progress *progress);

/* Refuses further updates and waits until all earlier ones are acknowledged or have
 * failed. Returns 0 when every update is in the journal; otherwise an error of
 * crier_publish(), with its reason in *PUBLISHED (may be NULL). */
CRIER_API int crier_publisher_finish(struct crier_publisher *publisher,
                                     struct crier_published *published);

/* Frees PUBLISHER; updates that are waiting are dropped, and a request that is on its
 * way is cut off. NULL is allowed. */
CRIER_API void crier_publisher_free(struct crier_publisher *publisher);

#ifdef __cplusplus
}
#endif

#endif /* CRIER_CLIENT_H */
