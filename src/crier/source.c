/*
 * What `crier sub` follows.
 *
 * A client that comes back says after which id it wants to go on. One that
 * follows a topic from now on and has heard nothing yet has no id; what is
 * published while it is away would be lost on it. But crierd can also begin at
 * a time, and crier knows how long ago it began: so each further connection
 * asks for all that is not older than that, until an id is known. (The server
 * counts that back from its answer, so a request that is delayed misses as
 * much of the begin. To ask for more would give what was there before.) Since
 * the URL then changes each time, this is a new client each time, and the wait
 * between two of them is made here, by the rules of the client's own. A client
 * does not tell what the server has set with "retry", or asked for with
 * Retry-After; but how long it would wait says enough.
 */
#include <config.h>

#include "source.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_DEFAULT 3000
#define RETRY_MAX 60000

/* ---- URL -------------------------------------------------------------- */

/* Appends the topics; all when there are none. */
static void add_topics(struct text *url, const struct sub *sub)
{
    size_t i;

    if (sub->name_count == 0)
        text_puts(url, "*");
    for (i = 0; i < sub->name_count; i++) {
        if (i != 0)
            text_puts(url, ",");
        text_url(url, sub->names[i], ",*");
    }
    /* A segment of dots would be taken for a way up the path; a topic that is
     * named twice counts once. */
    if (sub->name_count == 1 && (strcmp(sub->names[0], ".") == 0 ||
                                 strcmp(sub->names[0], "..") == 0)) {
        text_puts(url, ",");
        text_puts(url, sub->names[0]);
    }
}

static char *make_url(const struct conf *conf, const struct sub *sub)
{
    struct text url = {0};

    if (sub->url != NULL) {
        text_puts(&url, sub->url);
        return url.bytes;
    }
    text_puts(&url, conf->server);
    text_puts(&url, "/topics/");
    add_topics(&url, sub);
    text_puts(&url, "?format=full");
    if (sub->once)
        text_puts(&url, "&poll=1");
    if (sub->since != NULL) {
        text_puts(&url, "&since=");
        text_url(&url, sub->since, "");
    }
    return url.bytes;
}

/* ---- clients ---------------------------------------------------------- */

/* New clients begin with the reconnection time RETRY, in ms. */
static void set_retry(struct source *source, uint64_t retry)
{
    source->options.retry = retry < UINT32_MAX ? (uint32_t)retry : UINT32_MAX;
    if (source->options.retry_max < source->options.retry)
        source->options.retry_max = source->options.retry;
}

int source_open(struct source *source, const struct conf *conf,
                const struct sub *sub, const char *id)
{
    *source = (struct source){
        .options =
            {
                .method = sub->method,
                .body = sub->body,
                .body_length = sub->body != NULL ? strlen(sub->body) : 0,
                .last_event_id = id[0] != '\0' ? id : NULL,
                .retry_max = RETRY_MAX,
                .persist = true,
                .reconnect = sub->reconnect,
            },
        .url = make_url(conf, sub),
        .live = sub->url == NULL && sub->since == NULL && !sub->once &&
                id[0] == '\0',
        .begun = crier_now(),
    };
    conf_http(conf, sub->url != NULL, &source->options.http);
    source->options.url = source->url;
    set_retry(source, sub->retry != 0 ? sub->retry : RETRY_DEFAULT);
    return crier_client_new(&source->options, &source->client);
}

/* A new client, which begins where the first one did. */
static int replace_client(struct source *source)
{
    char *url;
    int error;

    if (asprintf(&url, "%s&since=%" PRIu64 "ms", source->url,
                 crier_now() - source->begun) < 0)
        return -ENOMEM;
    source->options.url = url;
    error = crier_client_new(&source->options, &source->client);
    free(url);
    return error;
}

/* How long to wait after the error MESSAGE of a new client, in ms. It would
 * have waited for its reconnection time and up to half of that, or longer
 * where a refusal asked for that; what is outside of this after a stream was
 * set by the server. */
static uint64_t wait_after(struct source *source,
                           const struct crier_message *message)
{
    uint64_t retry = source->options.retry, wait = message->retry;
    bool outside = wait < retry || wait > retry + retry / 2;
    unsigned i;

    if (message->status == 200 && outside)
        set_retry(source, wait);
    if (message->status == 200 || !outside)
        retry = wait;
    for (i = 0; i < source->failures && retry < RETRY_MAX; i++)
        retry *= 2;
    source->failures++;
    if (retry > RETRY_MAX)
        retry = RETRY_MAX;
    return wait > retry ? wait : retry;
}

int source_next(struct source *source, struct crier_message *message)
{
    int result;

    if (source->broken) {
        source->broken = false;
        crier_client_free(source->client);
        source->client = NULL;
    }
    if (source->client == NULL) {
        if (crier_now() < source->wake)
            return 0;
        result = replace_client(source);
        if (result != 0)
            return result;
    }
    result = crier_client_next(source->client, message);
    if (result <= 0)
        return result;
    if (message->id != NULL && message->id[0] != '\0')
        source->live = false;
    if (message->kind == CRIER_EVENT || message->kind == CRIER_COMMENT) {
        source->failures = 0;
    } else if (message->kind == CRIER_ERROR && source->live) {
        message->retry = wait_after(source, message);
        source->wake = crier_now() + message->retry;
        source->broken = true;
    }
    return result;
}

int source_fd(const struct source *source)
{
    return source->client != NULL && !source->broken
               ? crier_client_fd(source->client)
               : -1;
}

int source_wait(const struct source *source)
{
    uint64_t now = crier_now();

    if (source->client != NULL && !source->broken)
        return -1;
    if (now >= source->wake)
        return 0;
    return source->wake - now < INT_MAX ? (int)(source->wake - now) : INT_MAX;
}

void source_close(struct source *source)
{
    crier_client_free(source->client);
    free(source->url);
}
