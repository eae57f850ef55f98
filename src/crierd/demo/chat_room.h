#ifndef CRIERD_CHAT_ROOM_H
#define CRIERD_CHAT_ROOM_H

#include "crier.h"

#include <stdbool.h>

/* The chat room: who is here, and what they are told. All functions may be
 * called from any thread; names must be valid (text_valid). */
struct chat_room;

/* A user may be here by an open stream, by having been added, or both. At most
 * this many are added at a time. */
#define ROOM_ADDED_MAX 1000

/* All topics of the room, as a pattern. */
#define ROOM_TOPICS "$chat*"

/* What a newcomer hears of what was said before. */
#define ROOM_HISTORY 50

/* A new room on HUB (borrowed). NULL when memory is short. */
struct chat_room *chat_room_new(struct crier_hub *hub);

/* Frees ROOM, once no stream of it is open any more; NULL is allowed. */
void chat_room_free(struct chat_room *room);

/* Lets STREAM in as NAME: it is sent a welcome, the list of users, then what was said before
 * (as OPTIONS say; topics, live and hello are the room's), and if NAME was not
 * connected before, all are told. With ECHO it hears the private messages that
 * NAME sends, too. Call chat_room_left() when the stream has ended. -ENOMEM,
 * CRIER_ERR_CLOSED. */
int chat_room_join(struct chat_room *room, struct crier_stream *stream,
              const char *name, bool echo,
              const struct crier_subscribe_options *options);

/* STREAM, which chat_room_join() may have let in as NAME, has ended; when it was the
 * last one of NAME, all are told. */
void chat_room_left(struct chat_room *room, struct crier_stream *stream,
               const char *name);

/* The most bytes of a topic of the room. */
#define ROOM_TOPIC_SIZE 512

/* What is to be published for a message. */
struct chat_room_message {
    char topics[2 * ROOM_TOPIC_SIZE];
    struct crier_event *event; /* to be freed */
    size_t clients;            /* the streams of whom it is for */
};

/* Room for the id of a message, with its prefix and a NUL. */
#define ROOM_ID_SIZE 128

/* Makes of what NAME says to all, or to TO alone unless that is NULL, a message, whose
 * id is "chat-ID" unless ID is NULL. -ENOMEM. */
int chat_room_say(struct chat_room *room, const char *name, const char *to,
             const char *text, const char *id, struct chat_room_message *message);

/* Adds NAME to the users until it is removed. 1 when it was added before, 0 when
 * it is new; -ENOMEM, -ENOSPC. */
int chat_room_add(struct chat_room *room, const char *name);

/* Removes NAME: its streams are told, and ended, and its private messages are
 * forgotten. False when it is not here. */
bool chat_room_remove(struct chat_room *room, const char *name);

/* The names of all users, sorted: a new array, or NULL when memory is short. */
json_t *chat_room_users(struct chat_room *room);

#endif
