/*
 * The chat room. Its messages run on topics that nobody else can publish to:
 *
 *   $chat            public messages
 *   $chat/to/NAME    private messages to NAME
 *   $chat/by/NAME    the same messages, for NAME who sent them
 *   $chat/people     who joins and leaves
 *
 * The stream of a user who joins begins with "welcome", which has the server's time:
 * messages with an earlier time were sent before. The list of users ("users") follows,
 * then the last messages, and from then on everything as it happens. The list is made
 * under the room's lock, and changes are published under it. A change that the list
 * already contains may still follow the list; it says whether the user is present from
 * then on, so a client that applies list and changes in their order knows who is here.
 *
 * A change that cannot be published would break that. So the room is marked stale then,
 * and publishes the whole list before the next change.
 *
 * Lock order: the room's, then the hub's. on_closed of a stream runs with no lock held,
 * so it may take the room's.
 */
#include <config.h>

#include "chat_room.h"

#include "base/clock.h"
#include "crierd/log/log.h"
#include "crierd/http/text.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* uthash reports a failed allocation by leaving the element's handle empty. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define CHAT "$chat"
#define TO "$chat/to/"
#define BY "$chat/by/"
#define PEOPLE "$chat/people"

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

struct chat_room {
    struct crier_hub *hub;
    atomic_bool stale; /* a change was not published */

    pthread_mutex_t lock; /* guards what follows */
    struct user *users;
    struct crier_frame *list; /* of all users, as those who join get it, or NULL */
    unsigned added;
};

struct chat_room *chat_room_new(struct crier_hub *hub)
{
    struct chat_room *room = calloc(1, sizeof *room);

    if (room == NULL)
        return NULL;
    room->hub = hub;
    pthread_mutex_init(&room->lock, NULL);
    return room;
}

/* Writes the topic of NAME under PREFIX. Characters that a name may have and a topic may
 * not are escaped. */
static void write_topic(char topic[ROOM_TOPIC_SIZE], const char *prefix,
                        const char *name)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t to = strlen(prefix);

    memcpy(topic, prefix, to);
    for (; *name != '\0'; name++) /* of 256 bytes at most */
        if (strchr(",*%", *name) != NULL) {
            topic[to++] = '%';
            topic[to++] = digits[*name >> 4];
            topic[to++] = digits[*name & 15];
        } else {
            topic[to++] = *name;
        }
    topic[to] = '\0';
}

/* ---- users, under the lock -------------------------------------------- */

/* Drops the frame of the list, which has changed. */
static void drop_list(struct chat_room *room)
{
    crier_frame_unref(room->list);
    room->list = NULL;
}

static struct user *find_user(struct chat_room *room, const char *name)
{
    struct user *user;

    HASH_FIND_STR(room->users, name, user);
    return user;
}

/* The user NAME, new if there is none. NULL when memory is short. */
static struct user *get_user(struct chat_room *room, const char *name)
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

/* Frees USER if it has no seats and was not added. */
static void drop_user(struct chat_room *room, struct user *user)
{
    if (user->seats != NULL || user->added)
        return;
    HASH_DEL(room->users, user);
    free(user);
    drop_list(room);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A new array of all names, sorted. NULL when memory is short. */
static json_t *list_users(struct chat_room *room)
{
    size_t count = HASH_COUNT(room->users), i = 0;
    const char **names = malloc((count + 1) * sizeof *names);
    json_t *list = json_array();
    struct user *user, *next;

    if (names == NULL || list == NULL)
        goto fail;
    HASH_ITER (hh, room->users, user, next)
        names[i++] = user->name;
    qsort(names, count, sizeof *names, compare_names);
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

/* ---- publishing, under the lock --------------------------------------- */

/* A new event of TYPE with VALUE (stolen; NULL when memory was short). NULL when memory
 * is short. */
static struct crier_event *make_event(const char *type, json_t *value)
{
    struct crier_event *event = value != NULL ? crier_event_new() : NULL;

    if (event != NULL && (crier_event_type(event, type) != 0 ||
                          crier_event_json(event, value) != 0)) {
        crier_event_free(event);
        event = NULL;
    }
    json_decref(value);
    return event;
}

/* A new event with the list of users. NULL when memory is short. */
static struct crier_event *make_users_event(struct chat_room *room)
{
    json_t *users = list_users(room);

    return users != NULL
               ? make_event("users", json_pack("{s:o}", "users", users))
               : NULL;
}

/* Sets *FRAME to the list of users, borrowed from ROOM. All who join before the next
 * change get the same frame. */
static int get_users_frame(struct chat_room *room, struct crier_frame **frame)
{
    struct crier_event *event;
    int error = -ENOMEM;

    if (room->list == NULL) {
        event = make_users_event(room);
        if (event != NULL)
            error = crier_event_encode(event, &room->list);
        crier_event_free(event);
        if (error != 0)
            return error;
    }
    *frame = room->list;
    return 0;
}

/* The data of an event: TEXT about or from USER, to TO unless that is NULL. NULL when
 * memory is short. */
static json_t *make_data(const char *user, const char *to, const char *text)
{
    char time[CRIER__CLOCK_TEXT_SIZE];

    crier__clock_text(crier__clock_real(), time);
    return json_pack("{s:s, s:s*, s:s, s:s}", "user", user, "to", to, "text",
                     text, "time", time);
}

/* The journal has answered for a change: its on_done. */
static void note_change(void *closure, const struct crier_receipt *receipt)
{
    struct chat_room *room = closure;

    if (receipt->error == 0 || atomic_exchange(&room->stale, true))
        return;
    log_line(LOG_WARNING, "chat: cannot publish who joined or left: %s",
             receipt->reason);
}

/* Publishes EVENT (stolen; NULL when memory was short) about who is here. */
static void publish_change(struct chat_room *room, struct crier_event *event)
{
    const struct crier_publish_options options = {.on_done = note_change,
                                                  .closure = room};

    if (event == NULL ||
        crier_hub_publish(room->hub, PEOPLE, event, &options) != 0)
        atomic_store(&room->stale, true);
    crier_event_free(event);
}

/* Publishes the whole list after a change that could not be published. */
static void publish_if_stale(struct chat_room *room)
{
    if (atomic_exchange(&room->stale, false))
        publish_change(room, make_users_event(room));
}

/* Publishes an event of TYPE: USER did WHAT, and is or is not on the list now. */
static void announce_user(struct chat_room *room, const char *type,
                          const struct user *user, const char *what)
{
    bool present = user->added || user->seats != NULL;
    char text[512];
    json_t *data;

    publish_if_stale(room);
    snprintf(text, sizeof text, "User %s %s", user->name, what);
    data = make_data(user->name, NULL, text);
    if (json_object_set_new(data, "present", json_boolean(present)) != 0) {
        json_decref(data);
        data = NULL;
    }
    publish_change(room, make_event(type, data));
}

/* ---- joining and leaving ---------------------------------------------- */

/* Sends STREAM the event "welcome": USER joins now. */
static int send_welcome(struct crier_stream *stream, const struct user *user)
{
    char time[CRIER__CLOCK_TEXT_SIZE];
    struct crier_frame *frame;
    json_t *data;
    int error = -ENOMEM;

    crier__clock_text(crier__clock_real(), time);
    data = json_pack("{s:s, s:s}", "user", user->name, "time", time);
    if (data != NULL)
        error = crier_frame_json("welcome", data, &frame);
    json_decref(data);
    if (error != 0)
        return error;
    error = crier_stream_send(stream, frame);
    crier_frame_unref(frame);
    return error;
}

/* Subscribes STREAM to the topics of USER. */
static int subscribe_user(struct chat_room *room, const struct user *user,
                          struct crier_stream *stream, bool echo,
                          const struct crier_subscribe_options *options)
{
    struct crier_subscribe_options mine = *options;
    char topics[3 * ROOM_TOPIC_SIZE], to[ROOM_TOPIC_SIZE], by[ROOM_TOPIC_SIZE];
    int error = get_users_frame(room, &mine.hello);

    if (error != 0)
        return error;
    write_topic(to, TO, user->name);
    write_topic(by, BY, user->name);
    snprintf(topics, sizeof topics, "%s,%s%s%s", CHAT, to, echo ? "," : "",
             echo ? by : "");
    mine.topics = topics;
    mine.live = PEOPLE;
    return crier_hub_subscribe(room->hub, stream, &mine);
}

/* Gives USER a seat with STREAM. */
static int add_seat(struct chat_room *room, struct user *user,
                    struct crier_stream *stream, bool echo,
                    const struct crier_subscribe_options *options)
{
    struct seat *seat = malloc(sizeof *seat);
    int error;

    if (seat == NULL)
        return -ENOMEM;
    error = send_welcome(stream, user);
    if (error == 0)
        error = subscribe_user(room, user, stream, echo, options);
    if (error != 0) {
        free(seat);
        return error;
    }
    seat->stream = crier_stream_ref(stream);
    seat->next = user->seats;
    user->seats = seat;
    return 0;
}

int chat_room_join(struct chat_room *room, struct crier_stream *stream,
                   const char *name, bool echo,
                   const struct crier_subscribe_options *options)
{
    struct user *user;
    bool first;
    int error = -ENOMEM;

    pthread_mutex_lock(&room->lock);
    user = get_user(room, name);
    if (user != NULL) {
        first = user->seats == NULL;
        error = add_seat(room, user, stream, echo, options);
        if (error == 0 && first)
            announce_user(room, "join", user, "connected to the chat.");
        else
            drop_user(room, user);
    }
    pthread_mutex_unlock(&room->lock);
    return error;
}

void chat_room_left(struct chat_room *room, struct crier_stream *stream,
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
            announce_user(room, "leave", user, "left the chat.");
            drop_user(room, user);
        }
    }
    pthread_mutex_unlock(&room->lock);
}

void chat_room_free(struct chat_room *room)
{
    struct user *user, *next;

    if (room == NULL)
        return;
    HASH_ITER (hh, room->users, user, next) {
        HASH_DEL(room->users, user);
        free(user);
    }
    drop_list(room);
    pthread_mutex_destroy(&room->lock);
    free(room);
}

/* ---- messages --------------------------------------------------------- */

/* Returns the FNV-1a hash of TEXT, continued from HASH. */
static uint32_t hash_text(uint32_t hash, const char *text)
{
    do
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    while (*text++ != '\0');
    return hash;
}

/* Sets the id of EVENT to "chat-ID-HASH". ID is the client's own, and only a message
 * from the same user to the same one is a repetition, so HASH is of NAME and TO. */
static int set_message_id(struct crier_event *event, const char *id, const char *name,
                          const char *to)
{
    char text[ROOM_ID_SIZE];
    uint32_t hash = hash_text(hash_text(2166136261U, name), to != NULL ? to : "");
    int length = snprintf(text, sizeof text, "chat-%s-%08" PRIx32, id, hash);

    return crier_event_id(event, text, (size_t)length);
}

int chat_room_say(struct chat_room *room, const char *name, const char *to,
                  const char *text, const char *id, struct chat_room_message *message)
{
    char to_topic[ROOM_TOPIC_SIZE], by_topic[ROOM_TOPIC_SIZE];

    pthread_mutex_lock(&room->lock);
    publish_if_stale(room);
    pthread_mutex_unlock(&room->lock);
    message->event = make_event(to != NULL ? "private" : "message",
                                make_data(name, to, text));
    if (message->event != NULL && id != NULL &&
        set_message_id(message->event, id, name, to) != 0) {
        crier_event_free(message->event);
        message->event = NULL;
    }
    if (message->event == NULL)
        return -ENOMEM;
    if (to == NULL) {
        memcpy(message->topics, CHAT, sizeof CHAT);
        message->clients = crier_hub_count(room->hub, CHAT);
        return 0;
    }
    write_topic(to_topic, TO, to);
    write_topic(by_topic, BY, name);
    message->clients = crier_hub_count(room->hub, to_topic);
    snprintf(message->topics, sizeof message->topics, "%s,%s", to_topic,
             by_topic);
    return 0;
}

/* ---- the list --------------------------------------------------------- */

int chat_room_add(struct chat_room *room, const char *name)
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
            announce_user(room, "join", user, "was added to the chat.");
        result = 0;
    }
    pthread_mutex_unlock(&room->lock);
    return result;
}

/* Sends "removed" to the streams of USER and closes them. */
static void close_streams(struct user *user)
{
    json_t *data = make_data(user->name, NULL,
                             "You were removed from the chat.");
    struct crier_frame *frame = NULL;
    struct seat *seat;

    if (data == NULL || crier_frame_json("removed", data, &frame) != 0)
        frame = NULL;
    json_decref(data);
    for (seat = user->seats; seat != NULL; seat = seat->next) {
        if (frame != NULL)
            (void)crier_stream_send(seat->stream, frame);
        crier_stream_close(seat->stream);
    }
    crier_frame_unref(frame);
}

/* The journal has deleted messages, or had none. */
static void ignore_result(void *closure, int error)
{
    (void)closure;
    (void)error;
}

/* Deletes the private messages of NAME: the next user of this name must not read them. */
static void delete_private(struct chat_room *room, const char *name)
{
    char topic[ROOM_TOPIC_SIZE];

    write_topic(topic, TO, name);
    (void)crier_hub_forget(room->hub, topic, ignore_result, NULL);
    write_topic(topic, BY, name);
    (void)crier_hub_forget(room->hub, topic, ignore_result, NULL);
}

bool chat_room_remove(struct chat_room *room, const char *name)
{
    struct user *user;

    pthread_mutex_lock(&room->lock);
    user = find_user(room, name);
    if (user != NULL) {
        if (user->added)
            room->added--;
        user->added = false;
        if (user->seats == NULL)
            announce_user(room, "leave", user, "was removed from the chat.");
        else
            close_streams(user);
        drop_user(room, user);
    }
    pthread_mutex_unlock(&room->lock);
    delete_private(room, name);
    return user != NULL;
}

json_t *chat_room_users(struct chat_room *room)
{
    json_t *list;

    pthread_mutex_lock(&room->lock);
    list = list_users(room);
    pthread_mutex_unlock(&room->lock);
    return list;
}
