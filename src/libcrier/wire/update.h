#ifndef CRIER_UPDATE_H
#define CRIER_UPDATE_H

#include "frame.h"
#include "grants.h"
#include "topic.h"

#include <stdbool.h>
#include <string.h>

/* The size of a buffer for any id, NUL included. */
#define CRIER__ID_SIZE 256

/* The size of a buffer for an epoch, likewise. */
#define CRIER__EPOCH_SIZE 17

/* An event with its topics and, once it is placed, its place in the journal.
 * Reference counted, and constant once placed. */
struct crier__update {
    atomic_uint references;
    bool hidden;       /* all its topics begin with '$' */
    bool given;        /* its publisher gave the id */
    bool is_private;   /* as in crier_publish_options; set before it is placed */
    bool last;         /* likewise */
    uint64_t position; /* 0 before it is placed */
    int64_t time;      /* ms since 1970; before it is placed, the time it had in another
                          journal, or 0 */
    size_t head;       /* bytes of frame that are the line of its id */
    struct crier_frame *frame; /* text/event-stream; the body before it is placed */
    struct crier_frame *_Atomic other[CRIER_FORMATS - 1]; /* made when wanted */
    struct crier__topics *topics; /* inside tail */
    char *id; /* likewise; "" until the journal has made one */
    uint32_t submitted; /* when the hub asked the journal for it: crier__clock_us() modulo
                           2^32; set before it is placed */
    unsigned tail[];
};

/* Makes a *new* update for TOPICS (copied) with one reference, not placed yet: ID is the
 * publisher's, or NULL; BODY the frame without an id, of which the update takes a
 * reference. It is neither private nor the last one. NULL when memory is short. */
struct crier__update *crier__update_new(const struct crier__topics *topics,
                                        const char *id,
                                        struct crier_frame *body);

struct crier__update *crier__update_ref(struct crier__update *update);
void crier__update_unref(struct crier__update *update);

/* Places UPDATE, which no other thread has yet: sets its position, its time and, unless
 * its publisher gave one, its id, and puts the id into the frame. -ENOMEM; UPDATE is then
 * unchanged. */
int crier__update_place(struct crier__update *update, const char *epoch,
                        uint64_t position, int64_t time);

/* Whether the LENGTH bytes at BODY, which were stored, are the rest of a frame behind the line
 * of its id: lines, and an empty one at the end and nowhere else. */
bool crier__update_body_valid(const char *body, size_t length);

/* The frame without the line of the id, of a placed UPDATE. Borrowed. */
const char *crier__update_body(const struct crier__update *update,
                               size_t *length);

/* Whether a stream with GRANTS (NULL: none) may be sent UPDATE. */
static inline bool crier__update_visible(const struct crier__update *update,
                                         const struct crier_grants *grants)
{
    return !update->is_private ||
           crier__grants_match_any(grants, update->topics);
}

/* The bytes that UPDATE counts for retention, the same before and after it is placed. */
size_t crier__update_cost(const struct crier__update *update);

/* The frame of a placed UPDATE in FORMAT, *borrowed* from UPDATE, which keeps it. NULL
 * when memory is short. Any thread. */
struct crier_frame *crier__update_frame(struct crier__update *update,
                                        enum crier_format format);

/* The same frame as a *new* reference. If UPDATE does not have it yet, UPDATE does not
 * keep it either: a client that reads the past must not double the journal's memory. */
struct crier_frame *crier__update_copy(struct crier__update *update,
                                       enum crier_format format);

/* Writes the id that the journal of EPOCH gives to POSITION. */
void crier__id_make(char id[CRIER__ID_SIZE], const char *epoch,
                    uint64_t position);

/* Reads the position in such an ID. False when it is not an id of EPOCH. */
bool crier__id_read(const char *id, const char *epoch, uint64_t *position);

#endif
