/*
 * The promise of the hub, against a simple model: every stream sees a part of the
 * journal, in its order, without a loss and without a duplicate, whatever clients
 * and publishers do. Threads publish as fast as they can while streams come, read
 * a little, stall, change their topics, go, and resume, at random.
 *
 * So is what a stream says of where it begins: a client that goes there before it
 * has read anything, and comes back with that id, is a part of the journal like any
 * other.
 *
 * Some updates are private, and the streams have grants of some topics, or none: a stream
 * must be sent a private update that its grants match, and no other one.
 *
 * The model is an array: which topics the update at each position has, and whether it is
 * private.
 *
 * Every run prints its seed; CRIER_SEED=N repeats it as far as threads allow, and
 * CRIER_PLAY=SECONDS goes on with new seeds for so long (make play).
 */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/site.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TOPICS 6
#define PUBLISHERS 3
#define UPDATES_MAX 200000
#define SLOTS 24

static unsigned updates; /* each publisher's */

/* What the topics are called. A stream that has all in GROUP subscribes to them by one
 * prefix, and to the last of them always by another, so that prefixes and names mix. */
static const char *const names[TOPICS] = {"a", "b", "p/c", "p/d", "p/q/e", "f"};
#define GROUP 0x1cU
#define WHOLE_GROUP "p/*"
#define LAST_OF_GROUP 4
#define LAST_PREFIX "p/q/*"

/* The size of a text of selectors. */
#define SELECTORS_SIZE 64

static unsigned number_of(const char *topic)
{
    unsigned i;

    for (i = 0; strcmp(names[i], topic) != 0; i++)
        ck_assert_uint_lt(i, TOPICS - 1);
    return i;
}

/* How many have been begun to be published: no position is higher. */
static atomic_uint begun;

/* ---- the model -------------------------------------------------------- */

#define PRIVATE 0x40U

static struct {
    pthread_mutex_t lock;
    uint64_t last; /* the highest position that is done */
    unsigned done;
    unsigned char topics[UPDATES_MAX]; /* by position; a bit for each, and PRIVATE */
} model = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void published(void *closure, const struct crier_receipt *receipt)
{
    unsigned topics = (unsigned)(uintptr_t)closure; /* PRIVATE, or 0 */
    size_t i;

    ck_assert_msg(receipt->error == 0, "%s", receipt->reason);
    for (i = 0; i < receipt->topic_count; i++)
        topics |= 1U << number_of(receipt->topics[i]);
    pthread_mutex_lock(&model.lock);
    ck_assert_uint_lt(receipt->position, UPDATES_MAX);
    model.topics[receipt->position] = (unsigned char)topics;
    model.done++;
    if (receipt->position > model.last)
        model.last = receipt->position;
    pthread_mutex_unlock(&model.lock);
}

static uint64_t model_last(void)
{
    uint64_t last;

    pthread_mutex_lock(&model.lock);
    last = model.last;
    pthread_mutex_unlock(&model.lock);
    return last;
}

static unsigned model_done(void)
{
    unsigned done;

    pthread_mutex_lock(&model.lock);
    done = model.done;
    pthread_mutex_unlock(&model.lock);
    return done;
}

/* ---- the site --------------------------------------------------------- */

static struct site site;
static struct crier_hub *hub;

/* The newest stream of each slot, a reference. */
static struct {
    pthread_mutex_t lock;
    struct crier_stream *of[SLOTS + 1];
} streams = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Has STREAM (a reference) be the one of SLOT. */
static void keep_stream(unsigned slot, struct crier_stream *stream)
{
    pthread_mutex_lock(&streams.lock);
    crier_stream_unref(streams.of[slot]);
    streams.of[slot] = stream;
    pthread_mutex_unlock(&streams.lock);
}

static struct crier_stream *stream_of(unsigned slot)
{
    struct crier_stream *stream;

    pthread_mutex_lock(&streams.lock);
    stream = crier_stream_ref(streams.of[slot]);
    pthread_mutex_unlock(&streams.lock);
    return stream;
}

/* Writes selectors that match just the topics in MASK. */
static void write_selectors(unsigned mask, char text[SELECTORS_SIZE])
{
    unsigned i;

    text[0] = '\0';
    if (mask == 63) {
        strcpy(text, "*");
        return;
    }
    if ((mask & GROUP) == GROUP) {
        strcat(text, WHOLE_GROUP ",");
        mask &= ~GROUP;
    }
    for (i = 0; i < TOPICS; i++)
        if (mask & (1U << i)) {
            strcat(text, i == LAST_OF_GROUP ? LAST_PREFIX : names[i]);
            strcat(text, ",");
        }
    text[strlen(text) - 1] = '\0';
}

/* What the streams are granted, by mask; [0] is NULL. */
static struct crier_grants *granted[64];

static void make_grants(void)
{
    struct crier_selector selectors[TOPICS] = {{0}};
    char text[SELECTORS_SIZE], *rest, *name;
    unsigned mask;
    size_t count;

    for (mask = 1; mask < 64; mask++) {
        write_selectors(mask, text);
        count = 0;
        for (name = strtok_r(text, ",", &rest); name != NULL;
             name = strtok_r(NULL, ",", &rest))
            selectors[count++].text = name;
        ck_assert_int_eq(crier_grants_new(selectors, count, &granted[mask]), 0);
    }
}

static void free_grants(void)
{
    unsigned mask;

    for (mask = 1; mask < 64; mask++)
        crier_grants_unref(granted[mask]);
}

/* /SLOT/MASK/GRANTS/SINCE: n (now), a (all), a number (the last ones) or an id; with o before
 * it the stream ends after what is held. */
static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    const struct crier_stream_options options = {.max_pending = 16 * 1024,
                                                 .stall_timeout = CRIER_NEVER};
    struct crier_subscribe_options follow = {.since = CRIER_SINCE_NOW};
    char topics[SELECTORS_SIZE], since[300];
    struct MHD_Response *response;
    struct crier_stream *stream;
    unsigned slot, mask, grants;

    ck_assert_int_eq(sscanf(path, "/%u/%u/%u/%299[^\n]", &slot, &mask, &grants,
                            since), 4);
    write_selectors(mask, topics);
    follow.topics = topics;
    follow.grants = granted[grants];
    if (since[0] == 'o') {
        follow.once = true;
        memmove(since, since + 1, strlen(since));
    }
    if (since[0] == '#') {
        follow.since = CRIER_SINCE_ID;
        follow.id = since;
    } else if (since[0] == 'a') {
        follow.since = CRIER_SINCE_ALL;
    } else if (since[0] != 'n') {
        follow.since = CRIER_SINCE_LAST;
        follow.number = strtoul(since, NULL, 10);
    }
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    follow.start = CRIER_START_ID;
    follow.response = response;
    ck_assert_int_eq(crier_hub_subscribe(hub, stream, &follow), 0);
    keep_stream(slot, stream);
    return site_queue(connection, response);
}

static void start(enum site_journal journal, size_t count)
{
    const struct crier_shards_options two = {.threads = 2};
    const struct crier_journal_options options = {
        .retention = {.count = count, .bytes = (size_t)1 << 30}};

    memset(model.topics, 0, sizeof model.topics);
    model.last = model.done = 0;
    atomic_store(&begun, 0);
    memset(&site, 0, sizeof site);
    site.answer = answer;
    hub = site_start_hub(&site, &two, &options, journal);
}

/* How many follow anything. */
static size_t count_all(void)
{
    size_t count = crier_hub_count(hub, "*") +
                   crier_hub_count(hub, WHOLE_GROUP) +
                   crier_hub_count(hub, LAST_PREFIX);
    unsigned i;

    for (i = 0; i < TOPICS; i++)
        count += crier_hub_count(hub, names[i]);
    return count;
}

static void stop(enum site_journal journal)
{
    unsigned i;

    while (count_all() != 0) /* all have gone, and are counted out */
        sched_yield();
    for (i = 0; i <= SLOTS; i++)
        keep_stream(i, NULL);
    site_stop_hub(&site, hub, journal);
}

/* ---- publishers ------------------------------------------------------- */

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245 + 12345;
    return *state >> 8;
}

static void *publish(void *closure)
{
    struct crier_publish_options options = {.on_done = published};
    struct crier_event *event = crier_event_new();
    unsigned state = (unsigned)(uintptr_t)closure, n, i, count;
    char topics[SELECTORS_SIZE], *text = malloc(2001);
    int error;

    ck_assert_ptr_nonnull(event);
    for (n = 0; n < updates; n++) {
        count = 1 + next_random(&state) % 2;
        strcpy(topics, names[next_random(&state) % TOPICS]);
        for (i = 1; i < count; i++)
            sprintf(topics + strlen(topics), ",%s",
                    names[next_random(&state) % TOPICS]);
        i = next_random(&state) % 8 == 0 ? next_random(&state) % 2000 : 20;
        memset(text, 'x', i);
        text[i] = '\0';
        crier_event_text(event, text);
        options.is_private = next_random(&state) % 3 == 0;
        options.closure = (void *)(uintptr_t)(options.is_private ? PRIVATE : 0);
        atomic_fetch_add(&begun, 1);
        do
            error = crier_hub_publish(hub, topics, event, &options);
        while (error == CRIER_ERR_MAX_BACKLOG && usleep(1000) == 0);
        ck_assert_int_eq(error, 0);
    }
    free(text);
    crier_event_free(event);
    return NULL;
}

/* ---- streams ---------------------------------------------------------- */

#define GAP UINT64_MAX

/* At some point the topics became others. */
struct change {
    unsigned from, to;
    uint64_t seen;  /* all up to here had been taken before */
    uint64_t before; /* all up to here was in the journal before the call */
    uint64_t after; /* nothing beyond was, when it had returned */
    bool again;     /* it was by resuming from `seen` */
};

/* Beside a position: the stream is said to be there, and has no update there. */
#define TOLD ((uint64_t)1 << 62)

struct slot {
    unsigned number;
    bool open;
    struct client client;
    unsigned mask;  /* the topics now */
    unsigned first; /* and at the beginning */
    unsigned grants;
    struct change *changes;
    size_t change_count, change_room;
    char id[256]; /* the last one seen, "" for none */
    uint64_t low; /* nothing up to here may come */
    uint64_t high; /* everything beyond must come */
    uint64_t *seen;
    size_t count, room;
};

static void see(struct slot *slot, uint64_t position)
{
    if (slot->count == slot->room) {
        slot->room = slot->room != 0 ? slot->room * 2 : 64;
        slot->seen = realloc(slot->seen, slot->room * sizeof *slot->seen);
    }
    slot->seen[slot->count++] = position;
}

/* The position of the last one seen; 0: none. */
static uint64_t last_seen(const struct slot *slot)
{
    size_t i = slot->count;

    while (i > 0 && slot->seen[i - 1] == GAP)
        i--;
    return i != 0 ? slot->seen[i - 1] & ~TOLD : 0;
}

static void note_change(struct slot *slot, struct change change)
{
    if (slot->change_count == slot->change_room) {
        slot->change_room = slot->change_room != 0 ? slot->change_room * 2 : 16;
        slot->changes = realloc(slot->changes, slot->change_room *
                                                   sizeof *slot->changes);
    }
    change.from = slot->mask;
    change.seen = last_seen(slot);
    slot->changes[slot->change_count++] = change;
    slot->mask = change.to;
}

/* Has the stream of SLOT follow other topics, if it is there still. */
static void change_topics(struct slot *slot, unsigned *state)
{
    struct change change = {.to = 1 + next_random(state) % 63};
    struct crier_stream *stream = stream_of(slot->number);
    char topics[SELECTORS_SIZE];
    int error;

    if (next_random(state) % 4 == 0)
        change.to = slot->mask ^ (1U << next_random(state) % TOPICS);
    if (change.to == 0)
        change.to = 63;
    write_selectors(change.to, topics);
    change.before = model_last();
    error = crier_hub_change(hub, stream, topics);
    change.after = atomic_load(&begun);
    crier_stream_unref(stream);
    ck_assert(error == 0 || error == CRIER_ERR_MAX_BACKLOG);
    if (error == 0)
        note_change(slot, change);
}

/* The position in ID, which is remembered as the last one seen. */
static uint64_t take_id(struct slot *slot, const char *id)
{
    const char *dash = strrchr(id, '-');

    ck_assert_ptr_nonnull(dash);
    strcpy(slot->id, id);
    return strtoull(dash + 1, NULL, 10);
}

/* Takes one frame. False at the end of the stream. */
static bool take(struct slot *slot)
{
    char id[256], *frame = client_event(&slot->client, id);

    if (frame == NULL)
        return false;
    if (id[0] != '\0') {
        see(slot, take_id(slot, id) | (frame[0] == '\0' ? TOLD : 0));
    } else if (strncmp(frame, "event: gap\n", 11) == 0) {
        see(slot, GAP);
    }
    free(frame);
    return true;
}

/* A stream that begins where the journal is must say so at once. */
static void begin_there(struct slot *slot)
{
    const char *field = client_header(&slot->client, "Last-Event-ID");

    ck_assert_str_ne(field, "");
    slot->low = slot->high = take_id(slot, field);
}

static void open_slot(struct slot *slot, unsigned *state)
{
    char target[600], id[300];
    bool resumes = slot->id[0] != '\0' && next_random(state) % 4 != 0;
    uint64_t least = 0;

    if (resumes) {
        snprintf(id, sizeof id, "%%23%s", slot->id + 1);
        snprintf(target, sizeof target, "/%u/%u/%u/%s", slot->number, slot->mask,
                 slot->grants, id);
        if (slot->change_count != 0)
            note_change(slot,
                        (struct change){.to = slot->mask, .again = true});
    } else {
        slot->count = slot->change_count = 0;
        slot->id[0] = '\0';
        slot->first = slot->mask = 1 + next_random(state) % 63;
        slot->grants = next_random(state) % 3 == 0 ? 0 : next_random(state) % 64;
        slot->low = slot->high = 0;
        switch (next_random(state) % 3) {
        case 0:
            snprintf(target, sizeof target, "/%u/%u/%u/a", slot->number,
                     slot->mask, slot->grants);
            break;
        case 1:
            least = model_last();
            snprintf(target, sizeof target, "/%u/%u/%u/n", slot->number,
                     slot->mask, slot->grants);
            break;
        default:
            snprintf(target, sizeof target, "/%u/%u/%u/%u", slot->number,
                     slot->mask, slot->grants, next_random(state) % 300);
        }
    }
    client_connect_small(&slot->client, site.port, 65536);
    ck_assert_int_eq(client_request(&slot->client, "GET", target, "", NULL),
                     200);
    if (resumes)
        ck_assert_str_eq(client_header(&slot->client, "Last-Event-ID"),
                         slot->id);
    else if (strchr(target, 'n') != NULL)
        begin_there(slot);
    else if (strchr(target, 'a') == NULL)
        slot->high = atomic_load(&begun);
    ck_assert_uint_ge(slot->low, least);
    slot->open = true;
}

static void close_slot(struct slot *slot)
{
    client_reset(&slot->client);
    slot->open = false;
}

static void play(struct slot *slot, unsigned *state)
{
    unsigned what = next_random(state) % 100, n;

    if (!slot->open)
        open_slot(slot, state);
    else if (what < 4)
        close_slot(slot);
    else if (what < 9)
        change_topics(slot, state);
    else if (what < 70)
        for (n = next_random(state) % 40; n > 0; n--)
            if (client_has(&slot->client, 0))
                ck_assert(take(slot));
}

static atomic_bool polling;

/* Asks for what is held, again and again, from where it was. */
static void *poll_on(void *closure)
{
    struct slot *slot = closure;
    char target[300];

    while (atomic_load(&polling)) {
        if (slot->id[0] != '\0')
            snprintf(target, sizeof target, "/%u/63/0/o%%23%s", slot->number,
                     slot->id + 1);
        else
            snprintf(target, sizeof target, "/%u/63/0/oa", slot->number);
        client_connect(&slot->client, site.port);
        ck_assert_int_eq(
            client_request(&slot->client, "GET", target, "", NULL), 200);
        while (take(slot))
            continue;
        client_close(&slot->client);
    }
    return NULL;
}

/* The topics of which SLOT must have what is at POSITION, and those of which it *MAY. */
static unsigned topics_at(const struct slot *slot, uint64_t position,
                          unsigned *may)
{
    unsigned must = slot->first, gone, new;
    const struct change *change;

    *may = must;
    for (change = slot->changes; change < slot->changes + slot->change_count;
         change++) {
        gone = change->from & ~change->to;
        new = change->to & ~change->from;
        if (position <= change->seen)
            continue;
        if (change->again) {
            must = *may = change->to;
            continue;
        }
        must &= ~gone;
        if (position > change->before)
            *may |= new;
        if (change->to == 63) /* "*" begins where the stream is, */
            *may |= change->to;
        if ((change->to & GROUP) == GROUP && (change->from & GROUP) != 0)
            *may |= GROUP; /* and so does a prefix that covers what it had */
        if (position > change->after) {
            *may &= ~gone;
            must |= new;
        }
    }
    return must;
}

/* Whether SLOT may see the update at POSITION if that has one of TOPICS. */
static bool may_see(const struct slot *slot, uint64_t position, unsigned topics)
{
    unsigned has = model.topics[position];

    return (has & topics) != 0 && ((has & PRIVATE) == 0 || (has & slot->grants) != 0);
}

static bool must_have(const struct slot *slot, uint64_t position)
{
    unsigned may;

    return may_see(slot, position, topics_at(slot, position, &may));
}

static bool may_have(const struct slot *slot, uint64_t position)
{
    unsigned may;

    (void)topics_at(slot, position, &may);
    return may_see(slot, position, may);
}

/* The last position that SLOT must see. */
static uint64_t expected_last(const struct slot *slot)
{
    uint64_t position = model.last;

    while (position > 0 && !must_have(slot, position))
        position--;
    return position;
}

/* Fails unless what SLOT has seen is what the model says. */
static void verify(const struct slot *slot, bool gaps)
{
    uint64_t before = slot->low, position, skipped;
    bool gap = false, told;
    size_t i;

    for (i = 0; i < slot->count; i++) {
        if (slot->seen[i] == GAP) {
            ck_assert_msg(gaps, "a gap, though all is held");
            gap = true;
            continue;
        }
        position = slot->seen[i] & ~TOLD;
        told = position != slot->seen[i];
        ck_assert_msg(position >= before + !told, "%lu after %lu%s%s",
                      (unsigned long)position, (unsigned long)before,
                      told ? ", told" : "",
                      i != 0 && (slot->seen[i - 1] & TOLD) != 0
                          ? ", which was told"
                          : "");
        ck_assert_msg(told || may_have(slot, position), "%lu is not for it",
                      (unsigned long)position);
        skipped = i == 0 ? slot->high : before;
        if (!gap && (i != 0 || slot->high != 0 || !gaps))
            for (skipped++; skipped < position + told; skipped++)
                ck_assert_msg(!must_have(slot, skipped),
                              "lost %lu between %lu and %lu",
                              (unsigned long)skipped, (unsigned long)before,
                              (unsigned long)position);
        gap = false;
        before = position;
    }
}

static void finish_slot(struct slot *slot, bool gaps)
{
    uint64_t last = expected_last(slot);

    while (last > slot->high &&
           (slot->count == 0 || slot->seen[slot->count - 1] == GAP ||
            (slot->seen[slot->count - 1] & ~TOLD) < last))
        ck_assert(take(slot));
    verify(slot, gaps);
    close_slot(slot);
}

/* ---- the play --------------------------------------------------------- */

static void play_all(enum site_journal journal, size_t retained, unsigned seed)
{
    static struct slot slots[SLOTS];
    struct slot poller = {.number = SLOTS, .mask = 63, .first = 63};
    pthread_t publishers[PUBLISHERS], polls;
    unsigned state = seed, i;

    printf("%s, %zu held: CRIER_SEED=%u\n", site_journal_name(journal),
           retained, seed);
    fflush(stdout); /* a failure would take it along */
    memset(slots, 0, sizeof slots);
    for (i = 0; i < SLOTS; i++)
        slots[i].number = i;
    start(journal, retained);
    for (i = 0; i < PUBLISHERS; i++)
        pthread_create(&publishers[i], NULL, publish,
                       (void *)(uintptr_t)(seed + i * 7919));
    atomic_store(&polling, true);
    pthread_create(&polls, NULL, poll_on, &poller);
    while (model_done() < PUBLISHERS * updates)
        play(&slots[next_random(&state) % SLOTS], &state);
    for (i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i], NULL);
    atomic_store(&polling, false);
    pthread_join(polls, NULL);
    verify(&poller, retained < UPDATES_MAX);
    free(poller.seen);
    for (i = 0; i < SLOTS; i++) {
        if (!slots[i].open)
            open_slot(&slots[i], &state);
        finish_slot(&slots[i], retained < UPDATES_MAX);
        free(slots[i].seen);
        free(slots[i].changes);
    }
    stop(journal);
}

static const size_t retained[] = {UPDATES_MAX, 500};

START_TEST(random_play)
{
    const char *given = getenv("CRIER_SEED"), *long_play = getenv("CRIER_PLAY");
    uint64_t until = crier_now();
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10)
                                  : (unsigned)time(NULL);

    updates = crierd_is_slow() ? 1500 : 8000;
    if (long_play != NULL)
        until += strtoul(long_play, NULL, 10) * 500 / (unsigned)site_journals();
    make_grants();
    do
        play_all(_i / 2, retained[_i % 2], seed++);
    while (crier_now() < until);
    free_grants();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("follow");
    TCase *c = add_case(s, "follow");

    if (getenv("CRIER_PLAY") != NULL)
        tcase_set_timeout(c, 0);
    tcase_add_loop_test(c, random_play, 0, 2 * site_journals());
    return s;
}

RUN_SUITE(suite)
