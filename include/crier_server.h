/*
 * crier_server.h: the HTTP side of a program that uses crier.h.
 *
 * Copyright (c) 2026 the Crier authors. MIT licence, see COPYING.
 *
 *   daemon     whether a libmicrohttpd daemon can carry streams
 *   responses  calls that answer a request: with a stream, a subscription, a
 *              finite reply, a text or an error
 *   request    a request with its whole body, and the call that publishes it
 *   server     a daemon, shards and a hub, started and stopped in the right order
 *
 * Each part works without the parts below it. The responses need only the connection,
 * so every access handler of libmicrohttpd can call them. Requests need the two callbacks
 * of the server: crier_server_start() installs them; a program that starts its own daemon
 * can install them itself.
 *
 * The conventions of crier.h hold here, too. When a required pointer is NULL, a function
 * that answers a request answers with CRIER_ERR_NULL, and returns MHD_NO when it has no
 * connection.
 */
#ifndef CRIER_SERVER_H
#define CRIER_SERVER_H

#include "crier.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- daemon ----------------------------------------------------------- */

/* Checks whether the connections of DAEMON (borrowed; NULL is what MHD_start_daemon()
 * returns when it fails) can carry streams. Returns 0, or CRIER_ERR_DAEMON and writes a
 * sentence (constant) to *REASON, unless REASON is NULL, that names the flag that is
 * missing or must not be set. Call it after MHD_start_daemon(); crier_stream_new()
 * makes the same check, but only for the first client. Any thread. */
CRIER_API int crier_daemon_check(struct MHD_Daemon *daemon,
                                 const char **reason);

/* ---- responses -------------------------------------------------------- */

/*
 * Each function whose name ends with _respond answers the request on its connection, and
 * returns what the access handler then returns: MHD_YES when it has queued a response,
 * MHD_NO (which closes the connection) when not even an error could be sent. Call at most
 * one of them for each request, on the thread of the handler. They do not block.
 *
 * When one of them fails, it answers as crier_error_respond() does. The response to HEAD has the same
 * headers as that to GET.
 */

/* Returns the HTTP status (RFC 9110, section 15) for ERROR (CRIER_ERR_* or -errno): 400
 * to 499 when the client has made a mistake, 503 or 507 when it may try again later,
 * 500 for all others. Writes a text for the client to DETAIL, at most SIZE bytes with
 * the NUL: a text for ERROR, followed by REASON (may be NULL or empty) when that says
 * more. SIZE may be 0. Any thread. */
CRIER_API unsigned crier_error_status(int error, const char *reason,
                                      char *detail, size_t size);

/* Answers with STATUS and the formatted text, of which at most 1023 bytes are sent.
 * From 400 on the body is JSON, the problem details of RFC 9457 with that text as
 * "detail"; below 400 it is the text and LF, as text/plain. 503 gets Retry-After: 5.
 * Text that is not UTF-8 is omitted. */
CRIER_API enum MHD_Result
crier_status_respond(struct MHD_Connection *connection, unsigned status,
                     const char *format, ...) CRIER_PRINTF(3, 4);

/* Answers with the status and the text of crier_error_status() for ERROR and REASON. */
CRIER_API enum MHD_Result
crier_error_respond(struct MHD_Connection *connection, int error,
                    const char *reason);

/* Answers with REPLY, which is stolen. When REPLY has refused an event (see
 * crier_reply_printf()) or is NULL, answers with that error. */
CRIER_API enum MHD_Result
crier_reply_respond(struct crier_reply *reply,
                    struct MHD_Connection *connection);

/* Answers with a new stream, made as by crier_stream_new(). The program gets the stream
 * in its callbacks. When it cannot be made, no callback is called. */
CRIER_API enum MHD_Result
crier_stream_respond(struct crier_shards *shards,
                     struct MHD_Connection *connection,
                     const struct crier_stream_options *options);

/* Answers with a new stream that joins BROADCASTER as by crier_broadcaster_join():
 * under NAME (copied; or NULL), with HELLO (borrowed; or NULL). */
CRIER_API enum MHD_Result
crier_broadcaster_respond(struct crier_broadcaster *broadcaster,
                          struct MHD_Connection *connection, const char *name,
                          struct crier_frame *hello);

/* Sets in OPTIONS where a stream begins, from the texts of its request. Each text may
 * be NULL or empty and is borrowed as long as OPTIONS are used; the first of these that
 * is not empty counts:
 *
 *   FIELD      the field Last-Event-ID, which a browser sends when it reconnects
 *              (HTML 9.2.4): after the update with this id
 *   PARAMETER  the same in the query, for clients that cannot set fields
 *   SINCE      "all", a number of updates ("10"), a time ("500ms", "90s", "5m",
 *              "12h", "7d") or an id
 *
 * When all are empty, OPTIONS are unchanged. */
CRIER_API void crier_subscribe_start(struct crier_subscribe_options *options,
                                     const char *field, const char *parameter,
                                     const char *since);

/* Whether a browser's own EventSource made a request with these fields, each of which
 * may be NULL. HTML 9.2.2 and Fetch (cache mode "no-store") make it send exactly
 * "Accept: text/event-stream" and "Cache-Control: no-cache", and its User-Agent begins
 * with "Mozilla/". The clients of programs, which may report each event whatever its type
 * (CRIER_START_EVENT), send something else. */
CRIER_API bool crier_is_event_source(const char *accept,
                                     const char *cache_control,
                                     const char *user_agent);

/* Answers with a new stream that subscribes to what SUBSCRIBE says, as by
 * crier_hub_subscribe(). The stream is made with the options STREAM (NULL means the
 * default); when they have no `affinity`, it is the topics. When the request says where
 * to begin, that replaces what SUBSCRIBE says: the field Last-Event-ID, or the
 * parameters "lastEventID" (also written "lastEventId", as one polyfill does) or
 * "since" of the query, as crier_subscribe_start() reads them; the last one counts when
 * a parameter is repeated. The response gets the field Last-Event-ID. The stream starts
 * as by CRIER_START_EVENT when a browser's own EventSource made the request
 * (crier_is_event_source()); "start=id" and "start=comment" in the query say otherwise.
 * When the topics have ended and the client has had all of them, the response is 204. */
CRIER_API enum MHD_Result
crier_hub_respond(struct crier_hub *hub, struct MHD_Connection *connection,
                  const struct crier_subscribe_options *subscribe,
                  const struct crier_stream_options *stream);

/* ---- request ---------------------------------------------------------- */

struct crier_server;

/* A request with its whole body. Read-only, for the thread of the handler; it exists
 * until the handler returns. */
struct crier_request {
    const struct crier_server *server;
    struct MHD_Connection *connection; /* for the fields and the query */
    const char *method;
    const char *path;   /* percent-decoded, without the query; never empty, and
                           begins with '/' unless the client has sent an absolute
                           URL or "*" (RFC 9112, section 3.2) */
    const char *body;   /* and a NUL behind it; never NULL */
    size_t length;      /* of body */
};

/* Publishes the body of REQUEST under TOPICS, and answers when the journal of HUB has
 * it: with 200 and the text of crier_receipt_text(), or with the error. Meanwhile the
 * connection is suspended, unless the journal (one in memory, for example) has answered
 * at once; it makes no difference if the client leaves in between. Call it in the
 * handler of a struct crier_server, which returns what this returns.
 *
 * If EVENT (borrowed) is not NULL, it is published instead of the body. OPTIONS are
 * those of crier_hub_publish() and may be NULL; its on_done is called before the client
 * gets its response.
 *
 * TOPICS that come from the client may begin with '$'; a program that reserves such
 * names must check them before. */
CRIER_API enum MHD_Result
crier_request_publish(struct crier_request *request, struct crier_hub *hub,
                      const char *topics, const struct crier_event *event,
                      const struct crier_publish_options *options);

/* Returns RECEIPT as JSON, new, to be given to free(); NULL when memory is short:
 * {"id": ..., "topics": [...], "position": ..., "subscribers": ...}, and "duplicate":
 * true if it is one. Any thread. */
CRIER_API char *crier_receipt_text(const struct crier_receipt *receipt);

/* ---- server ----------------------------------------------------------- */

/* The size of the URL of a server, with its NUL. */
#define CRIER_URL_SIZE 80

/*
 * A small server: a libmicrohttpd daemon, shards, and optionally a hub. The struct
 * belongs to the program and must exist as long as the server runs. One thread at a
 * time uses it; only the callbacks run on other threads. Zero means the default.
 */
struct crier_server {
    /* Answers REQUEST, with one of the functions above or by MHD_queue_response(), and
     * returns what that returned. Called once for each request, on a thread of the
     * daemon, when its body is complete. */
    enum MHD_Result (*handle)(struct crier_request *request);
    void *closure; /* the program's own */

    /* The largest body of a request, default 64 KiB. A larger one is answered with 413
     * (RFC 9110, section 15.5.14). */
    size_t max_body;

    /* Where to listen: a port, "0" for a free one, and a numeric IPv4 or IPv6 address,
     * default "127.0.0.1". Without a port, `options` must set it. Borrowed during
     * crier_server_start(). */
    const char *port;
    const char *address;

    /* More flags and options for MHD_start_daemon(), such as MHD_USE_TLS with its key
     * and certificate. OPTIONS (borrowed likewise) end with MHD_OPTION_END and override
     * those that crier_server_start() sets: MHD_OPTION_CONNECTION_TIMEOUT (30 s), and
     * MHD_OPTION_NOTIFY_COMPLETED, which must not be overridden. */
    unsigned flags;
    const struct MHD_OptionItem *options;

    /* The parts of the server. crier_server_start() makes the daemon and, if there are
     * none, the shards; the program makes the hub. crier_server_stop() stops and frees
     * all three, whoever made them. */
    struct crier_shards *shards;
    struct crier_hub *hub;
    struct MHD_Daemon *daemon;

    /* Written by crier_server_start(): the address of the server, for a message. */
    char url[CRIER_URL_SIZE];
};

/* Starts a daemon for SERVER, whose threads have all signals blocked. Returns 0, and
 * the handler may be called before this returns; or -errno (-EADDRINUSE when the port
 * is taken), CRIER_ERR_INVALID (not a port or an address), CRIER_ERR_START
 * (libmicrohttpd gave no reason), CRIER_ERR_DAEMON (the flags do not allow streams),
 * -ENOMEM; SERVER is unchanged then. */
CRIER_API int crier_server_start(struct crier_server *server);

/* Stops SERVER in the order that its parts need: closes the hub, so that every
 * publisher gets its response; ends the streams, asks their clients to reconnect after
 * 1 to 5 s, and cuts off those that have not ended after 1 s; stops the daemon; frees
 * the shards and the hub. Parts that SERVER does not have are skipped, so this is also
 * the end of a server that did not start, and of a program that has started its daemon
 * itself and put it into SERVER. Afterwards the three are NULL, and SERVER can be
 * started again. NULL is allowed. Must not be called in a callback. */
CRIER_API void crier_server_stop(struct crier_server *server);

/* The access handler and the MHD_OPTION_NOTIFY_COMPLETED of a server's daemon. For a
 * program that starts its daemon itself, or calls them from its own handlers for some
 * paths: then for every call of libmicrohttpd for such a request. CLOSURE is a struct
 * crier_server with `handle`; it needs nothing else. Both keep their state in
 * *CONTEXT. */
CRIER_API enum MHD_Result
crier_server_handle(void *closure, struct MHD_Connection *connection,
                    const char *url, const char *method, const char *version,
                    const char *data, size_t *length, void **context);
CRIER_API void crier_server_completed(void *closure,
                                      struct MHD_Connection *connection,
                                      void **context,
                                      enum MHD_RequestTerminationCode code);

#ifdef __cplusplus
}
#endif

#endif /* CRIER_SERVER_H */
