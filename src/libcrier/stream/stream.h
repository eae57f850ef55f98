#ifndef CRIER_STREAM_H
#define CRIER_STREAM_H

#include "shard.h"
#include "transport.h"

struct crier_stream {
    /* What each delivery looks at is in front, and so is it in the transport. */
    atomic_uint references;
    enum crier_format format;
    struct crier__shard *shard;

    atomic_bool closing; /* nothing is let in any more */

    /* The shard's thread alone. */
    bool begun;    /* attach has run: callbacks may be called */
    bool attached; /* among the shard's streams */
    bool dirty;    /* flush waits for the end of the pass */
    bool ending;   /* no frame is let in any more */
    bool cut;      /* before it had begun */
    bool over;     /* on_closed was called */
    bool own_keep_alive, own_stall; /* not those of the shards */

    struct crier__transport transport;

    struct crier_frame *keep_alive_frame;
    size_t max_pending;
    uint32_t stall_timeout;
    atomic_uint held; /* references of the program, for which it has one above */
    void (*on_wake)(void *closure, struct crier_stream *stream);
    void (*on_room)(void *closure, struct crier_stream *stream);
    void (*on_closed)(void *closure, struct crier_stream *stream,
                      enum crier_reason reason);
    void *closure;

    /* The broadcaster or the hub that the program gave it to; NULL: none. */
    _Atomic(void *) joined;

    /* MHD's thread alone. */
    struct MHD_Response *response; /* MHD's, until it frees it */
    bool armed;       /* freeing the response ends the stream */
    bool announced;   /* attach is posted */
    bool headers_out; /* read by the shard after attach is posted */
    bool suspendable; /* counted as held in the shards */

    /* Set by any thread, and taken by the look. */
    atomic_bool looking;  /* it is posted */
    atomic_bool no_room;  /* on_room is to be called */
    atomic_bool notified; /* on_wake is to be called */

    /* Used by the shard's thread alone, but for posting. */
    struct crier_stream *prev, *next; /* in the shard's list */
    struct crier__watch watch;
    struct crier__timer alive; /* keep-alive and the check for silence */
    struct crier__timer wake;
    struct crier__task attach;
    struct crier__task close;
    struct crier__task done;
    struct crier__task flush;
    struct crier__task look;
    int failed; /* what a send at once failed with, for the flush */
    uint32_t keep_alive;
    uint64_t check_due;
    uint64_t unacked_since; /* when an answer came to be owed; 0: none is */
    enum crier_reason reason;
    void *member; /* the broadcaster's or the hub's, what it does at the end, */
    void (*leave)(struct crier_stream *stream);
    void (*refill)(struct crier_stream *stream); /* and when little is pending */
};

/* Takes a reference for the library itself, and gives it back; NULL is allowed
 * there. */
struct crier_stream *crier__stream_ref(struct crier_stream *stream);
void crier__stream_unref(struct crier_stream *stream);

/* Whether STREAM is text/event-stream. */
static inline bool crier__stream_is_events(const struct crier_stream *stream)
{
    return stream->format == CRIER_FORMAT_EVENTS ||
           stream->format == CRIER_FORMAT_FULL;
}

/* A function that only prefetches: gcc 12 takes a call of one for a call without
 * effect and leaves it out, unless it has put the function in its place before. */
#define CRIER__PREFETCHES static inline __attribute__((always_inline))

/* Has the processor fetch what a delivery looks at. By the time that a stream's turn
 * comes, the kernel's sends to those before it have driven it out of the caches. */
CRIER__PREFETCHES void crier__stream_prefetch(const struct crier_stream *stream)
{
    __builtin_prefetch(stream, 1);
    __builtin_prefetch(&stream->transport.fd, 1);
    __builtin_prefetch(&stream->transport.pending, 1);
}

/* Has the shard look whether there is room and who wants to know, and whether on_wake
 * is to run. Any thread. */
void crier__stream_look(struct crier_stream *stream);

/* Gives STREAM to OWNER, a broadcaster or a hub. CRIER_ERR_JOINED when it is another's
 * or OWNER's already. Any thread. */
int crier__stream_give(struct crier_stream *stream, void *owner);

/* Fills in what the shard will run. */
void crier__stream_begin_life(struct crier_stream *stream);

/* All that follows: the shard's thread only. */

/* Appends FRAME, whose cost is in `waiting` already. When frames of LIMIT or more
 * wait for a client that takes no more, ends the stream instead. */
void crier__stream_append(struct crier_stream *stream,
                          struct crier_frame *frame, size_t limit);

/* The same with a frame that is not counted yet, and the stream's own limit. */
void crier__stream_offer(struct crier_stream *stream,
                         struct crier_frame *frame);

/* The same, but a frame for which there is no room is refused: CRIER_ERR_MAX_PENDING,
 * -ENOMEM. */
int crier__stream_try(struct crier_stream *stream, struct crier_frame *frame);

/* Appends FRAME, not counted yet, however much waits. */
void crier__stream_force(struct crier_stream *stream,
                         struct crier_frame *frame);

/* Whether so little is pending that more may be appended. If not, refill is
 * called once that is so. */
bool crier__stream_hungry(struct crier_stream *stream);

/* Sets the keep-alive interval from now on. */
void crier__stream_keep_alive(struct crier_stream *stream, uint32_t interval);

/* Takes the times that are not the stream's own from the shards, and sets its timer. */
void crier__stream_retime(struct crier_stream *stream);

/* Ends STREAM at once. */
void crier__stream_cut(struct crier_stream *stream, enum crier_reason reason);

/* Says goodbye as crier_shards_drain() does. */
void crier__stream_shut_down(struct crier_stream *stream);

#endif
