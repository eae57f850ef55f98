/*
 * What `crier sub` follows: a URL, and the client for it.
 *
 * A client reconnects after the last id that it has. Of a topic it has one from the
 * beginning, since crierd says where a stream begins (start=id). The URL of another
 * server is left as it is.
 *
 * As long as no connection has brought an id, what is published meanwhile should
 * not be lost. So each further attempt asks for all that is not older than this
 * crier. (The server counts back from its answer: a request
 * that is delayed misses as much of the beginning, and a step of the server's clock
 * counts, too. To ask for more would return what was published before.) The time is
 * that of CLOCK_BOOTTIME: a laptop that sleeps is away.
 */
#include <config.h>

#include "subscription.h"

#include "crier/cli/printable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_DEFAULT 3000
#define RETRY_MAX 60000

/* ---- URL -------------------------------------------------------------- */

/* Appends the topics; all when there are none. */
static void add_topic_list(struct text *url, const struct sub_options *sub)
{
    size_t i;

    if (sub->name_count == 0)
        text_add_string(url, "*");
    for (i = 0; i < sub->name_count; i++) {
        if (i != 0)
            text_add_string(url, ",");
        text_add_url(url, sub->names[i], ",*");
    }
    /* A segment of dots would be taken for a way up the path; a topic that is
     * named twice counts once. */
    if (sub->name_count == 1 &&
        (strcmp(sub->names[0], ".") == 0 || strcmp(sub->names[0], "..") == 0)) {
        text_add_string(url, ",");
        text_add_string(url, sub->names[0]);
    }
}

static char *make_stream_url(const struct options *options,
                             const struct sub_options *sub)
{
    struct text url = {0};

    if (sub->url != NULL) {
        text_add_string(&url, sub->url);
        return url.bytes;
    }
    text_add_string(&url, options->server);
    text_add_string(&url, "/topics/");
    add_topic_list(&url, sub);
    text_add_string(&url, "?format=full&start=id");
    if (sub->once)
        text_add_string(&url, "&poll=1");
    if (sub->since != NULL) {
        text_add_string(&url, "&since=");
        text_add_url(&url, sub->since, "");
    }
    return url.bytes;
}

/* ---- the client ------------------------------------------------------- */

/* ms of CLOCK_BOOTTIME. */
static uint64_t boot_time(void)
{
    struct timespec time;

    clock_gettime(CLOCK_BOOTTIME, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

int subscription_open(struct subscription *subscription, const struct options *options,
                      const struct sub_options *sub, const char *id)
{
    uint64_t retry = sub->retry != 0 ? sub->retry : RETRY_DEFAULT;
    struct crier_client_options client = {
        .method = sub->method,
        .body = sub->body,
        .body_length = sub->body != NULL ? strlen(sub->body) : 0,
        .last_event_id = id[0] != '\0' ? id : NULL,
        .retry = (uint32_t)retry,
        .retry_max = retry > RETRY_MAX ? (uint32_t)retry : RETRY_MAX,
        .persist = true,
        .reconnect = sub->reconnect,
    };

    *subscription = (struct subscription){
        .url = make_stream_url(options, sub),
        .begun = boot_time(),
        .fresh = sub->url == NULL && sub->since == NULL && !sub->once && id[0] == '\0',
    };
    client.url = subscription->url;
    options_get_http(options, sub->url != NULL, &client.http);
    return crier_client_new(&client, &subscription->client);
}

/* Has the next attempt ask for all that is not older than SOURCE. */
static int request_since_begun(struct subscription *subscription)
{
    char *url;
    int error;

    if (asprintf(&url, "%s&since=%" PRIu64 "ms", subscription->url,
                 boot_time() - subscription->begun) < 0)
        return -ENOMEM;
    error = crier_client_set_url(subscription->client, url);
    free(url);
    return error;
}

int subscription_next(struct subscription *subscription, struct crier_message *message)
{
    int result = subscription->failed ? request_since_begun(subscription) : 0;

    if (result == 0)
        result = crier_client_next(subscription->client, message);
    if (result == 1 && message->id[0] != '\0')
        subscription->fresh = subscription->failed = false;
    else if (result == 1 && message->kind == CRIER_ERROR)
        subscription->failed = subscription->fresh;
    return result;
}

void subscription_close(struct subscription *subscription)
{
    crier_client_free(subscription->client);
    free(subscription->url);
}
