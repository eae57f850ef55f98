/*
 * The workloads. Each round uses a newly started server, so that none inherits state of
 * another round, and ends with a short time in which nothing more may arrive.
 *
 *   broadcast   all subscribe to one topic; the next update when all have the last
 *   latency     one client, on the node that the publisher does not use if there are
 *               several; the next update when it has the last
 *   private     the same as broadcast with private updates, and a token for each client
 *   targeted    ten subscribe to each of many topics; one topic after the other
 *   prefix      the same, but by a prefix for each topic
 *   template    the same, but by a URI template for each topic
 *   saturated   half as many subscribe to one topic, and 64 updates are in flight
 *               all the time: published and not yet at every client
 *   chunked     a tenth as many, and updates of 64 KiB
 *   tls-broadcast, tls-targeted, tls-saturated
 *               half as many as broadcast; in targeted five for each topic; first
 *               without TLS and then with it, for half of the time each
 *   idle        all subscribe and nothing is published: memory, and keep-alives
 *   quiet       each client is a topic with one update; then nothing happens
 *   crowd       half as many again on each node, of which there are five or one, each
 *               with a process of its own (crowd.c); one update per `seconds`
 *   publish     no subscribers, one connection publishes with 64 in flight
 *   publish-token
 *               the same with a token in each request
 *   bulk        the same as publish by libcrier's publisher
 *   storm       all disconnect, miss 100 updates, reconnect with Last-Event-ID; with
 *               several nodes to one that has been started since
 *   connect, connect-chrome
 *               all connect and subscribe to one topic, with the request of curl or
 *               of Chrome
 *   connect-token, connect-tokens
 *               as connect, with the same token for all, or another for each
 *   memory, memory-chrome, memory-proxy, memory-cookie, memory-tls
 *               two fifths subscribe to one topic and receive one update: memory;
 *               with the request of curl, of Chrome, and that with more fields; with
 *               that of curl over TLS
 *   slow, half-open, large, garbage, flood
 *               as broadcast, with a tenth of the clients, first alone and then
 *               with attackers (attack.c); each for a third of the time. In flood the
 *               server limits what one address may do
 *
 * A round publishes for a fixed time and not a fixed number of updates, so that a slow
 * server does not make the run longer. Measuring starts after a warm-up.
 */
#include <config.h>

#include "work.h"

#include "attack.h"
#include "clients.h"
#include "crier_client.h"
#include "crowd.h"
#include "fault.h"
#include "heads.h"
#include "publish.h"
#include "usage.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA_SIZE 100
#define LARGE_SIZE ((size_t)64 * 1024)
#define IN_FLIGHT 64
#define MISSED 100
#define PADDING 3072
#define LINGER_MS 20
#define CROWD_UPDATES 8
#define QUIET_TRIES 250 /* about 5 s */

/* Updates that each client receives before measuring. Linux acknowledges the first 16
 * segments of a connection one by one and at once (and again after a silence of 200 ms
 * or more), on loopback on the sender's CPU: the server would be charged for the
 * receiver's work. */
#define WARM_UP 17

/* The state of one round. */
struct session {
    struct cluster *cluster;
    const struct server *server; /* the first node: for the publisher */
    struct load load;
    struct clients clients;
    struct crowd crowd;
    struct publish publish;
    struct tokens tokens; /* the first one is the publisher's */
    char data[LARGE_SIZE];

    uint64_t begun, own; /* when measuring began; ns */
    struct usage usage;
};

/* ---- shared steps ------------------------------------------------------- */

static bool open_work_session(struct session *session, struct cluster *cluster,
                         const struct work_size *size, size_t count, size_t topics,
                         size_t bytes, enum clients_selector selector,
                         enum head head, size_t tokens)
{
    memset(session, 0, sizeof *session);
    session->cluster = cluster;
    session->server = &cluster->nodes[0];
    if (tokens != 0 && !tokens_make(&session->tokens, tokens))
        return false;
    session->clients = (struct clients){.port = session->server->port,
                                        .other_port = cluster->nodes[1].port,
                                        .count = count,
                                        .topics = topics,
                                        .prefix = "bench",
                                        .selector = selector,
                                        .size = bytes,
                                        .fields = head_fields(head),
                                        .tokens = session->tokens};
    if (!load_open(&session->load, size->patience) ||
        !publish_open(&session->publish, &session->load, session->server->port) ||
        !clients_open(&session->clients, &session->load))
        return false;
    if (tokens != 0)
        session->publish.token = session->tokens.list[0];
    return true;
}

static void close_work_session(struct session *session)
{
    crowd_end(&session->crowd);
    clients_close(&session->clients);
    publish_close(&session->publish);
    load_close(&session->load);
    tokens_free(&session->tokens);
}

static bool accepted;

static bool on_first_response(struct publish *publish, int status, const char *body,
                              size_t length)
{
    (void)publish;
    (void)body;
    (void)length;
    accepted = status / 100 == 2;
    return accepted || status == 503 ||
           fault("the first publish failed with %d", status);
}

static bool on_first_end(struct publish *publish, int error)
{
    (void)publish;
    return fault("the first publish failed: %s", strerror(error));
}

/* Publishes until the server has reached its Redis: Nchan refuses updates before. */
static bool wait_for_redis(struct session *session)
{
    static const struct publish_calls calls = {on_first_response, on_first_end};
    uint64_t until = usage_now() + session->load.patience;

    session->publish.calls = &calls;
    for (accepted = false; !accepted;) {
        if (usage_now() > until)
            return fault("the server does not reach its Redis");
        if (!publish_add_update(&session->publish, "first", "x", 1) ||
            !publish_flush(&session->publish) || !publish_wait(&session->publish, 0) ||
            !load_linger(&session->load, LINGER_MS))
            return false;
    }
    session->publish.calls = NULL;
    return true;
}

/* Queues the next update of TOPIC. */
static bool publish_next(struct session *session, size_t topic)
{
    char name[64];

    clients_topic(&session->clients, topic, name, sizeof name);
    return clients_compose(&session->clients, topic, session->data) &&
           publish_add_update(&session->publish, name, session->data,
                              session->clients.size);
}

/* Starts measuring. */
static bool begin_meter(struct session *session)
{
    if (!cluster_usage(session->cluster, false, &session->usage))
        return false;
    clients_reset(&session->clients);
    session->own = usage_own();
    session->begun = usage_now();
    return true;
}

/* Computes the CPU since begin_meter() for each of COUNT deliveries, the last at END. */
static bool end_meter(struct session *session, uint64_t end, uint64_t count,
                      struct figures *figures)
{
    struct usage usage;
    double seconds = (double)(end - session->begun) / 1e9;
    double own = (double)(usage_own() - session->own) / 1e9;

    if (!load_linger(&session->load, LINGER_MS) ||
        !cluster_usage(session->cluster, false, &usage))
        return false;
    if (usage.processes != session->usage.processes)
        return fault("processes of the server started or exited");
    if (count == 0)
        return fault("nothing was delivered");
    figures->of[FIGURE_CPU] = (double)(usage.cpu - session->usage.cpu) / (double)count;
    figures->of[FIGURE_RATE] = (double)count / seconds;
    if (session->clients.count != 0)
        figures->of[FIGURE_BYTES] = (double)session->load.bytes / (double)count;
    figures->of[FIGURE_LOAD] = own / seconds;
    return true;
}

static bool has_time(const struct session *session, const struct work_size *size)
{
    return (double)(usage_now() - session->begun) < size->seconds * 1e9;
}

/* ---- updates to clients ------------------------------------------------- */

/* Publishes to the topics in turn, with IN_FLIGHT updates in flight: at least COUNT,
 * and, if TIMED, until the time is over. */
static bool publish_updates(struct session *session, const struct work_size *size,
                            unsigned in_flight, size_t count, bool timed)
{
    for (size_t i = 0; i < count || (timed && has_time(session, size)); i++)
        if (!clients_wait(&session->clients, in_flight - 1) ||
            !publish_next(session, i % session->clients.topics) ||
            !publish_flush(&session->publish))
            return false;
    return clients_wait(&session->clients, 0) && publish_wait(&session->publish, 0);
}

/* Connects the clients. That may take longer with TLS than servers let a publisher be
 * silent. */
static bool connect_clients(struct session *session)
{
    bool tls = session->clients.tls;

    if (tls)
        publish_close(&session->publish);
    return clients_connect(&session->clients) &&
           (!tls ||
            publish_open(&session->publish, &session->load, session->server->port));
}

static bool measure_updates(struct session *session, const struct work_size *size,
                            unsigned in_flight, struct figures *figures)
{
    struct clients *clients = &session->clients;
    const struct histogram *latency = &clients->latency;
    uint64_t before;

    if (!connect_clients(session) ||
        !publish_updates(session, size, in_flight, WARM_UP * clients->topics, false) ||
        !begin_meter(session))
        return false;
    before = clients->published;
    if (!publish_updates(session, size, in_flight, 10, true) ||
        !end_meter(session, clients->last, clients->deliveries, figures))
        return false;
    figures->of[FIGURE_P50] = histogram_at(latency, 0.5);
    figures->of[FIGURE_P99] = histogram_at(latency, 0.99);
    figures->of[FIGURE_P999] = histogram_at(latency, 0.999);
    figures->of[FIGURE_PUBLISHES] = (double)(clients->published - before) * 1e9 /
                                    (double)(clients->last - session->begun);
    return true;
}

/* The client is on the node that the publisher does not use, if there are several. */
static bool measure_latency(struct session *session, const struct work_size *size,
                            struct figures *figures)
{
    struct clients *clients = &session->clients;

    if (clients->other_port != 0)
        clients->port = clients->other_port;
    clients->other_port = 0;
    return measure_updates(session, size, 1, figures);
}

/* ---- TLS ---------------------------------------------------------------- */

/* Replaces the clients of SESSION, which are those of a port without TLS, by as many on
 * the one with it, on topics of their own. */
static bool change_to_tls(struct session *session)
{
    struct clients *clients = &session->clients;
    struct clients next = {.port = session->server->tls_port,
                           .tls = true,
                           .count = clients->count,
                           .topics = clients->topics,
                           .prefix = "tls",
                           .size = clients->size,
                           .fields = clients->fields};

    clients_close(clients);
    *clients = next;
    return clients_open(clients, &session->load);
}

static bool measure_tls(struct session *session, const struct work_size *size,
                        unsigned in_flight, struct figures *figures)
{
    struct work_size half = *size;
    struct figures plain;

    half.seconds /= 2;
    if (!measure_updates(session, &half, in_flight, &plain) ||
        !change_to_tls(session) ||
        !measure_updates(session, &half, in_flight, figures))
        return false;
    figures->of[FIGURE_TO_PLAIN] = figures->of[FIGURE_CPU] / plain.of[FIGURE_CPU];
    return true;
}

/* ---- keep-alives -------------------------------------------------------- */

/* Checks that the server accepts a request with large headers. */
static bool try_large_headers(struct session *session)
{
    struct clients one = session->clients;
    bool ok;

    one = (struct clients){.port = one.port,
                           .count = 1,
                           .topics = 1,
                           .prefix = "large",
                           .size = DATA_SIZE,
                           .fields = one.fields,
                           .padding = PADDING};
    ok = clients_open(&one, &session->load) && clients_connect(&one);
    clients_close(&one);
    return ok;
}

/* Waits for INTERVAL ms, and until nearly every client has had a keep-alive: a server on a
 * busy machine sends some late. */
static bool wait_for_keep_alives(struct session *session, unsigned interval)
{
    struct clients *clients = &session->clients;
    uint64_t until;

    if (!load_linger(&session->load, interval))
        return false;
    until = usage_now() + session->load.patience;
    while (clients->comments < clients->count * 9 / 10 && usage_now() < until)
        if (!load_linger(&session->load, LINGER_MS))
            return false;
    return true;
}

/* Measures one keep-alive interval, which begins after each client has had its first
 * keep-alive. So each gets one, and all other work of the server is included. */
static bool measure_idle(struct session *session, const struct work_size *size,
                         struct figures *figures)
{
    struct clients *clients = &session->clients;
    unsigned interval = size->keep_alive * 1000;
    struct usage before, after;

    publish_close(&session->publish); /* servers close silent connections */
    if (!cluster_usage(session->cluster, true, &before) || !clients_connect(clients) ||
        !load_linger(&session->load, 500) ||
        !cluster_usage(session->cluster, true, &after))
        return false;
    figures->of[FIGURE_MEMORY] =
        ((double)after.memory - (double)before.memory) / (double)clients->count;
    if (!try_large_headers(session) || !load_linger(&session->load, interval + 500) ||
        !begin_meter(session) || !wait_for_keep_alives(session, interval) ||
        !end_meter(session, usage_now(), clients->comments, figures))
        return false;
    if (clients->comments < clients->count * 9 / 10)
        return fault("only %llu keep-alives for %zu clients in %u s",
                     (unsigned long long)clients->comments, clients->count,
                     size->keep_alive);
    return true;
}

/* ---- nothing happens ----------------------------------------------------- */

/* Publishes one update to each topic. */
static bool fill_topics(struct session *session, size_t topics)
{
    for (size_t i = 0; i < topics; i++)
        if (!publish_next(session, i) || !publish_flush(&session->publish) ||
            !publish_wait(&session->publish, IN_FLIGHT - 1))
            return false;
    return publish_wait(&session->publish, 0);
}

/* Measures the first node alone, for longer than a keep-alive interval: 20 s if that is
 * 15 s. */
static bool measure_quiet(struct session *session, const struct work_size *size,
                          struct figures *figures)
{
    pid_t pid = session->server->pid;
    uint64_t cpu, switches, own, begun;
    double seconds;

    if (!fill_topics(session, session->clients.topics))
        return false;
    publish_close(&session->publish); /* servers close silent connections */
    if (!load_linger(&session->load, 2000))
        return false;
    cpu = usage_process(pid);
    switches = usage_switches(pid);
    own = usage_own();
    begun = usage_now();
    if (!load_linger(&session->load, size->keep_alive * 4000 / 3))
        return false;
    seconds = (double)(usage_now() - begun) / 1e9;
    figures->of[FIGURE_CPU] = (double)(usage_process(pid) - cpu) / seconds;
    figures->of[FIGURE_RATE] = (double)(usage_switches(pid) - switches) / seconds;
    figures->of[FIGURE_LOAD] = (double)(usage_own() - own) / 1e9 / seconds;
    return *fault_text() == '\0';
}

/* ---- publishing --------------------------------------------------------- */

/* Fills the connection up to IN_FLIGHT requests; new ones are sent together. */
static bool fill_pipeline(struct session *session)
{
    struct publish *publish = &session->publish;

    while (publish->sent - publish->responses < IN_FLIGHT)
        if (!publish_next(session, 0))
            return false;
    return publish_flush(publish);
}

static bool measure_publish(struct session *session, const struct work_size *size,
                            struct figures *figures)
{
    struct publish *publish = &session->publish;
    uint64_t before;

    if (!fill_pipeline(session) || !publish_wait(publish, 0) || !begin_meter(session))
        return false;
    before = publish->responses;
    do
        if (!fill_pipeline(session) || !publish_wait(publish, IN_FLIGHT - 1))
            return false;
    while (has_time(session, size));
    if (!publish_wait(publish, 0) ||
        !end_meter(session, usage_now(), publish->responses - before, figures))
        return false;
    figures->of[FIGURE_PUBLISHES] = figures->of[FIGURE_RATE];
    return true;
}

/* Adds updates to PUBLISHER until the time is over, and one in any case. */
static int add_updates(struct session *session, const struct work_size *size,
                       struct crier_publisher *publisher)
{
    struct crier_event *event = crier_event_new();
    int result;

    if (event == NULL)
        return -ENOMEM;
    memset(session->data, 'x', DATA_SIZE);
    result = crier_event_data(event, session->data, DATA_SIZE);
    if (result == 0)
        do
            result = crier_publisher_add(publisher, event);
        while (result == 0 && has_time(session, size) && !fault_interrupted());
    crier_event_free(event);
    return result;
}

static bool measure_bulk(struct session *session, const struct work_size *size,
                         struct figures *figures)
{
    char url[64];
    struct crier_publisher_options options = {.server = url, .topics = "bench-0"};
    struct crier_publisher *publisher;
    struct crier_published published = {0};
    struct crier_progress progress;
    int result;

    snprintf(url, sizeof url, "http://127.0.0.1:%u", session->server->port);
    options.timeout = size->patience * (uint64_t)1000;
    if (crier_publisher_new(&options, &publisher) != 0)
        return fault("cannot make a publisher");
    if (!begin_meter(session)) {
        crier_publisher_free(publisher);
        return false;
    }
    result = add_updates(session, size, publisher);
    if (result == 0 && !fault_interrupted())
        result = crier_publisher_finish(publisher, &published);
    crier_publisher_progress(publisher, &progress);
    crier_publisher_free(publisher);
    if (result != 0 || progress.published != progress.added || progress.duplicates != 0)
        return fault("publishing in bulk failed: %s", published.reason);
    if (!end_meter(session, usage_now(), progress.published, figures))
        return false;
    figures->of[FIGURE_PUBLISHES] = figures->of[FIGURE_RATE];
    return true;
}

/* ---- reconnecting ------------------------------------------------------- */

/* Has the clients return to a new node, which is idle by then. */
static bool move_to_new_node(struct session *session)
{
    struct cluster *cluster = session->cluster;

    if (!cluster_add(cluster))
        return false;
    session->clients.port = cluster->nodes[cluster->count - 1].port;
    return true;
}

static bool measure_storm(struct session *session, struct figures *figures)
{
    struct clients *clients = &session->clients;
    bool moves = session->cluster->kind == SERVER_CRIERD_NODES;

    if (!clients_connect(clients) || !publish_next(session, 0) ||
        !publish_flush(&session->publish) || !clients_wait(clients, 0))
        return false;
    clients_disconnect(clients, true);
    for (unsigned i = 0; i < MISSED; i++)
        if (!publish_next(session, 0))
            return false;
    if (!publish_flush(&session->publish) || !publish_wait(&session->publish, 0) ||
        (moves && !move_to_new_node(session)) || !load_linger(&session->load, 500) ||
        !begin_meter(session) || !clients_connect(clients) || !clients_wait(clients, 0) ||
        !end_meter(session, clients->last, clients->deliveries, figures))
        return false;
    figures->of[FIGURE_RATE] /= MISSED;
    return true;
}

/* ---- connecting --------------------------------------------------------- */

/* Publishes an update that every client must receive, which proves that it is
 * subscribed. */
static bool publish_to_all(struct session *session)
{
    return publish_next(session, 0) && publish_flush(&session->publish) &&
           clients_wait(&session->clients, 0) && publish_wait(&session->publish, 0);
}

/* Publishes an update that nobody subscribes to: after that the server has allocated
 * what it needs by itself. */
static bool warm_up(struct session *session)
{
    memset(session->data, 'x', DATA_SIZE);
    return publish_add_update(&session->publish, "warm-up", session->data, DATA_SIZE) &&
           publish_flush(&session->publish) && publish_wait(&session->publish, 0);
}

static bool measure_connect(struct session *session, struct figures *figures)
{
    struct clients *clients = &session->clients;

    return warm_up(session) && begin_meter(session) && clients_connect(clients) &&
           end_meter(session, usage_now(), clients->count, figures) &&
           publish_to_all(session);
}

static bool measure_memory(struct session *session, struct figures *figures)
{
    struct clients *clients = &session->clients;
    struct usage before, after;

    if (!warm_up(session) || !cluster_usage(session->cluster, true, &before) ||
        !begin_meter(session) || !connect_clients(session) ||
        !publish_to_all(session) ||
        !end_meter(session, usage_now(), clients->count, figures) ||
        !load_linger(&session->load, 500) ||
        !cluster_usage(session->cluster, true, &after))
        return false;
    figures->of[FIGURE_MEMORY] =
        ((double)after.memory - (double)before.memory) / (double)clients->count;
    return true;
}

/* ---- more clients than one process can have ------------------------------- */

/* Starts a process with COUNT clients for each node, before there are connections that it
 * would inherit. */
static bool start_crowd(struct session *session, size_t count)
{
    struct cluster *cluster = session->cluster;
    struct clients clients = session->clients;

    clients.count = count;
    clients.other_port = 0;
    for (unsigned i = 0; i < cluster->count; i++) {
        clients.port = cluster->nodes[i].port;
        if (!crowd_add(&session->crowd, &session->load, &clients))
            return false;
    }
    return true;
}

/* Connects the clients, and measures their memory. COUNT: all. */
static bool connect_crowd(struct session *session, double count, struct figures *figures)
{
    struct usage before, after;
    uint64_t kernel;

    if (!cluster_usage(session->cluster, true, &before))
        return false;
    kernel = usage_kernel();
    if (!crowd_connect(&session->crowd) || !load_linger(&session->load, 500) ||
        !cluster_usage(session->cluster, true, &after))
        return false;
    figures->of[FIGURE_MEMORY] = ((double)after.memory - (double)before.memory) / count;
    figures->of[FIGURE_KERNEL] = ((double)usage_kernel() - (double)kernel) / count;
    return true;
}

/* Publishes COUNT updates, each when all clients have the last, but not before INTERVAL has
 * passed: clients that have been idle for less than 200 ms cost less, and with few clients
 * they would be. */
static bool publish_to_crowd(struct session *session, unsigned count, double interval)
{
    struct clients *clients = &session->clients;
    uint64_t due;

    for (unsigned i = 0; i < count; i++) {
        due = usage_now() + (uint64_t)(interval * 1e9);
        if (!publish_next(session, 0) || !publish_flush(&session->publish) ||
            !crowd_wait(&session->crowd, clients->published))
            return false;
        clients->last = usage_now();
        if (clients->last < due &&
            !load_linger(&session->load, (unsigned)((due - clients->last) / 1000000)))
            return false;
    }
    return publish_wait(&session->publish, 0);
}

static bool measure_crowd(struct session *session, const struct work_size *size,
                          struct figures *figures)
{
    struct histogram latency = {0};
    size_t each = work_clients_each(WORK_CROWD, size);
    uint64_t all = each * session->cluster->count, deliveries, own;

    publish_close(&session->publish); /* servers close silent connections */
    if (!start_crowd(session, each) || !connect_crowd(session, (double)all, figures) ||
        !publish_open(&session->publish, &session->load, session->server->port) ||
        !publish_to_crowd(session, 2, size->seconds) || !crowd_reset(&session->crowd) ||
        !begin_meter(session))
        return false;
    own = crowd_cpu(&session->crowd);
    if (!publish_to_crowd(session, CROWD_UPDATES, size->seconds) ||
        !load_linger(&session->load, LINGER_MS))
        return false;
    deliveries = crowd_deliveries(&session->crowd, &latency);
    if (deliveries != all * CROWD_UPDATES)
        return fault("%llu deliveries of %u updates to %llu clients",
                     (unsigned long long)deliveries, CROWD_UPDATES,
                     (unsigned long long)all);
    if (!end_meter(session, usage_now(), deliveries, figures))
        return false;
    figures->of[FIGURE_P50] = histogram_at(&latency, 0.5);
    figures->of[FIGURE_P99] = histogram_at(&latency, 0.99);
    figures->of[FIGURE_P999] = histogram_at(&latency, 0.999);
    figures->of[FIGURE_LOAD] += (double)(crowd_cpu(&session->crowd) - own) /
                                (double)(usage_now() - session->begun);
    return *fault_text() == '\0';
}

/* ---- under attack ------------------------------------------------------- */

/* Waits until the attackers have made more than COUNT actions: in a short time, or on a busy
 * machine, they may have made none. */
static bool wait_for_attack(struct session *session, const struct attack *attack,
                            uint64_t count)
{
    uint64_t until = usage_now() + session->load.patience;

    while (attack->acts && attack_count(attack) == count && usage_now() < until)
        if (!load_linger(&session->load, LINGER_MS))
            return false;
    return true;
}

static bool measure_attack(struct session *session, const struct work_size *size,
                           struct attack *attack, struct figures *figures)
{
    struct figures alone;
    uint64_t cpu, count;
    double seconds;

    if (!measure_updates(session, size, 1, &alone) || !attack_begin(attack))
        return false;
    cpu = attack_cpu(attack);
    count = attack_count(attack);
    if (!measure_updates(session, size, 1, figures) ||
        !wait_for_attack(session, attack, count))
        return false;
    seconds = (double)(usage_now() - session->begun) / 1e9;
    figures->of[FIGURE_ATTACKS] = (double)(attack_count(attack) - count) / seconds;
    figures->of[FIGURE_LOAD] += (double)(attack_cpu(attack) - cpu) / 1e9 / seconds;
    figures->of[FIGURE_P50_ALONE] = figures->of[FIGURE_P50] / alone.of[FIGURE_P50];
    figures->of[FIGURE_P99_ALONE] = figures->of[FIGURE_P99] / alone.of[FIGURE_P99];
    return *fault_text() == '\0';
}

/* Waits until the server has finished with the attackers' requests: libmicrohttpd
 * 0.9.75 may crash on a request that it refuses while it is being stopped. */
static bool wait_until_quiet(struct session *session)
{
    struct usage now = {0};
    uint64_t before = 1;
    int i;

    for (i = 0; i < QUIET_TRIES && now.cpu != before; i++) {
        before = now.cpu;
        if (!load_linger(&session->load, LINGER_MS) ||
            !cluster_usage(session->cluster, false, &now))
            return false;
    }
    return true;
}

static bool measure_abuse(enum work_kind kind, struct session *session,
                          const struct work_size *size, struct figures *figures)
{
    struct work_size third = *size;
    struct attack attack;
    bool ok;

    third.seconds /= 3;
    ok = attack_prepare(&attack, (enum attack_kind)(kind - WORK_SLOW),
                        session->server->port, size->clients) &&
         measure_attack(session, &third, &attack, figures);
    attack_end(&attack);
    return ok && wait_until_quiet(session);
}

/* ---- the table of workloads --------------------------------------------- */

static const struct {
    const char *name, *unit;
    unsigned share; /* of the clients, in percent */
    unsigned servers;
    enum head head;
    enum { TOKENS_NONE, TOKENS_ONE, TOKENS_EACH } tokens;
} works[WORK_KINDS] = {
#define ALL (1 << SERVER_BASELINE | 1 << SERVER_CRIERD | 1 << SERVER_NCHAN)
#define REDIS (1 << SERVER_CRIERD_REDIS)
#define NODES (1 << SERVER_CRIERD_NODES)
    [WORK_BROADCAST] = {"broadcast", "delivery", 100, ALL | NODES, HEAD_CURL, TOKENS_NONE},
    [WORK_LATENCY] = {"latency", "delivery", 0, 1 << SERVER_CRIERD | NODES, HEAD_CURL,
                      TOKENS_NONE},
    [WORK_PRIVATE] = {"private", "delivery", 100, 1 << SERVER_CRIERD, HEAD_CURL,
                      TOKENS_EACH},
    [WORK_TARGETED] = {"targeted", "delivery", 100, ALL, HEAD_CURL, TOKENS_NONE},
    [WORK_PREFIX] = {"prefix", "delivery", 100, 1 << SERVER_CRIERD, HEAD_CURL,
                     TOKENS_NONE},
    [WORK_TEMPLATE] = {"template", "delivery", 100, 1 << SERVER_CRIERD, HEAD_CURL,
                       TOKENS_NONE},
    [WORK_SATURATED] = {"saturated", "delivery", 50, ALL, HEAD_CURL, TOKENS_NONE},
    [WORK_CHUNKED] = {"chunked", "delivery", 10, ALL, HEAD_CURL, TOKENS_NONE},
#define CRIERD (1 << SERVER_CRIERD)
    [WORK_TLS_BROADCAST] = {"tls-broadcast", "delivery", 50, CRIERD, HEAD_CURL,
                            TOKENS_NONE},
    [WORK_TLS_TARGETED] = {"tls-targeted", "delivery", 50, CRIERD, HEAD_CURL,
                           TOKENS_NONE},
    [WORK_TLS_SATURATED] = {"tls-saturated", "delivery", 50, CRIERD, HEAD_CURL,
                            TOKENS_NONE},
    [WORK_IDLE] = {"idle", "keep-alive", 100, ALL, HEAD_CHROME, TOKENS_NONE},
    [WORK_QUIET] = {"quiet", "second", 0, 1 << SERVER_CRIERD | REDIS, HEAD_CURL,
                    TOKENS_NONE},
    [WORK_CROWD] = {"crowd", "delivery", 0,
                    1 << SERVER_BASELINE | 1 << SERVER_CRIERD | NODES, HEAD_CURL,
                    TOKENS_NONE},
    [WORK_PUBLISH] = {"publish", "publish", 0,
                      ALL | 1 << SERVER_CRIERD_SQLITE | REDIS | 1 << SERVER_NCHAN_REDIS,
                      HEAD_CURL, TOKENS_NONE},
    [WORK_PUBLISH_TOKEN] = {"publish-token", "publish", 0, 1 << SERVER_CRIERD,
                            HEAD_CURL, TOKENS_ONE},
    [WORK_BULK] = {"bulk", "publish", 0, 1 << SERVER_CRIERD | 1 << SERVER_CRIERD_SQLITE,
                   HEAD_CURL, TOKENS_NONE},
#define REAL (1 << SERVER_CRIERD | 1 << SERVER_NCHAN)
    [WORK_STORM] = {"storm", "delivery", 100, REAL | REDIS | NODES, HEAD_CURL, TOKENS_NONE},
    [WORK_CONNECT] = {"connect", "client", 100, ALL, HEAD_CURL, TOKENS_NONE},
    [WORK_CONNECT_TOKEN] = {"connect-token", "client", 100, 1 << SERVER_CRIERD,
                            HEAD_CURL, TOKENS_ONE},
    [WORK_CONNECT_TOKENS] = {"connect-tokens", "client", 100, 1 << SERVER_CRIERD,
                             HEAD_CURL, TOKENS_EACH},
    [WORK_CONNECT_CHROME] = {"connect-chrome", "client", 100, ALL, HEAD_CHROME, TOKENS_NONE},
    [WORK_MEMORY] = {"memory", "client", 40, REAL, HEAD_CURL, TOKENS_NONE},
    [WORK_MEMORY_CHROME] = {"memory-chrome", "client", 40, REAL, HEAD_CHROME, TOKENS_NONE},
    [WORK_MEMORY_PROXY] = {"memory-proxy", "client", 40, REAL, HEAD_PROXY, TOKENS_NONE},
    [WORK_MEMORY_COOKIE] = {"memory-cookie", "client", 40, REAL, HEAD_COOKIE, TOKENS_NONE},
    [WORK_MEMORY_TLS] = {"memory-tls", "client", 40, CRIERD, HEAD_CURL, TOKENS_NONE},
    [WORK_SLOW] = {"slow", "delivery", 10, REAL, HEAD_CURL, TOKENS_NONE},
    [WORK_HALF_OPEN] = {"half-open", "delivery", 10, REAL, HEAD_CURL, TOKENS_NONE},
    [WORK_LARGE] = {"large", "delivery", 10, REAL, HEAD_CURL, TOKENS_NONE},
    [WORK_GARBAGE] = {"garbage", "delivery", 10, REAL, HEAD_CURL, TOKENS_NONE},
    [WORK_FLOOD] = {"flood", "delivery", 10, 1 << SERVER_CRIERD, HEAD_CURL, TOKENS_NONE},
};

bool work_is_abuse(enum work_kind kind) { return kind >= WORK_SLOW; }

bool work_is_memory(enum work_kind kind)
{
    return kind >= WORK_MEMORY && kind <= WORK_MEMORY_TLS;
}

bool work_is_tls(enum work_kind kind)
{
    return (kind >= WORK_TLS_BROADCAST && kind <= WORK_TLS_SATURATED) ||
           kind == WORK_MEMORY_TLS;
}

const char *work_name(enum work_kind kind) { return works[kind].name; }

const char *work_unit(enum work_kind kind) { return works[kind].unit; }

const char *const *work_options(enum work_kind kind)
{
    /* The clients of a run come from 16 addresses, all at once. */
    static const char *const limits[] = {"--connect-rate", "500",
                                         "--max-clients-per-address", "5000", NULL};

    if (kind == WORK_FLOOD)
        return limits;
    return works[kind].tokens != TOKENS_NONE ? tokens_options : NULL;
}

unsigned work_nodes(enum work_kind kind, enum server_kind server)
{
    if (server != SERVER_CRIERD_NODES || kind == WORK_STORM)
        return 1;
    return kind == WORK_CROWD ? 5 : 2;
}

size_t work_clients_each(enum work_kind kind, const struct work_size *size)
{
    if (kind == WORK_LATENCY)
        return 1;
    return kind == WORK_CROWD ? size->clients * 3 / 2
                              : size->clients * works[kind].share / 100;
}

size_t work_clients(enum work_kind kind, enum server_kind server,
                    const struct work_size *size)
{
    return work_clients_each(kind, size) *
           (kind == WORK_CROWD ? work_nodes(kind, server) : 1);
}

bool work_is_for(enum work_kind kind, enum server_kind server)
{
    return (works[kind].servers >> server & 1) != 0;
}

static bool measure_work(enum work_kind kind, const struct work_size *size,
                         struct session *session, struct figures *figures)
{
    switch (kind) {
    case WORK_LATENCY:
        return measure_latency(session, size, figures);
    case WORK_SATURATED:
        return measure_updates(session, size, IN_FLIGHT, figures);
    case WORK_TLS_BROADCAST:
    case WORK_TLS_TARGETED:
        return measure_tls(session, size, 1, figures);
    case WORK_TLS_SATURATED:
        return measure_tls(session, size, IN_FLIGHT, figures);
    case WORK_IDLE:
        return measure_idle(session, size, figures);
    case WORK_QUIET:
        return measure_quiet(session, size, figures);
    case WORK_CROWD:
        return measure_crowd(session, size, figures);
    case WORK_PUBLISH:
    case WORK_PUBLISH_TOKEN:
        return measure_publish(session, size, figures);
    case WORK_BULK:
        return measure_bulk(session, size, figures);
    case WORK_STORM:
        return measure_storm(session, figures);
    case WORK_CONNECT:
    case WORK_CONNECT_TOKEN:
    case WORK_CONNECT_TOKENS:
    case WORK_CONNECT_CHROME:
        return measure_connect(session, figures);
    case WORK_MEMORY:
    case WORK_MEMORY_CHROME:
    case WORK_MEMORY_PROXY:
    case WORK_MEMORY_COOKIE:
        return measure_memory(session, figures);
    case WORK_MEMORY_TLS:
        return change_to_tls(session) && measure_memory(session, figures);
    default:
        return work_is_abuse(kind) ? measure_abuse(kind, session, size, figures)
                                   : measure_updates(session, size, 1, figures);
    }
}

/* Returns how many topics the clients of KIND have. */
static size_t count_topics(enum work_kind kind, const struct work_size *size)
{
    switch (kind) {
    case WORK_QUIET:
        return size->clients;
    case WORK_TARGETED:
    case WORK_PREFIX:
    case WORK_TEMPLATE:
        return (work_clients_each(kind, size) + 9) / 10;
    case WORK_TLS_TARGETED:
        return (work_clients_each(kind, size) + 4) / 5;
    default:
        return 1;
    }
}

bool work_run(enum work_kind kind, const struct work_size *size,
              struct cluster *cluster, struct figures *figures)
{
    static struct session session;
    enum clients_selector selector = kind == WORK_PREFIX     ? CLIENTS_BY_PREFIX
                                     : kind == WORK_TEMPLATE ? CLIENTS_BY_TEMPLATE
                                                             : CLIENTS_BY_NAME;
    bool ok;
    size_t clients = kind == WORK_CROWD ? 0 : work_clients_each(kind, size);
    const size_t tokens[] = {
        [TOKENS_NONE] = 0, [TOKENS_ONE] = 1, [TOKENS_EACH] = clients};

    for (int i = 0; i < FIGURES; i++)
        figures->of[i] = NAN;
    ok = open_work_session(&session, cluster, size, clients, count_topics(kind, size),
                      kind == WORK_CHUNKED ? LARGE_SIZE : DATA_SIZE, selector,
                      works[kind].head, tokens[works[kind].tokens]);
    session.publish.private = kind == WORK_PRIVATE;
    ok = ok && (cluster->redis.pid == 0 || wait_for_redis(&session));
    ok = ok && measure_work(kind, size, &session, figures);
    close_work_session(&session);
    return ok;
}
