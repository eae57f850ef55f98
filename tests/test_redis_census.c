/*
 * The census in Redis, with a server of the test's own: two nodes, each with a hub, whose
 * counts go through the scripts. The link is replaced by one whose connections wait for each
 * reply, so that the test says when something arrives, and may lose it.
 */
#include <config.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "libcrier/journal/redis/redis_census.h"
#include "support/client.h"
#include "support/redis_server.h"
#include "support/runner.h"
#include "support/site.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODES 2
#define WAITING_MAX 16

/* A reply that has not been handed over. */
struct waiting {
    struct crier__redis_call *call;
    redisReply *reply;
};

struct node {
    struct crier__redis redis; /* first: the journal is the first of it */
    struct crier_hub *hub;
    struct crier__redis_url url;
    redisContext *connection, *feed;
    struct waiting waiting[WAITING_MAX];
    size_t waiting_count;
    atomic_bool woken;
    bool cut;             /* replies are lost */
    unsigned beats, counts, others; /* scripts and commands that were run */
    char departed[256];   /* each with a space behind it */
    bool closed;
};

static struct redis_server server;
static struct site site;
static struct node nodes[NODES];

static const char *const keys[CRIER__REDIS_KEYS] = {
    "{t}:journal", "{t}:log",  "{t}:ids", "{t}:topics", "{t}:index", "{t}:names",
    "{t}:empty",   "{t}:due",  "{t}:ends", "{t}:jumps", "{t}:nodes", "{t}:census",
    "{t}:gone",
    NULL};

/* ---- the link --------------------------------------------------------- */

/* The linker replaces the link's functions by these. */
void __wrap_crier__redis_link_wake(struct crier__redis_link *link);
int __wrap_crier__redis_command(struct crier__redis_link *link,
                                enum crier__redis_connection connection,
                                const struct crier__redis_args *args, unsigned within,
                                struct crier__redis_call *call);
int __wrap_crier__redis_run(struct crier__redis_link *link,
                            enum crier__redis_connection connection,
                            enum crier__redis_script script, const char *key,
                            const struct crier__redis_args *args, unsigned within,
                            struct crier__redis_call *call);

void __wrap_crier__redis_link_wake(struct crier__redis_link *link)
{
    atomic_store(&CRIER__CONTAINER_OF(link, struct node, redis.link)->woken, true);
}

static struct node *node_of(struct crier__redis_link *link)
{
    return CRIER__CONTAINER_OF(link, struct node, redis.link);
}

int __wrap_crier__redis_command(struct crier__redis_link *link,
                                enum crier__redis_connection connection,
                                const struct crier__redis_args *args, unsigned within,
                                struct crier__redis_call *call)
{
    struct node *node = node_of(link);
    redisReply *reply;

    ck_assert_int_eq(connection, CRIER__REDIS_READER);
    ck_assert_uint_eq(within, node->url.timeout);
    ck_assert_uint_lt(node->waiting_count, WAITING_MAX);
    node->others++;
    reply = redisCommandArgv(node->connection, (int)args->count, args->texts,
                             args->lengths);
    ck_assert_ptr_nonnull(reply);
    node->waiting[node->waiting_count++] = (struct waiting){call, reply};
    return 0;
}

int __wrap_crier__redis_run(struct crier__redis_link *link,
                            enum crier__redis_connection connection,
                            enum crier__redis_script script, const char *key,
                            const struct crier__redis_args *args, unsigned within,
                            struct crier__redis_call *call)
{
    struct node *node = node_of(link);
    struct crier__redis_args all = {0};
    char own[64];
    size_t i;
    int error;

    node->beats += script == CRIER__REDIS_BEAT;
    node->counts += script == CRIER__REDIS_COUNT;
    node->others--; /* which the command below adds */
    snprintf(own, sizeof own, "{t}:node:%s", node->redis.node);
    crier__redis_arg(&all, "EVAL", 4);
    crier__redis_arg(&all, crier__redis_script_text(script),
                     strlen(crier__redis_script_text(script)));
    crier__redis_arg(&all, "14", 2);
    for (i = 0; i + 1 < CRIER__REDIS_KEYS; i++)
        crier__redis_arg(&all, keys[i], strlen(keys[i]));
    if (key == NULL)
        key = own;
    crier__redis_arg(&all, key, strlen(key));
    for (i = 0; i < args->count; i++)
        crier__redis_arg(&all, args->texts[i], args->lengths[i]);
    error = __wrap_crier__redis_command(link, connection, &all, within, call);
    crier__redis_args_done(&all);
    return error;
}

/* Hands the first reply over that waits for NODE. */
static void answer_first(struct node *node)
{
    struct waiting first = node->waiting[0];

    node->waiting_count--;
    memmove(node->waiting, node->waiting + 1, node->waiting_count * sizeof first);
    first.call->on_reply(first.call, node->cut ? NULL : first.reply);
    freeReplyObject(first.reply);
}

static void read_feed(struct node *node)
{
    struct pollfd readable = {.fd = node->feed->fd, .events = POLLIN};
    redisReply *reply;
    void *message = NULL;

    if (poll(&readable, 1, 0) == 1)
        ck_assert_int_eq(redisBufferRead(node->feed), REDIS_OK);
    while (redisGetReplyFromReader(node->feed, &message) == REDIS_OK && message != NULL) {
        reply = message;
        if (strcmp(reply->element[0]->str, "message") == 0)
            crier__redis_census_message(&node->redis, reply->element[2]->str,
                                        reply->element[2]->len);
        freeReplyObject(reply);
    }
}

/* What the thread of NODE would do now. */
static void work(struct node *node)
{
    crier__timers_fire(&node->redis.link.timers, crier_now());
    if (atomic_exchange(&node->woken, false))
        crier__redis_census_wake(&node->redis);
    while (node->waiting_count != 0)
        answer_first(node);
    read_feed(node);
}

/* Works until the hub of NODE counts COUNT streams of TOPIC. */
static void expect_count(size_t node, const char *topic, size_t count)
{
    uint64_t end = crier_now() + (uint64_t)PATIENCE;
    size_t i;

    while (crier_hub_count(nodes[node].hub, topic) != count) {
        ck_assert_msg(crier_now() < end, "node %zu has %zu of %s, not %zu", node,
                      crier_hub_count(nodes[node].hub, topic), topic, count);
        for (i = 0; i < NODES; i++)
            if (nodes[i].connection != NULL)
                work(&nodes[i]);
        poll(NULL, 0, 1);
    }
}

/* ---- the journal ------------------------------------------------------ */

static void fake_read(struct crier_journal *journal, struct crier__read *read)
{
    (void)journal;
    read->reached = 0;
    read->end = true;
    read->done(read);
}

static uint64_t fake_last(struct crier_journal *journal)
{
    (void)journal;
    return 0;
}

static void fake_changed(struct crier_journal *journal)
{
    crier__redis_census_changed((struct crier__redis *)journal);
}

static void do_nothing(struct crier_journal *journal)
{
    (void)journal;
}

static void note_departed(void *closure, const char *selector)
{
    struct node *node = &nodes[closure == nodes[0].hub ? 0 : 1];
    size_t length = strlen(node->departed);

    snprintf(node->departed + length, sizeof node->departed - length, "%s ", selector);
}

static const struct crier__journal_ops ops = {
    .name = "fake",
    .shared = true,
    .read = fake_read,
    .last = fake_last,
    .close = do_nothing,
    .counts_changed = fake_changed,
    .start = do_nothing,
    .free = crier__journal_done,
};

/* ---- nodes ------------------------------------------------------------ */

static redisContext *connect_server(void)
{
    redisContext *context = redisConnectUnix(server.socket);

    ck_assert(context != NULL && context->err == 0);
    return context;
}

/* Connects NODE, which attaches. */
static void go_up(struct node *node)
{
    redisReply *reply;

    node->cut = false;
    node->connection = connect_server();
    node->feed = connect_server();
    reply = redisCommand(node->feed, "SUBSCRIBE {t}:census");
    ck_assert_ptr_nonnull(reply);
    freeReplyObject(reply);
    crier__redis_census_up(&node->redis);
}

/* Cuts the connections of NODE; what it has sent has arrived. */
static void go_down(struct node *node)
{
    node->cut = true;
    while (node->waiting_count != 0)
        answer_first(node);
    redisFree(node->connection);
    redisFree(node->feed);
    node->connection = node->feed = NULL;
    crier__redis_census_down(&node->redis);
}

static void start_node(struct node *node)
{
    const struct crier_retention none = {0};
    struct crier_journal *journal = &node->redis.mirror.journal;

    memset(node, 0, sizeof *node);
    node->url.timeout = 5000;
    snprintf(node->url.name, sizeof node->url.name, "t");
    node->redis.link.url = &node->url;
    node->redis.link.keys = keys;
    ck_assert_int_eq(crier__journal_init(journal, &ops, NULL, &none), 0);
    ck_assert_int_eq(crier__redis_census_start(&node->redis), 0);
    ck_assert_int_eq(crier_hub_new(site.shards, journal, NULL, &node->hub), 0);
    journal->departed = note_departed;
    go_up(node);
}

static enum MHD_Result answer_stream(struct site *of, struct MHD_Connection *connection,
                                     const char *path)
{
    const struct crier_subscribe_options asked = {.topics = path + 2};
    const struct crier_stream_options options = {0};
    struct MHD_Response *response;
    struct crier_stream *stream;

    ck_assert_int_eq(
        crier_stream_new(of->shards, connection, &options, &stream, &response), 0);
    ck_assert_int_eq(crier_hub_subscribe(nodes[path[1] - '0'].hub, stream, &asked), 0);
    crier_stream_unref(stream);
    return site_queue(connection, response);
}

static void begin(void)
{
    size_t i;

    redis_start(&server, NULL);
    crier__redis_census_age = 12000;
    site = (struct site){.answer = answer_stream};
    site_start(&site, NULL);
    for (i = 0; i < NODES; i++)
        start_node(&nodes[i]);
}

static void end(void)
{
    size_t i;

    for (i = 0; i < NODES; i++) {
        crier_hub_close(nodes[i].hub);
        if (nodes[i].connection != NULL)
            go_down(&nodes[i]);
    }
    site_stop(&site);
    for (i = 0; i < NODES; i++) {
        crier__redis_census_free(&nodes[i].redis);
        crier__timers_done(&nodes[i].redis.link.timers);
        crier_hub_free(nodes[i].hub);
    }
    redis_remove(&server);
}

static void open_on(size_t node, struct client *client, const char *topics)
{
    char path[2100];

    snprintf(path, sizeof path, "/%zu%s", node, topics);
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", path, "", NULL), 200);
}

/* ---- tests ------------------------------------------------------------ */

START_TEST(totals_reach_all_nodes)
{
    struct client here, there, more;

    open_on(0, &here, "a");
    open_on(1, &there, "a");
    open_on(1, &more, "b*");
    expect_count(0, "a", 2);
    expect_count(1, "a", 2);
    expect_count(0, "b*", 1);
    client_close(&there);
    client_close(&more);
    expect_count(0, "a", 1);
    expect_count(1, "a", 1);
    expect_count(0, "b*", 0);
    ck_assert_int_eq(redis_ask_number(&server, "HLEN {t}:census"), 1);
    client_close(&here);
}
END_TEST

/* Many changes are sent together. */
START_TEST(changes_are_sent_together)
{
    struct client clients[50];
    char topic[16];
    size_t i;

    expect_count(0, "n49", 0);
    for (i = 0; i < 50; i++) {
        snprintf(topic, sizeof topic, "n%zu", i);
        open_on(0, &clients[i], topic);
    }
    expect_count(1, "n49", 1);
    ck_assert_uint_le(nodes[0].counts, 2);
    for (i = 0; i < 50; i++)
        client_close(&clients[i]);
}
END_TEST

/* More than one script takes. */
START_TEST(all_counts_are_sent)
{
    struct client clients[25];
    char topics[2048];
    size_t length, i, k;

    for (i = 0; i < 25; i++) {
        for (k = length = 0; k < 100; k++)
            length += (size_t)snprintf(topics + length, sizeof topics - length, "%st%zu-%zu",
                                       k != 0 ? "," : "", i, k);
        open_on(0, &clients[i], topics);
    }
    for (i = 0; i < 25; i++)
        for (k = 0; k < 100; k++) {
            snprintf(topics, sizeof topics, "t%zu-%zu", i, k);
            expect_count(1, topics, 1);
        }
    go_down(&nodes[1]);
    redis_do(&server, "DEL {t}:census");
    go_up(&nodes[1]);
    expect_count(1, "t0-0", 0);
    expect_count(1, "t24-99", 0);
    for (i = 0; i < 25; i++)
        client_close(&clients[i]);
}
END_TEST

/* A node that does not say that it lives is counted out, once; and counts itself in again
 * when it finds out. */
START_TEST(the_dead_are_counted_out)
{
    struct client here, there;

    open_on(0, &here, "a");
    open_on(1, &there, "a,b");
    expect_count(0, "a", 2);
    expect_count(0, "b", 1);
    redis_do(&server, "ZADD {t}:nodes 1 %s", nodes[1].redis.node);
    crier__timers_fire(&nodes[0].redis.link.timers, crier_now() + 3000);
    while (crier_hub_count(nodes[0].hub, "a") != 1)
        work(&nodes[0]);
    ck_assert_uint_eq(crier_hub_count(nodes[0].hub, "b"), 0);
    ck_assert(strcmp(nodes[0].departed, "=a =b ") == 0 ||
              strcmp(nodes[0].departed, "=b =a ") == 0);
    ck_assert_str_eq(nodes[1].departed, "");
    crier__timers_fire(&nodes[1].redis.link.timers, crier_now() + 3000);
    expect_count(0, "a", 2);
    expect_count(1, "a", 2);
    expect_count(0, "b", 1);
    ck_assert_int_eq(redis_ask_number(&server, "ZCARD {t}:nodes"), 2);
    client_close(&here);
    client_close(&there);
}
END_TEST

/* Counts whose answer is lost, and a server that has lost everything. */
START_TEST(reconnects_repair)
{
    struct client here, there, late;

    open_on(0, &here, "a");
    open_on(1, &there, "a");
    expect_count(0, "a", 2);
    go_down(&nodes[0]);
    open_on(0, &late, "a");
    go_down(&nodes[1]);
    redis_do(&server, "FLUSHALL");
    redis_do(&server, "HSET {t}:census =junk 5 bad x !%%01 3");
    go_up(&nodes[0]);
    expect_count(0, "junk", 5);
    expect_count(0, "a", 2);
    go_up(&nodes[1]);
    expect_count(0, "a", 3);
    expect_count(1, "a", 3);
    client_close(&late);
    client_close(&here);
    expect_count(1, "a", 1);
    client_close(&there);
}
END_TEST

static void note_closed(struct crier__redis *redis)
{
    ((struct node *)redis)->closed = true;
}

/* Says that NODE leaves, and does what that needs. */
static void leave_in_order(struct node *node)
{
    crier__redis_census_close(&node->redis, note_closed);
    while (node->waiting_count != 0)
        answer_first(node);
    ck_assert(node->closed);
    ck_assert_uint_eq(crier__timers_next(&node->redis.link.timers), CRIER__NO_TIME);
}

/* One that is closed is counted out by another one, which publishes that; the last one by
 * itself. */
START_TEST(closing_counts_out)
{
    struct client here, there;

    open_on(0, &here, "a");
    open_on(1, &there, "a");
    expect_count(0, "a", 2);
    expect_count(1, "a", 2);
    crier__timers_fire(&nodes[1].redis.link.timers, crier_now() + 3000);
    work(&nodes[1]); /* it knows of the other */
    leave_in_order(&nodes[1]);
    crier__timers_fire(&nodes[0].redis.link.timers, crier_now() + 3000);
    while (crier_hub_count(nodes[0].hub, "a") != 1)
        work(&nodes[0]);
    ck_assert_str_eq(nodes[0].departed, "=a ");
    crier__timers_fire(&nodes[0].redis.link.timers, crier_now() + 3000);
    work(&nodes[0]);
    leave_in_order(&nodes[0]);
    ck_assert_int_eq(redis_ask_number(&server, "EXISTS {t}:census {t}:nodes"), 0);
    ck_assert_int_eq(redis_ask_number(&server, "EXISTS {t}:node:%s", nodes[0].redis.node),
                     0);
    client_close(&here);
    client_close(&there);
}
END_TEST

/* An idle node sends BEAT and nothing else. */
START_TEST(idle_nodes_beat)
{
    unsigned counts, i;

    expect_count(0, "a", 0);
    work(&nodes[0]);
    counts = nodes[0].counts;
    nodes[0].beats = 0;
    for (i = 0; i < 3; i++) {
        ck_assert_uint_le(crier__timers_next(&nodes[0].redis.link.timers),
                          crier_now() + 3000);
        ck_assert_uint_gt(crier__timers_next(&nodes[0].redis.link.timers),
                          crier_now() + 2000);
        crier__timers_fire(&nodes[0].redis.link.timers, crier_now() + 3000);
        while (nodes[0].waiting_count != 0)
            answer_first(&nodes[0]);
    }
    ck_assert_uint_eq(nodes[0].beats, 3);
    ck_assert_uint_eq(nodes[0].counts, counts);
}
END_TEST

/* Has NODE list the nodes, as somebody who asks each second does. Returns how many it has
 * listed then, written to LISTED. */
static size_t list_nodes(struct node *node, struct crier_node *listed)
{
    (void)crier__redis_census_nodes(&node->redis, listed, CRIER_NODES_MAX);
    work(node);
    return crier__redis_census_nodes(&node->redis, listed, CRIER_NODES_MAX);
}

START_TEST(nodes_are_listed)
{
    struct crier_node listed[CRIER_NODES_MAX];
    struct client here, there;
    char host[65];

    open_on(0, &here, "a");
    open_on(1, &there, "a");
    expect_count(0, "a", 2);
    crier__timers_fire(&nodes[1].redis.link.timers, crier_now() + 3000);
    work(&nodes[1]); /* it has said how many streams it has */
    ck_assert_int_eq(gethostname(host, sizeof host), 0);
    ck_assert_uint_eq(list_nodes(&nodes[0], listed), 2);
    ck_assert(listed[0].self && !listed[1].self);
    ck_assert_str_eq(listed[0].id, nodes[0].redis.node);
    ck_assert_str_eq(listed[1].id, nodes[1].redis.node);
    ck_assert_str_eq(listed[0].host, host);
    ck_assert_str_eq(listed[1].host, host);
    ck_assert_int_eq(listed[0].pid, getpid());
    ck_assert_int_eq(listed[1].pid, getpid());
    ck_assert_uint_eq(listed[0].streams, 2); /* both nodes have the same shards */
    ck_assert_uint_eq(listed[1].streams, 2);
    ck_assert_uint_lt(listed[0].seen, (uint64_t)PATIENCE);
    ck_assert_uint_eq(crier__redis_census_nodes(&nodes[0].redis, listed, 1), 1);
    client_close(&here);
    client_close(&there);
}
END_TEST

/* One that has not said for a while that it lives is seen to be late, and then leaves the
 * list. */
START_TEST(a_node_that_is_late_shows)
{
    struct crier_node listed[CRIER_NODES_MAX];
    char time[32];

    work(&nodes[0]); /* BEAT is answered */
    ck_assert_uint_eq(list_nodes(&nodes[0], listed), 2);
    snprintf(time, sizeof time, "%lld", (long long)crier__clock_real() - 9000);
    redis_do(&server, "ZADD {t}:nodes %s %s", time, nodes[1].redis.node);
    nodes[0].redis.listed.time -= 6000;
    ck_assert_uint_eq(list_nodes(&nodes[0], listed), 2);
    ck_assert_uint_ge(listed[1].seen, 9000);
    ck_assert_uint_lt(listed[0].seen, 9000);
    redis_do(&server, "ZADD {t}:nodes 1 %s", nodes[1].redis.node);
    nodes[0].redis.listed.time -= 6000;
    ck_assert_uint_eq(list_nodes(&nodes[0], listed), 1);
    ck_assert(listed[0].self);
    nodes[0].redis.listed.time -= 12001; /* the server does not answer any more */
    ck_assert_uint_eq(crier__redis_census_nodes(&nodes[0].redis, listed, CRIER_NODES_MAX),
                      0);
}
END_TEST

/* What is not as a node writes it, and more nodes than a list has. */
START_TEST(strange_nodes_are_listed)
{
    static const char *const names[] = {"5", "5 a b", "x y", "99999999999 a", "7 \xff",
                                        " a", ""};
    struct crier_node listed[CRIER_NODES_MAX];
    size_t i;
    char id[9];

    work(&nodes[0]);
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        redis_do(&server, "HSET {t}:node:%s name %b streams -1", nodes[1].redis.node,
                 names[i], strlen(names[i]));
        nodes[0].redis.listed.time = 0;
        ck_assert_uint_eq(list_nodes(&nodes[0], listed), 2);
        ck_assert_int_eq(listed[1].pid, 0);
        ck_assert_str_eq(listed[1].host, "");
        ck_assert_uint_eq(listed[1].streams, 0);
    }
    redis_do(&server, "DEL {t}:node:%s", nodes[1].redis.node);
    redis_do(&server, "SET {t}:node:%s junk", nodes[1].redis.node);
    redis_do(&server, "ZADD {t}:nodes 9999999999999 Not-a-name");
    nodes[0].redis.listed.time = 0;
    ck_assert_uint_eq(list_nodes(&nodes[0], listed), 2);
    ck_assert_int_eq(listed[1].pid, 0);
    redis_do(&server, "ZREM {t}:nodes Not-a-name");
    for (i = 0; i < 2 * CRIER_NODES_MAX; i++) {
        snprintf(id, sizeof id, "n%zu", i);
        redis_do(&server, "ZADD {t}:nodes 9999999999999 %s", id);
    }
    nodes[0].redis.listed.time = 0;
    ck_assert_uint_eq(list_nodes(&nodes[0], listed), CRIER_NODES_MAX);
    ck_assert(listed[0].self);
    redis_do(&server, "DEL {t}:node:%s", nodes[1].redis.node);
}
END_TEST

/* While somebody asks, a list is read with each BEAT, and with none where nobody does. */
START_TEST(nobody_asks_in_vain)
{
    struct crier_node listed[CRIER_NODES_MAX];
    struct node *node = &nodes[0];
    unsigned i, beats;

    work(node);
    beats = node->beats;
    node->others = 0;
    for (i = 0; i < 10; i++)
        (void)list_nodes(node, listed);
    ck_assert_uint_eq(node->beats, beats + 1); /* at once, and not again */
    ck_assert_uint_eq(node->others, 1);        /* what the other one says of itself */
    crier__timers_fire(&node->redis.link.timers, crier_now() + 3000);
    work(node);
    ck_assert_uint_eq(node->others, 2);
    crier__timers_fire(&node->redis.link.timers, crier_now() + 3000);
    work(node);
    ck_assert_uint_eq(node->beats, beats + 3);
    ck_assert_uint_eq(node->others, 2);
}
END_TEST

/* Messages and replies that no script makes. */
START_TEST(junk_is_ignored)
{
    static const char junk[] = "\n\n5\n5 \n =a\nx =a\n99999999999999999999 =a\n"
                               "9007199254740993 =a\n7 =a\0b\n4 =b\n3";
    struct client here;

    crier__redis_census_message(&nodes[0].redis, junk, sizeof junk - 1);
    ck_assert_uint_eq(crier_hub_count(nodes[0].hub, "a"), 0);
    ck_assert_uint_eq(crier_hub_count(nodes[0].hub, "b"), 4);
    redis_do(&server, "SET {t}:census junk");
    redis_do(&server, "DEL {t}:nodes");
    redis_do(&server, "SET {t}:nodes junk");
    open_on(0, &here, "c");
    work(&nodes[0]);
    work(&nodes[0]);
    crier__timers_fire(&nodes[0].redis.link.timers, crier_now() + 3000);
    work(&nodes[0]);
    redis_do(&server, "DEL {t}:nodes {t}:census");
    crier__timers_fire(&nodes[0].redis.link.timers, crier_now() + 3000);
    expect_count(1, "c", 1);
    client_close(&here);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("redis_census");
    TCase *c = add_case(suite, "census");

    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, totals_reach_all_nodes);
    tcase_add_test(c, changes_are_sent_together);
    tcase_add_test(c, all_counts_are_sent);
    tcase_add_test(c, the_dead_are_counted_out);
    tcase_add_test(c, reconnects_repair);
    tcase_add_test(c, closing_counts_out);
    tcase_add_test(c, idle_nodes_beat);
    tcase_add_test(c, nodes_are_listed);
    tcase_add_test(c, a_node_that_is_late_shows);
    tcase_add_test(c, strange_nodes_are_listed);
    tcase_add_test(c, nobody_asks_in_vain);
    tcase_add_test(c, junk_is_ignored);
    return suite;
}

static bool has_server(void)
{
    char path[4096];

    return redis_find(path);
}

RUN_SUITE_IF(make_suite, has_server(), "no redis-server")
