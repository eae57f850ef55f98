/*
 * /chat and /users: the handlers of the chat. They check requests and leave the rest to
 * chat_room.c.
 */
#include <config.h>

#include "chat_room.h"
#include "crierd/api/parameter.h"
#include "crierd/api/publish.h"
#include "crierd/api/streams.h"
#include "crierd/http/respond.h"
#include "crierd/http/text.h"
#include "crierd/metrics/kinds.h"
#include "demo_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_CHARACTERS 64

/* Bytes of the id that a client gives to a message. The id of the update has a prefix,
 * too. */
#define MESSAGE_ID_MAX 100

/* ---- checks ----------------------------------------------------------- */

/* Whether TEXT may be the name of a user. */
static bool is_name(const char *text, size_t length)
{
    return text_valid(text, length, 1, NAME_MAX_CHARACTERS) &&
           text_sight(text, length) == TEXT_VISIBLE;
}

/* Responds that WHAT is no name. */
static bool refuse_name(struct request *request, const char *what)
{
    return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                           "%s is not UTF-8 of 1 to %d characters, at least "
                           "one of them visible, without control characters "
                           "and misleading invisible ones",
                           what, NAME_MAX_CHARACTERS);
}

/* Whether ID may be the id of a message. NULL is allowed: the message has none. */
static bool is_message_id(const json_t *id)
{
    return id == NULL ||
           (json_is_string(id) && json_string_length(id) <= MESSAGE_ID_MAX &&
            crier_id_valid(json_string_value(id), json_string_length(id)));
}

/* Reads the body {"user","text","id"} into a new object whose members are valid; id may
 * be missing. Returns NULL after it has sent an error. */
static json_t *read_message(struct request *request)
{
    json_t *message = request_read_json(request, JSON_REJECT_DUPLICATES);
    json_t *user, *text, *id;

    if (message == NULL)
        return NULL;
    user = json_object_get(message, "user");
    text = json_object_get(message, "text");
    id = json_object_get(message, "id");
    if (!json_is_string(user) || !json_is_string(text))
        request->result = respond_problem(
            request, MHD_HTTP_BAD_REQUEST,
            "the body must be an object with the strings user and text");
    else if (!is_name(json_string_value(user), json_string_length(user)))
        request->result = refuse_name(request, "user");
    else if (text_sight(json_string_value(text), json_string_length(text)) ==
             TEXT_BLANK)
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                          "text is blank");
    else if (!is_message_id(id))
        request->result = respond_problem(
            request, MHD_HTTP_BAD_REQUEST,
            "id is not a string of 1 to %d bytes that could be an update's id",
            MESSAGE_ID_MAX);
    else
        return message;
    json_decref(message);
    return NULL;
}

/* ---- GET /chat -------------------------------------------------------- */

/* A user's stream. */
struct visit {
    struct chat_room *room;
    bool echo; /* the stream has the private messages that the user sends, too */
    char name[];
};

static void end_visit(void *closure, struct crier_stream *stream,
                      enum crier_reason reason)
{
    struct visit *visit = closure;

    respond_stream_closed((void *)"/chat", stream, reason);
    chat_room_left(visit->room, stream, visit->name);
    free(visit);
}

static int begin_visit(struct request *request, struct stream_start *start,
                       struct crier_stream *stream)
{
    const struct visit *visit = start->options.closure;

    (void)request;
    return chat_room_join(visit->room, stream, visit->name, visit->echo,
                          &start->subscription);
}

bool chat_join(struct request *request)
{
    const struct uri_text *name = uri_parameter(&request->uri, "user");
    struct stream_start start = {
        .options = {.kind = STREAM_CHAT, .on_closed = end_visit},
        .owns_closure = true,
        .begin = begin_visit,
        .subscription = {.since = CRIER_SINCE_LAST, .number = ROOM_HISTORY},
    };
    struct visit *visit;

    if (name == NULL)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "the parameter user is missing: "
                               "/chat?user=NAME");
    if (!is_name(name->bytes, name->length))
        return refuse_name(request, "user");
    if (!streams_read_start(request, &start.subscription))
        return request->result;
    visit = malloc(sizeof *visit + name->length + 1);
    if (visit == NULL)
        return respond_error(request, -ENOMEM);
    visit->room = demo_of(request)->room;
    visit->echo = parameter_is_set(request, "echo");
    memcpy(visit->name, name->bytes, name->length + 1);
    start.options.closure = visit;
    return streams_open(request, &start);
}

/* ---- POST /chat, POST /chat/NAME -------------------------------------- */

static bool respond_message_sent(struct request *request,
                                 const struct deferred *deferred)
{
    if (deferred->error != 0)
        return respond_failure(request, deferred->error, deferred->reason);
    return respond_json(request, MHD_HTTP_OK,
                        json_pack("{s:s, s:I}", "status", "sent", "clients",
                                  (json_int_t)deferred->number));
}

/* Publishes the message in the body, to TO alone unless that is NULL. A message with an
 * id is published once, however often the client sends it. */
static bool post_message(struct request *request, const char *to)
{
    json_t *body = read_message(request);
    struct crier_publish_options options = {0};
    struct chat_room_message message;
    bool result;
    const char *id;
    int error;

    if (body == NULL)
        return request->result;
    id = json_string_value(json_object_get(body, "id"));
    options.dedupe = id != NULL;
    error = chat_room_say(demo_of(request)->room,
                          json_string_value(json_object_get(body, "user")), to,
                          json_string_value(json_object_get(body, "text")), id,
                          &message);
    json_decref(body);
    if (error != 0)
        return respond_error(request, error);
    if (to != NULL && message.clients == 0)
        result = respond_problem(request, MHD_HTTP_NOT_FOUND,
                                 "no user of this name is connected to the "
                                 "chat");
    else
        result = publish_event(request, message.topics, message.event,
                               &options, (long)message.clients,
                               respond_message_sent);
    crier_event_free(message.event);
    return result;
}

bool chat_post(struct request *request)
{
    return post_message(request, NULL);
}

bool chat_post_private(struct request *request)
{
    if (!is_name(request->argument->bytes, request->argument->length))
        return refuse_name(request, "the name in the path");
    return post_message(request, request->argument->bytes);
}

/* ---- /users ----------------------------------------------------------- */

/* A new text with the names in LIST, one per line. NULL when memory is short. */
static char *join_lines(const json_t *list)
{
    size_t length = 1, at = 0, i;
    json_t *name;
    char *text;

    json_array_foreach (list, i, name)
        length += json_string_length(name) + 1;
    text = malloc(length);
    if (text == NULL)
        return NULL;
    json_array_foreach (list, i, name) {
        memcpy(text + at, json_string_value(name), json_string_length(name));
        at += json_string_length(name);
        text[at++] = '\n';
    }
    text[at] = '\0';
    return text;
}

bool chat_list_users(struct request *request)
{
    json_t *list = chat_room_users(demo_of(request)->room);
    bool result;
    char *text;

    if (list == NULL)
        return respond_error(request, -ENOMEM);
    if (parameter_accepts(request, "application/json"))
        return respond_json(request, MHD_HTTP_OK,
                            json_pack("{s:o}", "users", list));
    text = join_lines(list);
    json_decref(list);
    result = text != NULL ? respond_text(request, MHD_HTTP_OK, text)
                          : respond_error(request, -ENOMEM);
    free(text);
    return result;
}

bool chat_add_user(struct request *request)
{
    const char *name = request->argument->bytes;
    int result;

    if (!is_name(name, request->argument->length))
        return refuse_name(request, "the name in the path");
    result = chat_room_add(demo_of(request)->room, name);
    if (result == -ENOSPC)
        return respond_problem(request, MHD_HTTP_INSUFFICIENT_STORAGE,
                               "no more than %d users can be added",
                               ROOM_ADDED_MAX);
    if (result < 0)
        return respond_error(request, result);
    return respond_json(request, result == 0 ? MHD_HTTP_CREATED : MHD_HTTP_OK,
                        json_pack("{s:s}", "user", name));
}

bool chat_remove_user(struct request *request)
{
    const char *name = request->argument->bytes;

    if (!is_name(name, request->argument->length))
        return refuse_name(request, "the name in the path");
    if (!chat_room_remove(demo_of(request)->room, name))
        return respond_problem(request, MHD_HTTP_NOT_FOUND,
                               "there is no user of this name");
    return respond_empty(request, MHD_HTTP_NO_CONTENT);
}
