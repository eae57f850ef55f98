/*
 * Two hubs of one shared journal, as two nodes have them: counts of streams over both. The
 * journal is a fake that has no past. It takes and gives counts when the test says so, and
 * so shows what a real one does only now and then.
 */
#include <config.h>

#include "support/client.h"
#include "support/runner.h"
#include "support/site.h"

#include "libcrier/journal/journal.h"
#include "libcrier/wire/frame.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES 2
#define SELECTORS_MAX 64

struct node {
    struct crier_journal journal; /* first */
    struct crier_hub *hub;
    atomic_int changes; /* calls of counts_changed */
};

/* What the nodes share. */
struct known {
    char selector[CRIER__SELECTOR_SIZE];
    size_t counts[NODES];
};

static struct site site;
static struct node nodes[NODES];
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct known known[SELECTORS_MAX];
static size_t known_count;
static uint64_t last, ahead;
static struct crier__ended ended; /* of the topic "e"; its position is 0: it has not */
static struct crier__append *kept; /* appends that are kept back, the newest first */
static atomic_bool keeps;

/* ---- the journal ------------------------------------------------------ */

static size_t *find_count(size_t node, const char *selector)
{
    size_t i;

    for (i = 0; i < known_count; i++)
        if (strcmp(known[i].selector, selector) == 0)
            return &known[i].counts[node];
    ck_assert_uint_lt(known_count, SELECTORS_MAX);
    memset(&known[i], 0, sizeof known[i]);
    snprintf(known[i].selector, sizeof known[i].selector, "%s", selector);
    known_count++;
    return &known[i].counts[node];
}

static size_t total_of(const char *selector)
{
    return *find_count(0, selector) + *find_count(1, selector);
}

static size_t node_of(const struct crier_journal *journal)
{
    return (size_t)((const struct node *)journal - nodes);
}

static void tell_total(size_t node, const char *selector, size_t total, bool read)
{
    struct crier_journal *journal = &nodes[node].journal;

    journal->total(journal->closure, selector, total, read);
}

static void tell_all(const char *selector)
{
    size_t node;

    for (node = 0; node < NODES; node++)
        tell_total(node, selector, total_of(selector), false);
}

/* A new update like UPDATE, with TOTAL in its body. */
static struct crier__update *write_total(const struct crier__update *update,
                                         size_t total)
{
    const struct crier_frame *body = update->frame;
    const char *at = memchr(body->bytes, CRIER__TOTAL, body->length);
    struct crier__update *made;
    struct crier_frame *frame;
    char *text;
    int length;

    ck_assert_ptr_nonnull(at);
    length = asprintf(&text, "%.*s%zu%.*s", (int)(at - body->bytes), body->bytes, total,
                      (int)(body->bytes + body->length - at - 1), at + 1);
    frame = crier__frame_of(text, (size_t)length);
    free(text);
    made = crier__update_new(update->topics, NULL, frame);
    crier_frame_unref(frame);
    return made;
}

/* UPDATE, which is about to be yielded, ends the topic "e". */
static void note_end(const struct crier__update *update)
{
    size_t node;

    ended.position = update->position;
    for (node = 0; node < NODES; node++)
        atomic_store(&nodes[node].journal.ends, true);
}

static void append_now(struct crier_journal *journal, struct crier__append *append)
{
    struct crier__update *yielded = append->update;
    size_t node, subscribers[NODES];

    if (append->census != NULL) {
        *find_count(node_of(journal), append->census) = append->census_count;
        yielded = write_total(append->update, total_of(append->census));
    }
    last++;
    ck_assert_int_eq(crier__update_place(append->update, "fake", last, 1), 0);
    if (append->update->last)
        note_end(append->update);
    if (yielded != append->update)
        ck_assert_int_eq(crier__update_place(yielded, "fake", last, 1), 0);
    for (node = 0; node < NODES; node++)
        subscribers[node] = nodes[node].journal.yield(nodes[node].hub, yielded);
    if (append->census != NULL) {
        tell_all(append->census);
        crier__update_unref(yielded);
    }
    append->subscribers = subscribers[node_of(journal)];
}

static void fake_append(struct crier_journal *journal, struct crier__append *append)
{
    pthread_mutex_lock(&journal_lock);
    if (keeps) {
        append->next = kept;
        kept = append;
        append = NULL;
    } else {
        append_now(journal, append);
    }
    pthread_mutex_unlock(&journal_lock);
    if (append != NULL)
        append->done(append);
}

/* Appends what NODE was asked to append and what was kept back. */
static void append_kept(size_t node)
{
    struct crier__append *append;

    for (;;) {
        pthread_mutex_lock(&journal_lock);
        append = kept;
        if (append != NULL) {
            kept = append->next;
            append_now(&nodes[node].journal, append);
        }
        pthread_mutex_unlock(&journal_lock);
        if (append == NULL)
            return;
        append->done(append);
    }
}

static void fake_read(struct crier_journal *journal, struct crier__read *read)
{
    (void)journal;
    pthread_mutex_lock(&journal_lock);
    read->reached = read->resolve && ahead > last ? ahead : last;
    pthread_mutex_unlock(&journal_lock);
    read->end = true;
    read->done(read);
}

static bool fake_ended(struct crier_journal *journal, const char *name,
                       struct crier__ended *found)
{
    (void)journal;
    pthread_mutex_lock(&journal_lock);
    *found = ended;
    pthread_mutex_unlock(&journal_lock);
    return strcmp(name, "e") == 0 && found->position != 0;
}

static void fake_list(struct crier_journal *journal, struct crier__list *list)
{
    (void)journal;
    list->done(list);
}

static void fake_forget(struct crier_journal *journal, struct crier__forget *forget_)
{
    (void)journal;
    forget_->error = CRIER_ERR_NO_TOPIC;
    forget_->done(forget_);
}

static int fake_status(struct crier_journal *journal, char reason[128])
{
    (void)journal;
    (void)reason;
    return 0;
}

static void fake_held(struct crier_journal *journal, struct crier_hub_counts *statistics)
{
    (void)journal;
    (void)statistics;
}

static uint64_t fake_last(struct crier_journal *journal)
{
    (void)journal;
    return last;
}

static void fake_close(struct crier_journal *journal)
{
    (void)journal;
}

static void fake_changed(struct crier_journal *journal)
{
    atomic_fetch_add(&nodes[node_of(journal)].changes, 1);
}

static void fake_free(struct crier_journal *journal)
{
    crier__journal_done(journal);
}

static const struct crier__journal_ops fake_ops = {
    .name = "fake",
    .shared = true,
    .append = fake_append,
    .read = fake_read,
    .list = fake_list,
    .forget = fake_forget,
    .ended = fake_ended,
    .status = fake_status,
    .held = fake_held,
    .last = fake_last,
    .close = fake_close,
    .counts_changed = fake_changed,
    .start = fake_close,
    .free = fake_free,
};

/* ---- counts ----------------------------------------------------------- */

/* Counts that were taken. */
struct taken {
    size_t node, count;
    char selectors[SELECTORS_MAX][CRIER__SELECTOR_SIZE];
    size_t counts[SELECTORS_MAX];
};

static void note_taken(void *context, const char *selector, size_t count)
{
    struct taken *taken = context;

    ck_assert_uint_lt(taken->count, SELECTORS_MAX);
    snprintf(taken->selectors[taken->count], sizeof taken->selectors[0], "%s", selector);
    taken->counts[taken->count++] = count;
}

static void take(struct taken *taken, size_t node, bool all)
{
    struct crier_journal *journal = &nodes[node].journal;

    *taken = (struct taken){.node = node};
    ck_assert_uint_eq(journal->take_counts(journal->closure, all, note_taken, taken),
                      taken->count);
}

/* Stores what was TAKEN. TELLING: the hub hears the totals that change before the answer. */
static void store(const struct taken *taken, bool telling)
{
    struct crier_journal *journal = &nodes[taken->node].journal;
    size_t totals[SELECTORS_MAX], i;

    for (i = 0; i < taken->count; i++) {
        *find_count(taken->node, taken->selectors[i]) = taken->counts[i];
        totals[i] = total_of(taken->selectors[i]);
        if (telling)
            tell_all(taken->selectors[i]);
    }
    journal->counted(journal->closure, totals);
}

/* Has the journal take the counts of NODE, and tell what follows. */
static void exchange(size_t node)
{
    struct taken taken;

    take(&taken, node, false);
    store(&taken, true);
}

/* ---- streams ---------------------------------------------------------- */

static struct crier_subscribe_options asked;
static struct crier_stream *stream; /* the newest, a reference */
static struct signal_box closed;

/* "/0" and "/1" are the nodes. */
static enum MHD_Result answer_stream(struct site *of, struct MHD_Connection *connection,
                                     const char *path)
{
    const struct crier_stream_options options = {.on_closed = box_closed,
                                                 .closure = &closed};
    struct MHD_Response *response;

    crier_stream_unref(stream);
    ck_assert_int_eq(
        crier_stream_new(of->shards, connection, &options, &stream, &response), 0);
    ck_assert_int_eq(crier_hub_subscribe(nodes[path[1] - '0'].hub, stream, &asked), 0);
    return site_queue(connection, response);
}

static void begin(void)
{
    const struct crier_hub_options presence = {.presence = "p,q"};
    const struct crier_retention none = {0};
    size_t node;

    box_init(&closed);
    asked = (struct crier_subscribe_options){0};
    stream = NULL;
    known_count = 0;
    last = ahead = 0;
    ended = (struct crier__ended){0};
    keeps = false;
    site = (struct site){.answer = answer_stream};
    site_start(&site, &(struct crier_shards_options){.threads = 2});
    for (node = 0; node < NODES; node++) {
        nodes[node] = (struct node){0};
        ck_assert_int_eq(
            crier__journal_init(&nodes[node].journal, &fake_ops, NULL, &none), 0);
        nodes[node].journal.epoch = "fake";
        atomic_store(&nodes[node].journal.max_bytes, 1 << 20);
        ck_assert_int_eq(crier_hub_new(site.shards, &nodes[node].journal, &presence,
                                       &nodes[node].hub),
                         0);
    }
}

static void end(void)
{
    size_t node;

    for (node = 0; node < NODES; node++)
        crier_hub_close(nodes[node].hub);
    crier_stream_unref(stream);
    site_stop(&site);
    for (node = 0; node < NODES; node++)
        crier_hub_free(nodes[node].hub);
    box_done(&closed);
}

static void open_on(size_t node, struct client *client, const char *topics)
{
    char path[3] = {'/', (char)('0' + node)};

    asked.topics = topics;
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", path, "", NULL), 200);
}

/* Closes CLIENT, and waits until its stream, the COUNT-th to end, has left. */
static void leave(struct client *client, int count)
{
    client_close(client);
    box_wait(&closed, count);
}

static size_t receipt_subscribers;

static void note_receipt(void *closure, const struct crier_receipt *receipt)
{
    (void)closure;
    ck_assert_int_eq(receipt->error, 0);
    receipt_subscribers = receipt->subscribers;
}

/* How many subscribers the receipt of an update has that is published on NODE; LAST: it ends
 * its topic. */
static size_t publish_update(size_t node, const char *topic, bool is_last)
{
    const struct crier_publish_options options = {.on_done = note_receipt, .last = is_last};
    struct crier_event *event = crier_event_new();

    crier_event_text(event, "x");
    receipt_subscribers = SIZE_MAX;
    ck_assert_int_eq(crier_hub_publish(nodes[node].hub, topic, event, &options), 0);
    crier_event_free(event);
    return receipt_subscribers;
}

static size_t publish_on(size_t node, const char *topic)
{
    return publish_update(node, topic, false);
}

static char listed[1024]; /* "topic:subscribers ..." */

static void note_list(void *closure, int error, json_t *topics)
{
    size_t i, length = 0;
    json_t *one;

    (void)closure;
    ck_assert_int_eq(error, 0);
    listed[0] = '\0';
    json_array_foreach (topics, i, one)
        length += (size_t)snprintf(
            listed + length, sizeof listed - length, "%s:%d ",
            json_string_value(json_object_get(one, "topic")),
            (int)json_integer_value(json_object_get(one, "subscribers")));
    json_decref(topics);
}

static const char *list_on(size_t node)
{
    const struct crier_list_options options = {.topics = "*", .limit = 100};

    ck_assert_int_eq(crier_hub_list(nodes[node].hub, &options, note_list, NULL), 0);
    return listed;
}

/* ---- receipts and lists ----------------------------------------------- */

START_TEST(counts_are_of_all_nodes)
{
    struct client here, there, pattern;

    open_on(0, &here, "a");
    open_on(1, &there, "a,b");
    open_on(1, &pattern, "a{x}");
    ck_assert_uint_eq(publish_on(0, "a"), 1);
    ck_assert_int_eq(nodes[1].changes, 1); /* at the first one alone */
    exchange(0);
    exchange(1);
    ck_assert_uint_eq(publish_on(0, "a"), 3);
    ck_assert_uint_eq(publish_on(1, "a"), 3);
    ck_assert_uint_eq(publish_on(0, "ab"), 1);
    ck_assert_uint_eq(crier_hub_count(nodes[0].hub, "a"), 2);
    ck_assert_uint_eq(crier_hub_count(nodes[0].hub, "a{x}"), 1);
    ck_assert_str_eq(list_on(0), "a:2 b:1 ");
    ck_assert_str_eq(list_on(1), "a:2 b:1 ");
    leave(&there, 1);
    ck_assert_int_eq(nodes[1].changes, 2);
    exchange(1);
    leave(&pattern, 2);
    exchange(1);
    ck_assert_uint_eq(publish_on(0, "a"), 1);
    ck_assert_str_eq(list_on(0), "a:1 ");
    ck_assert_str_eq(list_on(1), "a:1 ");
    client_close(&here);
}
END_TEST

/* A stream that only reads what is held is not counted elsewhere. */
START_TEST(those_that_do_not_stay_are_not_taken)
{
    struct client client;
    struct taken taken;

    asked.once = true;
    asked.since = CRIER_SINCE_ALL;
    open_on(0, &client, "a");
    box_wait(&closed, 1);
    take(&taken, 0, false);
    ck_assert_uint_eq(taken.count, 0);
    ck_assert_int_eq(nodes[0].changes, 0);
    client_close(&client);
}
END_TEST

/* Each kind of selector counts on another node as what it is. */
START_TEST(selectors_keep_their_kinds)
{
    const struct crier_selector wanted[] = {
        {.match = CRIER_MATCH_EXACT, .text = "x/{id}"},
        {.match = CRIER_MATCH_TEMPLATE, .text = "t/{id}"},
        {.match = CRIER_MATCH_URL_PATTERN, .text = "/u/:id", .base = "https://h/"},
        {.match = CRIER_MATCH_TEXT, .text = "w/*"},
    };
    struct client client;
    struct taken taken;

    asked.selectors = wanted;
    asked.selector_count = 4;
    open_on(0, &client, NULL);
    take(&taken, 0, false);
    store(&taken, true);
    ck_assert_uint_eq(taken.count, 4);
    ck_assert_str_eq(taken.selectors[0], "=x/{id}");
    ck_assert_str_eq(taken.selectors[1], "{t/{id}");
    ck_assert_str_eq(taken.selectors[2], ":/u/:id\thttps://h/");
    ck_assert_str_eq(taken.selectors[3], "*w/*");
    ck_assert_uint_eq(publish_on(1, "x/{id}"), 1);
    ck_assert_uint_eq(publish_on(1, "x/1"), 0);
    ck_assert_uint_eq(publish_on(1, "t/1"), 1);
    ck_assert_uint_eq(publish_on(1, "https://h/u/1"), 1);
    ck_assert_uint_eq(publish_on(1, "w/1"), 1);
    client_close(&client);
}
END_TEST

/* What no node can have written is ignored. */
START_TEST(wrong_selectors_are_ignored)
{
    static const char *const wrong[] = {
        "", "a", "=", "=a*", "=\xff", "=a\tb", "*", "*a", "{", "{\x01", "{*\xff", ":",
        ":/x", ":https://h/(", "\n", "?a",
        "!", "!\n", "!\xff",
    };
    char longest[CRIER__SELECTOR_SIZE + 10];
    size_t i;

    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        tell_total(0, wrong[i], 5, false);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    longest[0] = '=';
    tell_total(0, longest, 5, false);
    ck_assert_str_eq(list_on(0), "");
    ck_assert_uint_eq(publish_on(0, "a"), 0);
}
END_TEST

/* Only so many selectors of other nodes are kept; one that goes makes room. */
START_TEST(remote_selectors_are_bounded)
{
    char selector[32];
    int i;

    for (i = 0; i <= 100000; i++) {
        snprintf(selector, sizeof selector, "=n%d", i);
        tell_total(0, selector, 1, false);
    }
    ck_assert_uint_eq(crier_hub_count(nodes[0].hub, "n99999"), 1);
    ck_assert_uint_eq(crier_hub_count(nodes[0].hub, "n100000"), 0);
    tell_total(0, "=n7", 0, false);
    tell_total(0, "=n100000", 1, false);
    ck_assert_uint_eq(crier_hub_count(nodes[0].hub, "n100000"), 1);
}
END_TEST

/* ---- what overtakes --------------------------------------------------- */

/* Totals that come before this node's own count is known to be part of them. */
START_TEST(counts_settle_in_every_order)
{
    struct client here, there;
    struct taken taken;
    int early;

    for (early = 0; early < 2; early++) {
        open_on(0, &here, "a");
        open_on(1, &there, "a");
        take(&taken, 0, false);
        exchange(1); /* its total is without node 0 */
        store(&taken, early == 1);
        if (early == 0)
            tell_all("=a");
        ck_assert_uint_eq(crier_hub_count(nodes[0].hub, "a"), 2);
        ck_assert_uint_eq(crier_hub_count(nodes[1].hub, "a"), 2);
        leave(&here, 2 * early + 1);
        exchange(0);
        leave(&there, 2 * early + 2);
        exchange(1);
        ck_assert_str_eq(list_on(0), "");
        ck_assert_str_eq(list_on(1), "");
    }
}
END_TEST

/* A count whose answer is lost is taken again with all others, also one of 0. */
START_TEST(lost_counts_are_taken_again)
{
    struct client client, other;
    struct taken taken;

    open_on(0, &client, "a");
    open_on(0, &other, "b");
    exchange(0);
    leave(&client, 1);
    take(&taken, 0, false); /* and lost */
    ck_assert_uint_eq(taken.count, 1);
    take(&taken, 0, false);
    ck_assert_uint_eq(taken.count, 0);
    take(&taken, 0, true);
    ck_assert_uint_eq(taken.count, 2);
    store(&taken, true);
    ck_assert_uint_eq(*find_count(0, "=a"), 0);
    ck_assert_uint_eq(*find_count(0, "=b"), 1);
    take(&taken, 0, true);
    ck_assert_uint_eq(taken.count, 1);
    client_close(&other);
}
END_TEST

/* A reading of all totals repairs what is wrong, and is not newer than what came
 * meanwhile. */
START_TEST(readings_repair)
{
    struct crier_journal *journal = &nodes[0].journal;

    tell_total(0, "=gone", 1, false);
    tell_total(0, "=other", 2, false);
    journal->begin_totals(journal->closure);
    tell_total(0, "=new", 3, true);
    tell_total(0, "=other", 5, true);
    tell_total(0, "=over", 0, false);
    tell_total(0, "=over", 4, true);
    tell_total(0, "=changed", 7, false);
    tell_total(0, "=changed", 6, true);
    journal->end_totals(journal->closure);
    ck_assert_str_eq(list_on(0), "changed:7 new:3 other:5 ");
    journal->begin_totals(journal->closure);
    journal->end_totals(journal->closure);
    ck_assert_str_eq(list_on(0), "");
}
END_TEST

/* ---- texts ------------------------------------------------------------ */

static char shared[1024];

static void note_shared(void *closure, const char *text)
{
    size_t length = strlen(shared);

    (void)closure;
    snprintf(shared + length, sizeof shared - length, "%s ", text);
}

static const char *shared_on(size_t node)
{
    shared[0] = '\0';
    ck_assert_int_eq(crier_hub_shared(nodes[node].hub, note_shared, NULL), 0);
    return shared;
}

START_TEST(texts_are_shared)
{
    char longest[CRIER_SHARED_MAX + 2];

    ck_assert_int_eq(crier_hub_share(nodes[0].hub, "a"), 0);
    ck_assert_int_eq(crier_hub_share(nodes[0].hub, "b{\"x\":1}"), 0);
    exchange(0);
    ck_assert_str_eq(shared_on(0), "");
    ck_assert_str_eq(shared_on(1), "a b{\"x\":1} ");
    ck_assert_uint_eq(publish_on(1, "a"), 0); /* it is no selector */
    ck_assert_str_eq(list_on(1), "");
    crier_hub_unshare(nodes[0].hub, "a");
    crier_hub_unshare(nodes[0].hub, "none");
    crier_hub_unshare(nodes[1].hub, "a"); /* not its own */
    exchange(0);
    exchange(1);
    ck_assert_str_eq(shared_on(1), "b{\"x\":1} ");
    tell_total(1, "!b{\"x\":1}", 0, false); /* it has vanished */
    ck_assert_str_eq(shared_on(1), "");
    memset(longest, 'x', sizeof longest);
    longest[CRIER_SHARED_MAX + 1] = '\0';
    ck_assert_int_eq(crier_hub_share(nodes[0].hub, longest), CRIER_ERR_INVALID);
    ck_assert_int_eq(crier_hub_share(nodes[0].hub, ""), CRIER_ERR_INVALID);
    ck_assert_int_eq(crier_hub_share(nodes[0].hub, "a\nb"), CRIER_ERR_INVALID);
    ck_assert_int_eq(crier_hub_share(nodes[0].hub, longest + 1), 0);
    exchange(0);
    ck_assert_uint_eq(strlen(shared_on(1)), 1023);
    crier_hub_unshare(nodes[0].hub, longest + 1);
}
END_TEST

/* ---- presence --------------------------------------------------------- */

START_TEST(presence_has_totals)
{
    struct client watcher, here, there;

    open_on(0, &watcher, "$presence/p");
    open_on(0, &here, "p");
    client_expect_event(&watcher, "event: join\ndata: {\"topic\":\"p\",\"count\":1}");
    open_on(1, &there, "p");
    client_expect_event(&watcher, "event: join\ndata: {\"topic\":\"p\",\"count\":2}");
    ck_assert_uint_eq(publish_on(0, "p"), 2);
    exchange(0);
    exchange(1);
    ck_assert_uint_eq(publish_on(0, "p"), 2);
    leave(&here, 1);
    client_expect_event(&watcher, "event: leave\ndata: {\"topic\":\"p\",\"count\":1}");
    leave(&there, 2);
    client_expect_event(&watcher, "event: leave\ndata: {\"topic\":\"p\",\"count\":0}");
    exchange(0);
    exchange(1);
    ck_assert_uint_eq(publish_on(1, "p"), 0);
    client_close(&watcher);
}
END_TEST

/* An update with a count that is appended late, behind a newer count. */
START_TEST(late_presence_is_put_right)
{
    struct client client;

    keeps = true;
    open_on(0, &client, "p");
    keeps = false;
    leave(&client, 1); /* appended at once */
    exchange(0);
    append_kept(0);
    ck_assert_uint_eq(*find_count(0, "=p"), 1);
    exchange(0);
    ck_assert_uint_eq(*find_count(0, "=p"), 0);
    ck_assert_str_eq(list_on(0), "");
    ck_assert_str_eq(list_on(1), "");
}
END_TEST

/* Streams of a node that has vanished leave together. */
START_TEST(the_departed_are_published)
{
    struct crier_journal *journal = &nodes[0].journal;
    struct client watcher, here, first, second;

    open_on(0, &here, "p");
    open_on(1, &first, "p");
    open_on(1, &second, "p,a");
    exchange(1);
    open_on(0, &watcher, "$presence/{x}");
    *find_count(1, "=p") = *find_count(1, "=a") = 0;
    tell_total(0, "=p", 1, false);
    journal->departed(journal->closure, "=p");
    journal->departed(journal->closure, "=a");
    journal->departed(journal->closure, "{p");
    journal->departed(journal->closure, "junk");
    client_expect_event(&watcher, "event: leave\ndata: {\"topic\":\"p\",\"count\":1}");
    publish_on(0, "$presence/x");
    client_expect_event(&watcher, "data: x");
    client_close(&watcher);
    client_close(&here);
    client_close(&first);
    client_close(&second);
}
END_TEST

/* ---- a node that is behind ------------------------------------------ */

static struct signal_box reads;

static void note_read(void *closure, int error, bool gap)
{
    (void)closure;
    box_put(&reads, error != 0 || gap);
}

/* The client has had the last update from a node that was ahead of the one that it is at now. Its
 * stream ends when the update comes there. */
START_TEST(an_end_that_is_known_ends_a_stream)
{
    struct client client;

    box_init(&reads);
    ahead = 1;
    asked.since = CRIER_SINCE_ID;
    asked.id = "#fake-1";
    asked.on_read = note_read;
    open_on(0, &client, "e");
    ck_assert_int_eq(box_wait(&reads, 1), 0);
    (void)publish_update(1, "e", true);
    box_wait(&closed, 1);
    client_close(&client);
    box_done(&reads);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("hub_shared");
    TCase *c = add_case(suite, "shared");

    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, counts_are_of_all_nodes);
    tcase_add_test(c, those_that_do_not_stay_are_not_taken);
    tcase_add_test(c, selectors_keep_their_kinds);
    tcase_add_test(c, wrong_selectors_are_ignored);
    tcase_add_test(c, remote_selectors_are_bounded);
    tcase_add_test(c, counts_settle_in_every_order);
    tcase_add_test(c, lost_counts_are_taken_again);
    tcase_add_test(c, readings_repair);
    tcase_add_test(c, texts_are_shared);
    tcase_add_test(c, presence_has_totals);
    tcase_add_test(c, late_presence_is_put_right);
    tcase_add_test(c, the_departed_are_published);
    tcase_add_test(c, an_end_that_is_known_ends_a_stream);
    return suite;
}

RUN_SUITE(make_suite)
