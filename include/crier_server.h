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
 * Each part works without those below it. The responses need nothing but the
 * connection, so they can be called in every access handler of libmicrohttpd.
 * Requests need the two callbacks of the server. crier_server_start() installs
 * these; a program that starts its own daemon can install them itself.
 *
 * The conventions of crier.h hold here, too. Where a required pointer is NULL, a call
 * that answers a request answers with CRIER_ERR_NULL, and where it has no connection
 * returns MHD_NO.
 */
#ifndef CRIER_SERVER_H
#define CRIER_SERVER_H

#include "crier.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- daemon ----------------------------------------------------------- */

/* Checks whether streams can live on the connections of DAEMON (borrowed; NULL is
 * what MHD_start_daemon() returns when it fails). 0 or CRIER_ERR_DAEMON; then a
 * sentence that names the flag that is missing, or is one too many, is written to
 * *REASON (constant) unless REASON is NULL. To be called after
 * MHD_start_daemon(); crier_stream_new() makes the same check, but only when the
 * first client is there. Any thread. */
CRIER_API int crier_daemon_check(struct MHD_Daemon *daemon,
                                 const char **reason);

/* ---- responses -------------------------------------------------------- */

/*
 * Each of these answers the request on CONNECTION, and returns what the access
 * handler then returns: MHD_YES when a response was queued, MHD_NO (which closes
 * the connection) when not even an error could be sent. They are called on the
 * handler's thread, at most one for each request, and do not block.
 *
 * An error is answered by crier_error_respond(). To HEAD they send the same
 * headers as to GET.
 */

/* Returns the HTTP status (RFC 9110, section 15) for ERROR (CRIER_ERR_* or
 * -errno): one from 400 to 499 when the client is at fault, 503 or 507 when it may
 * try again later, 500 for all others. Writes what the client should read about it
 * to DETAIL, at most SIZE bytes with the NUL: a text for ERROR, and behind it
 * REASON (may be NULL or empty) where that says more. SIZE may be 0. Any thread. */
CRIER_API unsigned crier_error_status(int error, const char *reason,
                                      char *detail, size_t size);

/* Answers with STATUS and the formatted text, of which at most 1023 bytes are sent.
 * From 400 on the body is JSON, the problem details of RFC 9457 with that text as
 * "detail"; below, the text and LF as text/plain. 503 gets Retry-After: 5. Text that
 * is not UTF-8 is left out. */
CRIER_API enum MHD_Result
crier_status_respond(struct MHD_Connection *connection, unsigned status,
                     const char *format, ...) CRIER_PRINTF(3, 4);

/* Answers with what crier_error_status() gives for ERROR and REASON. */
CRIER_API enum MHD_Result
crier_error_respond(struct MHD_Connection *connection, int error,
                    const char *reason);

/* Answers with REPLY, which is stolen. When an event was refused before (see
 * crier_reply_printf()), or REPLY is NULL, answers with that error. */
CRIER_API enum MHD_Result
crier_reply_respond(struct crier_reply *reply,
                    struct MHD_Connection *connection);

/* Answers with a stream that is made as by crier_stream_new(). The program reaches
 * it in its callbacks. When it cannot be made, no callback is called. */
CRIER_API enum MHD_Result
crier_stream_respond(struct crier_shards *shards,
                     struct MHD_Connection *connection,
                     const struct crier_stream_options *options);

/* Answers with a stream that has joined BROADCASTER as by
 * crier_broadcaster_join(): under NAME (copied) or NULL, with HELLO (borrowed) or
 * NULL. */
CRIER_API enum MHD_Result
crier_broadcaster_respond(struct crier_broadcaster *broadcaster,
                          struct MHD_Connection *connection, const char *name,
                          struct crier_frame *hello);

/* Sets in OPTIONS where a stream begins by what its request says. Each of the texts
 * may be NULL or empty and is borrowed for as long as OPTIONS is used; the first of
 * these that is there counts:
 *
 *   FIELD      the field Last-Event-ID, which a browser sends when it comes back
 *              (HTML 9.2.4): after the update with this id
 *   PARAMETER  the same in the query, for clients that cannot set fields
 *   SINCE      "all", a number of updates ("10"), a time ("500ms", "90s", "5m",
 *              "12h", "7d") or an id
 *
 * Where none is there, OPTIONS stays as it was. */
CRIER_API void crier_subscribe_start(struct crier_subscribe_options *options,
                                  const char *field, const char *parameter,
                                  const char *since);

/* Whether a browser's own EventSource made a request with these fields, each of which
 * may be NULL: HTML 9.2.2 and Fetch (cache mode "no-store") make it send just
 * "Accept: text/event-stream" and "Cache-Control: no-cache", and its User-Agent begins
 * with "Mozilla/". The clients of programs, which may take an id alone for an event
 * (crier_subscribe_options.start_id), send something else. */
CRIER_API bool crier_is_event_source(const char *accept,
                                     const char *cache_control,
                                     const char *user_agent);

/* Answers with a stream that subscribes to what SUBSCRIBE says, as by
 * crier_hub_subscribe(). The stream is made with the options STREAM (NULL means the
 * default); where they have no `affinity`, it is the topics. Where the request says where
 * to begin, that replaces what SUBSCRIBE says: by the field Last-Event-ID, or the parameters "lastEventID" (also
 * written "lastEventId", as one polyfill does) or "since" of the query, as
 * crier_subscribe_start() reads them; of a parameter that is there twice, the last
 * one. The response gets the field Last-Event-ID, and the stream of a browser's own
 * EventSource (crier_is_event_source()), or after "start=id" in the query, starts with
 * an id; after "start=comment" it does not. */
CRIER_API enum MHD_Result
crier_hub_respond(struct crier_hub *hub, struct MHD_Connection *connection,
                  const struct crier_subscribe_options *subscribe,
                  const struct crier_stream_options *stream);

/* ---- request ---------------------------------------------------------- */

struct crier_server;

/* A request whose body has come to its end. To be read only, and by the handler's
 * thread; it is there until the handler returns. */
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

/* Publishes the body of REQUEST under TOPICS and answers when HUB's journal has it:
 * with 200 and the text of crier_receipt_text(), or with the error. Meanwhile the
 * connection is suspended, unless the journal (one in memory, for example) has
 * answered at once; a client that leaves in between changes nothing. Called in the
 * handler of a struct crier_server, which returns what this returns.
 *
 * EVENT (borrowed) is published instead of the body when it is not NULL. OPTIONS
 * are those of crier_hub_publish() and may be NULL; its on_done is called before the
 * client gets its answer.
 *
 * TOPICS that come from the client may begin with '$'; a program that keeps such
 * names to itself must look at them before. */
CRIER_API enum MHD_Result
crier_request_publish(struct crier_request *request, struct crier_hub *hub,
                      const char *topics, const struct crier_event *event,
                      const struct crier_publish_options *options);

/* RECEIPT as JSON, new, to be given to free(); NULL when memory is short:
 * {"id": ..., "topics": [...], "position": ..., "subscribers": ...}, and
 * "duplicate": true where it is one. Any thread. */
CRIER_API char *crier_receipt_text(const struct crier_receipt *receipt);

/* ---- server ----------------------------------------------------------- */

/* Room for the URL of a server. */
#define CRIER_URL_SIZE 80

/*
 * A small server: a libmicrohttpd daemon, shards, and a hub where there is one. It
 * belongs to the program, lives as long as the server runs, and is used by one
 * thread at a time; only the callbacks below run on others. Zero means the default.
 */
struct crier_server {
    /* Answers REQUEST, with one of the functions above or by MHD_queue_response(),
     * and returns what that returned. Called once for each request, on a thread of
     * the daemon, when the body is there. */
    enum MHD_Result (*handle)(struct crier_request *request);
    void *closure; /* the program's own */

    /* The largest body of a request, default 64 KiB. A larger one is answered with
     * 413 (RFC 9110, section 15.5.14). */
    size_t max_body;

    /* Where to listen: a port, "0" for a free one, and a numeric IPv4 or IPv6
     * address, default "127.0.0.1". Without a port, `options` say it. Borrowed
     * during crier_server_start(). */
    const char *port;
    const char *address;

    /* More flags and options for MHD_start_daemon(), such as MHD_USE_TLS with its
     * key and certificate. OPTIONS (borrowed likewise) end with MHD_OPTION_END and
     * win over those that crier_server_start() sets, which are
     * MHD_OPTION_CONNECTION_TIMEOUT (30 s) and MHD_OPTION_NOTIFY_COMPLETED, which
     * must stay. */
    unsigned flags;
    const struct MHD_OptionItem *options;

    /* What the server consists of. crier_server_start() makes the daemon and, where
     * there are none, shards; a hub is always the program's to make.
     * crier_server_stop() stops and frees all three, whoever made them. */
    struct crier_shards *shards;
    struct crier_hub *hub;
    struct MHD_Daemon *daemon;

    /* Written by crier_server_start(): where the server is, for a message. */
    char url[CRIER_URL_SIZE];
};

/* Starts a daemon for SERVER whose threads have all signals blocked. 0, and the
 * handler may be called before this returns; or -errno (-EADDRINUSE when the port is
 * taken), CRIER_ERR_INVALID (a port or address that is none),
 * CRIER_ERR_START (libmicrohttpd did not say why), CRIER_ERR_DAEMON (the flags do
 * not go with streams), -ENOMEM; then SERVER is as it was. */
CRIER_API int crier_server_start(struct crier_server *server);

/* Stops SERVER in the order that all its parts need: closes the hub, so that every
 * publisher gets its answer; ends the streams, whose clients are asked to come back
 * after 1 to 5 s, and cuts off what has not ended after 1 s; stops the daemon; frees
 * the shards and the hub. What SERVER does not have is left out, so this is also
 * the end of a server that did not start, and of a program that has started its
 * daemon itself and put it into SERVER. Afterwards SERVER can be started again; the
 * three are NULL. NULL is allowed. Must not be called from a callback. */
CRIER_API void crier_server_stop(struct crier_server *server);

/* The access handler and the MHD_OPTION_NOTIFY_COMPLETED of a server's daemon, for
 * a program that starts its daemon itself, or calls them from handlers of its own
 * for some paths: then for every call that libmicrohttpd makes for such a request.
 * CLOSURE is a struct crier_server with `handle`; it needs nothing else. Both keep
 * their state in *CONTEXT. */
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
