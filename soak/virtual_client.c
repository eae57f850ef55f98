/*
 * A client in this process: its behavior, good or bad. check.c has what it must
 * receive.
 *
 *   steady    connects at the beginning of a cycle and reads to its end. It must
 *             never be harmed, and its latencies are those of the plot.
 *   visitor   connects for a moment and leaves by closing, by a reset, by closing
 *             one half, or before its request is complete; comes back with its
 *             last id, or without; or polls
 *   staller   has a small window and stops reading: for a moment, or for so long
 *             that crierd has to close its stream
 *   page      one of several clients that close at the same time and reconnect at
 *             once, as those of a reloaded page do
 *
 * States: AWAY -> CONNECTING -> OPEN -> AWAY; OPEN <-> STALLED; OPEN -> HALF_CLOSED ->
 * AWAY; CONNECTING -> PARTIAL (half a request was sent) -> AWAY.
 */
#include <config.h>

#include "virtual_client.h"

#include "bench/usage.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTING_MAX 200
#define SMALL_WINDOW 8192
#define REQUEST_SIZE 2048
#define SECOND UINT64_C(1000000000)
#define ANSWER_PATIENCE (20 * SECOND)

/* If a client closes before crierd has read everything, crierd notices only at the
 * connection's timeout, and the quiet point would wait for that. */
#define BROKEN_MS 100

static size_t get_client_index(const struct virtual_client *client)
{
    return (size_t)(client - client->clients->all);
}

static uint64_t *find_tally(const struct virtual_client *client, enum tally tally)
{
    return &client->clients->soak->invariants.tally[tally];
}

/* ---- disconnecting ------------------------------------------------------ */

void virtual_client_disconnect(struct virtual_client *client, bool gently,
                               uint64_t pause)
{
    struct clients *clients = client->clients;

    if (client->state == STATE_CONNECTING || client->state == STATE_PARTIAL)
        clients->connecting--;
    else if (client->state != STATE_AWAY)
        clients->soak->open_streams--;
    reader_close(&client->reader, gently);
    client->state = STATE_AWAY;
    client->due = usage_now() + pause;
    client->stalled = client->resumed = client->stall = 0;
}

/* Leaves, in one of several ways. */
static bool leave_stream(struct virtual_client *client)
{
    struct rng *rng = &client->clients->soak->rng;
    uint64_t way = rng_range(rng, 0, 9);
    uint64_t pause = rng_ms(rng, 0, rng_chance(rng, 80) ? 400 : 4000);

    client->returning = rng_chance(rng, 70);
    if (way < 2 && client->state == STATE_OPEN) {
        ++*find_tally(client, TALLY_HALVES);
        client->state = STATE_HALF_CLOSED;
        client->due = usage_now() + ANSWER_PATIENCE;
        (void)shutdown(client->reader.watch.fd, SHUT_WR);
        return true;
    }
    ++*find_tally(client, way < 6 ? TALLY_RESETS : TALLY_CLOSES);
    virtual_client_disconnect(client, way >= 6, pause);
    return true;
}

/* ---- connecting --------------------------------------------------------- */

static uint32_t choose_topics(struct rng *rng, enum client_kind kind)
{
    uint64_t which = rng_range(rng, 0, 99);
    uint32_t topics = 0;

    if (which < 1)
        return ORACLE_ALL;
    if (kind == KIND_STALLER) /* with many bytes to read */
        topics =
            1u << (SERIES_LARGE * SERIES_TOPICS + rng_range(rng, 0, SERIES_TOPICS - 1));
    do
        topics |= 1u << rng_range(rng, 0, SERIES_COUNT * SERIES_TOPICS - 1);
    while (which < 20 && __builtin_popcount(topics) < 4);
    return topics;
}

/* Chooses where the stream starts, and writes the request's query and header for it. */
static void choose_start(struct virtual_client *client, char *query, char *header,
                         size_t size)
{
    struct soak *soak = client->clients->soak;
    const char *id = crier_parser_id(client->reader.parser);
    uint32_t topics = client->check.topics;
    uint64_t which = rng_range(&soak->rng, 0, 9);
    bool sharp = *id == '#';

    *query = *header = '\0';
    client->poll = client->kind == KIND_VISITOR && rng_chance(&soak->rng, 8);
    if (client->returning && *id != '\0' && !check_is_old(&client->check, soak)) {
        ++*find_tally(client, TALLY_RETURNS);
        if (which < 3)
            snprintf(query, size, "&lastEventID=%s%s", sharp ? "%23" : "", id + sharp);
        else
            snprintf(header, size, "Last-Event-ID: %s\r\n", id);
        check_start(&client->check, soak, topics, START_ID);
        return;
    }
    (void)crier_parser_set_id(client->reader.parser, "");
    topics = choose_topics(&soak->rng, client->kind);
    if (client->poll || which < (client->kind == KIND_STALLER ? 5 : 1)) {
        snprintf(query, size, "&since=all");
        check_start(&client->check, soak, topics, START_ALL);
    } else if (which < 3) {
        snprintf(query, size, "&since=%u", (unsigned)rng_range(&soak->rng, 1, 30));
        check_start(&client->check, soak, topics, START_LAST);
    } else {
        check_start(&client->check, soak, topics, START_NOW);
    }
}

static bool on_connected(struct reader *reader)
{
    struct virtual_client *client = (struct virtual_client *)reader;
    struct rng *rng = &client->clients->soak->rng;
    char names[ORACLE_NAMES_MAX], query[512], header[512];
    char head[REQUEST_SIZE];
    size_t length;

    choose_start(client, query, header, sizeof header);
    oracle_names(client->check.topics, names, sizeof names);
    length = (size_t)snprintf(head, sizeof head,
                              "GET /topics/%s?format=%s%s%s HTTP/1.1\r\n"
                              "Host: 127.0.0.1\r\n"
                              "Accept: text/event-stream\r\n%s\r\n",
                              names, rng_chance(rng, 30) ? "full" : "sse",
                              client->poll ? "&poll=1" : "", query, header);
    if (client->kind == KIND_VISITOR && rng_chance(rng, 8)) {
        ++*find_tally(client, TALLY_BREAKS);
        client->state = STATE_PARTIAL;
        client->due = usage_now() + rng_ms(rng, BROKEN_MS, 500);
        client->returning = false;
        length = rng_range(rng, 1, length - 1);
    }
    return reader_send_request(reader, head, length);
}

/* Returns when it first acts on an open stream. */
static uint64_t first_due(const struct virtual_client *client, uint64_t now)
{
    struct rng *rng = &client->clients->soak->rng;

    switch (client->kind) {
    case KIND_VISITOR:
        return now + rng_ms(rng, 0, rng_chance(rng, 50) ? 300 : 3000);
    case KIND_STALLER:
        return now + rng_ms(rng, 0, rng_chance(rng, 50) ? 20 : 1500);
    default:
        return CLIENT_NEVER;
    }
}

static bool on_open(struct reader *reader)
{
    struct virtual_client *client = (struct virtual_client *)reader;
    struct soak *soak = client->clients->soak;

    soak->load.progress++;
    if (client->state == STATE_PARTIAL)
        return invariant_broken(&soak->invariants, INVARIANT_TRUE,
                                "half a request got the response %d",
                                reader_status(reader));
    if (reader_status(reader) != 200) {
        bool fair = soak_excused(soak, client->since);

        virtual_client_disconnect(client, true, rng_ms(&soak->rng, 50, 300));
        return fair ||
               invariant_broken(&soak->invariants, INVARIANT_HARM,
                                "a stream was refused with %d", reader_status(reader));
    }
    check_open(&client->check, soak);
    client->state = STATE_OPEN;
    client->clients->connecting--;
    soak->open_streams++;
    client->goodbye = false;
    client->due = first_due(client, usage_now());
    ++*find_tally(client, TALLY_STREAMS);
    return true;
}

/* ---- open streams ------------------------------------------------------- */

static bool take_goodbye(struct virtual_client *client,
                         const struct crier_message *message)
{
    struct soak *soak = client->clients->soak;

    client->goodbye = true;
    ++*find_tally(client, TALLY_GOODBYES);
    return (soak_excused(soak, client->since) && soak->terminated &&
            message->retry >= 1000 && message->retry <= 5000) ||
           invariant_broken(
               &soak->invariants, INVARIANT_GOODBYE, "retry: %llu arrived %s",
               (unsigned long long)message->retry,
               soak_excused(soak, client->since) ? "as a goodbye"
                                                 : "while crierd was to continue");
}

static bool on_message(struct reader *reader, const struct crier_message *message,
                       uint64_t now)
{
    struct virtual_client *client = (struct virtual_client *)reader;
    struct soak *soak = client->clients->soak;
    struct update *update;

    soak->load.progress++;
    if (message->kind == CRIER_COMMENT)
        ++*find_tally(client, TALLY_PINGS);
    if (message->kind == CRIER_RETRY)
        return take_goodbye(client, message);
    if (message->kind != CRIER_EVENT)
        return true;
    client->goodbye = false;
    if (!check_event(&client->check, soak, message->type, message->id, message->data,
                     message->length, &update))
        return false;
    if (update != NULL && client->kind == KIND_STEADY && !update->again &&
        update->sent > client->since && !soak_excused(soak, update->sent))
        histogram_add(&soak->latency, now - update->sent);
    return true;
}

/* Returns whether it stalled for so long that crierd may have closed its stream. Stalls
 * with only a moment between them count together: after a closed window the sender's
 * kernel notices a small one only by probes, which become rare. */
static bool has_overstayed(const struct virtual_client *client)
{
    uint64_t lasted = client->stall;

    if (client->state == STATE_STALLED)
        lasted += usage_now() - client->stalled;
    return lasted > SOAK_STALL_TIMEOUT * SECOND * 9 / 10;
}

/* Returns whether crierd was allowed to end the stream in this way. */
static bool may_end(const struct virtual_client *client, int error)
{
    struct soak *soak = client->clients->soak;
    enum series series;
    uint64_t number;

    if (client->state == STATE_CONNECTING || client->state == STATE_PARTIAL ||
        client->state == STATE_HALF_CLOSED)
        return client->state != STATE_CONNECTING || soak_excused(soak, client->since) ||
               invariant_broken(&soak->invariants, INVARIANT_HARM,
                                "a client was not accepted: %s", strerror(error));
    if (soak_excused(soak, client->since) && soak->terminated && !client->goodbye &&
        !client->poll && client->stalled == 0)
        return invariant_broken(&soak->invariants, INVARIANT_GOODBYE,
                                "a stream ended without one");
    if (soak_excused(soak, client->since))
        return true;
    if (has_overstayed(client)) {
        ++*find_tally(client, TALLY_STALLED);
        return true;
    }
    if (!client->poll || error != 0)
        return invariant_broken(&soak->invariants, INVARIANT_HARM,
                                "crierd ended the stream of a client that %s: "
                                "%s",
                                client->stalled != 0 ? "had stalled for a moment"
                                                     : "reads",
                                error != 0 ? strerror(error) : "end");
    ++*find_tally(client, TALLY_POLLS);
    number = check_missing(&client->check, soak, true, &series);
    return number == 0 ||
           invariant_broken(&soak->invariants, INVARIANT_ALL,
                            "a poll ended without %s %llu", oracle_series_name(series),
                            (unsigned long long)number);
}

static bool on_stream_end(struct reader *reader, int error)
{
    struct virtual_client *client = (struct virtual_client *)reader;
    struct rng *rng = &client->clients->soak->rng;

    if (!may_end(client, error))
        return false;
    if (client->state == STATE_OPEN || client->state == STATE_STALLED)
        client->returning = client->state == STATE_STALLED || rng_chance(rng, 95);
    virtual_client_disconnect(client, true, rng_ms(rng, 20, 300));
    return true;
}

static const struct reader_calls calls = {on_connected, on_open, on_message,
                                          on_stream_end};

static bool stall_client(struct virtual_client *client, uint64_t now)
{
    struct rng *rng = &client->clients->soak->rng;

    ++*find_tally(client, TALLY_STALLS);
    client->state = STATE_STALLED;
    client->stalled = now;
    if (now - client->resumed > SOAK_STALL_TIMEOUT * SECOND)
        client->stall = 0;
    client->due =
        now + (rng_chance(rng, 25) ? rng_ms(rng, SOAK_STALL_TIMEOUT * 1000 + 200,
                                            SOAK_STALL_TIMEOUT * 2000)
                                   : rng_ms(rng, 50, SOAK_STALL_TIMEOUT * 500));
    return reader_pause(&client->reader, true);
}

static bool resume_client(struct virtual_client *client, uint64_t now)
{
    client->stall += now - client->stalled;
    client->resumed = now;
    client->state = STATE_OPEN;
    client->due = first_due(client, now);
    return reader_pause(&client->reader, false);
}

/* ---- actions ------------------------------------------------------------ */

static bool connect_client(struct virtual_client *client, uint64_t now)
{
    struct clients *clients = client->clients;

    if (clients->connecting >= CONNECTING_MAX || !clients->soak->up)
        return true;
    clients->connecting++;
    client->state = STATE_CONNECTING;
    client->since = now;
    client->due = now + ANSWER_PATIENCE;
    return reader_connect(&client->reader, clients->soak->server.port,
                          get_client_index(client),
                          client->kind == KIND_STALLER ? SMALL_WINDOW : 0);
}

bool virtual_client_act(struct virtual_client *client, uint64_t now)
{
    struct invariants *invariants = &client->clients->soak->invariants;

    switch (client->state) {
    case STATE_AWAY:
        return connect_client(client, now);
    case STATE_PARTIAL:
        virtual_client_disconnect(client, rng_chance(&client->clients->soak->rng, 50),
                                  0);
        return true;
    case STATE_OPEN:
        return client->kind == KIND_STALLER ? stall_client(client, now)
                                            : leave_stream(client);
    case STATE_STALLED:
        return resume_client(client, now);
    case STATE_CONNECTING:
    case STATE_HALF_CLOSED:
        break;
    }
    return soak_excused(client->clients->soak, client->since) ||
           invariant_broken(invariants, INVARIANT_HARM, "a client waited too long %s",
                            client->state == STATE_CONNECTING
                                ? "for its stream"
                                : "for the end of its stream");
}

bool virtual_client_settle(struct virtual_client *client, uint64_t now)
{
    if (client->state == STATE_STALLED)
        return resume_client(client, now);
    if (client->state == STATE_OPEN && !client->poll)
        client->due = CLIENT_NEVER;
    if (client->state == STATE_AWAY && client->kind != KIND_STEADY)
        return true;
    return client->due > now || virtual_client_act(client, now);
}

bool virtual_client_init(struct virtual_client *client, struct clients *clients,
                         enum client_kind kind)
{
    client->clients = clients;
    client->kind = kind;
    return reader_init(&client->reader, &clients->soak->load, &calls);
}

void virtual_client_done(struct virtual_client *client)
{
    reader_done(&client->reader);
}
