#ifndef CRIER_SUBSCRIBER_H
#define CRIER_SUBSCRIBER_H

#include "hub.h"
#include "libcrier/stream/stream.h"

/* See subscriber.c. */
enum crier__subscribe_state {
    CRIER__LIVE,
    CRIER__ASKED,
    CRIER__FULL,
    CRIER__WAITING
};

/* One topic of one subscriber; on the line of the topic. */
struct crier__sub {
    struct crier__sub *prev, *next;
    struct crier__subscriber *subscriber;
    struct crier__line *line; /* NULL: not on one */
    uint64_t live; /* nothing up to the position before this one is meant; 0: it
                      begins as `since` says */
};

/* A read, and what it is about. */
struct crier__subscribe_job {
    struct crier__read read;
    struct crier__task task;
    struct crier__subscriber *subscriber;
    struct crier__selector selectors[];
};

/* Who is to hear of the first read. */
struct crier__first_read {
    void (*on_read)(void *closure, int error);
    void *closure;
};

struct crier__subscriber {
    struct crier__task join;
    struct crier__subscriber *prev, *next;
    struct crier__part *part;
    struct crier_frame *start;   /* an id block that came too late to be what the
                                    body begins with: a reference or NULL */
    struct crier_frame *hello;   /* a reference or NULL */
    struct crier__timer again;
    struct crier__subscribe_job *job; /* while it reads */
    struct crier__first_read *first_read; /* owned; NULL: nobody, or it has been */
    char *topics;    /* a list */
    char *id;        /* to resume from, or NULL */
    uint64_t number;
    uint64_t joined; /* where it would be with CRIER_SINCE_NOW */
    enum crier_since since; /* NOW: there is nothing to be resolved any more */
    bool once;
    bool untold; /* its client has no id yet, and is to get one */
    bool awake; /* on the lines, and told of updates */
    bool timed; /* the timer is reserved */
    bool gone;  /* off the lines; to be freed when the read is answered */
    unsigned sub_count;

    /* What each update looks at; the first sub is meant to be near. */
    enum crier__subscribe_state state;
    uint64_t missed;
    uint64_t cursor;
    struct crier_stream *stream; /* a reference */
    struct crier__sub subs[];
};

/* One that is to take over from the subscriber of its stream. */
struct crier__change {
    struct crier__change *prev, *next;
    struct crier__subscriber *made;
    uint64_t after; /* of topics that are new to it, nothing up to here is meant */
    size_t cost;    /* in the backlog */
};

/* A new subscriber as OPTIONS say, which only the caller knows. CRIER_ERR_TOPIC,
 * CRIER_ERR_MANY_TOPICS, -ENOMEM. */
int crier__subscriber_new(struct crier_hub *hub, struct crier_stream *stream,
                        const struct crier_subscribe_options *options,
                        struct crier__subscriber **subscriber);

/* A new frame of the block that sets the last event id to ID and is no event; NULL
 * when memory is short. */
struct crier_frame *crier__subscriber_id_frame(const char *id);

/* Reports the first read, if somebody is to hear of it and has not; whether it did. The
 * shard's thread. */
bool crier__subscriber_report_read(struct crier__subscriber *subscriber, int error);

/* Runs on the shard's thread first of all. */
void crier__subscriber_join(struct crier__task *task);

/* Runs when it is time to try again. */
void crier__subscriber_again(struct crier__timer *timer, uint64_t now);

/* Frees SUBSCRIBER, which no line and no read knows. */
void crier__subscriber_free(struct crier__subscriber *subscriber);

/* All that follows: on the thread of PART's shard only. */

/* Puts SUBSCRIBER on the lines of its topics. False when memory is short: then it is on
 * some. */
bool crier__subscriber_line_up(struct crier__subscriber *subscriber);

/* Takes SUBSCRIBER off all lines. */
void crier__subscriber_leave_lines(struct crier__subscriber *subscriber);

/* Makes the changes of the DL list that come before the update at POSITION. Returns the
 * rest. */
struct crier__change *crier__subscribers_change(struct crier__part *part,
                                              struct crier__change *changes,
                                              uint64_t position);

/* Makes those of STREAM that its shard has not come to yet. SUBSCRIBER may be gone, or
 * freed, then. */
void crier__subscribers_change_now(struct crier__part *part,
                                 const struct crier_stream *stream);

/* Makes those of STREAM that came before it had a subscriber, or drops them. */
void crier__subscribers_change_early(struct crier__part *part,
                                   const struct crier_stream *stream);

/* Frees what is left of a list when the shards are no more. */
void crier__changes_free(struct crier__change *changes);

/* Has MADE know which gaps OLD, which does not read now, has told of the topics that
 * both follow. Where memory is short one may be told again. */
void crier__subscriber_keep_told(struct crier__subscriber *made,
                               const struct crier__subscriber *old);

/* Gives UPDATE to the subscribers of its topics. */
void crier__subscribers_deliver(struct crier__part *part,
                              struct crier__update *update);

/* The update with the POSITION, or one before it, could not be delivered: has
 * every subscriber read on from the journal. */
void crier__subscribers_reread(struct crier__part *part, uint64_t position);

/* Has SUBSCRIBER read on: at once, when its client has room (the refill of its
 * stream goes there), or after a while. */
void crier__subscriber_read(struct crier__subscriber *subscriber);
void crier__subscriber_read_when_hungry(struct crier__subscriber *subscriber);
void crier__subscriber_wait(struct crier__subscriber *subscriber);
void crier__subscriber_refill(struct crier_stream *stream);

/* SUBSCRIBER has read to the end of the journal: has it told of updates again. False
 * when memory is short. */
bool crier__subscriber_wake(struct crier__subscriber *subscriber);

/* SUBSCRIBER need not be told of updates: it waits for its client. */
void crier__subscriber_doze(struct crier__subscriber *subscriber);

/* What is done when a subscriber's stream is over: it leaves. */
void crier__subscriber_leave(struct crier_stream *stream);

/* SUBSCRIBER has all that there is. */
void crier__subscriber_go_live(struct crier__subscriber *subscriber);

#endif
