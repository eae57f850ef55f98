#ifndef CRIER_UPDATE_H
#define CRIER_UPDATE_H

#include "frame.h"

#include <stdbool.h>
#include <string.h>

/* Room for an id, a NUL included. */
#define CRIER__ID_SIZE 256

/* Room for an epoch, likewise. */
#define CRIER__EPOCH_SIZE 17

/* An event with its topics and, once it is placed, its place in the journal.
 * Reference counted, and constant once placed. */
struct crier__update {
    atomic_uint references;
    bool hidden;       /* all its topics begin with '$' */
    bool given;        /* its publisher gave the id */
    uint64_t position; /* 0 before it is placed */
    int64_t time;      /* ms since 1970 */
    size_t head;       /* bytes of frame that are the line of its id */
    struct crier_frame *frame; /* text/event-stream; the body before it is placed */
    struct crier_frame *_Atomic other[CRIER_FORMATS - 1]; /* made when wanted */
    const char *topics;        /* a list, each once */
    char *id;                  /* inside text; "" before one made is placed */
    char text[];
};

/* A new update for TOPICS (as crier__topics_parse() makes them) with one
 * reference, not placed: ID is the publisher's, or NULL; BODY (a new reference is
 * taken) the frame without an id. NULL when memory is short. */
struct crier__update *crier__update_new(const char *topics, const char *id,
                                        struct crier_frame *body);

struct crier__update *crier__update_ref(struct crier__update *update);
void crier__update_unref(struct crier__update *update);

/* Places UPDATE, which nobody else knows yet: sets position, time, and its id
 * unless it has one, and puts the id into the frame. -ENOMEM; UPDATE is then as
 * it was. */
int crier__update_place(struct crier__update *update, const char *epoch,
                        uint64_t position, int64_t time);

/* The frame without the line of the id, of a placed UPDATE. Borrowed. */
const char *crier__update_body(const struct crier__update *update,
                               size_t *length);

/* What UPDATE counts for retention; the same before and after it is placed. */
size_t crier__update_cost(const struct crier__update *update);

/* The frame of a placed UPDATE in FORMAT: borrowed, kept with UPDATE. NULL when
 * memory is short. Any thread. */
struct crier_frame *crier__update_frame(struct crier__update *update,
                                        enum crier_format format);

/* The same as a new reference, and not kept where it is not there yet: what one
 * client reads of the past is not to double the journal. */
struct crier_frame *crier__update_copy(struct crier__update *update,
                                       enum crier_format format);

/* Writes TIME, ms since 1970, as RFC 3339 in UTC. */

/* Writes a new epoch: short, and random enough never to come again. -errno. */
int crier__epoch_new(char epoch[CRIER__EPOCH_SIZE]);

/* Writes the id that the journal of EPOCH gives to POSITION. */
void crier__id_make(char id[CRIER__ID_SIZE], const char *epoch,
                    uint64_t position);

/* Reads such an id. False when it is not one of EPOCH. */
bool crier__id_read(const char *id, const char *epoch, uint64_t *position);

#endif
