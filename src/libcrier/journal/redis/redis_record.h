#ifndef CRIER_REDIS_RECORD_H
#define CRIER_REDIS_RECORD_H

#include "base/buffer.h"
#include "libcrier/wire/update.h"

#include <hiredis/hiredis.h>

/* The flags of a head. */
#define CRIER__REDIS_PRIVATE 1U
#define CRIER__REDIS_LAST 2U
#define CRIER__REDIS_HIDDEN 4U
#define CRIER__REDIS_GIVEN 8U

/* An entry of the log: an update, or a note. Its texts belong to a reply. */
struct crier__redis_entry {
    uint64_t position;
    uint64_t note; /* 0: an update */
    char kind;     /* 'u', 'f' or 'e', see redis.h */
    const char *head; /* of an update; of a note, its topic */
    size_t head_length;
    const char *body; /* of an update */
    size_t body_length;
};

/* A correction of the clock: no update up to the position UPTO has a later time than TIME.
 * All zero is none. */
struct crier__redis_corrected {
    uint64_t upto;
    int64_t time;
};

/* Appends the head of UPDATE, which is not placed, to HEAD. -ENOMEM. */
int crier__redis_write_head(struct crier__buffer *head,
                            const struct crier__update *update);

/* Reads the place of REPLY, an entry as XRANGE has it. False: it is none. */
bool crier__redis_read_place(const redisReply *reply, struct crier__redis_entry *entry);

/* Reads REPLY, an entry as XRANGE has it. False: it is none of ours. */
bool crier__redis_read_entry(const redisReply *reply, struct crier__redis_entry *entry);

/* Makes a *new* placed update of ENTRY, which is one, as it is in the journal with EPOCH.
 * CRIER_ERR_DAMAGED: it is not what a node writes; -ENOMEM. */
int crier__redis_update_of(const struct crier__redis_entry *entry, const char *epoch,
                           const struct crier__redis_corrected *corrected,
                           struct crier__update **update);

/* Reads the number that REPLY, an integer or decimal digits, is; false when it is not one
 * from 0 to 2^53. */
bool crier__redis_read_number(const redisReply *reply, uint64_t *number);

/* Whether the LENGTH bytes at ID may be the id that a publisher, or another journal, has given
 * to an update. */
bool crier__redis_is_id(const char *id, size_t length);

/* Whether REPLY is an array of at least COUNT elements. */
static inline bool crier__redis_is_array(const redisReply *reply, size_t count)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
           reply->elements >= count;
}

/* Whether REPLY is the error whose text begins with CODE. */
bool crier__redis_is_error(const redisReply *reply, const char *code);

#endif
