/*
 * Topics that end, against a simple model: threads publish jobs, each of which ends, while
 * streams of some of them come, read a little, stall, go, and resume, at random. A stream
 * gets every update of its jobs up to the last ones, and ends then, neither earlier nor
 * not at all; and a client that comes back with the last id is refused.
 *
 * Then what a program does: changes of topics, private updates, and the reason of the end.
 *
 * Every run prints its seed; CRIER_SEED=N repeats it as far as threads allow.
 */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/site.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define JOBS 16
#define PUBLISHERS 2
#define MASK_MAX 3 /* jobs of a stream, or one more */
#define SLOTS 12
#define UPDATES_MAX 20000

static unsigned updates; /* of each job */

/* ---- the model -------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    uint64_t last;                    /* the highest position that is done */
    uint64_t ends[JOBS];              /* the positions of the last updates; 0: none yet */
    uint32_t jobs[UPDATES_MAX];       /* by position; a bit for each */
} model = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note_published(void *closure, const struct crier_receipt *receipt)
{
    bool last = *(const bool *)closure;
    unsigned job;
    size_t i;

    ck_assert_msg(receipt->error == 0, "%s", receipt->reason);
    pthread_mutex_lock(&model.lock);
    ck_assert_uint_lt(receipt->position, UPDATES_MAX);
    for (i = 0; i < receipt->topic_count; i++) {
        job = (unsigned)strtoul(receipt->topics[i] + 1, NULL, 10);
        model.jobs[receipt->position] |= UINT32_C(1) << job;
        if (last)
            model.ends[job] = receipt->position;
    }
    if (receipt->position > model.last)
        model.last = receipt->position;
    pthread_mutex_unlock(&model.lock);
}

/* The position of the newest of the last updates of JOBS; 0 when one has not ended. */
static uint64_t end_of(uint32_t jobs)
{
    uint64_t end = 0;
    unsigned i;

    pthread_mutex_lock(&model.lock);
    for (i = 0; i < JOBS; i++) {
        if ((jobs >> i & 1) == 0)
            continue;
        if (model.ends[i] == 0) {
            end = 0;
            break;
        }
        if (model.ends[i] > end)
            end = model.ends[i];
    }
    pthread_mutex_unlock(&model.lock);
    return end;
}

/* Waits until the model knows that JOBS have ended, which a stream may know before. */
static uint64_t wait_for_end(uint32_t jobs)
{
    uint64_t until = crier_now() + (uint64_t)PATIENCE, end;

    while ((end = end_of(jobs)) == 0) {
        ck_assert_msg(crier_now() < until, "a stream has ended too early");
        sched_yield();
    }
    return end;
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245 + 12345;
    return *state >> 8;
}

/* ---- the site --------------------------------------------------------- */

static struct site site;
static struct crier_hub *hub;
static struct crier_stream *newest; /* a reference; of the tests below */
static struct signal_box closed;
static struct crier_grants *grants;

static void write_topics(uint32_t jobs, char text[200])
{
    unsigned i;

    text[0] = '\0';
    for (i = 0; i < JOBS; i++)
        if ((jobs >> i & 1) != 0)
            snprintf(text + strlen(text), 200 - strlen(text), "%sj%u",
                     text[0] != '\0' ? "," : "", i);
}

/* /TOPICS/SINCE: n (now), a (all), l (the last one), p (now, with private updates) or
 * an id. */
static enum MHD_Result answer(struct site *of, struct MHD_Connection *connection,
                              const char *path)
{
    const struct crier_stream_options options = {
        .max_pending = 4096, .stall_timeout = CRIER_NEVER,
        .on_closed = box_closed, .closure = &closed};
    struct crier_subscribe_options subscribe = {.since = CRIER_SINCE_NOW};
    char topics[200], since[300];
    struct MHD_Response *response;
    struct crier_stream *stream;
    int error;

    ck_assert_int_eq(sscanf(path, "/%199[^/]/%299[^\n]", topics, since), 2);
    subscribe.topics = topics;
    switch (since[0]) {
    case '#':
        subscribe.since = CRIER_SINCE_ID;
        subscribe.id = since;
        break;
    case 'a':
        subscribe.since = CRIER_SINCE_ALL;
        break;
    case 'l':
        subscribe.since = CRIER_SINCE_LAST;
        subscribe.number = 1;
        break;
    case 'p':
        subscribe.grants = grants;
        break;
    default:
        break;
    }
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options, &stream,
                                      &response),
                     0);
    subscribe.response = response;
    error = crier_hub_subscribe(hub, stream, &subscribe);
    crier_stream_unref(newest);
    newest = stream;
    if (error == 0)
        return site_queue(connection, response);
    ck_assert_int_eq(error, CRIER_ERR_TOPIC_ENDED);
    MHD_destroy_response(response);
    return site_status(connection, 204);
}

static void start(enum site_journal journal)
{
    const struct crier_shards_options two = {.threads = 2};

    box_init(&closed);
    newest = NULL;
    grants = NULL;
    memset(&site, 0, sizeof site);
    site.answer = answer;
    hub = site_start_hub(&site, &two, NULL, journal);
}

static void stop(enum site_journal journal)
{
    crier_stream_unref(newest);
    crier_grants_unref(grants);
    site_stop_hub(&site, hub, journal);
    box_done(&closed);
}

/* ---- publishers ------------------------------------------------------- */

struct publisher {
    pthread_t thread;
    unsigned first, state;
};

/* Publishes to the jobs of JOBS (one or two), as their last update or not. */
static void publish_to(uint32_t jobs, bool last, unsigned size)
{
    static const bool flags[] = {false, true};
    const struct crier_publish_options options = {.last = last,
                                                  .on_done = note_published,
                                                  .closure = (void *)&flags[last]};
    struct crier_event *event = crier_event_new();
    char topics[200], text[1001];
    int error;

    memset(text, 'x', size);
    text[size] = '\0';
    write_topics(jobs, topics);
    crier_event_text(event, text);
    do
        error = crier_hub_publish(hub, topics, event, &options);
    while (error == CRIER_ERR_MAX_BACKLOG && usleep(1000) == 0);
    ck_assert_int_eq(error, 0);
    crier_event_free(event);
}

/* Publishes its half of the jobs, one update of any of them after the other. */
static void *publish_jobs(void *closure)
{
    struct publisher *publisher = closure;
    unsigned left[JOBS / PUBLISHERS], open = JOBS / PUBLISHERS, i, other;
    unsigned *state = &publisher->state;
    uint32_t jobs;

    for (i = 0; i < JOBS / PUBLISHERS; i++)
        left[i] = updates / 2 + next_random(state) % updates;
    while (open != 0) {
        i = next_random(state) % (JOBS / PUBLISHERS);
        if (left[i] == 0)
            continue;
        jobs = UINT32_C(1) << (publisher->first + i);
        other = next_random(state) % (JOBS / PUBLISHERS);
        if (other != i && left[other] > 1 && left[i] > 1)
            jobs |= UINT32_C(1) << (publisher->first + other);
        left[i]--;
        open -= left[i] == 0;
        publish_to(jobs, left[i] == 0, next_random(state) % 8 == 0 ? 1000 : 10);
    }
    return NULL;
}

/* ---- streams ---------------------------------------------------------- */

struct slot {
    bool open;
    struct client client;
    uint32_t jobs;
    char id[256];  /* the last one seen, "" for none */
    uint64_t low;  /* nothing up to here is wanted */
    uint64_t seen[UPDATES_MAX];
    size_t count;
};

static uint64_t position_of(const char *id)
{
    const char *dash = strrchr(id, '-');

    ck_assert_ptr_nonnull(dash);
    return strtoull(dash + 1, NULL, 10);
}

/* Checks what SLOT, whose stream has ended, has seen, and that it is refused now. */
static void check_end(struct slot *slot)
{
    uint64_t end = wait_for_end(slot->jobs), position;
    char topics[200], target[600];
    struct client client;
    size_t i = 0;

    for (position = slot->low + 1; position <= end; position++) {
        if ((model.jobs[position] & slot->jobs) == 0)
            continue;
        ck_assert_msg(i < slot->count && slot->seen[i] == position,
                      "lost %lu of %lu", (unsigned long)position, (unsigned long)end);
        i++;
    }
    ck_assert_uint_eq(i, slot->count);
    write_topics(slot->jobs, topics);
    snprintf(target, sizeof target, "/%s/%%23%s", topics, slot->id + 1);
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "GET", target, "", NULL), 204);
    client_close(&client);
}

/* Takes one frame. False at the end of the stream. */
static bool take(struct slot *slot)
{
    char id[256], *frame = client_event(&slot->client, id);

    if (frame == NULL)
        return false;
    if (id[0] != '\0') {
        strcpy(slot->id, id);
        if (frame[0] != '\0')
            slot->seen[slot->count++] = position_of(id);
    }
    free(frame);
    return true;
}

static void open_slot(struct slot *slot, unsigned *state)
{
    char topics[200], target[600];
    const char *field;
    unsigned i;

    if (slot->id[0] == '\0' || next_random(state) % 4 == 0) {
        slot->id[0] = '\0';
        slot->count = 0;
        slot->low = 0;
        slot->jobs = UINT32_C(1) << next_random(state) % JOBS;
        for (i = next_random(state) % MASK_MAX; i > 0; i--)
            slot->jobs |= UINT32_C(1) << next_random(state) % JOBS;
    }
    write_topics(slot->jobs, topics);
    snprintf(target, sizeof target, "/%s/%s%s", topics,
             slot->id[0] != '\0' ? "%23" : next_random(state) % 2 ? "n" : "a",
             slot->id[0] != '\0' ? slot->id + 1 : "");
    client_connect_small(&slot->client, site.port, 8192);
    slot->open = client_request(&slot->client, "GET", target, "", NULL) == 200;
    if (!slot->open) { /* it had all without noticing the end */
        client_close(&slot->client);
        check_end(slot);
        slot->id[0] = '\0';
        return;
    }
    if (strstr(target, "/n") == NULL)
        return;
    field = client_header(&slot->client, "Last-Event-ID");
    if (field[0] != '\0') {
        strcpy(slot->id, field);
        slot->low = position_of(field);
    } else { /* its jobs have ended, so it gets the last update */
        slot->low = wait_for_end(slot->jobs) - 1;
    }
}

static void end_slot(struct slot *slot)
{
    client_close(&slot->client);
    slot->open = false;
    check_end(slot);
    slot->id[0] = '\0';
}

static void play(struct slot *slot, unsigned *state)
{
    unsigned what = next_random(state) % 100, n;

    if (!slot->open) {
        open_slot(slot, state);
    } else if (what < 5) {
        client_reset(&slot->client);
        slot->open = false;
    } else if (what < 70) {
        for (n = next_random(state) % 40; n > 0 && slot->open; n--)
            if (client_has(&slot->client, 0) && !take(slot))
                end_slot(slot);
    }
}

START_TEST(streams_end_with_their_jobs)
{
    static struct slot slots[SLOTS];
    const char *given = getenv("CRIER_SEED");
    unsigned state = given != NULL ? (unsigned)strtoul(given, NULL, 10)
                                   : (unsigned)time(NULL);
    struct publisher publishers[PUBLISHERS];
    unsigned i;

    printf("CRIER_SEED=%u\n", state);
    fflush(stdout);
    updates = crierd_is_slow() ? 60 : 300;
    memset(model.ends, 0, sizeof model.ends);
    memset(model.jobs, 0, sizeof model.jobs);
    model.last = 0;
    memset(slots, 0, sizeof slots);
    start(_i != 0);
    for (i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){.first = i * (JOBS / PUBLISHERS),
                                           .state = state + i * 7919};
        pthread_create(&publishers[i].thread, NULL, publish_jobs, &publishers[i]);
    }
    while (end_of((UINT32_C(1) << JOBS) - 1) == 0)
        play(&slots[next_random(&state) % SLOTS], &state);
    for (i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i].thread, NULL);
    for (i = 0; i < SLOTS; i++) {
        while (slots[i].open && take(&slots[i]))
            continue;
        if (slots[i].open)
            end_slot(&slots[i]);
    }
    stop(_i != 0);
}
END_TEST

/* ---- what a program does ---------------------------------------------- */

static void count_published(void *closure, const struct crier_receipt *receipt)
{
    ck_assert_int_eq(receipt->error, 0);
    box_put(closure, 0);
}

/* Publishes to TOPICS and waits until that is in the journal. */
static void publish(const char *topics, bool is_private, bool last)
{
    struct signal_box done;
    const struct crier_publish_options options = {.is_private = is_private,
                                                  .last = last,
                                                  .on_done = count_published,
                                                  .closure = &done};
    struct crier_event *event = crier_event_new();

    box_init(&done);
    crier_event_text(event, "x");
    ck_assert_int_eq(crier_hub_publish(hub, topics, event, &options), 0);
    box_wait(&done, 1);
    box_done(&done);
    crier_event_free(event);
}

static void open_stream(struct client *client, const char *target)
{
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", target, "", NULL), 200);
}

START_TEST(the_reason_says_so)
{
    struct client client;

    start(_i != 0);
    open_stream(&client, "/a/n");
    publish("a", false, true);
    client_expect_event(&client, "data: x");
    ck_assert_ptr_null(client_frame(&client));
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_ENDED);
    client_close(&client);
    stop(_i != 0);
}
END_TEST

/* A stream that changes to topics that have ended has nothing more to get. */
START_TEST(a_change_may_end_a_stream)
{
    struct client client;

    start(_i != 0);
    publish("a", false, true);
    open_stream(&client, "/a,b/n");
    publish("b", false, false);
    client_expect_event(&client, "data: x");
    ck_assert_int_eq(crier_hub_change(hub, newest, "b,c"), 0);
    publish("c", false, true);
    client_expect_event(&client, "data: x");
    publish("b", false, false);
    client_expect_event(&client, "data: x");
    ck_assert_int_eq(crier_hub_change(hub, newest, "a,c"), 0);
    ck_assert_ptr_null(client_frame(&client));
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_ENDED);
    client_close(&client);
    stop(_i != 0);
}
END_TEST

/* A client that may not see the last update has its position instead. */
START_TEST(a_private_end_is_seen_by_all)
{
    const struct crier_selector all = {.text = "a"};
    struct client granted, other;
    char id[256], target[300], *frame;
    int i;

    start(_i != 0);
    ck_assert_int_eq(crier_grants_new(&all, 1, &grants), 0);
    open_stream(&granted, "/a/p");
    open_stream(&other, "/a/n");
    publish("a", true, true);
    client_expect_event(&granted, "data: x");
    ck_assert_ptr_null(client_frame(&granted));
    for (i = 0; i < 2; i++) { /* live, and from the journal */
        frame = client_event(&other, id);
        ck_assert_ptr_nonnull(frame);
        ck_assert_str_eq(frame, "");
        free(frame);
        ck_assert_ptr_null(client_frame(&other));
        client_close(&other);
        open_stream(&other, i == 0 ? "/a/a" : "/a/n");
    }
    client_close(&other);
    client_close(&granted);
    snprintf(target, sizeof target, "/a/%%23%s", id + 1);
    client_connect(&other, site.port);
    ck_assert_int_eq(client_request(&other, "GET", target, "", NULL), 204);
    client_close(&other);
    stop(_i != 0);
}
END_TEST

START_TEST(head_can_be_answered)
{
    struct crier_subscribe_options options = {.topics = "a"};

    start(_i != 0);
    publish("a", false, true);
    ck_assert_int_eq(crier_hub_can_subscribe(hub, &options), 0);
    options.topics = ",";
    ck_assert_int_eq(crier_hub_can_subscribe(hub, &options), CRIER_ERR_TOPIC);
    options.topics = "a,b";
    options.since = CRIER_SINCE_ID;
    options.id = "x";
    ck_assert_int_eq(crier_hub_can_subscribe(hub, &options), 0);
    stop(_i != 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hub_ended");
    TCase *c = add_case(s, "hub_ended");

    tcase_add_loop_test(c, streams_end_with_their_jobs, 0, site_journals());
    tcase_add_loop_test(c, the_reason_says_so, 0, site_journals());
    tcase_add_loop_test(c, a_change_may_end_a_stream, 0, site_journals());
    tcase_add_loop_test(c, a_private_end_is_seen_by_all, 0, site_journals());
    tcase_add_loop_test(c, head_can_be_answered, 0, site_journals());
    return s;
}

RUN_SUITE(suite)
