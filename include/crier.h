/*
 * crier.h: Server-Sent Events for programs built on GNU libmicrohttpd.
 *
 * Copyright (c) 2026 the Crier authors. MIT licence, see COPYING.
 *
 * What is here, from the bytes up:
 *
 *   event        what an application sends: data, type, id, retry, comment
 *   frame        an event encoded once into wire bytes, shared by all clients
 *   reply        a finite list of frames as one complete response
 *   shards       the threads that serve live streams
 *   stream       one live text/event-stream response on one MHD connection
 *   broadcaster  a list of streams that hear the same frames
 *   journal      the one ordered log of updates: in memory, or in a file
 *   hub          topics over a journal: publish, follow, resume
 *
 * The other end, clients and publishers, is in crier_client.h. Calls that answer a
 * whole request, and a server that they work in, are in crier_server.h.
 *
 * The wire format is that of WHATWG HTML, section 9.2 "Server-sent events".
 *
 * Conventions
 *
 *   Errors     0 is success. A negative value is an error: -errno for those
 *              of the system, CRIER_ERR_* for ours; crier_error_text() speaks
 *              for both. An output parameter is written only on success,
 *              unless its comment says otherwise.
 *   Ownership  "new": the caller owns the result and must give it back.
 *              "borrowed": the callee or caller may look, during the call or
 *              for as long as stated. "steals": the callee takes it over,
 *              also when it fails.
 *   Threads    An event or a reply belongs to one thread at a time. Frames,
 *              shards, streams, broadcasters and hubs may be used from any
 *              thread.
 *   NULL       Options whose every member has a default may be NULL, and a
 *              callback that is NULL is not called. What frees or gives back accepts NULL and
 *              does nothing. Any other pointer is required unless its comment
 *              says that it may be NULL. Where a required one is NULL (an
 *              argument, or a member of the options), a function that returns
 *              an error returns CRIER_ERR_NULL, one that returns a count
 *              returns 0, one that returns a pointer returns NULL, and any
 *              other does nothing.
 *   fork()     What has threads or descriptors belongs to the process that made
 *              it: shards, and streams, broadcasters and hubs with them, a
 *              journal in a file, a client, a bulk publisher. In a child process
 *              a function that is given one returns CRIER_ERR_FORKED, or the
 *              count 0, or does nothing; it does not wait, and touches nothing
 *              of the parent's. So call daemon() or fork() before
 *              crier_shards_new(), crier_journal_sqlite(), crier_client_new()
 *              and crier_publisher_new(), and leave MHD's daemon alone in the
 *              child: MHD_stop_daemon() aborts there. (vfork() and _Fork()
 *              are not noticed; posix_spawn() and exec leave nothing open.)
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

/* Every error of ours: X(name, value, text). */
#define CRIER_ERRORS(X)                                                       \
    X(CRIER_ERR_UTF8, -20001, "text is not valid UTF-8")                      \
    X(CRIER_ERR_NEWLINE, -20002, "a type or id must not hold CR or LF")       \
    X(CRIER_ERR_NUL, -20003, "an id must not hold NUL")                       \
    X(CRIER_ERR_EMPTY, -20004, "the event has no field set")                  \
    X(CRIER_ERR_FRAME_SIZE, -20005, "the encoded event is larger than 16 MiB")         \
    X(CRIER_ERR_JSON, -20006, "the JSON value cannot be written as text")     \
    X(CRIER_ERR_CLOSED, -20007, "the stream is closed")                       \
    X(CRIER_ERR_MAX_PENDING, -20008,                                          \
      "the stream has max_pending bytes unsent")                              \
    X(CRIER_ERR_MAX_BACKLOG, -20009,                                          \
      "max_backlog bytes are waiting to be delivered")                        \
    X(CRIER_ERR_MAX_STREAMS, -20010, "max_streams streams are open")          \
    X(CRIER_ERR_MHD, -20011, "libmicrohttpd refused the response")            \
    X(CRIER_ERR_DAEMON, -20012,                                               \
      "the MHD daemon lacks MHD_ALLOW_SUSPEND_RESUME, has a thread for each "  \
      "connection, or none and no function that resumes")                                       \
    X(CRIER_ERR_INVALID, -20013, "an argument is out of its range")           \
    X(CRIER_ERR_TOPIC, -20014,                                                \
      "a topic is not UTF-8 of 1 to 255 bytes without control characters, "   \
      "',' and '*'")                                                          \
    X(CRIER_ERR_MANY_TOPICS, -20015, "more than 100 topics at once")          \
    X(CRIER_ERR_ID, -20016,                                                   \
      "an id of an update has 1 to 255 bytes of UTF-8, does not begin with "  \
      "'#', holds no control character, and neither begins nor ends with a "  \
      "space")                                                                \
    X(CRIER_ERR_EXISTS, -20017, "an update with this id already exists")   \
    X(CRIER_ERR_UPDATE_SIZE, -20018,                                             \
      "the update is larger than the retention of the journal")              \
    X(CRIER_ERR_MAX_TOPICS, -20019, "too many topics")                        \
    X(CRIER_ERR_STORAGE, -20020, "the journal cannot be written")             \
    X(CRIER_ERR_STORAGE_FULL, -20021, "the disk of the journal is full")      \
    X(CRIER_ERR_DAMAGED, -20022, "not a Crier journal, or damaged")         \
    X(CRIER_ERR_IN_USE, -20023, "the journal's file is open already")         \
    X(CRIER_ERR_NO_TOPIC, -20024, "there is no such topic")                   \
    X(CRIER_ERR_MAX_LINE, -20025,                                            \
      "a line of the stream is longer than max_line")                  \
    X(CRIER_ERR_MAX_EVENT, -20026,                                          \
      "an event of the stream is larger than max_event")                \
    X(CRIER_ERR_URL, -20027, "this is not the URL of an HTTP server")         \
    X(CRIER_ERR_NETWORK, -20028, "the connection failed")                     \
    X(CRIER_ERR_CERTIFICATE, -20029,                                          \
      "the server's certificate cannot be trusted")                           \
    X(CRIER_ERR_ENDED, -20030, "the server ended the stream")                 \
    X(CRIER_ERR_NO_CONTENT, -20031, "the server has nothing more to send")    \
    X(CRIER_ERR_STATUS, -20032, "the server refused")                         \
    X(CRIER_ERR_CONTENT_TYPE, -20033, "the response is not text/event-stream") \
    X(CRIER_ERR_ENCODING, -20034,                                             \
      "the response has a content coding that cannot be decoded")             \
    X(CRIER_ERR_ID_SIZE, -20035,                                              \
      "the last event id is longer than 64 KiB")                              \
    X(CRIER_ERR_SEPARATED, -20036,                                            \
      "the journal's file and its log may be separated")                      \
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
    X(CRIER_ERR_OTHER_SHARDS, -20047, "the stream belongs to other shards")  \
    X(CRIER_ERR_START, -20050, "libmicrohttpd did not start")

enum crier_error {
#define CRIER_ERROR_ENUM(name, value, text) name = value,
    CRIER_ERRORS(CRIER_ERROR_ENUM)
#undef CRIER_ERROR_ENUM
};

/* A short English text for ERROR (0, CRIER_ERR_* or -errno), borrowed and
 * never NULL. Any thread. */
CRIER_API const char *crier_error_text(int error);

/* Whether the LENGTH bytes at TEXT are UTF-8 (RFC 3629), as the texts of events and
 * the names of topics must be. TEXT may be NULL where LENGTH is 0. */
CRIER_API bool crier_utf8_valid(const char *text, size_t length);

/* Whether the LENGTH bytes at ID may be the id of an update: 1 to 255 bytes of UTF-8
 * that do not begin with '#' (those ids are the journal's), hold no control character
 * (RFC 9110 section 5.5 has no way to send one in a header field), and neither begin
 * nor end with a space (section 5.6.3: recipients strip it). So every id can be sent
 * as Last-Event-ID and arrives as it was. Any thread. */
CRIER_API bool crier_id_valid(const char *id, size_t length);

/* Replaces each byte beyond ASCII in TEXT by '?', unless TEXT is UTF-8 already. */
CRIER_API void crier_utf8_repair(char *text);

/* The library's version, "MAJOR.MINOR.PATCH". Borrowed, constant. */
CRIER_API const char *crier_version(void);

/* ---- event ------------------------------------------------------------ */

/* The largest frame that an event may encode to. */
#define CRIER_EVENT_MAX ((size_t)16 * 1024 * 1024)

/*
 * An event under construction. Each setter replaces what an earlier call set.
 * A setter that refuses its argument returns the error, leaves the field as it
 * was and marks the event: crier_event_encode() then refuses with that first
 * error. So a chain of setters needs only one check, at its end.
 *
 * All text must be UTF-8 (HTML 9.2.5: "event streams must always be encoded
 * as UTF-8"); otherwise CRIER_ERR_UTF8. Every setter may return -ENOMEM and
 * CRIER_ERR_FRAME_SIZE.
 */
struct crier_event;

/* A new event with no field set, or NULL when memory is short. */
CRIER_API struct crier_event *crier_event_new(void);

/* Frees EVENT; NULL is allowed. */
CRIER_API void crier_event_free(struct crier_event *event);

/* Makes EVENT as crier_event_new() gave it, the marked error included. */
CRIER_API void crier_event_reset(struct crier_event *event);

/* The message: LENGTH bytes at TEXT, any length, NUL bytes included. Lines end
 * at LF, CRLF or a lone CR, each becomes a "data" field of its own, and the
 * client joins them with LF; so no text can smuggle in another field. A
 * trailing line end is kept, as an empty last line. Empty data is legal; TEXT may
 * be NULL then. */
CRIER_API int crier_event_data(struct crier_event *event, const char *text,
                               size_t length);

/* The message, given as a NUL-terminated string. */
CRIER_API int crier_event_text(struct crier_event *event, const char *text);

/* The message, as the compact JSON text of VALUE (borrowed; scalars are
 * allowed). CRIER_ERR_JSON when jansson cannot write it, or could not make it: VALUE
 * is NULL. */
CRIER_API int crier_event_json(struct crier_event *event, const json_t *value);

/* The event's type, for addEventListener(); "message" when never set, empty or NULL.
 * CRIER_ERR_NEWLINE when TYPE holds CR or LF. */
CRIER_API int crier_event_type(struct crier_event *event, const char *type);

/* The event's id, LENGTH bytes; the client sends the last one it saw back as
 * Last-Event-ID. Empty is legal (ID may be NULL then): it makes the client forget its
 * last id.
 * CRIER_ERR_NEWLINE when it holds CR or LF, CRIER_ERR_NUL when it holds NUL. */
CRIER_API int crier_event_id(struct crier_event *event, const char *id,
                             size_t length);

/* The longest reconnection time, some 25 days: the timers of common clients are
 * signed 32-bit numbers of milliseconds, and overflow above it. */
#define CRIER_RETRY_MAX 2147483647u

/* How long the client shall wait before it reconnects, at most CRIER_RETRY_MAX; else
 * CRIER_ERR_INVALID. */
CRIER_API int crier_event_retry(struct crier_event *event,
                                uint32_t milliseconds);

/* A comment, which clients ignore; split at line ends as data is. */
CRIER_API int crier_event_comment(struct crier_event *event, const char *text);

/* ---- frame ------------------------------------------------------------ */

/* The wire bytes of one event: immutable and reference counted. */
struct crier_frame;

/* Encodes EVENT (borrowed, unchanged) into a new frame with one reference,
 * written to *FRAME. The fields come in the order comment, id, event, retry,
 * data, each "name: value" (or "name:" when the value is empty) and LF, and an
 * empty line ends the frame.
 * CRIER_ERR_EMPTY when no field is set; the first error of the setters. */
CRIER_API int crier_event_encode(const struct crier_event *event,
                                 struct crier_frame **frame);

/* A new frame from a type (or NULL) and data, both NUL-terminated: the usual
 * event in one call. Errors as the setters' and crier_event_encode()'s. */
CRIER_API int crier_frame_text(const char *type, const char *text,
                               struct crier_frame **frame);

/* A new frame from a type (or NULL) and the JSON text of VALUE (borrowed).
 * Errors likewise. */
CRIER_API int crier_frame_json(const char *type, const json_t *value,
                               struct crier_frame **frame);

/* A new frame from a type (or NULL) and formatted data. The frame is written to
 * *FRAME. Errors as crier_frame_text()'s; -EILSEQ or -EOVERFLOW when the text cannot
 * be formatted. */
CRIER_API int crier_frame_printf(struct crier_frame **frame, const char *type,
                                 const char *format, ...) CRIER_PRINTF(3, 4);

/* Takes one more reference and returns FRAME. */
CRIER_API struct crier_frame *crier_frame_ref(struct crier_frame *frame);

/* Gives one reference back, the last one frees FRAME; NULL is allowed. */
CRIER_API void crier_frame_unref(struct crier_frame *frame);

/* The frame's bytes, not NUL-terminated, borrowed for as long as the caller holds
 * a reference; their number goes to *LENGTH (may be NULL). */
CRIER_API const char *crier_frame_bytes(const struct crier_frame *frame,
                                        size_t *length);

/* ---- reply ------------------------------------------------------------ */

/* A finite list of events that becomes one complete response. */
struct crier_reply;

/* A new empty reply, or NULL when memory is short. */
CRIER_API struct crier_reply *crier_reply_new(void);

/* Frees REPLY; NULL is allowed. */
CRIER_API void crier_reply_free(struct crier_reply *reply);

/* Appends EVENT (borrowed) in its encoded form. Errors as
 * crier_event_encode()'s; -ENOMEM; CRIER_ERR_FRAME_SIZE past CRIER_EVENT_MAX
 * in all. A refused event leaves REPLY as it was. */
CRIER_API int crier_reply_add(struct crier_reply *reply,
                              const struct crier_event *event);

/* Appends an event with a type (or NULL) and formatted data. Errors as
 * crier_frame_printf()'s and crier_reply_add()'s. REPLY keeps the first error of
 * both for crier_reply_respond(), so that a list needs only one check, at its end;
 * for that REPLY may be NULL here (-ENOMEM). */
CRIER_API int crier_reply_printf(struct crier_reply *reply, const char *type,
                                 const char *format, ...) CRIER_PRINTF(3, 4);

/* A new MHD response with what REPLY holds (copied; REPLY stays the caller's)
 * and the headers Content-Type: text/event-stream, Cache-Control: no-cache,
 * no-transform (RFC 9111, 5.2.2.6: no proxy may compress it) and X-Accel-Buffering:
 * no, written to *RESPONSE. An empty reply is legal. The
 * caller may add headers, queues it with MHD_queue_response() and gives it back
 * with MHD_destroy_response(). -ENOMEM. */
CRIER_API int crier_reply_response(const struct crier_reply *reply,
                                   struct MHD_Response **response);

/* ---- shards ----------------------------------------------------------- */

/*
 * The threads that serve live streams. A program usually has one set of shards
 * for all its streams. Each stream belongs to one shard for life; that thread
 * sends to it, watches for its client leaving, keeps its timers and runs its
 * callbacks.
 */
struct crier_shards;

/* Zero (or NULL for the whole) means the default. */
struct crier_shards_options {
    unsigned threads;    /* shards; default: one per online CPU, at most 64 */
    size_t max_streams;  /* open at once; default: no limit */
    size_t max_backlog;  /* bytes of frames handed over by publishers and not
                            yet taken up by the shards; default 64 MiB */

    /* Resumes CONNECTION, and wakes the thread that runs its daemon; for a program that
     * runs libmicrohttpd's loop itself (MHD_run(), with MHD_USE_EPOLL and without
     * MHD_USE_INTERNAL_POLLING_THREAD), whose thread would not notice a resume.
     * Default: MHD_resume_connection(). Called on any thread, under locks: it must do
     * no more than that, and CONNECTION may be gone once it is resumed. */
    void (*resume)(struct MHD_Connection *connection);

    /* Called with a sentence (borrowed during the call) whenever the library finds
     * that the program calls it in a way that would end in a crash or a leak, such
     * as in the wrong order, and has refused the call or done what was missing. Any
     * thread, never under a lock of the library's. It must not call the library.
     * Default: nobody hears of it. */
    void (*log)(void *closure, const char *mistake);
    void *log_closure;
};

/* New shards, their threads running with all signals blocked and on 512 KiB of stack
 * each, written to *SHARDS. -errno of the system; CRIER_ERR_INVALID for more than 64
 * threads. */
CRIER_API int crier_shards_new(const struct crier_shards_options *options,
                               struct crier_shards **shards);

/* Changes how many streams may be open at once; 0: no limit. Streams beyond a lower limit
 * stay open. Any thread. */
CRIER_API void crier_shards_set_max_streams(struct crier_shards *shards,
                                            size_t max_streams);

/* Sets, in ms, the keep_alive and the stall_timeout of all streams whose options leave
 * them 0, open ones included; 0 for the default. Any thread, one at a time.
 * CRIER_ERR_INVALID for less than 10. */
CRIER_API int crier_shards_set_times(struct crier_shards *shards,
                                     uint32_t keep_alive,
                                     uint32_t stall_timeout);

/* How many streams are open now, those included that have ended and whose response
 * has not been freed yet. max_streams counts the same. */
CRIER_API size_t crier_shards_count(const struct crier_shards *shards);

/* Says goodbye: refuses new streams from now on (CRIER_ERR_DRAINING), lets every
 * stream finish what it has pending, sends each a last line "retry" drawn at random
 * between RETRY_MIN and RETRY_MAX ms (so that the clients do not all return in
 * the same moment; both are at most CRIER_RETRY_MAX), and ends it. Waits up to
 * TIMEOUT ms, then cuts the remaining streams off. Returns 0 when all ended by themselves and
 * otherwise the number that was cut off. When it returns MHD may be stopped: every
 * stream whose headers are out is over, unless MHD's threads do not run, for which it
 * waits 8 s more. A stream whose handler has not returned by then ends in
 * MHD_stop_daemon(). A publisher that crier_request_publish() has not answered yet is
 * waited for and counted as a stream is. Must not be called from a
 * stream's callback or an MHD handler, nor on a thread that runs MHD's loop: all of
 * these are needed for streams to end. In a callback it ends nothing, returns the number
 * of open streams, and the mistake is logged. */
CRIER_API size_t crier_shards_drain(struct crier_shards *shards,
                                    uint32_t retry_min, uint32_t retry_max,
                                    uint32_t timeout);

/* Stops and joins the threads and frees SHARDS; NULL is allowed. Call it after
 * crier_shards_drain() and MHD_stop_daemon(), in this order. libmicrohttpd ends the
 * program when its daemon is stopped while a stream is open, and nothing can be done
 * about that here; crier_server_stop() keeps the order. Every on_closed has returned
 * when this returns. Of what the program still holds, streams may then only be given
 * back (crier_stream_unref()) and broadcasters and hubs freed.
 *
 * Where that order is not kept the mistake is logged. When a stream is open it is cut
 * off and nothing is freed; after MHD_stop_daemon() this may be called again. In a
 * stream's callback nothing is done at all. A hub that is open is closed. */
CRIER_API void crier_shards_free(struct crier_shards *shards);

/* The clock of crier_stream_wake(): milliseconds of CLOCK_MONOTONIC. */
CRIER_API uint64_t crier_now(void);

/* ---- stream ----------------------------------------------------------- */

/* One live text/event-stream response on one MHD connection. */
struct crier_stream;

/* Why a stream ended: X(name, text). A client that closes only its own half of
 * the connection has left, too. CRIER_REASON_UNSENT is also that of a connection
 * that fails before its headers are out: libmicrohttpd does not say which it was. */
#define CRIER_REASONS(X)                                                      \
    X(CRIER_REASON_APP, "closed by the server")                               \
    X(CRIER_REASON_SHUTDOWN, "server is shutting down")                        \
    X(CRIER_REASON_LEFT, "client closed the connection")                      \
    X(CRIER_REASON_DEAD_PEER, "client host stopped acknowledging")                  \
    X(CRIER_REASON_SLOW, "client reads too slowly")                           \
    X(CRIER_REASON_MEMORY, "out of memory")                                   \
    X(CRIER_REASON_TRANSPORT, "connection failed or timed out")               \
    X(CRIER_REASON_JOURNAL, "the journal cannot be read")                     \
    X(CRIER_REASON_UNSENT,                                                    \
      "no body was sent: a HEAD request, or the response was not queued")

enum crier_reason {
#define CRIER_REASON_ENUM(name, text) name,
    CRIER_REASONS(CRIER_REASON_ENUM)
#undef CRIER_REASON_ENUM
};

/* A short English text for REASON. Borrowed, constant. */
CRIER_API const char *crier_reason_text(enum crier_reason reason);

/* For keep_alive: no keep-alive at all. A client that just vanishes is then
 * found only when something else is sent to it. */
#define CRIER_NEVER UINT32_MAX

/* What a stream that follows topics looks like on the wire. */
enum crier_format {
    CRIER_FORMAT_EVENTS, /* text/event-stream */
    CRIER_FORMAT_JSON,   /* application/x-ndjson: one object a line with id,
                            position, time, topics, data, and event and retry
                            where set; keep-alives are empty lines */
    CRIER_FORMAT_RAW,    /* text/plain: the data of each, and LF; keep-alives
                            are empty lines, and gaps are not told */
    CRIER_FORMAT_FULL    /* text/event-stream, each update with two more fields,
                            which browsers ignore: "topics" (a list) and "time"
                            (RFC 3339, when it was published); and with `once`
                            the comment line ": end" when all was given */
};
#define CRIER_FORMATS 4

/*
 * Zero (or NULL for the whole) means the default.
 *
 * The callbacks run on the thread of the stream's shard, one at a time, and
 * must not block: all streams of the shard wait for them. They may call every
 * function of this header but crier_shards_drain() and crier_shards_free().
 * None runs before the response has been queued or destroyed.
 */
struct crier_stream_options {
    /* After this long with nothing sent, or up to half a percent later, a comment is
     * sent; every frame starts the wait anew. Default: what
     * crier_shards_set_times() has set, or 15000; from 10. CRIER_NEVER for none. */
    uint32_t keep_alive;

    /* The comment's text; default: empty. It is sent as lines of a comment, without
     * the empty line that would end an event: several client libraries take that for
     * an event without data. Borrowed during the call. */
    const char *keep_alive_text;

    /* How much may wait for a client that reads slowly; default 256 KiB. Each
     * frame counts its bytes and 64 more, and is let in when less than this is
     * waiting. Past that, crier_stream_send() refuses with CRIER_ERR_MAX_PENDING, and
     * a broadcast, which has nobody to refuse to, ends the stream with
     * CRIER_REASON_SLOW (the frame that is being sent does not count there).
     * Beside this the kernel holds some 128 KiB at most for each client. */
    size_t max_pending;

    /* A client that takes nothing at all for this long while something waits
     * for it is cut off, with CRIER_REASON_SLOW. TCP tells of room in large steps, so
     * one that takes less than some 128 KiB in that time may count as such, too.
     * Default: what crier_shards_set_times() has set, or 30000; from 10. CRIER_NEVER
     * for none. */
    uint32_t stall_timeout;

    /* The Content-Type of the response, the form of keep-alives, and that in
     * which a hub sends its updates. A frame that is sent by crier_stream_send()
     * or a broadcaster goes out as it is. JSON and raw streams do not get the
     * retry of crier_shards_drain(). */
    enum crier_format format;

    /* What this stream has in common with others, for example the topic that they
     * follow. Those with the same text are kept on one thread as far as its load
     * allows, so that a frame for all of them wakes one thread only. Default
     * NULL: the threads take turns. Borrowed during the call. */
    const char *affinity;

    /* Called once as soon as the stream's headers are out (not at all when they
     * never are, or the request was a HEAD), and then whenever the time has come
     * that crier_stream_wake() set, and after crier_stream_notify(). A source of events
     * that is the stream's own (a counter, a feed) lives here. */
    void (*on_wake)(void *closure, struct crier_stream *stream);

    /* Called once after crier_stream_send() has refused with CRIER_ERR_MAX_PENDING, as soon as
     * no more than a quarter of max_pending waits for the client. A source that stops
     * at a refusal goes on here. */
    void (*on_room)(void *closure, struct crier_stream *stream);

    /* Called exactly once, when the stream is over for whatever reason;
     * no other callback of this stream follows. */
    void (*on_closed)(void *closure, struct crier_stream *stream,
                      enum crier_reason reason);

    /* Passed to all three. Borrowed until on_closed returns; but when
     * crier_stream_new() fails, on_closed is not called, and CLOSURE is the
     * caller's again. */
    void *closure;

    /* Bytes of memory that the stream brings for the program, aligned for any type
     * and zeroed; both callbacks get a pointer to it instead of CLOSURE, which must
     * be NULL. It is freed with the stream, when all references are given back.
     * Default 0: none; at most 64 KiB. */
    size_t state;
};

/*
 * Makes a stream on CONNECTION, called inside MHD's access handler. Writes a new
 * reference to *STREAM (crier_stream_unref() it when no longer needed; the
 * stream goes on without) and a new response to *RESPONSE, for this connection
 * only, with the headers Content-Type: text/event-stream, Cache-Control:
 * no-cache, no-transform and X-Accel-Buffering: no. The caller may add headers, then
 * queues it with MHD_queue_response() and gives it back with MHD_destroy_response(),
 * both before the handler returns. A response that is never queued ends the stream,
 * and on_closed tells so from the shard's thread. A response that the program never
 * gives back to MHD_destroy_response() is a leak: the stream stays counted, and
 * where it ends by itself on_closed does not come before crier_shards_drain(), which
 * waits its whole TIMEOUT for it, and crier_shards_free() frees nothing.
 *
 * The body begins with the comment of the keep-alives (in JSON and raw with an empty
 * line), since browsers and proxies announce a response with its first byte; but see
 * crier_hub_subscribe(). The kernel may keep that for up to 200 ms, to send it together
 * with the first frame.
 *
 * The answer is HTTP/1.1 with "Connection: close" and a body without chunks, that
 * ends with the connection. The socket gets TCP_NODELAY and a small SO_SNDBUF.
 * MHD_OPTION_CONNECTION_TIMEOUT counts until the headers are out.
 * TLS works, at MHD's pace.
 *
 * The MHD daemon must have been started with MHD_USE_INTERNAL_POLLING_THREAD
 * (best with epoll, and as a thread pool when that is wanted) and
 * MHD_ALLOW_SUSPEND_RESUME, and without MHD_USE_THREAD_PER_CONNECTION; or without any
 * thread of its own, where crier_shards_options.resume is set. crier_daemon_check()
 * (crier_server.h) says at the start what is missing.
 *
 * CRIER_ERR_MAX_STREAMS, CRIER_ERR_DRAINING, CRIER_ERR_DAEMON,
 * CRIER_ERR_MHD, CRIER_ERR_INVALID, the errors of
 * crier_event_comment() for the keep-alive text, -ENOMEM.
 */
CRIER_API int crier_stream_new(struct crier_shards *shards,
                               struct MHD_Connection *connection,
                               const struct crier_stream_options *options,
                               struct crier_stream **stream,
                               struct MHD_Response **response);

/* Takes one more reference and returns STREAM. */
CRIER_API struct crier_stream *crier_stream_ref(struct crier_stream *stream);

/* Gives one reference back; NULL is allowed. Does not end the stream. As long as
 * STREAM is open, giving back more than the program holds is logged and does no
 * harm. */
CRIER_API void crier_stream_unref(struct crier_stream *stream);

/* Sends FRAME (borrowed). Never blocks. Frames of one thread arrive in the
 * order sent, those of broadcasts it made included. 0 says that the frame is on
 * its way; it does not arrive when the stream ends first.
 * CRIER_ERR_CLOSED, CRIER_ERR_MAX_PENDING, CRIER_ERR_MAX_BACKLOG (the shards' backlog is
 * full), -ENOMEM; the frame was then not sent. */
CRIER_API int crier_stream_send(struct crier_stream *stream,
                                struct crier_frame *frame);

/* Sends an event with a type (or NULL) and formatted data. Errors as
 * crier_frame_printf()'s and crier_stream_send()'s. */
CRIER_API int crier_stream_printf(struct crier_stream *stream,
                                  const char *type, const char *format, ...)
    CRIER_PRINTF(3, 4);

/* Ends STREAM once what was sent before is on its way; a client that does not
 * take it within 10 s is cut off. Closing twice is harmless. */
CRIER_API void crier_stream_close(struct crier_stream *stream);

/* Has on_wake called at the time WHEN of crier_now(), at once if that is past;
 * replaces a time set before; UINT64_MAX cancels it. Only inside the stream's
 * own callbacks. */
CRIER_API void crier_stream_wake(struct crier_stream *stream, uint64_t when);

/* Makes on_wake run soon, on the thread of the stream's shard. Any thread; never
 * blocks. Several calls may make it run once: it runs after the last of them. A time
 * set by crier_stream_wake() stays. Nothing happens where there is no on_wake, or the
 * stream is closed. */
CRIER_API void crier_stream_notify(struct crier_stream *stream);

/* ---- broadcaster ------------------------------------------------------ */

/*
 * A list of streams that hear the same frames. All of them hear these in the
 * same order. Nobody is lost or delayed by others: a stream that joins hears
 * everything broadcast after crier_broadcaster_join() returned, a stream that
 * ends is taken off the list at once, and a stalled client costs only itself.
 */
struct crier_broadcaster;

/* Zero (or NULL for the whole) means the default. */
struct crier_broadcaster_options {
    /* The keep-alive of streams from when they join: they are pinged after this
     * long with nothing sent. A client whose machine has vanished is given up
     * before the second ping (but not within one second), unless it had stopped
     * reading before: then TCP asks it less and less often, and it may take
     * minutes. Default 10000; from 10. CRIER_NEVER for none. */
    uint32_t ping;
};

/* A new broadcaster on SHARDS (borrowed for as long as it is used), written to
 * *BROADCASTER. -ENOMEM, CRIER_ERR_INVALID. */
CRIER_API int
crier_broadcaster_new(struct crier_shards *shards,
                      const struct crier_broadcaster_options *options,
                      struct crier_broadcaster **broadcaster);

/* Gives BROADCASTER back; NULL is allowed. It is freed when no stream is on its
 * list any more and nothing is on its way, so it may be called at any time,
 * before crier_shards_free() or after. */
CRIER_API void crier_broadcaster_free(struct crier_broadcaster *broadcaster);

/* Puts STREAM on the list, under NAME (copied; several streams may share one)
 * or without a name when NAME is NULL. When HELLO (borrowed) is not NULL it is
 * sent first. The stream leaves the list by itself when it ends, right before
 * its on_closed. A stream is on one list at a time.
 * CRIER_ERR_CLOSED, CRIER_ERR_JOINED, CRIER_ERR_OTHER_SHARDS, -ENOMEM. */
CRIER_API int crier_broadcaster_join(struct crier_broadcaster *broadcaster,
                                     struct crier_stream *stream,
                                     const char *name,
                                     struct crier_frame *hello);

/* Takes STREAM off the list: it hears all that was broadcast before the call, and
 * nothing that is broadcast after it returned. The stream goes on, with the keep-alive
 * that it has now, and may join another list, this one again, or follow a hub. The
 * counts follow a little later. CRIER_ERR_NOT_JOINED, -ENOMEM. */
CRIER_API int crier_broadcaster_leave(struct crier_broadcaster *broadcaster,
                                      struct crier_stream *stream);

/* Sends FRAME (borrowed) to every stream on the list. Never blocks. Returns how
 * many streams it goes to, or CRIER_ERR_MAX_BACKLOG or -ENOMEM; then it goes to none.
 * To send to one stream only, use crier_stream_send(). */
CRIER_API long crier_broadcaster_send(struct crier_broadcaster *broadcaster,
                                      struct crier_frame *frame);

/* Sends an event with a type (or NULL) and formatted data to every stream on the
 * list. Returns how many, or an error, as crier_frame_printf() and
 * crier_broadcaster_send() do. */
CRIER_API long
crier_broadcaster_printf(struct crier_broadcaster *broadcaster,
                         const char *type, const char *format, ...)
    CRIER_PRINTF(3, 4);

/* Sends FRAME (borrowed) to the streams that joined under NAME. As for
 * crier_broadcaster_send(). */
CRIER_API long
crier_broadcaster_send_to(struct crier_broadcaster *broadcaster,
                          const char *name, struct crier_frame *frame);

/* How many streams are on the list, those included that are about to end. */
CRIER_API size_t
crier_broadcaster_count(struct crier_broadcaster *broadcaster);

/* How many streams are on the list under NAME. */
CRIER_API size_t
crier_broadcaster_count_of(struct crier_broadcaster *broadcaster,
                           const char *name);

/* ---- journal ---------------------------------------------------------- */

/*
 * The one ordered log of updates. An update is an event with its topics, an id
 * and a position; positions rise, not always by one. A journal is made, handed to
 * crier_hub_new(), and from then on the hub's.
 *
 * An id that the journal makes is "#EPOCH-POSITION"; the epoch names this
 * journal's life, which for a file includes all restarts.
 */
struct crier_journal;

/* How much of the past is held, the oldest goes first. Zero means no limit. What
 * an update counts is its frame, its names and 128 bytes. Its age is counted by
 * CLOCK_REALTIME. The time of an update never leads the clock by more than 10 s for
 * long: when a clock that was ahead has been set back, times beyond it are set to it
 * (but in memory the update's JSON keeps the time that it was given). */
struct crier_retention {
    size_t count; /* updates */
    size_t bytes;
    uint64_t age; /* ms */
};

/* The retention of the topic TOPIC, or, where TOPIC ends in '*', of all topics
 * that begin with what is before it. */
struct crier_topic_retention {
    const char *topic;
    struct crier_retention retention;
};

/* Zero (or NULL for the whole) means the default. */
struct crier_journal_options {
    /* Of all topics together. In memory the default is 100000 updates and 16
     * MiB, in a file 10000000 and 1 GiB; no limit of age. */
    struct crier_retention retention;

    /* Of each topic for itself, within the above; the first one that fits its
     * name counts. Default: none. Copied. */
    const struct crier_topic_retention *topics;
    size_t topic_count;

    /* How many topics are remembered; default 100000. One that holds nothing
     * any more makes room for a new one. */
    size_t max_topics;
};

/* A new journal in memory, written to *JOURNAL. An update is "as durable as the
 * journal promises" when it is in. -ENOMEM, CRIER_ERR_INVALID, -errno. */
CRIER_API int
crier_journal_memory(const struct crier_journal_options *options,
                     struct crier_journal **journal);

/* A journal in the SQLite file PATH, which is made when it does not exist, and
 * checked when it does; written to *JOURNAL. Beside it are PATH-wal, PATH-shm and
 * PATH-lock; one process may use it at a time, by whatever name (CRIER_ERR_IN_USE).
 * After a crash the last updates are in PATH-wal alone: a file that is opened by another
 * name then, a file with the log of another beside it, and a hard link that it has not
 * been opened by before are refused (CRIER_ERR_SEPARATED), since updates would be lost.
 * An update is durable when it is
 * on the disk (WAL, synchronous=FULL): all that has arrived while one
 * transaction ran goes into the next. A file that may not grow (RLIMIT_FSIZE) counts as
 * a full disk, if the program ignores SIGXFSZ, which would end it otherwise.
 * -ENOMEM, CRIER_ERR_INVALID, CRIER_ERR_DAMAGED, CRIER_ERR_IN_USE,
 * CRIER_ERR_SEPARATED, CRIER_ERR_STORAGE, CRIER_ERR_STORAGE_FULL, -errno; then what SQLite said is
 * written to REASON, when that is not NULL: at most SIZE bytes, NUL included. */
CRIER_API int
crier_journal_sqlite(const char *path,
                     const struct crier_journal_options *options,
                     struct crier_journal **journal, char *reason,
                     size_t size);

/* Frees a journal that no hub has taken; NULL is allowed. */
CRIER_API void crier_journal_free(struct crier_journal *journal);

/* ---- hub -------------------------------------------------------------- */

/*
 * Topics over a journal. What is published has first to be in the journal; what
 * the journal then yields goes to the streams that follow. So every stream is a
 * part of the journal, in its order, without a loss and without a duplicate,
 * from the point on where it began.
 *
 * A topic is 1 to 255 bytes of UTF-8 without control characters, ',' and '*'.
 * Where several are named they are separated by ','. Names that begin with '$' are
 * the program's own; they may have 511 bytes. "*" in the place of all topics
 * follows every one but those.
 *
 * A stream that reads slowly holds at most its max_pending and one update more.
 * After that it reads on from the journal, at its own pace. When the journal has
 * let go what it would need next, it is told by an event "gap", whose data is
 * {"requested": the id it has, "oldest": the first id still held, or null}.
 * While a journal in a file cannot be read, such a stream waits.
 */
struct crier_hub;

/* What becomes of a stream that the journal has left behind. */
enum crier_slow {
    CRIER_SLOW_GAP,       /* it is sent a gap, and what is still held */
    CRIER_SLOW_DISCONNECT /* it ends, with CRIER_REASON_SLOW */
};

/* Zero (or NULL for the whole) means the default. */
struct crier_hub_options {
    enum crier_slow slow;

    /* The topics that have presence, separated by ',', or "*" for all: whenever a
     * stream begins or ceases to follow such a TOPIC by its name, an event
     * "join" or "leave" with {"topic":TOPIC,"count":N} is published under
     * "$presence/TOPIC"; N is how many follow it now. Default: none. Copied. */
    const char *presence;
};

/* A new hub on SHARDS (borrowed for its life) and JOURNAL (stolen), written to
 * *HUB. -ENOMEM, CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS. */
CRIER_API int crier_hub_new(struct crier_shards *shards,
                            struct crier_journal *journal,
                            const struct crier_hub_options *options,
                            struct crier_hub **hub);

/* Refuses everything new from now on (CRIER_ERR_HUB_CLOSED) and waits until all that
 * was asked of the journal has been answered, on_done included. To be called
 * before crier_shards_drain() and MHD_stop_daemon() by a program that suspends
 * connections until on_done; not in a callback of this header. */
CRIER_API void crier_hub_close(struct crier_hub *hub);

/* Frees HUB and its journal; NULL is allowed. Call crier_hub_close() before
 * crier_shards_free(), and this after it: a journal in a file has threads that give
 * to the shards until it is closed, and the shards give to the hub until they
 * are freed. Called before crier_shards_free(), it logs the mistake and only closes
 * HUB, which crier_shards_free() then frees. */
CRIER_API void crier_hub_free(struct crier_hub *hub);

/* What became of a publication. Borrowed during on_done. */
struct crier_receipt {
    int error;          /* 0: it is in the journal */
    const char *reason; /* in words, when there is an error; never NULL */
    const char *id;     /* of the update; with CRIER_ERR_EXISTS and where it is a
                           duplicate, of the one that was there before */
    uint64_t position;  /* of the same update */
    const char *topics; /* as published */
    size_t subscribers; /* to how many streams it goes; one that follows two of
                           its topics counts for both */
    bool duplicate;     /* nothing was published, see below */
};

/* Zero (or NULL for the whole) means the default. */
struct crier_publish_options {
    /* When the journal holds an update with this id already, that is a success
     * (`duplicate`) and not CRIER_ERR_EXISTS; so a publisher may try again. */
    bool dedupe;

    /* Called exactly once when crier_hub_publish() returned 0: on any thread,
     * possibly before it returns. It must not block. */
    void (*on_done)(void *closure, const struct crier_receipt *receipt);
    void *closure;
};

/* Publishes EVENT (borrowed) under TOPICS. If it has an id, that becomes the
 * update's; otherwise the journal makes one. Never blocks. Updates of one thread
 * come in the order published.
 * CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS, CRIER_ERR_ID, CRIER_ERR_UPDATE_SIZE,
 * CRIER_ERR_MAX_BACKLOG (too much is waiting already), CRIER_ERR_HUB_CLOSED, the errors of
 * crier_event_encode(), -ENOMEM; on_done is not called then. What the journal
 * says is in the receipt: CRIER_ERR_EXISTS, CRIER_ERR_MAX_TOPICS,
 * CRIER_ERR_STORAGE, CRIER_ERR_STORAGE_FULL, -ENOMEM. */
CRIER_API int crier_hub_publish(struct crier_hub *hub, const char *topics,
                                const struct crier_event *event,
                                const struct crier_publish_options *options);

/* Where a stream begins. */
enum crier_since {
    CRIER_SINCE_NOW,    /* with what is published after crier_hub_subscribe() */
    CRIER_SINCE_ID,     /* after the update with the id `id`; when that is not
                           known or something after it is not held any more, with
                           a gap and then with all that is held after it */
    CRIER_SINCE_ALL,    /* with all that is held */
    CRIER_SINCE_LAST,   /* with the last `number` held; in memory at most 100000
                           divided by the number of topics */
    CRIER_SINCE_TIME    /* with what is not older than `number` ms */
};

struct crier_subscribe_options {
    const char *topics;      /* "a,b" or "*" */
    const char *live;        /* more topics, without their past; or NULL */
    enum crier_since since;
    const char *id;          /* for CRIER_SINCE_ID; longer ones than ids can be,
                                and ones that are not UTF-8, are not known */
    uint64_t number;
    bool once;               /* ends the stream after what is held now, or when
                                that cannot be read; it begins with that and not
                                with a comment; presence does not count it */
    struct crier_frame *hello; /* sent before the first update; or NULL */

    /* Called exactly once if crier_hub_subscribe() returns 0, or NULL: when the journal
     * has answered the first read, with 0 or with why it cannot be read; or when the
     * stream ends before, with CRIER_ERR_CLOSED. With `once`, a program that queues its
     * response only after that can refuse in place of an empty stream: then the stream
     * is closed, but the connection is not. On the shard's thread, as the stream's
     * callbacks. */
    void (*on_read)(void *closure, int error);
    void *closure;

    /* An event stream begins with a block that holds nothing but an id, in place
     * of the comment (see crier_stream_new()): the id after which the stream
     * begins. A browser's EventSource dispatches no event for it (HTML 9.2.6) and
     * comes back with that id, so a client that is cut off before its first
     * update loses nothing. With CRIER_SINCE_ALL, LAST and TIME the journal has
     * to be read first: the stream begins with the comment, and the id follows
     * when there is no update to send. The clients of many programs take the
     * block for an event with empty data. JSON and raw streams have no such
     * block. */
    bool start_id;

    /* The response of STREAM, not queued yet, or NULL: gets the response field
     * Last-Event-ID with the same id; none with CRIER_SINCE_ALL, LAST and TIME,
     * and none for an id that no field can carry. Borrowed during the call. */
    struct MHD_Response *response;
};

/* Has STREAM follow what OPTIONS (borrowed, with all it names) says. A stream
 * follows one hub or is on the list of one broadcaster; it ceases when it ends.
 * CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS, CRIER_ERR_CLOSED, CRIER_ERR_HUB_CLOSED,
 * CRIER_ERR_JOINED, CRIER_ERR_OTHER_SHARDS, CRIER_ERR_INVALID (since), -ENOMEM. */
CRIER_API int crier_hub_subscribe(struct crier_hub *hub,
                               struct crier_stream *stream,
                               const struct crier_subscribe_options *options);

/* Changes the topics that STREAM, which follows HUB, is sent: to TOPICS, "a,b" or "*".
 * Of a topic that it followed before (by name or by "*") nothing is lost and nothing
 * comes twice, be the stream live or behind. Of a topic that is new to it all comes that
 * is published after the call returned, and nothing that was in the journal before the
 * call; but "*" in the place of names begins where the stream is, which may be behind.
 * Of a topic that it follows no more nothing comes that is published after the call
 * returned, nor what was published before and it has not been sent. Never blocks. The
 * counts and the presence events follow a little later.
 *
 * A client that comes back makes the request that it made at first: the program must
 * know the topics then.
 * CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS, CRIER_ERR_NOT_JOINED, CRIER_ERR_CLOSED,
 * CRIER_ERR_HUB_CLOSED, CRIER_ERR_MAX_BACKLOG, -ENOMEM. */
CRIER_API int crier_hub_change(struct crier_hub *hub,
                               struct crier_stream *stream,
                               const char *topics);

/* How many streams follow TOPIC by its name, or "*"; those that only look at what is
 * held (`once`) do not count. */
CRIER_API size_t crier_hub_count(struct crier_hub *hub, const char *topic);

/* Lists topics that hold something or are followed, and whose names do not begin
 * with '$' unless PREFIX does: those with PREFIX ("" for all), in the order of
 * their bytes, behind AFTER ("" to begin), at most LIMIT (1 to 1000); or, when
 * PREFIX is NULL, just the topic AFTER. ON_DONE is called once when 0 was returned,
 * on any thread, possibly before: with an error, or with a new array of objects
 * {"topic","updates","bytes","subscribers","first","last","time"}, of which the
 * last three (ids, and RFC 3339) are null when nothing is held.
 * CRIER_ERR_HUB_CLOSED, CRIER_ERR_INVALID (limit), CRIER_ERR_TOPIC, -ENOMEM. */
CRIER_API int crier_hub_list(struct crier_hub *hub, const char *prefix,
                             const char *after, unsigned limit,
                             void (*on_done)(void *closure, int error,
                                             json_t *topics),
                             void *closure);

/* Forgets what the journal holds of TOPIC; updates that have other topics, too,
 * are still held there. A client that resumes from before is told a gap. ON_DONE as
 * above, with 0, CRIER_ERR_NO_TOPIC (nothing is held), or what the journal says.
 * CRIER_ERR_TOPIC, CRIER_ERR_HUB_CLOSED, -ENOMEM. */
CRIER_API int crier_hub_forget(struct crier_hub *hub, const char *topic,
                               void (*on_done)(void *closure, int error),
                               void *closure);

/* How a hub is. */
struct crier_status {
    const char *journal;  /* "memory" or "sqlite" */
    int error;            /* the journal's trouble now; 0: it is well */
    char reason[128];     /* in words */
    uint64_t published;   /* updates since the start */
    uint64_t gaps;        /* told to streams, or streams ended instead */
    uint64_t corrected;   /* updates whose time led the clock by more than 10 s, and
                             was set to it: their age counts from then */
    bool clock_behind;    /* the clock says a time before 2026, and before that of the
                             newest update; nothing grows old meanwhile */
};

/* Writes how HUB is to *STATUS; the error is CRIER_ERR_NULL where HUB is NULL, and
 * CRIER_ERR_FORKED in a child process. */
CRIER_API void crier_hub_status(struct crier_hub *hub,
                                struct crier_status *status);

#ifdef __cplusplus
}
#endif

#endif /* CRIER_H */
