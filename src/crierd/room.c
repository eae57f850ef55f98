/*
 * The chat room. A newcomer gets the list of users first ("users"), and from
 * then on the changes ("join", "leave"). Both come out of one lock, so list and
 * changes fit together for everybody: whoever follows them knows who is here.
 *
 * A change that cannot be sent because the shards' backlog is full would break
 * that; then the room is marked stale, and before the next thing it says it
 * sends everybody the whole list.
 *
 * Lock order: the room's, then the broadcaster's. on_closed of a stream runs
 * with no lock held, so it may take the room's.
 */
#include <config.h>

#include "room.h"

#include "log.h"
#include "text.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* uthash reports a failed allocation by leaving the element's handle empty. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct user {
    UT_hash_handle hh;
    struct seat *seats; /* its open streams */
    bool added;
    char name[];
};

struct seat {
    struct crier_stream *stream; /* a reference */
    struct seat *next;
};

struct room {
    struct crier_broadcaster *broadcaster;

    pthread_mutex_t lock; /* guards what follows */
    struct user *users;
    struct crier_frame *list; /* of them all, as newcomers get it, or NULL */
    unsigned added;
    bool stale;
};

struct room *room_new(struct crier_shards *shards, uint32_t ping)
{
    const struct crier_broadcaster_options options = {.ping = ping};
    struct room *room = calloc(1, sizeof *room);

    if (room == NULL)
        return NULL;
    if (crier_broadcaster_new(shards, &options, &room->broadcaster) != 0) {
        free(room);
        return NULL;
    }
    pthread_mutex_init(&room->lock, NULL);
    return room;
}

/* ---- users, under the lock -------------------------------------------- */

/* Forgets the list, which has changed. */
static void drop_list(struct room *room)
{
    crier_frame_unref(room->list);
    room->list = NULL;
}

static struct user *find_user(struct room *room, const char *name)
{
    struct user *user;

    HASH_FIND_STR(room->users, name, user);
    return user;
}

static struct user *get_user(struct room *room, const char *name)
{
    struct user *user = find_user(room, name);
    size_t length = strlen(name);

    if (user != NULL)
        return user;
    user = calloc(1, sizeof *user + length + 1);
    if (user == NULL)
        return NULL;
    memcpy(user->name, name, length + 1);
    HASH_ADD_KEYPTR(hh, room->users, user->name, length, user);
    if (user->hh.tbl == NULL) {
        free(user);
        return NULL;
    }
    drop_list(room);
    return user;
}

/* Forgets USER if nothing keeps it. */
static void drop_user(struct room *room, struct user *user)
{
    if (user->seats != NULL || user->added)
        return;
    HASH_DEL(room->users, user);
    free(user);
    drop_list(room);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static json_t *list_users(struct room *room)
{
    size_t count = HASH_COUNT(room->users), i = 0;
    const char **names = malloc((count + 1) * sizeof *names);
    json_t *list = json_array();
    struct user *user, *next;

    if (names == NULL || list == NULL)
        goto fail;
    HASH_ITER (hh, room->users, user, next)
        names[i++] = user->name;
    qsort(names, count, sizeof *names, by_name);
    for (i = 0; i < count; i++)
        if (json_array_append_new(list, json_string(names[i])) != 0)
            goto fail;
    free(names);
    return list;
fail:
    free(names);
    json_decref(list);
    return NULL;
}

/* ---- saying, under the lock ------------------------------------------- */

/* A new frame from a type and JSON (stolen; NULL when memory was short). */
static int make_frame(const char *type, json_t *value,
                      struct crier_frame **frame)
{
    int error = -ENOMEM;

    if (value != NULL)
        error = crier_frame_json(type, value, frame);
    json_decref(value);
    return error;
}

/* The list of users as an event, borrowed from ROOM: one for all newcomers, until
 * it changes. */
static int users_frame(struct room *room, struct crier_frame **frame)
{
    json_t *users;
    int error = 0;

    if (room->list == NULL) {
        users = list_users(room);
        error = users == NULL
                    ? -ENOMEM
                    : make_frame("users", json_pack("{s:o}", "users", users),
                                 &room->list);
    }
    *frame = room->list;
    return error;
}

/* The data of an event in which USER says TEXT, to TO when that is not NULL. */
static json_t *make_data(const char *user, const char *to, const char *text)
{
    char time[TIME_TEXT_SIZE];

    time_text(time);
    return json_pack("{s:s, s:s*, s:s, s:s}", "user", user, "to", to, "text",
                     text, "time", time);
}

static void refresh(struct room *room)
{
    struct crier_frame *frame;

    if (!room->stale || users_frame(room, &frame) != 0)
        return;
    if (crier_broadcaster_send(room->broadcaster, frame) >= 0)
        room->stale = false;
}

/* Tells everybody that USER did WHAT, and whether it is on the list now. */
static void announce(struct room *room, const char *type,
                     const struct user *user, const char *what)
{
    bool present = user->added || user->seats != NULL;
    struct crier_frame *frame;
    char text[512];
    json_t *data;

    refresh(room);
    snprintf(text, sizeof text, "User %s %s", user->name, what);
    data = make_data(user->name, NULL, text);
    json_object_set_new(data, "present", json_boolean(present));
    if (make_frame(type, data, &frame) != 0) {
        room->stale = true;
        return;
    }
    if (crier_broadcaster_send(room->broadcaster, frame) < 0) {
        log_line(LOG_WARNING, "chat: too busy to tell that %s", text);
        room->stale = true;
    }
    crier_frame_unref(frame);
}

/* ---- joining and leaving ---------------------------------------------- */

static int admit(struct room *room, struct user *user,
                 struct crier_stream *stream)
{
    struct seat *seat = malloc(sizeof *seat);
    struct crier_frame *list;
    int error;

    if (seat == NULL)
        return -ENOMEM;
    error = users_frame(room, &list);
    if (error == 0)
        error = crier_broadcaster_join(room->broadcaster, stream, user->name,
                                       list);
    if (error != 0) {
        free(seat);
        return error;
    }
    seat->stream = crier_stream_ref(stream);
    seat->next = user->seats;
    user->seats = seat;
    return 0;
}

int room_join(struct room *room, struct crier_stream *stream, const char *name)
{
    struct user *user;
    bool first;
    int error = -ENOMEM;

    pthread_mutex_lock(&room->lock);
    user = get_user(room, name);
    if (user != NULL) {
        first = user->seats == NULL;
        error = admit(room, user, stream);
        if (error == 0 && first)
            announce(room, "join", user, "connected to the chat.");
        else
            drop_user(room, user);
    }
    pthread_mutex_unlock(&room->lock);
    return error;
}

void room_left(struct room *room, struct crier_stream *stream,
               const char *name)
{
    struct user *user;
    struct seat **at, *seat;

    pthread_mutex_lock(&room->lock);
    user = find_user(room, name);
    at = user != NULL ? &user->seats : NULL;
    while (at != NULL && *at != NULL && (*at)->stream != stream)
        at = &(*at)->next;
    if (at != NULL && *at != NULL) {
        seat = *at;
        *at = seat->next;
        crier_stream_unref(seat->stream);
        free(seat);
        if (user->seats == NULL) {
            announce(room, "leave", user, "left the chat.");
            drop_user(room, user);
        }
    }
    pthread_mutex_unlock(&room->lock);
}

void room_free(struct room *room)
{
    struct user *user, *next;

    if (room == NULL)
        return;
    HASH_ITER (hh, room->users, user, next) {
        HASH_DEL(room->users, user);
        free(user);
    }
    drop_list(room);
    crier_broadcaster_free(room->broadcaster);
    pthread_mutex_destroy(&room->lock);
    free(room);
}

/* ---- talking ---------------------------------------------------------- */

long room_say(struct room *room, const char *name, const char *text)
{
    struct crier_frame *frame;
    long sent =
        make_frame("message", make_data(name, NULL, text), &frame);

    if (sent != 0)
        return sent;
    pthread_mutex_lock(&room->lock);
    refresh(room);
    sent = crier_broadcaster_send(room->broadcaster, frame);
    pthread_mutex_unlock(&room->lock);
    crier_frame_unref(frame);
    return sent;
}

long room_whisper(struct room *room, const char *name, const char *to,
                  const char *text)
{
    struct crier_frame *frame;
    long sent = make_frame("private", make_data(name, to, text), &frame);

    if (sent != 0)
        return sent;
    sent = crier_broadcaster_send_to(room->broadcaster, to, frame);
    crier_frame_unref(frame);
    return sent;
}

/* ---- the list --------------------------------------------------------- */

int room_add(struct room *room, const char *name)
{
    struct user *user;
    int result = -ENOMEM;

    pthread_mutex_lock(&room->lock);
    user = find_user(room, name);
    if (user != NULL && user->added) {
        result = 1;
    } else if (room->added == ROOM_ADDED_MAX) {
        result = -ENOSPC;
    } else if ((user = get_user(room, name)) != NULL) {
        user->added = true;
        room->added++;
        if (user->seats == NULL)
            announce(room, "join", user, "was added to the chat.");
        result = 0;
    }
    pthread_mutex_unlock(&room->lock);
    return result;
}

/* Tells the streams of USER and ends them. They leave as all streams do. */
static void expel(struct room *room, struct user *user)
{
    struct crier_frame *frame;
    struct seat *seat;

    if (make_frame("removed",
                   make_data(user->name, NULL,
                             "You were removed from the chat."),
                   &frame) == 0) {
        (void)crier_broadcaster_send_to(room->broadcaster, user->name, frame);
        crier_frame_unref(frame);
    }
    for (seat = user->seats; seat != NULL; seat = seat->next)
        crier_stream_close(seat->stream);
}

bool room_remove(struct room *room, const char *name)
{
    struct user *user;

    pthread_mutex_lock(&room->lock);
    user = find_user(room, name);
    if (user != NULL) {
        if (user->added)
            room->added--;
        user->added = false;
        if (user->seats == NULL)
            announce(room, "leave", user, "was removed from the chat.");
        else
            expel(room, user);
        drop_user(room, user);
    }
    pthread_mutex_unlock(&room->lock);
    return user != NULL;
}

json_t *room_users(struct room *room)
{
    json_t *list;

    pthread_mutex_lock(&room->lock);
    list = list_users(room);
    pthread_mutex_unlock(&room->lock);
    return list;
}
