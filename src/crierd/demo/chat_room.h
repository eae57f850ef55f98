#ifndef CRIERD_CHAT_ROOM_H
#define CRIERD_CHAT_ROOM_H

#include "crier.h"

#include <stdbool.h>

/* The chat room: its users, their streams, and the events that it publishes. All
 * functions may be called from any thread. Names must be valid (text_valid()). */
struct chat_room;

/* A user is present by an open stream, by having been added, or both. At most this many
 * can be added at a time. */
#define ROOM_ADDED_MAX 1000

/* How many past messages the stream of a user who joins begins with. */
#define ROOM_HISTORY 50

/* A new room on HUB (borrowed). NULL when memory is short. */
struct chat_room *chat_room_new(struct crier_hub *hub);

/* Frees ROOM after the last of its streams has ended; NULL is allowed. */
void chat_room_free(struct chat_room *room);

/* Lets STREAM join as NAME. It is sent "welcome", the list of users, and the last
 * messages as OPTIONS say (whose topics, live and hello the room sets). If NAME had no
 * other stream, "join" is published. With ECHO the stream gets the private messages that
 * NAME sends, too. Call chat_room_left() when the stream has ended. Returns 0, -ENOMEM
 * or CRIER_ERR_CLOSED. */
int chat_room_join(struct chat_room *room, struct crier_stream *stream,
                   const char *name, bool echo,
                   const struct crier_subscribe_options *options);

/* Takes note that STREAM has ended, with which NAME may have joined. If it was the last
 * one of NAME, "leave" is published. */
void chat_room_left(struct chat_room *room, struct crier_stream *stream,
                    const char *name);

/* The size of a buffer for a topic of the room. */
#define ROOM_TOPIC_SIZE 512

/* A message to be published. */
struct chat_room_message {
    char topics[2 * ROOM_TOPIC_SIZE];
    struct crier_event *event; /* the caller frees it */
    size_t clients;            /* how many streams it will reach */
};

/* The size of a buffer for the id of a message with its prefix. */
#define ROOM_ID_SIZE 128

/* Makes a message of TEXT from NAME to all, or to TO alone unless that is NULL. Its id is
 * "chat-ID-HASH" unless ID is NULL; the hash is of NAME and TO. Returns 0 or -ENOMEM. */
int chat_room_say(struct chat_room *room, const char *name, const char *to,
                  const char *text, const char *id,
                  struct chat_room_message *message);

/* Adds NAME to the users until it is removed. Returns 0; 1 when it was added before;
 * -ENOMEM or -ENOSPC. */
int chat_room_add(struct chat_room *room, const char *name);

/* Removes NAME: sends "removed" to its streams, closes them, and deletes its private
 * messages. Returns false when there is no such user. */
bool chat_room_remove(struct chat_room *room, const char *name);

/* The names of all users, sorted: a new array, or NULL when memory is short. */
json_t *chat_room_users(struct chat_room *room);

#endif
