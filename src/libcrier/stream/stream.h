#ifndef CRIER_STREAM_H
#define CRIER_STREAM_H

#include "shard.h"
#include "transport.h"

struct crier_stream {
    /* The members that each delivery uses come first, also in the transport. */
    atomic_uint references;
    enum crier_format format;
    struct crier__shard *shard;

    atomic_bool closing; /* crier_stream_send() refuses */

    /* The shard's thread alone. */
    bool begun;    /* attach has run: callbacks may be called */
    bool attached; /* among the shard's streams */
    bool dirty;    /* flush waits for the end of the pass */
    bool ending;   /* no further frame is accepted */
    bool cut;      /* it was cut before it had begun */
    bool over;     /* on_closed has been called */
    bool own_keep_alive, own_stall; /* not those of the shards */
    uint8_t kind;  /* as in crier_stream_options */

    struct crier__transport transport;

    struct crier_frame *keep_alive_frame;
    size_t max_pending;
    uint32_t stall_timeout;
    atomic_uint held; /* references of the program; together they are one above */
    void (*on_wake)(void *closure, struct crier_stream *stream);
    void (*on_room)(void *closure, struct crier_stream *stream);
    void (*on_closed)(void *closure, struct crier_stream *stream,
                      enum crier_reason reason);
    void *closure;

    /* The broadcaster or the hub that owns it; NULL: none. */
    _Atomic(void *) joined;

    /* MHD's thread alone. */
    struct MHD_Response *response; /* MHD's, until it frees it */
    bool armed;       /* freeing the response ends the stream */
    bool announced;   /* attach is posted */
    bool headers_out; /* read by the shard after attach is posted */
    bool suspendable; /* counted as held in the shards */

    /* Set by any thread, and cleared by the look. */
    atomic_bool looking;  /* the look is posted */
    atomic_bool no_room;  /* on_room must be called */
    atomic_bool notified; /* on_wake must be called */

    /* The shard's thread alone, except that others post the tasks. */
    struct crier_stream *prev, *next; /* in the shard's list */
    struct crier__watch watch;
    struct crier__timer alive; /* keep-alive and the check for silence */
    struct crier__timer wake;
    struct crier__task attach;
    struct crier__task close;
    struct crier__task done;
    struct crier__task flush;
    struct crier__task look;
    int failed; /* the error of an immediate send, for the flush */
    uint32_t keep_alive;
    uint64_t check_due;
    uint64_t expires; /* CRIER__NO_TIME: never */
    uint64_t unacked_since; /* since when TCP has waited for an answer; 0: it does not */
    enum crier_reason reason;
    void *member; /* the state of the broadcaster or the hub */
    void (*leave)(struct crier_stream *stream); /* called at the end of the stream */
    void (*on_low)(struct crier_stream *stream); /* or NULL; see
                                                    crier__stream_is_low() */
};

/* Takes a reference for the library itself, and gives it back (NULL is allowed). */
struct crier_stream *crier__stream_ref(struct crier_stream *stream);
void crier__stream_unref(struct crier_stream *stream);

/* Whether STREAM is text/event-stream. */
static inline bool crier__stream_is_events(const struct crier_stream *stream)
{
    return stream->format == CRIER_FORMAT_EVENTS ||
           stream->format == CRIER_FORMAT_FULL;
}

/* A function that only prefetches: gcc 12 removes a call of such a function, because it
 * has no effect, unless it has inlined the function before. */
#define CRIER__PREFETCHES static inline __attribute__((always_inline))

/* Prefetches what a delivery uses. By the time that a stream is next, the sends to the
 * streams before it have driven it out of the caches. */
CRIER__PREFETCHES void crier__stream_prefetch(const struct crier_stream *stream)
{
    __builtin_prefetch(stream, 1);
    __builtin_prefetch(&stream->transport.fd, 1);
    __builtin_prefetch(&stream->transport.pending, 1);
}

/* Posts the look of STREAM to its shard: the calls of on_low, on_room and on_wake that
 * are due. Any thread. */
void crier__stream_look(struct crier_stream *stream);

/* Makes OWNER, a broadcaster or a hub, the owner of STREAM. CRIER_ERR_JOINED when it
 * has one. Any thread. */
int crier__stream_give(struct crier_stream *stream, void *owner);

/* Sets the functions that the shard will run. */
void crier__stream_begin_life(struct crier_stream *stream);

/* The functions below: on the shard's thread only. */

/* Appends FRAME, whose cost is in `waiting` already. When frames of LIMIT or more are
 * pending for a client that takes no more, ends the stream instead. */
void crier__stream_append(struct crier_stream *stream,
                          struct crier_frame *frame, size_t limit);

/* The same with a frame that is not counted yet, and the limit of the stream. The caller
 * counts the frame, as one that is delivered and sent (crier__tally_sent()). */
void crier__stream_offer(struct crier_stream *stream,
                         struct crier_frame *frame);

/* The same, but beyond the limit it refuses the frame, which the caller does not count
 * then: CRIER_ERR_MAX_PENDING, -ENOMEM. */
int crier__stream_try(struct crier_stream *stream, struct crier_frame *frame);

/* Appends FRAME, not counted yet, however much is pending. */
void crier__stream_force(struct crier_stream *stream,
                         struct crier_frame *frame);

/* Whether the pending frames are at or below the low-water mark, a quarter of
 * max_pending. If not, on_low is called once when they are. */
bool crier__stream_is_low(struct crier_stream *stream);

/* Sets the keep-alive interval from now on. */
void crier__stream_keep_alive(struct crier_stream *stream, uint32_t interval);

/* Takes those times that are not its own from the shards, and sets its timer. */
void crier__stream_retime(struct crier_stream *stream);

/* Ends STREAM at once. */
void crier__stream_cut(struct crier_stream *stream, enum crier_reason reason);

/* Accepts no more frames, and ends STREAM after those that are pending. */
void crier__stream_finish(struct crier_stream *stream, enum crier_reason reason);

/* Ends STREAM as crier_shards_drain() does, with a last retry. */
void crier__stream_shut_down(struct crier_stream *stream);

#endif
