/*
 * The publishers, one for each node at the start. Half of the updates have an id, and are
 * published again with dedupe=1, at one node after the other, until one acknowledges them.
 * The others get their id from the journal, which shows their position, and are published
 * once: without a response, nobody knows whether they are in the journal.
 */
#include <config.h>

#include "publisher.h"

#include "bench/fault.h"
#include "bench/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A publisher without a response for so long goes to another node. */
#define RESPONSE_PATIENCE UINT64_C(5000000000)

static void plan_again(struct publisher *publisher, uint32_t number)
{
    struct update *update = oracle_at(&publisher->cluster->oracle, number);

    if (update->has_id) {
        update->again = true;
        publisher->again[publisher->again_count++] = number;
    }
}

/* Closes the connection; what has no response is published again at the next node. */
static void change_node(struct publisher *publisher)
{
    struct cluster *cluster = publisher->cluster;

    publish_close(&publisher->publish);
    publisher->open = publisher->drop = false;
    for (; publisher->count > 0; publisher->count--) {
        plan_again(publisher, publisher->flights[publisher->head]);
        publisher->head = (publisher->head + 1) % PUBLISHER_FLIGHT;
    }
    publisher->node = (publisher->node + 1) % cluster->site.node_count;
    publisher->due = usage_now() + rng_ms(&cluster->rng, 5, 30);
}

static bool on_publisher_ended(struct publish *publish, int error)
{
    (void)error;
    change_node((struct publisher *)publish);
    return true;
}

/* Takes the receipt of NUMBER. */
static bool take_receipt(struct publisher *publisher, uint32_t number,
                         const char *receipt, size_t length)
{
    static const char name[] = "\"position\":", duplicate[] = "\"duplicate\":true";
    struct cluster *cluster = publisher->cluster;
    struct update *update = oracle_at(&cluster->oracle, number);
    const char *at = memmem(receipt, length, name, sizeof name - 1);

    if (at == NULL ||
        (!update->again && memmem(receipt, length, duplicate, sizeof duplicate - 1)))
        return fault("BROKEN: %" PRIu32 " got the receipt %.*s", number, (int)length,
                     receipt);
    cluster->acked++;
    update->acked = true;
    update->acked_at = usage_now();
    if (cluster->fault_at != 0 && cluster->works_at == 0 &&
        update->sent > cluster->fault_at)
        cluster->works_at = update->acked_at;
    return oracle_place(&cluster->oracle, number,
                        strtoull(at + sizeof name - 1, NULL, 10));
}

static bool on_publisher_responded(struct publish *publish, int status, const char *body,
                                   size_t length)
{
    struct publisher *publisher = (struct publisher *)publish;
    uint32_t number = publisher->flights[publisher->head];

    if (publisher->count == 0)
        return fault("BROKEN: a response without a request: %d", status);
    publisher->head = (publisher->head + 1) % PUBLISHER_FLIGHT;
    publisher->count--;
    if (status == 200)
        return take_receipt(publisher, number, body, length);
    publisher->cluster->refused++;
    publisher->drop = true;
    plan_again(publisher, number);
    return status == 503 || fault("BROKEN: %" PRIu32 " got the response %d: %.*s", number,
                                  status, (int)length, body);
}

static const struct publish_calls publisher_calls = {on_publisher_responded,
                                                     on_publisher_ended};

static bool visit_node(struct publisher *publisher)
{
    struct cluster *cluster = publisher->cluster;

    if (!publish_adopt(&publisher->publish, &cluster->load,
                       site_connect(&cluster->site, publisher->node)))
        return false;
    publisher->publish.calls = &publisher_calls;
    publisher->open = true;
    return true;
}

/* ---- sending ------------------------------------------------------------ */

static bool send_update(struct publisher *publisher, uint32_t number, uint64_t now)
{
    struct oracle *oracle = &publisher->cluster->oracle;
    struct update *update = oracle_at(oracle, number);
    char target[128], data[ORACLE_DATA_MAX];
    size_t length = oracle_data(oracle, number, data);
    int used;

    if (update->sent == 0)
        update->sent = now;
    used = snprintf(target, sizeof target, "/topics/" CLUSTER_TOPIC, update->topic);
    if (update->has_id)
        snprintf(target + used, sizeof target - (size_t)used, "?dedupe=1&id=u-%" PRIu32,
                 number);
    publisher->flights[(publisher->head + publisher->count++) % PUBLISHER_FLIGHT] =
        number;
    publisher->due = now + RESPONSE_PATIENCE;
    return publish_add_request(&publisher->publish, "POST", target, "text/plain", data,
                               length);
}

/* Sends what is to be published again, and then new updates. */
static bool send_updates(struct publisher *publisher, bool producing, unsigned rate,
                         uint64_t now)
{
    struct cluster *cluster = publisher->cluster;
    uint32_t number;

    while (publisher->again_count > 0 && publisher->count < PUBLISHER_FLIGHT) {
        number = publisher->again[--publisher->again_count];
        if (!send_update(publisher, number, now))
            return false;
    }
    while (producing && publisher->next <= now && publisher->count < PUBLISHER_FLIGHT) {
        publisher->next += UINT64_C(1000000000) / rate;
        number = oracle_make(
            &cluster->oracle,
            (uint32_t)rng_range(&cluster->rng, 0, cluster->oracle.topics - 1),
            rng_chance(&cluster->rng, 50));
        if (number == 0 || !send_update(publisher, number, now))
            return false;
    }
    return publish_flush(&publisher->publish);
}

bool publisher_tick(struct publisher *publisher, bool producing, unsigned rate,
                    uint64_t now)
{
    if (publisher->open &&
        (publisher->drop || (publisher->count > 0 && publisher->due < now)))
        change_node(publisher);
    if (publisher->next + UINT64_C(100000000) < now) /* no burst after a break */
        publisher->next = now;
    if (!publisher->open)
        return publisher->due > now || visit_node(publisher);
    return send_updates(publisher, producing, rate, now);
}

uint32_t publisher_mark(struct publisher *publisher, uint32_t topic)
{
    uint32_t number;

    if (publisher->again_count >= PUBLISHER_AGAIN - PUBLISHER_FLIGHT)
        return fault("too many updates wait");
    number = oracle_make(&publisher->cluster->oracle, topic, true);
    if (number != 0)
        publisher->again[publisher->again_count++] = number;
    return number;
}

bool publisher_is_idle(const struct publisher *publisher)
{
    return publisher->count == 0 && publisher->again_count == 0;
}

void publisher_init(struct publisher *publisher, struct cluster *cluster, size_t node)
{
    *publisher = (struct publisher){.cluster = cluster, .node = node};
    publisher->publish.watch.fd = -1;
}

void publisher_done(struct publisher *publisher) { publish_close(&publisher->publish); }
