/*
 * Limits against abuse: how many streams an address or a subject of tokens may have, how
 * much it may publish, and how often an address may connect.
 *
 * A limit that is not configured is a comparison. What is counted are keys (key.c): streams
 * in slots, from the time when the limit is configured on (so a reload never refuses what
 * is open), and the rates in token buckets. All of these have a fixed size or belong to
 * something that is open, so no flood makes them grow.
 *
 * A stream counts for its address and for the subject of its token. A publication counts
 * for the subject if there is one, since the servers that publish often share an address,
 * and otherwise for the address. A connection counts for the address that it comes from:
 * behind a trusted proxy that is the proxy's, so proxies are exempt.
 *
 * Each refusal is counted, and logged at most once in NOTE_TIME for each limit: a flood is
 * to fill neither the log nor the CPU.
 *
 * Locks: those of the tables, under which no other is taken.
 */
#include <config.h>

#include "limits.h"

#include "buckets.h"
#include "rate.h"
#include "slots.h"
#include "base/clock.h"
#include "crierd/config/conf.h"
#include "crierd/log/log.h"
#include "crierd/metrics/metrics.h"
#include "crierd/net/peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* ms between two lines about one limit. */
#define NOTE_TIME 10000

enum limit { LIMIT_STREAMS, LIMIT_PUBLISH, LIMIT_CONNECT, LIMITS };

/* What is remembered for the log. */
struct note {
    atomic_uint_least64_t refused; /* since the last line */
    atomic_uint_least64_t due;     /* by crier_now(): no line before that */
};

struct limits {
    struct limit_seeds seeds;
    struct slots *streams;
    struct buckets *publishes, *connects;
    struct note notes[LIMITS];
};

struct limits *limits_new(void)
{
    struct limits *limits = calloc(1, sizeof *limits);

    if (limits == NULL)
        return NULL;
    limits->streams = slots_new();
    limits->publishes = buckets_new();
    limits->connects = buckets_new();
    if (limits->streams != NULL && limits->publishes != NULL &&
        limits->connects != NULL && limit_seeds_draw(&limits->seeds) == 0)
        return limits;
    limits_free(limits);
    return NULL;
}

void limits_free(struct limits *limits)
{
    if (limits == NULL)
        return;
    slots_free(limits->streams);
    buckets_free(limits->publishes);
    buckets_free(limits->connects);
    free(limits);
}

/* ---- refusals --------------------------------------------------------- */

/* Counts that ADDRESS was refused because of LIMIT, and logs it now and then. */
static void note_refusal(struct limits *limits, enum limit limit,
                         const struct sockaddr *address)
{
    static const struct {
        enum metric metric;
        const char *option;
    } kinds[LIMITS] = {
        [LIMIT_STREAMS] = {METRIC_LIMITED_STREAMS, "max-clients-per-address"},
        [LIMIT_PUBLISH] = {METRIC_LIMITED_PUBLISHES, "publish-rate"},
        [LIMIT_CONNECT] = {METRIC_LIMITED_CONNECTIONS, "connect-rate"},
    };
    struct note *note = &limits->notes[limit];
    uint64_t now = crier_now(), due = atomic_load(&note->due);
    char text[PEER_TEXT_SIZE];

    metrics_count(kinds[limit].metric);
    atomic_fetch_add(&note->refused, 1);
    if (now < due ||
        !atomic_compare_exchange_strong(&note->due, &due, now + NOTE_TIME))
        return;
    log_line(LOG_WARNING, "--%s: %" PRIuLEAST64 " refused, the last one from %s",
             kinds[limit].option, atomic_exchange(&note->refused, 0),
             peer_text(address, text));
}

static bool is_exempt(const struct conf *conf, const struct limits_client *client)
{
    return !client->vague && cidr_has(&conf->limit_exempt, client->address);
}

static uint64_t now_in_rates(void)
{
    return crier__clock_us() * (RATE_SECOND / 1000000);
}

/* ---- connections ------------------------------------------------------ */

bool limits_may_connect(struct limits *limits, const struct sockaddr *address)
{
    const struct conf *conf = conf_current();
    const uint64_t costs[2] = {rate_cost(conf->connect_rate, 1), 0};
    struct limit_key key;

    if (conf->connect_rate == 0 || cidr_has(&conf->limit_exempt, address) ||
        cidr_has(&conf->trusted_proxies, address))
        return true;
    key = limit_key_address(&limits->seeds, address);
    if (buckets_take(limits->connects, &key, costs, now_in_rates()) == 0)
        return true;
    note_refusal(limits, LIMIT_CONNECT, address);
    return false;
}

/* ---- streams ---------------------------------------------------------- */

int limits_hold_stream(struct limits *limits, const struct limits_client *client,
                       struct limits_hold *hold)
{
    const struct conf *conf = conf_current();
    size_t most = conf->max_clients_per_address;
    struct limit_key key;
    int error;

    *hold = (struct limits_hold){NULL, NULL};
    if (most == 0 || is_exempt(conf, client))
        return 0;
    key = limit_key_address(&limits->seeds, client->address);
    error = slots_take(limits->streams, &key, most, &hold->of_address);
    if (error == 0 && client->subject != NULL) {
        key = limit_key_subject(&limits->seeds, client->subject);
        error = slots_take(limits->streams, &key, most, &hold->of_subject);
        if (error != 0) {
            slots_release(limits->streams, hold->of_address);
            hold->of_address = NULL;
        }
    }
    if (error == -EDQUOT)
        note_refusal(limits, LIMIT_STREAMS, client->address);
    return error;
}

void limits_release_stream(struct limits *limits, const struct limits_hold *hold)
{
    slots_release(limits->streams, hold->of_address);
    slots_release(limits->streams, hold->of_subject);
}

/* ---- publications ----------------------------------------------------- */

/* Asks by ASK whether CLIENT may publish UPDATES of BYTES together. */
static uint64_t ask_publish(struct limits *limits,
                            const struct limits_client *client, uint64_t updates,
                            uint64_t bytes,
                            uint64_t (*ask)(struct buckets *buckets,
                                            const struct limit_key *key,
                                            const uint64_t costs[2], uint64_t now))
{
    const struct conf *conf = conf_current();
    const struct conf_rate *rate = &conf->publish_rate;
    uint64_t costs[2], wait;
    struct limit_key key;

    if (rate->updates == 0 || is_exempt(conf, client))
        return 0;
    costs[0] = rate_cost(rate->updates, updates);
    costs[1] = rate_cost(rate->bytes, bytes);
    key = client->subject != NULL
              ? limit_key_subject(&limits->seeds, client->subject)
              : limit_key_address(&limits->seeds, client->address);
    wait = ask(limits->publishes, &key, costs, now_in_rates());
    if (wait != 0)
        note_refusal(limits, LIMIT_PUBLISH, client->address);
    return (wait + RATE_SECOND - 1) / RATE_SECOND;
}

uint64_t limits_publish(struct limits *limits, const struct limits_client *client,
                        uint64_t updates, uint64_t bytes)
{
    return ask_publish(limits, client, updates, bytes, buckets_take);
}

uint64_t limits_publish_wait(struct limits *limits,
                             const struct limits_client *client,
                             uint64_t updates, uint64_t bytes)
{
    return ask_publish(limits, client, updates, bytes, buckets_wait);
}
