#ifndef CRIERD_ROOM_H
#define CRIERD_ROOM_H

#include "crier.h"

#include <stdbool.h>

/* The chat room: who is here, and what they are told. All functions may be
 * called from any thread; names must be valid (text_valid). */
struct room;

/* A user may be here by an open stream, by having been added, or both. At most
 * this many are added at a time. */
#define ROOM_ADDED_MAX 1000

/* A new room whose streams are pinged after PING ms. NULL when memory is short. */
struct room *room_new(struct crier_shards *shards, uint32_t ping);

/* Frees ROOM, once no stream of it is open any more; NULL is allowed. */
void room_free(struct room *room);

/* Lets STREAM in as NAME: it is sent the list of users, and if NAME was not
 * connected before, all are told. Call room_left() when the stream has ended.
 * -ENOMEM, CRIER_ERR_CLOSED. */
int room_join(struct room *room, struct crier_stream *stream,
              const char *name);

/* STREAM, which room_join() may have let in as NAME, has ended; when it was the
 * last one of NAME, all are told. */
void room_left(struct room *room, struct crier_stream *stream,
               const char *name);

/* Sends a message from NAME to all. Returns to how many streams; CRIER_ERR_BUSY,
 * -ENOMEM. */
long room_say(struct room *room, const char *name, const char *text);

/* Sends a message from NAME to the streams of TO alone. As above, 0 when TO has
 * none. */
long room_whisper(struct room *room, const char *name, const char *to,
                  const char *text);

/* Adds NAME to the users until it is removed. 1 when it was added before, 0 when
 * it is new; -ENOMEM, -ENOSPC. */
int room_add(struct room *room, const char *name);

/* Removes NAME: its streams are told, and ended. False when it is not here. */
bool room_remove(struct room *room, const char *name);

/* The names of all users, sorted: a new array, or NULL when memory is short. */
json_t *room_users(struct room *room);

#endif
