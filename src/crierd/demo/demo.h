#ifndef CRIERD_DEMO_H
#define CRIERD_DEMO_H

#include "crierd/http/request.h"

/* How soon a source tries again when its stream or the shards had too much to
 * deliver, in ms; and whether ERROR says so. */
#define DEMO_RETRY 100

static inline bool demo_try_again(int error)
{
    return error == CRIER_ERR_FULL || error == CRIER_ERR_BUSY;
}

/* What a stream that follows topics may have waiting in memory; the rest waits in
 * the journal. */
#define DEMO_PENDING (64 * 1024)

/* The demo application: handlers of the routes, and the state they share, which
 * main makes before the first request and frees after the last stream. */

bool demo_ticks(struct request *request);
bool demo_sse(struct request *request);
bool demo_updates(struct request *request);

bool demo_events(struct request *request);
bool demo_events_post(struct request *request);
bool demo_events_get(struct request *request);

bool demo_chat(struct request *request);
bool demo_chat_post(struct request *request);
bool demo_chat_private(struct request *request);
bool demo_users(struct request *request);
bool demo_users_add(struct request *request);
bool demo_users_remove(struct request *request);

bool demo_tokens(struct request *request);
/* Reads the texts from the directory DATA. NULL and a line in the log when that
 * fails. */
struct answers *demo_answers_new(const char *data);
void demo_answers_free(struct answers *answers);

bool demo_quotes(struct request *request);
/* Reads the rates from the directory DATA, likewise. */
struct quotes *demo_quotes_new(const char *data);
void demo_quotes_free(struct quotes *quotes);

#endif
