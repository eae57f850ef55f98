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

/* All topics of the room, as a pattern. */
#define ROOM_TOPICS "$chat*"

/* What a newcomer hears of what was said before. */
#define ROOM_HISTORY 50

/* A new room on HUB (borrowed). NULL when memory is short. */
struct room *room_new(struct crier_hub *hub);

/* Frees ROOM, once no stream of it is open any more; NULL is allowed. */
void room_free(struct room *room);

/* Lets STREAM in as NAME: it is sent a welcome, the list of users, then what was said before
 * (as OPTIONS say; topics, live and hello are the room's), and if NAME was not
 * connected before, all are told. With ECHO it hears the private messages that
 * NAME sends, too. Call room_left() when the stream has ended. -ENOMEM,
 * CRIER_ERR_CLOSED. */
int room_join(struct room *room, struct crier_stream *stream,
              const char *name, bool echo,
              const struct crier_follow_options *options);

/* STREAM, which room_join() may have let in as NAME, has ended; when it was the
 * last one of NAME, all are told. */
void room_left(struct room *room, struct crier_stream *stream,
               const char *name);

/* The most bytes of a topic of the room. */
#define ROOM_TOPIC_SIZE 512

/* What is to be published for a message. */
struct room_message {
    char topics[2 * ROOM_TOPIC_SIZE];
    struct crier_event *event; /* to be freed */
    size_t clients;            /* the streams of whom it is for */
};

/* Room for the id of a message, with its prefix and a NUL. */
#define ROOM_ID_SIZE 128

/* Makes of what NAME says to all, or to TO alone unless that is NULL, a message, whose
 * id is "chat-ID" unless ID is NULL. -ENOMEM. */
int room_say(struct room *room, const char *name, const char *to,
             const char *text, const char *id, struct room_message *message);

/* Adds NAME to the users until it is removed. 1 when it was added before, 0 when
 * it is new; -ENOMEM, -ENOSPC. */
int room_add(struct room *room, const char *name);

/* Removes NAME: its streams are told, and ended, and its private messages are
 * forgotten. False when it is not here. */
bool room_remove(struct room *room, const char *name);

/* The names of all users, sorted: a new array, or NULL when memory is short. */
json_t *room_users(struct room *room);

#endif
