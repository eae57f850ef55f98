/*
 * The subscription of `crier sub`: a URL, and the client for it.
 *
 * A client reconnects with the last id it received. For topics it has one from the
 * beginning, because crierd sends the id at which the stream starts (start=id). The URL
 * of another server is not changed.
 *
 * Until a connection has brought an id, updates published in the meantime could be
 * missed. So each further attempt requests all updates that are not older than this
 * process. (The server subtracts that age from the time of its response, so a delayed
 * request misses the delay at the beginning, and a step of the server's clock matters.
 * Requesting more would return older updates.) The age is measured by CLOCK_BOOTTIME,
 * which includes time asleep.
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

/* ---- URL ---------------------------------------------------------------- */

/* Appends the topics, or "*" if there are none. */
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
    /* A path segment of dots would be resolved; a topic that is named twice counts
     * once. */
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

/* ---- the client --------------------------------------------------------- */

/* Returns CLOCK_BOOTTIME in ms. */
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

/* Makes the next attempt request all updates not older than the subscription. */
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
