/*
 * crier.h: Server-Sent Events for programs built on GNU libmicrohttpd.
 *
 * Copyright (c) 2026 the Crier authors. MIT licence, see COPYING.
 *
 * The objects, from the bytes up:
 *
 *   event        what an application sends: data, type, id, retry, comment
 *   frame        an event encoded once into wire bytes, shared by all clients
 *   reply        a finite list of frames as one complete response
 *   shards       the threads that serve live streams
 *   stream       one live text/event-stream response on one MHD connection
 *   broadcaster  a list of streams that receive the same frames
 *   journal      the one ordered log of updates: in memory, or in a file
 *   hub          topics over a journal: publish, subscribe, resume
 *
 * crier_client.h has the other end: clients and publishers. crier_server.h has functions
 * that answer a whole request, and a small server for them.
 *
 * The wire format is that of WHATWG HTML, section 9.2 "Server-sent events".
 *
 * Conventions
 *
 *   Errors     0 is success. A negative value is an error: -errno for an error of the
 *              system, CRIER_ERR_* for one of this library; crier_error_text() knows
 *              both. A function writes its output parameters only when it succeeds,
 *              unless its comment says otherwise.
 *   Ownership  "new": the caller owns the result and gives it back. "borrowed": the
 *              function uses the argument, or the caller uses the result, during the
 *              call or as long as stated, and does not own it. "steals": the function
 *              takes the argument over, even when it fails.
 *   Threads    Only one thread at a time may use an event or a reply. Any thread may
 *              use frames, shards, streams, broadcasters and hubs at any time.
 *   NULL       NULL stands for options whose members all have a default, and for a
 *              callback that is not needed. Functions that free or give back accept
 *              NULL and do nothing. Any other pointer is required, unless its comment
 *              says that it may be NULL. When a required pointer is NULL (an argument,
 *              or a member of the options), a function that returns an error returns
 *              CRIER_ERR_NULL, one that returns a count returns 0, one that returns a
 *              pointer returns NULL, and any other does nothing.
 *   fork()     Objects with threads or descriptors belong to the process that made
 *              them: shards with their streams, broadcasters and hubs, a journal in a
 *              file, a client, a bulk publisher. In a child process, a function that
 *              gets one of them returns CRIER_ERR_FORKED or the count 0, or does
 *              nothing; it does not wait, and changes nothing in the parent. So call
 *              daemon() or fork() before crier_shards_new(), crier_journal_sqlite(),
 *              crier_client_new() and crier_publisher_new(). Do not stop the daemon of
 *              libmicrohttpd in the child: MHD_stop_daemon() aborts there. (The library
 *              does not notice vfork() and _Fork(). After posix_spawn() and exec no
 *              descriptor stays open.)
 *   Units      Times are milliseconds, sizes are bytes.
 *
 * The library never exits, never prints and never touches signals.
 */
#ifndef CRIER_H
#define CRIER_H

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define CRIER_API __attribute__((visibility("default")))
#else
#define CRIER_API
#endif

/* Lets the compiler check the arguments of a function like printf(). */
#if defined(__GNUC__) || defined(__clang__)
#define CRIER_PRINTF(text, first)                                             \
    __attribute__((__format__(__printf__, text, first)))
#else
#define CRIER_PRINTF(text, first)
#endif

/* ---- errors ----------------------------------------------------------- */

/* Every error of this library: X(name, value, text). The error for a limit has the name
 * of the option that sets it. */
#define CRIER_ERRORS(X)                                                       \
    X(CRIER_ERR_UTF8, -20001, "text is not valid UTF-8")                      \
    X(CRIER_ERR_NEWLINE, -20002, "a type or id must not hold CR or LF")       \
    X(CRIER_ERR_NUL, -20003, "an id must not hold NUL")                       \
    X(CRIER_ERR_EMPTY, -20004, "the event has no field set")                  \
    X(CRIER_ERR_FRAME_SIZE, -20005, "the encoded event is larger than 16 MiB")\
    X(CRIER_ERR_JSON, -20006, "the JSON value cannot be written as text")     \
    X(CRIER_ERR_CLOSED, -20007, "the stream is closed")                       \
    X(CRIER_ERR_MAX_PENDING, -20008,                                          \
      "the stream has max_pending bytes unsent")                              \
    X(CRIER_ERR_MAX_BACKLOG, -20009,                                          \
      "max_backlog bytes are waiting to be delivered")                        \
    X(CRIER_ERR_MAX_STREAMS, -20010, "max_streams streams are open")          \
    X(CRIER_ERR_MHD, -20011, "libmicrohttpd refused the response")            \
    X(CRIER_ERR_DAEMON, -20012,                                               \
      "the MHD daemon lacks MHD_ALLOW_SUSPEND_RESUME, has a thread for each " \
      "connection, or none and no function that resumes")                     \
    X(CRIER_ERR_INVALID, -20013, "an argument is out of its range")           \
    X(CRIER_ERR_TOPIC, -20014,                                                \
      "a topic is not UTF-8 of 1 to 255 bytes without control characters "    \
      "and '*', which may only end a selector")                               \
    X(CRIER_ERR_MANY_TOPICS, -20015, "more than 100 topics at once")          \
    X(CRIER_ERR_ID, -20016,                                                   \
      "an id of an update has 1 to 255 bytes of UTF-8, does not begin with "  \
      "'#', holds no control character, and neither begins nor ends with a "  \
      "space")                                                                \
    X(CRIER_ERR_EXISTS, -20017, "an update with this id already exists")      \
    X(CRIER_ERR_UPDATE_SIZE, -20018,                                          \
      "the update is larger than the retention of the journal")               \
    X(CRIER_ERR_MAX_TOPICS, -20019, "too many topics")                        \
    X(CRIER_ERR_STORAGE, -20020, "the journal cannot be written")             \
    X(CRIER_ERR_STORAGE_FULL, -20021, "the disk of the journal is full")      \
    X(CRIER_ERR_DAMAGED, -20022, "not a Crier journal, or damaged")           \
    X(CRIER_ERR_IN_USE, -20023, "the journal's file is open already")         \
    X(CRIER_ERR_NO_TOPIC, -20024, "there is no such topic")                   \
    X(CRIER_ERR_MAX_LINE, -20025,                                             \
      "a line of the stream is longer than max_line")                         \
    X(CRIER_ERR_MAX_EVENT, -20026,                                            \
      "an event of the stream is larger than max_event")                      \
    X(CRIER_ERR_URL, -20027, "this is not the URL of an HTTP server")         \
    X(CRIER_ERR_NETWORK, -20028, "the connection failed")                     \
    X(CRIER_ERR_CERTIFICATE, -20029,                                          \
      "the server's certificate cannot be trusted")                           \
    X(CRIER_ERR_ENDED, -20030, "the server ended the stream")                 \
    X(CRIER_ERR_NO_CONTENT, -20031, "the server has nothing more to send")    \
    X(CRIER_ERR_STATUS, -20032, "the server refused")                         \
    X(CRIER_ERR_CONTENT_TYPE, -20033, "the response is not text/event-stream")\
    X(CRIER_ERR_ENCODING, -20034,                                             \
      "the response has a content coding that cannot be decoded")             \
    X(CRIER_ERR_ID_SIZE, -20035,                                              \
      "the last event id is longer than 64 KiB")                              \
    X(CRIER_ERR_ID_FIELD, -20036,                                             \
      "the last event id cannot be sent: it begins or ends with white space, " \
      "or holds a control character")                                         \
    X(CRIER_ERR_SEPARATED, -20037,                                            \
      "the journal's file and its log may be separated")                      \
    X(CRIER_ERR_TOPIC_ENDED, -20038,                                          \
      "the topic has ended: it takes no update until it is deleted")          \
    X(CRIER_ERR_SELECTOR, -20039,                                             \
      "not a URI template (RFC 6570) or URL pattern, too long, or not supported") \
    X(CRIER_ERR_NULL, -20040, "a required argument is NULL")                  \
    X(CRIER_ERR_FORKED, -20041, "this belongs to the parent process")         \
    X(CRIER_ERR_DRAINING, -20042, "the shards are shutting down")             \
    X(CRIER_ERR_HUB_CLOSED, -20043, "the hub is closed")                      \
    X(CRIER_ERR_FINISHED, -20044, "the publisher has finished")               \
    X(CRIER_ERR_MAX_WAITING, -20048,                                          \
      "max_waiting updates are waiting to be published")                      \
    X(CRIER_ERR_JOINED, -20045,                                               \
      "the stream has a hub or a broadcaster already")                        \
    X(CRIER_ERR_NOT_JOINED, -20046,                                           \
      "the stream is not one of this hub or broadcaster")                     \
    X(CRIER_ERR_OTHER_SHARDS, -20047, "the stream belongs to other shards")   \
    X(CRIER_ERR_START, -20050, "libmicrohttpd did not start")

enum crier_error {
#define CRIER_ERROR_ENUM(name, value, text) name = value,
    CRIER_ERRORS(CRIER_ERROR_ENUM)
#undef CRIER_ERROR_ENUM
};

/* Returns a short English text for ERROR (0, CRIER_ERR_* or -errno), borrowed and never
 * NULL. Any thread. */
CRIER_API const char *crier_error_text(int error);

/* Whether the LENGTH bytes at TEXT are UTF-8 (RFC 3629), as the texts of events and
 * the names of topics must be. TEXT may be NULL where LENGTH is 0. */
CRIER_API bool crier_utf8_valid(const char *text, size_t length);

/* Whether the LENGTH bytes at ID may be the id of an update: 1 to 255 bytes of UTF-8
 * that do not begin with '#' (those ids are the journal's), hold no control character
 * (RFC 9110 section 5.5: no header field can carry one), and neither begin nor end with
 * a space (section 5.6.3: recipients remove it). So every id can be sent as
 * Last-Event-ID and arrives unchanged. Any thread. */
CRIER_API bool crier_id_valid(const char *id, size_t length);

/* Whether the LENGTH bytes at NAME may be the name of a topic: UTF-8 without control
 * characters and '*', of 1 to 255 bytes, or up to 511 where it begins with '$'. It may hold
 * a comma (crier_hub_publish_to()). NAME may be NULL where LENGTH is 0. Any thread. */
CRIER_API bool crier_topic_valid(const char *name, size_t length);

/* Replaces each byte that is not ASCII in TEXT by '?', unless TEXT is valid UTF-8. */
CRIER_API void crier_utf8_repair(char *text);

/* The library's version, "MAJOR.MINOR.PATCH". Borrowed, constant. */
CRIER_API const char *crier_version(void);

/* ---- event ------------------------------------------------------------ */

/* The largest frame that an event may encode to. */
#define CRIER_EVENT_MAX ((size_t)16 * 1024 * 1024)

/*
 * An event under construction. Each setter replaces what an earlier call set. A setter
 * that refuses its argument returns the error, leaves the field unchanged and marks the
 * event with the first such error, which crier_event_encode() then returns. So a
 * sequence of setters needs only one check, at its end.
 *
 * All text must be UTF-8 (HTML 9.2.5: "event streams must always be encoded as UTF-8");
 * otherwise CRIER_ERR_UTF8. Every setter may return -ENOMEM and CRIER_ERR_FRAME_SIZE.
 */
struct crier_event;

/* Returns a new event with no field set, or NULL when memory is short. */
CRIER_API struct crier_event *crier_event_new(void);

/* Frees EVENT; NULL is allowed. */
CRIER_API void crier_event_free(struct crier_event *event);

/* Clears all fields of EVENT, and its first error. */
CRIER_API void crier_event_reset(struct crier_event *event);

/* Sets the data: LENGTH bytes at TEXT, of any length, NUL bytes included. Lines end at
 * LF, CRLF or a lone CR; each becomes a "data" field, and the client joins them with
 * LF. So no text can add another field. A line end at the end of TEXT is kept, as an
 * empty last line. Empty data is legal; TEXT may be NULL then. */
CRIER_API int crier_event_data(struct crier_event *event, const char *text,
                               size_t length);

/* Sets the data to a NUL-terminated string. */
CRIER_API int crier_event_text(struct crier_event *event, const char *text);

/* Sets the data to the compact JSON text of VALUE (borrowed; scalars are allowed).
 * CRIER_ERR_JSON when VALUE is NULL, because jansson could not make it, or when jansson
 * cannot write it. */
CRIER_API int crier_event_json(struct crier_event *event, const json_t *value);

/* Sets the type, for addEventListener(). An event without a type, or with an empty one
 * or NULL, has the type "message". CRIER_ERR_NEWLINE when TYPE holds CR or LF. */
CRIER_API int crier_event_type(struct crier_event *event, const char *type);

/* Sets the id, LENGTH bytes; a client that reconnects sends the last one it received as
 * Last-Event-ID. An empty id is legal (ID may be NULL then): it makes the client forget
 * its last id. CRIER_ERR_NEWLINE when it holds CR or LF, CRIER_ERR_NUL when it holds
 * NUL. */
CRIER_API int crier_event_id(struct crier_event *event, const char *id,
                             size_t length);

/* The longest reconnection time, some 25 days: the timers of common clients are signed
 * 32-bit numbers of milliseconds, which overflow beyond it. */
#define CRIER_RETRY_MAX 2147483647u

/* Sets how long the client waits before it reconnects, at most CRIER_RETRY_MAX;
 * otherwise CRIER_ERR_INVALID. */
CRIER_API int crier_event_retry(struct crier_event *event,
                                uint32_t milliseconds);

/* Sets a comment, which clients ignore; it is split at line ends as data is. */
CRIER_API int crier_event_comment(struct crier_event *event, const char *text);

/* ---- frame ------------------------------------------------------------ */

/* The wire bytes of one event: immutable and reference counted. */
struct crier_frame;

/* Encodes EVENT (borrowed, unchanged) into a new frame with one reference, written to
 * *FRAME. The fields are in the order comment, id, event, retry, data, each as "name:
 * value" (or "name:" when the value is empty) and LF; an empty line ends the frame.
 * CRIER_ERR_EMPTY when no field is set; the first error of the setters. */
CRIER_API int crier_event_encode(const struct crier_event *event,
                                 struct crier_frame **frame);

/* Writes a new frame to *FRAME, from a type (or NULL) and data, both NUL-terminated:
 * the usual event in one call. The errors of the setters and of
 * crier_event_encode(). */
CRIER_API int crier_frame_text(const char *type, const char *text,
                               struct crier_frame **frame);

/* Writes a new frame to *FRAME, from a type (or NULL) and the JSON text of VALUE
 * (borrowed). The same errors. */
CRIER_API int crier_frame_json(const char *type, const json_t *value,
                               struct crier_frame **frame);

/* Writes a new frame to *FRAME, from a type (or NULL) and formatted data. The errors of
 * crier_frame_text(); -EILSEQ or -EOVERFLOW when the text cannot be formatted. */
CRIER_API int crier_frame_printf(struct crier_frame **frame, const char *type,
                                 const char *format, ...) CRIER_PRINTF(3, 4);

/* Takes one more reference and returns FRAME. */
CRIER_API struct crier_frame *crier_frame_ref(struct crier_frame *frame);

/* Gives one reference back; the last one frees FRAME. NULL is allowed. */
CRIER_API void crier_frame_unref(struct crier_frame *frame);

/* Returns the frame's bytes, not NUL-terminated, borrowed as long as the caller holds a
 * reference; writes their number to *LENGTH (which may be NULL). */
CRIER_API const char *crier_frame_bytes(const struct crier_frame *frame,
                                        size_t *length);

/* ---- reply ------------------------------------------------------------ */

/* A finite list of events that becomes one complete response. */
struct crier_reply;

/* Returns a new empty reply, or NULL when memory is short. */
CRIER_API struct crier_reply *crier_reply_new(void);

/* Frees REPLY; NULL is allowed. */
CRIER_API void crier_reply_free(struct crier_reply *reply);

/* Appends EVENT (borrowed) in its encoded form. The errors of crier_event_encode();
 * -ENOMEM; CRIER_ERR_FRAME_SIZE when the reply would be larger than CRIER_EVENT_MAX.
 * REPLY is unchanged then. */
CRIER_API int crier_reply_add(struct crier_reply *reply,
                              const struct crier_event *event);

/* Appends an event with a type (or NULL) and formatted data. The errors of
 * crier_frame_printf() and crier_reply_add(). REPLY keeps the first error of both
 * functions for crier_reply_respond(), so a list needs only one check, at its end; for
 * that reason REPLY may be NULL here (-ENOMEM). */
CRIER_API int crier_reply_printf(struct crier_reply *reply, const char *type,
                                 const char *format, ...) CRIER_PRINTF(3, 4);

/* Writes a new MHD response to *RESPONSE, with the content of REPLY (copied; REPLY
 * stays the caller's) and the headers Content-Type: text/event-stream, Cache-Control:
 * no-cache, no-transform (RFC 9111, 5.2.2.6: no proxy may compress it) and
 * X-Accel-Buffering: no. An empty reply is legal. The caller may add headers, queues
 * the response with MHD_queue_response() and gives it back with MHD_destroy_response().
 * -ENOMEM. */
CRIER_API int crier_reply_response(const struct crier_reply *reply,
                                   struct MHD_Response **response);

/* ---- shards ----------------------------------------------------------- */

/*
 * The threads that serve live streams. A program usually has one set of shards for all
 * its streams. Each stream belongs to one shard for its whole life: the thread of that
 * shard sends to it, notices when its client leaves, keeps its timers and runs its
 * callbacks.
 */
struct crier_shards;

/* No set has more shards. */
#define CRIER_SHARDS_MAX 64

/* Zero (or NULL for the whole) means the default. */
struct crier_shards_options {
    unsigned threads;    /* default: one for each online CPU, at most CRIER_SHARDS_MAX */
    size_t max_streams;  /* streams open at once; default: no limit */
    size_t max_backlog;  /* bytes of frames that publishers have handed over and the
                            shards have not taken up; default 64 MiB */

    /* Resumes CONNECTION and wakes the thread that runs its daemon. For a program that
     * runs libmicrohttpd's loop itself (MHD_run(), with MHD_USE_EPOLL and without
     * MHD_USE_INTERNAL_POLLING_THREAD), whose thread would not notice a resume.
     * Default: MHD_resume_connection(). The library calls it on any thread, while it
     * holds locks: it must do nothing else, and must not use CONNECTION after the
     * resume. */
    void (*resume)(struct MHD_Connection *connection);

    /* The library calls this with a sentence (borrowed during the call) when the
     * program has called it in a way that would end in a crash or a leak, such as in
     * the wrong order; it has refused the call or done what was missing. Any thread; no
     * lock of the library is held. The callback must not call the library. Default: the
     * sentence is lost. */
    void (*log)(void *closure, const char *mistake);
    void *log_closure;
};

/* Writes new shards to *SHARDS. Their threads have all signals blocked and 512 KiB of
 * stack each. -errno of the system; CRIER_ERR_INVALID for more than 64 threads. */
CRIER_API int crier_shards_new(const struct crier_shards_options *options,
                               struct crier_shards **shards);

/* Changes how many streams may be open at once; 0: no limit. Streams beyond a lower
 * limit stay open. Any thread. */
CRIER_API void crier_shards_set_max_streams(struct crier_shards *shards,
                                            size_t max_streams);

/* Sets, in ms, the keep_alive and the stall_timeout of all streams whose options leave
 * them 0, open ones included; 0 for the default. Any thread, one at a time.
 * CRIER_ERR_INVALID for less than 10. */
CRIER_API int crier_shards_set_times(struct crier_shards *shards,
                                     uint32_t keep_alive,
                                     uint32_t stall_timeout);

/* Returns the number of open streams, including those that have ended and whose
 * response libmicrohttpd has not freed yet. max_streams limits the same number. */
CRIER_API size_t crier_shards_count(const struct crier_shards *shards);

/* Asks the thread of each shard for a sign of life, and returns how many have not given one
 * since an earlier call: so 0 means that since the call before this one every shard has
 * done all that it had to do then. For a watchdog, which calls it now and then and
 * expects 0. Any thread; never waits. */
CRIER_API size_t crier_shards_silent(struct crier_shards *shards);

/* Shuts the streams down. From now on new streams are refused (CRIER_ERR_DRAINING).
 * Each stream sends what it has pending and a last line "retry", drawn at random
 * between RETRY_MIN and RETRY_MAX ms (both at most CRIER_RETRY_MAX), so that the
 * clients do not all return at the same moment; then it ends. After TIMEOUT ms the
 * remaining streams are cut off. Returns the number of streams that were cut off.
 *
 * When this returns the program may stop MHD: every stream whose headers have been sent
 * is over. (If the threads of MHD do not run, this waits 8 s more and returns.) A
 * stream whose handler has not returned by then ends in MHD_stop_daemon(). A publisher
 * that crier_request_publish() has not answered yet counts as a stream.
 *
 * Streams need their shards and the threads of MHD to end, so this must not be called
 * in the callback of a stream, in an MHD handler, or on a thread that runs MHD's loop.
 * In a callback it ends nothing, logs the mistake and returns the number of open
 * streams. */
CRIER_API size_t crier_shards_drain(struct crier_shards *shards,
                                    uint32_t retry_min, uint32_t retry_max,
                                    uint32_t timeout);

/* Stops and joins the threads and frees SHARDS; NULL is allowed. Call it after
 * crier_shards_drain() and MHD_stop_daemon(), in this order (crier_server_stop() keeps
 * it): libmicrohttpd aborts the program when its daemon is stopped while a stream is
 * open, and this library cannot prevent that. When this returns, every on_closed has
 * returned. After that the program may only give streams back (crier_stream_unref())
 * and free broadcasters and hubs.
 *
 * A wrong order is logged. When a stream is open, this cuts it off and frees nothing;
 * the program may call this again after MHD_stop_daemon(). In a callback of a stream it
 * does nothing. A hub that is open is closed. */
CRIER_API void crier_shards_free(struct crier_shards *shards);

/* Returns the time for crier_stream_wake(): milliseconds of CLOCK_MONOTONIC. Any
 * thread. */
CRIER_API uint64_t crier_now(void);

/* ---- stream ----------------------------------------------------------- */

/* One live text/event-stream response on one MHD connection. */
struct crier_stream;

/* Why a stream ended: X(name, text). A client that closes only its own half of the
 * connection has left, too. CRIER_REASON_UNSENT is also the reason for a connection
 * that fails before its headers are sent: libmicrohttpd does not tell the two apart. */
#define CRIER_REASONS(X)                                                      \
    X(CRIER_REASON_APP, "closed by the server")                               \
    X(CRIER_REASON_SHUTDOWN, "server is shutting down")                        \
    X(CRIER_REASON_LEFT, "client closed the connection")                      \
    X(CRIER_REASON_DEAD_PEER, "client stopped acknowledging")                  \
    X(CRIER_REASON_SLOW, "client reads too slowly")                           \
    X(CRIER_REASON_MEMORY, "out of memory")                                   \
    X(CRIER_REASON_TRANSPORT, "connection failed or timed out")               \
    X(CRIER_REASON_JOURNAL, "the journal cannot be read")                     \
    X(CRIER_REASON_ENDED, "its topics have ended")                            \
    X(CRIER_REASON_EXPIRED, "the client's authorisation has expired")         \
    X(CRIER_REASON_UNSENT,                                                    \
      "no body was sent: a HEAD request, or the response was not queued")

/* How many reasons there are. */
#define CRIER_REASON_COUNT 11

enum crier_reason {
#define CRIER_REASON_ENUM(name, text) name,
    CRIER_REASONS(CRIER_REASON_ENUM)
#undef CRIER_REASON_ENUM
};

/* Returns a short English text for REASON, borrowed and constant. */
CRIER_API const char *crier_reason_text(enum crier_reason reason);

/* For keep_alive: no keep-alive at all. The library then notices a dead client only
 * when something else is sent to it. */
#define CRIER_NEVER UINT32_MAX

/* The form in which a stream sends updates. */
enum crier_format {
    CRIER_FORMAT_EVENTS, /* text/event-stream */
    CRIER_FORMAT_JSON,   /* application/x-ndjson: one object per line with
                            id, position, time, topics, data, and event and
                            retry where set; keep-alives are empty lines */
    CRIER_FORMAT_RAW,    /* text/plain: the data of each update, and LF;
                            keep-alives are empty lines, gaps are not sent */
    CRIER_FORMAT_FULL    /* text/event-stream, each update with two more fields,
                            which browsers ignore: "topics" (a list) and "time"
                            (RFC 3339, when it was published); and with `once`
                            the comment line ": end" after the last update */
};
#define CRIER_FORMATS 4

/* How many kinds of streams can be counted apart. */
#define CRIER_STREAM_KINDS 16

/*
 * Zero (or NULL for the whole) means the default.
 *
 * The callbacks run on the thread of the stream's shard, one at a time, and must not
 * block: all streams of the shard wait for them. They may call every function of this
 * header except crier_shards_drain() and crier_shards_free(). None runs before the
 * response has been queued or destroyed.
 */
struct crier_stream_options {
    /* When nothing has been sent for this long (or up to half a percent longer), a
     * comment is sent. Default: what crier_shards_set_times() has set, or 15000; at
     * least 10. CRIER_NEVER for none. */
    uint32_t keep_alive;

    /* The text of that comment; default: empty. It is sent as comment lines, without
     * the empty line that would end an event: several client libraries take that for an
     * event without data. Borrowed during the call. */
    const char *keep_alive_text;

    /* How many bytes may be pending for a client that reads slowly; default 256 KiB.
     * Each frame counts its bytes and 64 more; a frame is accepted when less than this
     * is pending. Beyond it, crier_stream_send() returns CRIER_ERR_MAX_PENDING, and a
     * broadcast, which cannot return an error for one stream, ends the stream with
     * CRIER_REASON_SLOW (the frame that is being sent does not count there). In
     * addition the kernel holds at most some 128 KiB for each client. */
    size_t max_pending;

    /* A client that takes nothing at all for this long while something is pending for
     * it is cut off, with CRIER_REASON_SLOW. TCP reports free space in large steps, so
     * this may also cut off a client that takes less than some 128 KiB in that time.
     * Default: what crier_shards_set_times() has set, or 30000; at least 10.
     * CRIER_NEVER for none. */
    uint32_t stall_timeout;

    /* When the stream ends with CRIER_REASON_EXPIRED, by crier_now(): what was sent
     * before is still delivered, as by crier_stream_close(). For clients whose
     * authorisation expires. Default 0: never. */
    uint64_t expires;

    /* Sets the Content-Type of the response, the form of keep-alives, and the form in
     * which a hub sends its updates. A frame that crier_stream_send() or a broadcaster
     * sends is not changed. JSON and raw streams do not get the retry of
     * crier_shards_drain(). */
    enum crier_format format;

    /* What this stream has in common with others, for example the topic that they
     * subscribe to. Streams with the same text are kept on one thread as far as its
     * load allows, so that a frame for all of them wakes only one thread. Default NULL:
     * the threads take turns. Borrowed during the call. */
    const char *affinity;

    /* The kind under which crier_shards_statistics() counts this stream, less than
     * CRIER_STREAM_KINDS; the program says what its kinds mean. */
    unsigned kind;

    /* Called once as soon as the headers of the stream have been sent (never when they
     * are not, or the request was a HEAD), then at each time that crier_stream_wake()
     * has set, and after crier_stream_notify(). A stream that has a source of events of
     * its own (a counter, a feed) sends them here. */
    void (*on_wake)(void *closure, struct crier_stream *stream);

    /* Called once after crier_stream_send() has returned CRIER_ERR_MAX_PENDING, as soon
     * as no more than a quarter of max_pending is pending. A source that stops at that
     * error continues here. */
    void (*on_room)(void *closure, struct crier_stream *stream);

    /* Called exactly once, when the stream is over for whatever reason; no other
     * callback of this stream follows. */
    void (*on_closed)(void *closure, struct crier_stream *stream,
                      enum crier_reason reason);

    /* Passed to the callbacks. Borrowed until on_closed returns; when
     * crier_stream_new() fails, on_closed is not called and CLOSURE is the caller's
     * again. */
    void *closure;

    /* The size of a block of memory for the program, in bytes. It is aligned for any
     * type and zeroed, and the callbacks get a pointer to it instead of CLOSURE, which
     * must be NULL. It is freed with the stream, when all references are given back.
     * Default 0: none; at most 64 KiB. */
    size_t state;
};

/*
 * Makes a stream on CONNECTION, inside an access handler of MHD. Writes a new reference
 * to *STREAM (give it back with crier_stream_unref(); the stream lives on without it)
 * and a new response to *RESPONSE, for this connection only, with the headers
 * Content-Type: text/event-stream, Cache-Control: no-cache, no-transform and
 * X-Accel-Buffering: no. The caller may add headers, then queues the response with
 * MHD_queue_response() and gives it back with MHD_destroy_response(), both before the
 * handler returns. A response that is never queued ends the stream, and its shard calls
 * on_closed. A response that the program never gives to MHD_destroy_response() is a
 * leak: the stream stays counted; if it ends by itself, on_closed is not called before
 * crier_shards_drain(), which waits its whole TIMEOUT for it; and crier_shards_free()
 * frees nothing.
 *
 * The body begins with the comment of the keep-alives (in JSON and raw with an empty
 * line), because browsers and proxies announce a response with its first byte;
 * crier_hub_subscribe() may replace it. The kernel may keep that comment up to 200 ms,
 * to send it together with the first frame.
 *
 * The response is HTTP/1.1 with "Connection: close" and a body without chunks that ends
 * with the connection. The socket gets TCP_NODELAY and a small SO_SNDBUF.
 * MHD_OPTION_CONNECTION_TIMEOUT applies until the headers have been sent. With TLS, MHD
 * sends the bytes.
 *
 * The program must have started the MHD daemon with MHD_USE_INTERNAL_POLLING_THREAD
 * (best with epoll, and with a thread pool if needed) and MHD_ALLOW_SUSPEND_RESUME, and
 * without MHD_USE_THREAD_PER_CONNECTION; or without any thread of its own, when
 * crier_shards_options.resume is set. crier_daemon_check() (crier_server.h) checks that
 * at the start.
 *
 * CRIER_ERR_MAX_STREAMS, CRIER_ERR_DRAINING, CRIER_ERR_DAEMON, CRIER_ERR_MHD,
 * CRIER_ERR_INVALID, the errors of crier_event_comment() for the keep-alive text,
 * -ENOMEM.
 */
CRIER_API int crier_stream_new(struct crier_shards *shards,
                               struct MHD_Connection *connection,
                               const struct crier_stream_options *options,
                               struct crier_stream **stream,
                               struct MHD_Response **response);

/* Takes one more reference and returns STREAM. */
CRIER_API struct crier_stream *crier_stream_ref(struct crier_stream *stream);

/* Gives one reference back; NULL is allowed. This does not end the stream. As long as
 * STREAM is open, giving back more references than the program holds is logged and does
 * no harm. */
CRIER_API void crier_stream_unref(struct crier_stream *stream);

/* Sends FRAME (borrowed). Never blocks. The frames of one thread arrive in the order in
 * which it sent them, together with those of its broadcasts. 0 means that the frame has
 * been queued; it does not arrive when the stream ends first. CRIER_ERR_CLOSED,
 * CRIER_ERR_MAX_PENDING, CRIER_ERR_MAX_BACKLOG, -ENOMEM; the frame was not sent
 * then. */
CRIER_API int crier_stream_send(struct crier_stream *stream,
                                struct crier_frame *frame);

/* Sends an event with a type (or NULL) and formatted data. The errors of
 * crier_frame_printf() and crier_stream_send(). */
CRIER_API int crier_stream_printf(struct crier_stream *stream,
                                  const char *type, const char *format, ...)
    CRIER_PRINTF(3, 4);

/* Ends STREAM after everything that was sent before; a client that does not take that
 * within 10 s is cut off. Closing twice is harmless. */
CRIER_API void crier_stream_close(struct crier_stream *stream);

/* Returns how many bytes of the body of STREAM have been sent so far, before TLS: those that
 * the kernel has taken. 0 for NULL. Any thread; in on_closed, and later,
 * it is the sum. */
CRIER_API uint64_t crier_stream_sent(struct crier_stream *stream);

/* Sets the time at which on_wake is called, by crier_now(); a time in the past means at
 * once. Replaces the time that was set before; UINT64_MAX cancels it. Only inside the
 * callbacks of STREAM. */
CRIER_API void crier_stream_wake(struct crier_stream *stream, uint64_t when);

/* Makes on_wake run soon, on the thread of the stream's shard. Any thread; never
 * blocks. on_wake runs after the last of several calls, possibly only once for all of
 * them. A time set by crier_stream_wake() stays. Does nothing when there is no on_wake,
 * or the stream is closed. */
CRIER_API void crier_stream_notify(struct crier_stream *stream);

/* ---- broadcaster ------------------------------------------------------ */

/*
 * A list of streams that receive the same frames, all in the same order. A stream that
 * joins receives everything that is broadcast after crier_broadcaster_join() has
 * returned; a stream that ends leaves the list at once; a client that reads slowly
 * delays no other one.
 */
struct crier_broadcaster;

/* Zero (or NULL for the whole) means the default. */
struct crier_broadcaster_options {
    /* The keep-alive interval of streams after they have joined: a stream is pinged
     * when nothing has been sent for this long. The stream of a dead client ends before
     * the second ping (but not within one second), unless the client had stopped
     * reading before: then TCP probes it less and less often, and this may take
     * minutes. Default 10000; at least 10. CRIER_NEVER for none. */
    uint32_t ping;
};

/* Writes a new broadcaster on SHARDS (borrowed as long as it is used) to *BROADCASTER.
 * -ENOMEM, CRIER_ERR_INVALID. */
CRIER_API int
crier_broadcaster_new(struct crier_shards *shards,
                      const struct crier_broadcaster_options *options,
                      struct crier_broadcaster **broadcaster);

/* Gives BROADCASTER back; NULL is allowed. It is freed when its list is empty and no
 * frame is on its way, so the program may call this at any time, before
 * crier_shards_free() or after it. */
CRIER_API void crier_broadcaster_free(struct crier_broadcaster *broadcaster);

/* Puts STREAM on the list, under NAME (copied; several streams may share one) or
 * without a name when NAME is NULL. HELLO (borrowed; NULL for none) is sent first. The
 * stream leaves the list when it ends, immediately before its on_closed. A stream is on
 * one list at a time. CRIER_ERR_CLOSED, CRIER_ERR_JOINED, CRIER_ERR_OTHER_SHARDS,
 * -ENOMEM. */
CRIER_API int crier_broadcaster_join(struct crier_broadcaster *broadcaster,
                                     struct crier_stream *stream,
                                     const char *name,
                                     struct crier_frame *hello);

/* Takes STREAM off the list: it receives everything that was broadcast before the call,
 * and nothing that is broadcast after the call has returned. The stream continues, with
 * its present keep-alive interval, and may join another list, or this one again, or
 * subscribe to a hub. The counts follow a little later. CRIER_ERR_NOT_JOINED,
 * -ENOMEM. */
CRIER_API int crier_broadcaster_leave(struct crier_broadcaster *broadcaster,
                                      struct crier_stream *stream);

/* Sends FRAME (borrowed) to every stream on the list. Never blocks. Returns the number
 * of these streams; or CRIER_ERR_MAX_BACKLOG or -ENOMEM, and the frame goes to none. To
 * send to one stream only, use crier_stream_send(). */
CRIER_API long crier_broadcaster_send(struct crier_broadcaster *broadcaster,
                                      struct crier_frame *frame);

/* Sends an event with a type (or NULL) and formatted data to every stream on the list.
 * Returns their number, or an error of crier_frame_printf() or
 * crier_broadcaster_send(). */
CRIER_API long
crier_broadcaster_printf(struct crier_broadcaster *broadcaster,
                         const char *type, const char *format, ...)
    CRIER_PRINTF(3, 4);

/* Sends FRAME (borrowed) to the streams that have joined under NAME. Returns the same
 * as crier_broadcaster_send(). */
CRIER_API long
crier_broadcaster_send_to(struct crier_broadcaster *broadcaster,
                          const char *name, struct crier_frame *frame);

/* Returns the number of streams on the list, including those that are about to end. */
CRIER_API size_t
crier_broadcaster_count(struct crier_broadcaster *broadcaster);

/* Returns the number of streams on the list under NAME. */
CRIER_API size_t
crier_broadcaster_count_of(struct crier_broadcaster *broadcaster,
                           const char *name);

/* ---- journal ---------------------------------------------------------- */

/*
 * The one ordered log of updates. An update is an event with its topics, an id and a
 * position; positions rise, not always by one. The program makes a journal and passes
 * it to crier_hub_new(); from then on it belongs to the hub.
 *
 * An id that the journal makes is "#EPOCH-POSITION"; the epoch names the life of this
 * journal, which for a file includes all restarts.
 */
struct crier_journal;

/* How much of the past a journal holds; the oldest updates are evicted first. Zero
 * means no limit; but for all topics together, a `count` or `bytes` of zero means the
 * default. An update counts its frame, its names and 128 bytes. Its age is
 * measured with CLOCK_REALTIME. The time of an update is never more than 10 s ahead of
 * the clock for long: when a clock that was ahead has been set back, later times are
 * set to it (but in memory the JSON of the update keeps its first time). */
struct crier_retention {
    size_t count; /* updates */
    size_t bytes;
    uint64_t age; /* ms */
};

/* The retention of the topics that TOPIC, a selector, matches. Here "*" matches the names
 * that begin with '$', too. */
struct crier_topic_retention {
    const char *topic;
    struct crier_retention retention;
};

/* Zero (or NULL for the whole) means the default. */
struct crier_journal_options {
    /* For all topics together. The default is 100000 updates and 16 MiB in memory,
     * 10000000 and 1 GiB in a file; no limit of age. */
    struct crier_retention retention;

    /* Of each topic for itself, within the above; the first one that matches its
     * name applies. Default: none. Copied. */
    const struct crier_topic_retention *topics;
    size_t topic_count;

    /* How many topics the journal remembers; default 100000. A topic that holds
     * nothing any more gives way to a new one. */
    size_t max_topics;
};

/* Writes a *new* journal in memory to *JOURNAL. -ENOMEM, CRIER_ERR_INVALID,
 * CRIER_ERR_TOPIC and CRIER_ERR_SELECTOR (of a retention), -errno. */
CRIER_API int
crier_journal_memory(const struct crier_journal_options *options,
                     struct crier_journal **journal);

/* Writes a journal in the SQLite file PATH to *JOURNAL. The file is made when it does
 * not exist, and checked when it does. Beside it are PATH-wal, PATH-shm and PATH-lock.
 * One process may use the file at a time, by whatever name; a second one gets
 * CRIER_ERR_IN_USE. After a crash, the last updates are in PATH-wal alone. So
 * CRIER_ERR_SEPARATED is returned for a file that has been moved without its PATH-wal
 * then, for one that has the PATH-wal of another file, for a PATH-wal without a file, and
 * for a hard link by which the file has not been opened before. An update is durable when
 * it is on the disk (WAL, synchronous=FULL); all updates that arrive during a transaction
 * go into the next one. A file that may not grow (RLIMIT_FSIZE) counts as a full disk if
 * the program ignores SIGXFSZ, which would end it otherwise.
 *
 * -ENOMEM, CRIER_ERR_INVALID, CRIER_ERR_DAMAGED, CRIER_ERR_IN_USE, CRIER_ERR_SEPARATED,
 * CRIER_ERR_STORAGE, CRIER_ERR_STORAGE_FULL, -errno; then the reason is written to REASON
 * (unless that is NULL), at most SIZE bytes with the NUL. */
CRIER_API int
crier_journal_sqlite(const char *path,
                     const struct crier_journal_options *options,
                     struct crier_journal **journal, char *reason,
                     size_t size);

/* Writes a journal in the Redis or Valkey server that URL names to *JOURNAL. Several
 * processes may use it at a time: they give out the same ids, and the updates of each go to
 * the streams of all, in one order. doc/guide/redis.md says how to run the server.
 *
 *   redis://[USER[:PASSWORD]@]HOST[:PORT][/DB][?PARAMETER=VALUE&...]
 *   redis+unix:/PATH[?PARAMETER=VALUE&...]
 *
 * valkey means the same as redis. Parameters: `name` of the journal (default crier), `db`,
 * `user`, `password`, `password-file`, `sentinel` (HOST:PORT,... ; HOST of the URL is then
 * the name of the master), `sentinel-password`, `wait` (how many replicas must have an
 * update before it is acknowledged; default 0), `timeout` (how long a publisher waits while
 * the server does not answer; default 5s), `cache` (how much of the newest updates this
 * process keeps in memory; default 64M).
 *
 * The call waits until the newest updates have been read; it fails when nothing has come
 * from the server for twice `timeout`. While the server is
 * away later, streams stay open, reads of what the process keeps are answered, and publishing
 * fails with CRIER_ERR_STORAGE after `timeout`; everything goes on when it is back. The
 * clocks of all processes should agree to within a second. Default retention: 1000000 updates
 * and 256 MiB.
 *
 * -ENOMEM, CRIER_ERR_INVALID (the URL), CRIER_ERR_STORAGE, CRIER_ERR_DAMAGED (another
 * format), -errno; then the reason is written to REASON (unless that is NULL), at most SIZE
 * bytes with the NUL. */
CRIER_API int
crier_journal_redis(const char *url,
                    const struct crier_journal_options *options,
                    struct crier_journal **journal, char *reason,
                    size_t size);

/* Checks URL, as of crier_journal_redis(), and reads the file of its password, but does not
 * connect. Writes it without its passwords, for messages, to SHOWN (unless that is NULL), at
 * most SHOWN_SIZE bytes with the NUL. -ENOMEM, CRIER_ERR_INVALID, -errno (the file of the
 * password); then SHOWN is "", and what is wrong is written to REASON (unless that is NULL),
 * at most SIZE bytes with the NUL, without a password. */
CRIER_API int
crier_journal_redis_check(const char *url, char *shown, size_t shown_size, char *reason,
                          size_t size);

/* Checks the whole file PATH of a journal, which is only read and may be open elsewhere:
 * whether each update is what was written, and none is missing. If the result is not 0,
 * the reason in words is written to REASON (unless that is NULL), at most SIZE bytes with
 * the NUL. It takes as long as reading the file. CRIER_ERR_DAMAGED, CRIER_ERR_STORAGE (it
 * cannot be read, or is no journal), -ENOMEM, CRIER_ERR_NULL. */
CRIER_API int crier_journal_check(const char *path, char *reason, size_t size);

/* Frees a journal that no hub has taken; NULL is allowed. */
CRIER_API void crier_journal_free(struct crier_journal *journal);

/* ---- hub -------------------------------------------------------------- */

/*
 * Topics over a journal. An update that is published goes into the journal first; the
 * hub then sends what the journal yields to the streams that subscribe to one of its
 * topics. So every stream is a part of the journal, in its order, without loss and
 * without duplicates, from the point where the stream began.
 *
 * A topic is 1 to 255 bytes of UTF-8 without control characters and '*'. Names that
 * begin with '$' are the program's own; they may have 511 bytes. A text of topics has
 * commas between them; a name that holds a comma itself is given in an array.
 *
 * A selector says to which topics a stream subscribes:
 *   "log.a"   exact: the topic of that name
 *   "log.*"   prefix: each topic whose name begins with what is before the '*'
 *   "*"       all: each topic whose name does not begin with '$'
 *   "log/{id}" a URI template (RFC 6570): each topic that it can expand to, with any values
 * As in MQTT, a selector that begins with a wildcard does not match the names that begin
 * with '$'; one that begins with '$' itself does. A text of selectors may mix them:
 * "a,log.*,log/{id}"; commas in the braces of a template do not separate.
 *
 * In a template, a variable matches unreserved characters, those beyond ASCII, and triplets
 * (%2F), so it ends at a '/'; with + or # it matches reserved characters, too; lists, named
 * variables (?a,b) and undefined ones match as they expand. What a selector matches is
 * found in time that is linear in the topic and in the selector, and remembered for topics
 * that are published to again. A template has at most 10 variables, of which those with a
 * name in the topic (; ? &) count a third; a part of a URL pattern, 16 wildcards.
 *
 * At most max_pending bytes and one update are pending for a stream that reads slowly;
 * after that the hub reads the journal for it, at the pace of its client. When the
 * journal has evicted the update that such a stream needs next, the stream gets an
 * event "gap", whose data is {"requested": the id of its last update, "oldest": the
 * first id still held, or null}. While a journal in a file cannot be read, such a
 * stream waits.
 */
struct crier_hub;

/* What happens to a stream when the journal has evicted the update that it would send
 * next. */
enum crier_slow {
    CRIER_SLOW_GAP,       /* it is sent a gap, and continues with what is held */
    CRIER_SLOW_DISCONNECT /* it ends, with CRIER_REASON_SLOW */
};

/* How the text of a selector is read. */
enum crier_match {
    CRIER_MATCH_TEXT,     /* "*"; a URI template when it is one and holds an expression in
                             braces; a prefix when it ends with '*'; otherwise exact */
    CRIER_MATCH_EXACT,    /* the topic of that name, whatever it holds */
    CRIER_MATCH_TEMPLATE, /* a URI template (RFC 6570): each topic that it can expand to,
                             and the one of the template's own text */
    CRIER_MATCH_URL_PATTERN /* a URL pattern (WHATWG), without regular expressions: each
                               topic that is such a URL */
};

/* A selector, and how its text is read. */
struct crier_selector {
    enum crier_match match;
    const char *text; /* at most 1024 bytes */
    const char *base; /* of a URL pattern: the URL, of at most 1024 bytes, that the text
                         and the topics may be relative to; or NULL */
};

/*
 * Grants: the selectors, at most 1000, of the topics that somebody may publish to or may
 * see private updates of. Constant and reference counted, so many streams share one.
 * Whether an update may be seen is found out once for each update and grants, not for each
 * stream. Any thread.
 */
struct crier_grants;

/* Writes *new* grants of COUNT SELECTORS (borrowed; COUNT may be 0, which grants nothing)
 * to *GRANTS. CRIER_ERR_TOPIC, CRIER_ERR_SELECTOR, CRIER_ERR_MANY_TOPICS, -ENOMEM. */
CRIER_API int crier_grants_new(const struct crier_selector *selectors,
                               size_t count, struct crier_grants **grants);

/* Takes one more reference and returns GRANTS; NULL is allowed. */
CRIER_API struct crier_grants *crier_grants_ref(struct crier_grants *grants);

/* Gives one reference back; the last one frees GRANTS. NULL is allowed. */
CRIER_API void crier_grants_unref(struct crier_grants *grants);

/* Whether a selector of GRANTS matches TOPIC; false for NULL. */
CRIER_API bool crier_grants_match(const struct crier_grants *grants,
                                  const char *topic);

/* Whether GRANTS surely match each topic that SELECTOR matches; false for NULL and for a
 * SELECTOR that is not valid. A template is covered by "*", by a prefix of what it begins
 * with, and by itself; a URL pattern, which matches other spellings of a URL, too, by "*"
 * and by itself. */
CRIER_API bool crier_grants_cover(const struct crier_grants *grants,
                                  const struct crier_selector *selector);

/* The same of all selectors in the text SELECTORS, as crier_hub_subscribe() reads it. */
CRIER_API bool crier_grants_cover_text(const struct crier_grants *grants,
                                       const char *selectors);

/* The text of the selector NUMBER (from 0) of GRANTS, as it was written, borrowed from them;
 * NULL when they have no such selector, and for NULL. Each selector is there once. */
CRIER_API const char *crier_grants_text(const struct crier_grants *grants,
                                        size_t number);

/* Zero (or NULL for the whole) means the default. */
struct crier_hub_options {
    enum crier_slow slow;

    /* Selectors of the topics that have presence, with commas between them: whenever
     * a stream begins or ceases to subscribe to such a TOPIC by its name, an event
     * "join" or "leave" with {"topic":TOPIC,"count":N} is published under
     * "$presence/TOPIC"; N is how many subscribe to it now, on all hubs that share the
     * journal. Default: none. Copied. */
    const char *presence;
};

/* Writes a new hub on SHARDS (borrowed as long as the hub lives) and JOURNAL (stolen)
 * to *HUB. -ENOMEM, CRIER_ERR_TOPIC, CRIER_ERR_SELECTOR, CRIER_ERR_MANY_TOPICS. */
CRIER_API int crier_hub_new(struct crier_shards *shards,
                            struct crier_journal *journal,
                            const struct crier_hub_options *options,
                            struct crier_hub **hub);

/* Refuses every new call from now on (CRIER_ERR_HUB_CLOSED), and waits until the
 * journal has answered all earlier ones and every on_done has returned. A program that
 * suspends connections until on_done calls this before crier_shards_drain() and
 * MHD_stop_daemon(). Not in a callback of this header. */
CRIER_API void crier_hub_close(struct crier_hub *hub);

/* Frees HUB and its journal; NULL is allowed. Call crier_hub_close() before
 * crier_shards_free(), and this after it: the threads of a journal in a file pass
 * updates to the shards until the hub is closed, and the shards use the hub until they
 * are freed. When this is called before crier_shards_free(), it logs the mistake and
 * only closes HUB, which crier_shards_free() then frees. */
CRIER_API void crier_hub_free(struct crier_hub *hub);

/* Changes the options that HUB was made with. Each can be called by any thread at any time,
 * by one at a time, and ends no stream.
 *
 * slow: applies whenever a stream falls behind from now on. CRIER_ERR_INVALID.
 *
 * presence: a text of selectors as in crier_hub_options, copied; NULL for none. Streams
 * that subscribe already are counted, but no event announces them. -ENOMEM, CRIER_ERR_TOPIC,
 * CRIER_ERR_SELECTOR, CRIER_ERR_MANY_TOPICS.
 *
 * retention: the options of the journal, copied; NULL for the defaults. A journal in memory
 * evicts what they do not allow before the call returns, and takes time in proportion to
 * that and to the number of topics; one in a file evicts in small steps from now on.
 * -ENOMEM, CRIER_ERR_INVALID, CRIER_ERR_TOPIC, CRIER_ERR_SELECTOR,
 * CRIER_ERR_HUB_CLOSED. */
CRIER_API int crier_hub_set_slow(struct crier_hub *hub, enum crier_slow slow);
CRIER_API int crier_hub_set_presence(struct crier_hub *hub,
                                     const char *presence);
CRIER_API int
crier_hub_set_retention(struct crier_hub *hub,
                        const struct crier_journal_options *options);

/* The largest text that crier_hub_share() accepts. */
#define CRIER_SHARED_MAX 4096

/*
 * Processes that share a journal know of each other's texts: small facts that hold as long
 * as the process lives that shares them, such as who its users are. With a journal that is
 * not shared, the first two do nothing. Any thread.
 *
 * crier_hub_share() shares TEXT (copied), UTF-8 without control characters of 1 to
 * CRIER_SHARED_MAX bytes; the others learn of it soon. CRIER_ERR_INVALID, -ENOMEM.
 *
 * crier_hub_unshare() ends that, once for each time it was shared. When the process vanishes,
 * its texts do, too, after 15 s at most.
 *
 * crier_hub_shared() calls USE with each text that other processes share now, borrowed for
 * the call, in any order. A process keeps at most 64 MiB of those, and with the names of the
 * topics that only streams of other processes subscribe to 100,000. -ENOMEM.
 */
CRIER_API int crier_hub_share(struct crier_hub *hub, const char *text);
CRIER_API void crier_hub_unshare(struct crier_hub *hub, const char *text);
CRIER_API int crier_hub_shared(struct crier_hub *hub,
                               void (*use)(void *closure, const char *text),
                               void *closure);

/* The result of a publication. Borrowed during on_done. */
struct crier_receipt {
    int error;          /* 0: it is in the journal */
    const char *reason; /* in words, when there is an error; never NULL */
    const char *id;     /* of the update; with CRIER_ERR_EXISTS and where it is a
                           duplicate, of the one that was there before */
    uint64_t position;  /* of the same update */
    int64_t time;       /* of an update that was published now, in ms since 1970 */
    const char *const *topics; /* as published, each once */
    size_t topic_count;
    size_t subscribers; /* how many streams' selectors match, on all hubs that share the
                           journal, even if their grants do not
                           match a private update; one with two selectors that match
                           counts for both */
    bool duplicate;     /* nothing was published, see below */
};

/* Zero (or NULL for the whole) means the default. */
struct crier_publish_options {
    /* If the journal holds an update with this id and these topics already, that is a
     * success (`duplicate`) and not CRIER_ERR_EXISTS. So a publisher may try again. (An
     * update of other topics is another publisher's, and took the id.) */
    bool dedupe;

    /* Only streams whose grants match one of the update's topics are sent it, whether
     * live or later from the journal. It does not count for CRIER_SINCE_LAST of other
     * streams. It has a position like any other update, so a stream that resumes with
     * its id begins behind it, whatever its grants. A stream without grants is sent no
     * gap because private updates of a topic that had no public ones have been evicted;
     * other streams may be sent a gap when all that was evicted was private. */
    bool is_private;

    /* It is the last update of its topics. A stream of these topics alone ends behind it.
     * Until the topics are deleted or have expired, further updates are refused
     * (CRIER_ERR_TOPIC_ENDED). */
    bool last;

    /* For an update that comes from another journal: when it was published there, in ms
     * since 1970. It is given this time, unless the order of the journal forbids that: at
     * least the time of the update before it, at most now. Its id may begin with '#', as
     * those that a journal makes do, and is then a name like any other. But an id that
     * this journal itself has made is CRIER_ERR_EXISTS. Default 0: published now. */
    int64_t time;

    /* Called exactly once if crier_hub_publish() returns 0: on any thread, possibly
     * before it returns. It must not block. */
    void (*on_done)(void *closure, const struct crier_receipt *receipt);
    void *closure;
};

/* Publishes EVENT (borrowed) under TOPICS. The id of the event, if it has one, becomes
 * that of the update; otherwise the journal makes one. Never blocks. The updates of one
 * thread keep their order. CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS, CRIER_ERR_ID,
 * CRIER_ERR_UPDATE_SIZE, CRIER_ERR_MAX_BACKLOG, CRIER_ERR_HUB_CLOSED, CRIER_ERR_EXISTS
 * (see `time`), the errors of crier_event_encode(), -ENOMEM; on_done is not called then.
 * The receipt may hold CRIER_ERR_EXISTS, CRIER_ERR_TOPIC_ENDED, CRIER_ERR_MAX_TOPICS,
 * CRIER_ERR_STORAGE, CRIER_ERR_STORAGE_FULL, -ENOMEM. */
CRIER_API int crier_hub_publish(struct crier_hub *hub, const char *topics,
                                const struct crier_event *event,
                                const struct crier_publish_options *options);

/* The same under COUNT TOPICS, whose names may hold commas. Where a text of topics is
 * written (the field "topics" of CRIER_FORMAT_FULL), such a comma is "%2C". */
CRIER_API int
crier_hub_publish_to(struct crier_hub *hub, const char *const *topics,
                     size_t count, const struct crier_event *event,
                     const struct crier_publish_options *options);

/* Where a stream begins. */
enum crier_since {
    CRIER_SINCE_NOW,    /* with the first update that is published after
                           crier_hub_subscribe() */
    CRIER_SINCE_ID,     /* after the update with the id `id`; when that id is not known,
                           or the journal has evicted something after it, with a gap and
                           then with all that is held after it */
    CRIER_SINCE_ALL,    /* with the first update that is held */
    CRIER_SINCE_LAST,   /* with the last `number` updates held; in memory at most 100000
                           divided by the number of topics. A prefix that matches
                           more than 100 topics looks at the last 100000 updates. In a
                           file 20000 private updates that the grants do not match are
                           passed over; what is before them does not count */
    CRIER_SINCE_TIME    /* with the first update that is at most `number` ms old */
};

/* How an event stream begins, so that a client which is cut off before its first update
 * loses nothing. JSON and raw streams begin as by CRIER_START_COMMENT. */
enum crier_start {
    CRIER_START_COMMENT, /* with the comment of crier_stream_new() */
    CRIER_START_ID,      /* with a block that holds only the id after which the stream
                            begins: no event by HTML 9.2.6, but the client libraries of
                            many programs take it for one with empty data */
    CRIER_START_EVENT    /* with that id in an event "crier-start" that has empty data: for
                            a browser's EventSource, which ignores an event of a type that
                            nobody listens to. (Firefox ignores an id without data.) */
};

/* What a stream subscribes to, and where it begins. Zero means the default. */
struct crier_subscribe_options {
    const char *topics;      /* selectors: "a", "a,log.*", "*"; or NULL */
    const struct crier_selector *selectors; /* more of them, which may hold commas; */
    size_t selector_count;                  /* at least one is needed in all */
    struct crier_grants *grants; /* whose private updates are sent; a reference is
                                    taken. NULL: none */
    const char *live;        /* more selectors, without their past; or NULL */
    enum crier_since since;
    const char *id;          /* for CRIER_SINCE_ID; a text that cannot be an id is
                                an id that is not known */
    uint64_t number;
    bool once;               /* the stream ends after the updates that are held
                                now, or when they cannot be read; it begins with
                                them and not with a comment; presence does not
                                count it */
    unsigned limit;          /* with `once`: the stream ends after so many updates at
                                the latest; 0: after all */
    struct crier_frame *hello; /* sent before the first update; or NULL */
    bool end_line; /* with `once`, in CRIER_FORMAT_JSON: the last line is
                      {"event":"end"}, so that the client can tell the end from a
                      connection that broke */

    /* Called exactly once if crier_hub_subscribe() returns 0, or NULL: when the journal
     * has answered the first read, with 0 or with its error; or when the hub is closed or
     * the stream ends before, with CRIER_ERR_HUB_CLOSED or CRIER_ERR_CLOSED. GAP: the
     * stream begins with a gap, so what it asked to begin after is not known, or has
     * expired with what followed it. With `once`, a program that queues its response only
     * after that can send an error in place of an empty stream: the stream is closed
     * then, but the connection is not. On the shard's thread, as the callbacks of the
     * stream. */
    void (*on_read)(void *closure, int error, bool gap);
    void *closure;

    /* With CRIER_SINCE_ALL, LAST and TIME the hub has to read the journal before it knows
     * an id: the stream begins with the comment, and the id follows when there is no
     * update to send. */
    enum crier_start start;

    /* The response of STREAM, not queued yet, or NULL. It gets the response field
     * Last-Event-ID with the same id, except with CRIER_SINCE_ALL, LAST and TIME, and
     * for an id that no field can carry. Borrowed during the call. */
    struct MHD_Response *response;
};

/* Subscribes STREAM to what OPTIONS (borrowed with all that they point to) say. A
 * stream has one hub or one broadcaster; the subscription ends with the stream.
 * CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS, CRIER_ERR_CLOSED, CRIER_ERR_HUB_CLOSED,
 * CRIER_ERR_JOINED, CRIER_ERR_OTHER_SHARDS, CRIER_ERR_INVALID (since),
 * CRIER_ERR_SELECTOR, -ENOMEM. CRIER_ERR_TOPIC_ENDED: all selectors are names of topics
 * that have ended, and `id` is that of the newest of their last updates, or of a position
 * behind it: there is nothing more to send (HTTP: 204, which an EventSource does not answer
 * by reconnecting).
 *
 * A stream whose selectors are all names of topics ends when all these topics have ended
 * and it has been sent their last updates, as far as its grants allow: with
 * CRIER_REASON_ENDED, and in CRIER_FORMAT_FULL behind the comment "end". If its client has
 * no id of the end, an id block follows first. So a stream of topics that have ended begins
 * as `since` says and ends with their last updates; with CRIER_SINCE_NOW it is sent the
 * newest of these, so that its client has an id and does not come back for more than
 * CRIER_ERR_TOPIC_ENDED. With `once` all of this does not apply. */
CRIER_API int crier_hub_subscribe(struct crier_hub *hub,
                                  struct crier_stream *stream,
                                  const struct crier_subscribe_options *options);

/* Returns what crier_hub_subscribe() would return now for OPTIONS (borrowed) and a stream
 * that is open, and does nothing: for the response to HEAD. Any thread. */
CRIER_API int crier_hub_can_subscribe(
    struct crier_hub *hub, const struct crier_subscribe_options *options);

/* Changes the selectors of STREAM, a subscriber of HUB, to TOPICS ("a,log.*"). For a topic
 * that the old selectors match nothing is lost and nothing comes twice, whether the stream
 * is up to date or behind. For a new topic it receives all that is published after the
 * call has returned, and nothing that was in the journal before the call; but a pattern
 * that covers one of the old selectors begins where the stream is, which may be behind.
 * For a topic that it no longer subscribes to it receives nothing that is published after
 * the call has returned, nor earlier updates that have not been sent. Never blocks. The
 * counts and the presence events follow a little later.
 *
 * A client that reconnects repeats its first request; the program must know the topics
 * then. CRIER_ERR_TOPIC, CRIER_ERR_SELECTOR, CRIER_ERR_MANY_TOPICS,
 * CRIER_ERR_NOT_JOINED, CRIER_ERR_CLOSED, CRIER_ERR_HUB_CLOSED, CRIER_ERR_MAX_BACKLOG,
 * -ENOMEM. */
CRIER_API int crier_hub_change(struct crier_hub *hub,
                               struct crier_stream *stream,
                               const char *topics);

/* How many streams subscribe by the selector TOPIC as it is written; those that only read
 * what is held (`once`) do not count. */
CRIER_API size_t crier_hub_count(struct crier_hub *hub, const char *topic);

/* Which topics crier_hub_list() lists. */
struct crier_list_options {
    const char *topics; /* selectors with commas between them */
    const char *after;  /* list those behind it; "" or NULL: from the first */
    unsigned limit;     /* 1 to 1000 */
    struct crier_grants *grants; /* as in crier_subscribe_options */
    bool granted_only;  /* list only the topics that the grants match; otherwise a topic
                           that holds a private update is listed only when they match */
};

/* Lists the topics that OPTIONS (borrowed) ask for and that hold something or have
 * subscribers, in the order of their bytes. ON_DONE is called once if 0 was returned, on
 * any thread, possibly before: with an error, or with a *new* array of objects
 * {"topic","updates","bytes","subscribers","first","last","first_time","time","ended",
 * "published"}, of which "first" and "last" (ids), and "first_time" and "time" (of these, RFC
 * 3339) are null when nothing is held. "subscribers" are those by this name; "ended" says
 * whether the topic has ended. "published" counts the updates of the topic that the hub has
 * seen since it was made, private ones only where the grants match; of 16,384 topics or more
 * some counts begin again, those of the topics that are published to least.
 * CRIER_ERR_HUB_CLOSED, CRIER_ERR_INVALID (limit), CRIER_ERR_TOPIC, CRIER_ERR_SELECTOR,
 * CRIER_ERR_MANY_TOPICS (also for more than 4 templates), -ENOMEM. Any thread. */
CRIER_API int crier_hub_list(struct crier_hub *hub,
                             const struct crier_list_options *options,
                             void (*on_done)(void *closure, int error,
                                             json_t *topics),
                             void *closure);

/* Deletes what the journal holds of TOPIC; updates that have other topics as well are
 * still held there. A client that resumes from before it gets a gap. ON_DONE is called
 * as that of crier_hub_list(): with 0, CRIER_ERR_NO_TOPIC (nothing is held), or an
 * error of the journal. CRIER_ERR_TOPIC, CRIER_ERR_HUB_CLOSED, -ENOMEM. */
CRIER_API int crier_hub_forget(struct crier_hub *hub, const char *topic,
                               void (*on_done)(void *closure, int error),
                               void *closure);

/* What the last whole check of a journal's file has found. A file is checked while it is
 * open: after a start that follows a crash, and once a week. */
enum crier_check {
    CRIER_CHECK_NONE,    /* there has been none since the start, or there is no file */
    CRIER_CHECK_RUNNING, /* it is under way */
    CRIER_CHECK_SOUND,   /* it found nothing */
    CRIER_CHECK_DAMAGED  /* it found damage */
};

/* The state of a hub. */
struct crier_status {
    const char *journal;  /* "memory", "sqlite" or "redis" */
    bool shared;          /* several processes may use the journal. While it fails, streams
                             stay open and what this process keeps of it can be read;
                             publishing fails */
    int error;            /* the present error of the journal; 0 for none */
    char reason[128];     /* in words */
    uint64_t published;   /* updates since the start */
    char newest[256];     /* the id after which a stream would begin now; "" while nothing
                             has ever been published */
    uint64_t gaps;        /* gaps sent to streams, or streams ended instead */
    uint64_t corrected;   /* updates whose time was more than 10 s ahead of the clock
                             and was set to it: their age counts from then */
    bool clock_behind;    /* the clock shows a time before 2026 and before that of
                             the newest update; no update expires meanwhile */
    enum crier_check check; /* of the journal's file */
    uint64_t damaged;     /* how often reads and checks have met damage in the journal's
                             file since the start. Where an update cannot be read, its
                             streams receive a gap */
    char damage[128];     /* the first of it in words; "" for none */
};

/* Writes the state of HUB to *STATUS; its error is CRIER_ERR_NULL when HUB is NULL, and
 * CRIER_ERR_FORKED in a child process. */
CRIER_API void crier_hub_status(struct crier_hub *hub,
                                struct crier_status *status);

/* ---- statistics ------------------------------------------------------- */

/* What the streams of shards have done since these were made. A frame counts as delivered
 * when a stream has taken it, to send it at once or when its client has room: an update of a
 * hub, a frame of a broadcaster or of crier_stream_send(). Keep-alives, gaps and ids are no
 * deliveries. Bytes count when the kernel has taken them, before TLS; the headers of
 * responses are not among them. Each number rises, but for `open` and `backlog`, and is exact
 * as soon as the shards are idle; numbers that are read while they work may be of slightly
 * different moments. */
struct crier_shards_counts {
    size_t open[CRIER_STREAM_KINDS];     /* streams that are open now */
    uint64_t opened[CRIER_STREAM_KINDS]; /* streams whose headers have been sent, or whose
                                            response will never be sent */
    uint64_t ended[CRIER_REASON_COUNT];  /* streams that have ended */
    uint64_t deliveries;
    uint64_t bytes;
    size_t backlog;     /* bytes of frames that the shards have not taken up yet */
    size_t max_backlog; /* with so much, publishers get CRIER_ERR_MAX_BACKLOG */
};

/* Writes to *STATISTICS what SHARDS have counted; all zeros when SHARDS is NULL, or in a
 * child process. Any thread; takes no lock, and its time does not depend on the number of
 * streams. */
CRIER_API void
crier_shards_statistics(const struct crier_shards *shards,
                        struct crier_shards_counts *statistics);

/* Values that were counted by their size. Its bounds are constant. */
#define CRIER_BUCKETS_MAX 20
struct crier_histogram {
    unsigned bound_count;   /* at most CRIER_BUCKETS_MAX - 1 */
    const uint64_t *bounds; /* rising */
    uint64_t counts[CRIER_BUCKETS_MAX]; /* values of at most bounds[i], and more than the
                                           bound before; at [bound_count]: all others */
    uint64_t sum;           /* of the values */
};

/* What a hub and its journal have done since the hub was made, and what the journal holds
 * now. */
struct crier_hub_counts {
    uint64_t published; /* updates */
    uint64_t gaps;      /* as in struct crier_status */
    uint64_t lagged;    /* times that a client read so slowly that its stream, which was up
                           to date, has to be sent what follows from the journal */
    size_t behind;      /* streams of which that is true now */

    /* From crier_hub_publish() to the end of the shard's pass in which the update was sent
     * to all of its subscribers there that had room: one value for each update and each
     * shard that had a subscriber for it. In microseconds. */
    struct crier_histogram latency;

    /* Bytes of updates that wait for each shard: the journal has stored them, and the shard
     * has not taken them up yet. With 8 MiB the list is full, and what follows is read from
     * the journal. The backlog of struct crier_shards_counts has all of these, and what has
     * another place: what the journal has not stored yet, or a shard has taken up and not
     * sent. */
    unsigned shards; /* how many there are */
    size_t waiting_at[CRIER_SHARDS_MAX];

    /* The journal. */
    uint64_t updates, bytes, topics; /* held; updates that have no topic any more, and are
                                        about to be evicted, are among them */
    int64_t oldest;    /* when the oldest of them was published, in ms since 1970; 0: none
                          is held */
    struct crier_retention limits; /* of all topics together, the defaults filled in; an age
                                      of 0: no limit */
    uint64_t failures; /* transactions that failed: none in memory */
    struct crier_histogram commit_time; /* of those that succeeded, in microseconds */
    struct crier_histogram commit_size; /* updates in each of these */

    /* Of a journal in Redis, where a transaction is a batch: a script's run, from the time
     * when it is sent to its reply. All zero for other journals. */
    bool connected;     /* this process is connected to the server, which answers */
    uint64_t connects;  /* times that it has become so; the first one counts */
    size_t waiting;     /* updates that are to be appended and are not answered yet */
    size_t batches;     /* that are sent and not answered yet */
    size_t nodes;       /* processes that use the journal now, this one among them; those
                           that have vanished count for up to 15 s */
    uint64_t renewals;  /* times that the journal got a new epoch, because updates were lost:
                           those that this process has seen */
    uint64_t reads;     /* reads of updates that this process does not keep in memory, as
                           they were sent to the server */
};

/* Writes to *STATISTICS what HUB has counted; all zeros when HUB is NULL, and in a child
 * process. Any thread; holds the journal's lock and the hub's for a few instructions. Not
 * after crier_hub_close(). */
CRIER_API void crier_hub_statistics(struct crier_hub *hub,
                                    struct crier_hub_counts *statistics);

/* crier_hub_nodes() knows of no more. */
#define CRIER_NODES_MAX 64

/* A process that uses a journal in Redis. */
struct crier_node {
    char id[16];    /* a random name, which it keeps as long as it runs */
    char host[65];  /* the name of its host; "" when that is not known */
    long pid;       /* its process there; 0 while neither that nor `streams` is known */
    size_t streams; /* that it had when it was last seen */
    uint64_t seen;  /* ms since it has last reported to Redis, which it does every 3 s; one
                       that has not done so for 12 s does not count any more */
    bool self;      /* it is this process */
};

/* Writes up to MAX of the processes that use HUB's journal, as it is known now, to NODES:
 * this one first, and of more than CRIER_NODES_MAX those that Redis has not heard of for the
 * longest time. Returns how many; 0 when the journal is not in Redis, when HUB or NODES is
 * NULL, and in a child process.
 *
 * Nothing is asked of Redis but while somebody calls this, and then with the reports that
 * the process sends anyway. So the first call returns 0, and one some ms later the processes;
 * it is 0 again when Redis has not answered for 12 s. Any thread; waits for nothing. Not
 * after crier_hub_close(). */
CRIER_API size_t crier_hub_nodes(struct crier_hub *hub, struct crier_node *nodes,
                                 size_t max);

#ifdef __cplusplus
}
#endif

#endif /* CRIER_H */
