#ifndef CRIERD_DEMO_PARTS_H
#define CRIERD_DEMO_PARTS_H

#include "crierd/http/request.h"

/* What the files of the demo share. */
struct demo {
    struct chat_room *room;
    struct quotes *quotes;
    struct answers *answers;
    struct writer *writer; /* of answers */
};

/* The demo that serves REQUEST. */
static inline const struct demo *demo_of(const struct request *request)
{
    return request->context;
}

/* How soon a source tries again when its stream or the shards had too much to
 * deliver, in ms; and whether ERROR says so. */
#define DEMO_RETRY 100

static inline bool demo_may_retry(int error)
{
    return error == CRIER_ERR_MAX_PENDING || error == CRIER_ERR_MAX_BACKLOG;
}

/* Handlers. */
bool ticks_get(struct request *request);
bool ticks_get_sse(struct request *request);
bool ticks_get_updates(struct request *request);

bool events_get(struct request *request);
bool events_post(struct request *request);
bool events_post_by_get(struct request *request);

bool chat_join(struct request *request);
bool chat_post(struct request *request);
bool chat_post_private(struct request *request);
bool chat_list_users(struct request *request);
bool chat_add_user(struct request *request);
bool chat_remove_user(struct request *request);

bool tokens_get(struct request *request);
bool quotes_get(struct request *request);

/* Reads the texts from the directory DATA. Returns new answers, or NULL after an error
 * in the log. */
struct answers *answers_new(const char *data);
/* Frees ANSWERS; NULL is allowed. */
void answers_free(struct answers *answers);

/* Reads the rates from the directory DATA. Returns new quotes, or NULL after an error
 * in the log. */
struct quotes *quotes_new(const char *data);
/* Frees QUOTES; NULL is allowed. */
void quotes_free(struct quotes *quotes);

#endif
