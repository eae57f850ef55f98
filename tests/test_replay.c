/*
 * A million updates held, and one client that wants them all: it gets them with
 * memory that does not grow, and others hear what is new meanwhile, even while it
 * takes nothing. (A tenth of a million in SQLite and in Redis, and a twentieth of each
 * where a sanitizer makes all slow.)
 */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/site.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct site site;
static struct crier_hub *hub;
static struct signal_box published;

/* /all or /live. */
static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    const struct crier_stream_options options = {.max_pending = 64 * 1024};
    const struct crier_subscribe_options subscription = {
        .topics = "t",
        .since = strcmp(path, "/all") == 0 ? CRIER_SINCE_ALL
                                           : CRIER_SINCE_NOW,
    };
    struct MHD_Response *response;
    struct crier_stream *stream;

    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    ck_assert_int_eq(crier_hub_subscribe(hub, stream, &subscription), 0);
    crier_stream_unref(stream);
    return site_queue(connection, response);
}

static void on_done(void *closure, const struct crier_receipt *receipt)
{
    (void)closure;
    ck_assert_msg(receipt->error == 0, "%s", receipt->reason);
    box_put(&published, 0);
}

/* So many updates are published before the journal must have them: in Redis an update may wait
 * for its turn for 5 s, in which a busy machine does not store 100,000. */
#define PORTION 10000

/* Publishes numbers from FIRST to LAST, and waits until they are held. */
static void publish(int first, int last)
{
    const struct crier_publish_options options = {.on_done = on_done};
    struct crier_event *event = crier_event_new();
    char text[64];
    int i, error;

    ck_assert_ptr_nonnull(event);
    for (i = first; i <= last; i++) {
        snprintf(text, sizeof text, "%d and some more text to make it real",
                 i);
        crier_event_text(event, text);
        do
            error = crier_hub_publish(hub, "t", event, &options);
        while (error == CRIER_ERR_MAX_BACKLOG && usleep(1000) == 0);
        ck_assert_int_eq(error, 0);
        if (i % PORTION == 0 || i == last)
            box_wait(&published, i);
    }
    crier_event_free(event);
}

/* What has been received of the replay and not been looked at. */
static char buffer[256 * 1024];
static size_t length;

/* Takes frames from CLIENT, into a buffer that does not grow, and fails unless they are the
 * numbers from *NEXT on, up to LAST. */
static void take_until(struct client *client, int *next, int last)
{
    char *at, *end, *data;
    ssize_t got;

    memcpy(buffer + length, client->bytes, client->length);
    length += client->length;
    client->length = 0;
    while (*next <= last) {
        at = buffer;
        while (*next <= last &&
               (end = memmem(at, length, "\n\n", 2)) != NULL) {
            *end = '\0';
            data = strstr(at, "data: ");
            if (data != NULL) { /* not a ping */
                ck_assert_int_eq(atoi(data + 6), *next);
                ++*next;
            }
            length -= (size_t)(end + 2 - at);
            at = end + 2;
        }
        memmove(buffer, at, length);
        if (*next > last)
            return;
        got = recv(client->fd, buffer + length, sizeof buffer - length, 0);
        ck_assert_msg(got > 0, "the stream ended before %d", *next);
        length += (size_t)got;
    }
}

/* The memory of this process that is its own, in KiB. */
static long memory(void)
{
    long kilobytes = -1;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");

    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "RssAnon: %ld", &kilobytes) == 1)
            break;
    fclose(file);
    return kilobytes;
}

static void start(enum site_journal journal)
{
    const struct crier_journal_options options = {
        .retention = {.count = 2000000, .bytes = (size_t)1 << 30}};

    box_init(&published);
    memset(&site, 0, sizeof site);
    site.answer = answer;
    hub = site_start_hub(&site, &(struct crier_shards_options){.threads = 1},
                         &options, journal);
}

static void stop(enum site_journal journal)
{
    site_stop_hub(&site, hub, journal);
    box_done(&published);
}

START_TEST(a_million_at_once)
{
    enum site_journal journal = _i;
    int held = (journal == SITE_MEMORY ? 1000000 : 100000) / (crierd_is_slow() ? 20 : 1);
    struct client all, live;
    int next = 1, n;
    char text[64];
    long before;

    length = 0;
    start(journal);
    publish(1, held);
    client_connect(&live, site.port);
    ck_assert_int_eq(client_request(&live, "GET", "/live", "", NULL), 200);
    before = memory();
    client_connect_small(&all, site.port, 262144);
    ck_assert_int_eq(client_request(&all, "GET", "/all", "", NULL), 200);
    for (n = 1; n <= 10; n++) {
        publish(held + n, held + n); /* while the other one stands still */
        snprintf(text, sizeof text, "data: %d and some more text to make it "
                 "real", held + n);
        client_expect_event(&live, text);
        take_until(&all, &next, held / 10 * n);
    }
    take_until(&all, &next, held + 10);
    if (!crierd_is_slow()) /* a sanitizer's own memory says nothing */
        /* A node keeps up to 16 MiB of what it has lately read from Redis. */
        ck_assert_int_lt(memory() - before,
                         (journal == SITE_PAST ? 40 : 4) * 1024);
    publish(held + 11, held + 11);
    take_until(&all, &next, held + 11);
    client_close(&all);
    client_close(&live);
    stop(journal);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("replay");
    TCase *c = add_case(s, "replay");

    tcase_add_loop_test(c, a_million_at_once, 0, site_journals());
    return s;
}

RUN_SUITE(suite)
