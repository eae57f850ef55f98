/*
 * The clients. Most subscribe to one topic, some to several, a few to all by a prefix. A
 * client whose stream ends goes to a node chosen at random, after the time of the goodbye,
 * or after a moment; where nobody listens it tries another.
 *
 * One more client reads the whole journal at each check, from the beginning (since=all).
 */
#include <config.h>

#include "client.h"

#include "bench/fault.h"
#include "bench/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_SIZE 2048
#define DAMAGE_AT 5 /* so many updates are received before one is damaged, by the */
#define DAMAGED 49  /* first client that subscribes to all topics */

/* ---- connecting --------------------------------------------------------- */

static void leave_node(struct client *client, uint64_t pause)
{
    reader_close(&client->reader, true);
    client->state = CLIENT_AWAY;
    client->due = usage_now() + pause;
    client->node =
        (size_t)rng_range(&client->cluster->rng, 0, client->cluster->site.node_count - 1);
}

static bool join_node(struct client *client)
{
    client->state = CLIENT_CONNECTING;
    crier_parser_begin(client->reader.parser);
    return reader_adopt(&client->reader,
                        site_connect(&client->cluster->site, client->node));
}

/* Writes the selectors of CLIENT, separated by commas. */
static void write_selectors(const struct client *client, char *text, size_t size)
{
    const struct record *record = &client->record;
    size_t length = 0;

    if (record->count == client->cluster->oracle.topics) {
        snprintf(text, size, "c/*");
        return;
    }
    for (uint32_t i = 0; i < record->count; i++)
        length += (size_t)snprintf(text + length, size - length, "%sc/%u",
                                   i == 0 ? "" : ",", record->first + i);
}

static bool on_client_connected(struct reader *reader)
{
    struct client *client = (struct client *)reader;
    const char *id = crier_parser_id(reader->parser);
    char selectors[512], head[REQUEST_SIZE], header[256] = "";
    size_t length;

    if (*id != '\0')
        snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    write_selectors(client, selectors, sizeof selectors);
    length = (size_t)snprintf(head, sizeof head,
                              "GET /topics/%s?format=full%s HTTP/1.1\r\n"
                              "Host: 127.0.0.1\r\n"
                              "Accept: text/event-stream\r\n%s\r\n",
                              selectors, client->whole ? "&since=all&poll=1" : "",
                              header);
    return reader_send_request(reader, head, length);
}

static bool on_client_opened(struct reader *reader)
{
    struct client *client = (struct client *)reader;
    int status = reader_status(reader);

    client->cluster->load.progress++;
    if (status == 503) { /* the node cannot read the journal now, or stops */
        leave_node(client, rng_ms(&client->cluster->rng, 50, 200));
        return true;
    }
    if (status != 200)
        return fault("BROKEN: a stream was refused with %d", status);
    client->state = CLIENT_OPEN;
    if (!client->begun || *crier_parser_id(reader->parser) == '\0')
        client->record.since = client->cluster->oracle.made;
    client->begun = true;
    return true;
}

static bool on_client_ended(struct reader *reader, int error)
{
    struct client *client = (struct client *)reader;
    uint64_t due = client->due, now = usage_now();

    (void)error;
    leave_node(client, due > now ? due - now : rng_ms(&client->cluster->rng, 20, 200));
    return true;
}

/* ---- messages ----------------------------------------------------------- */

/* Takes update NUMBER. */
static bool take_number(struct client *client, uint32_t number)
{
    struct cluster *cluster = client->cluster;
    const struct update *update = oracle_at(&cluster->oracle, number);

    if (!client->told && cluster->fault_at != 0 && update->sent > cluster->fault_at) {
        client->told = true;
        histogram_add(&cluster->silence, usage_now() - cluster->fault_at);
    }
    cluster->delivered++;
    return record_take(&client->record, &cluster->oracle, number);
}

/* Does to update NUMBER what was ordered. */
static bool take_damaged(struct client *client, uint32_t number)
{
    struct cluster *cluster = client->cluster;
    uint32_t held_back = client->held_back;

    if (held_back != 0) {
        client->held_back = 0;
        return take_number(client, number) && take_number(client, held_back);
    }
    /* Marks have ids: a run waits for these. What was made before the client knew that its
     * stream was open need not have arrived. */
    if (client->record.length < DAMAGE_AT || number <= client->record.since ||
        oracle_at(&cluster->oracle, number)->has_id)
        return take_number(client, number);
    switch (cluster->damage) {
    case DAMAGE_DROP:
        cluster->damage = DAMAGE_NONE;
        return true;
    case DAMAGE_DOUBLE:
        return take_number(client, number) && take_number(client, number);
    case DAMAGE_SWAP:
        cluster->damage = DAMAGE_NONE;
        client->held_back = number;
        return true;
    case DAMAGE_GAP:
        return record_gap(&client->record, &cluster->oracle, "{}");
    default:
        return take_number(client, number);
    }
}

/* Takes what an ID of the journal's says of update NUMBER. */
static bool take_id(struct client *client, uint32_t number, const char *id)
{
    struct cluster *cluster = client->cluster;
    const char *dash = strrchr(id, '-');

    if (dash == NULL || dash - id >= CLUSTER_EPOCH_SIZE)
        return fault("BROKEN: %.60s is no id", id);
    if (client->whole)
        snprintf(cluster->epoch, sizeof cluster->epoch, "%.*s", (int)(dash - id), id);
    return oracle_place(&cluster->oracle, number, strtoull(dash + 1, NULL, 10));
}

static bool take_event(struct client *client, const struct crier_message *message)
{
    struct oracle *oracle = &client->cluster->oracle;
    uint32_t number;

    if (strcmp(message->type, "gap") == 0)
        return record_gap(&client->record, oracle, message->data);
    number = oracle_find(oracle, message->data, message->length, message->id);
    if (number == 0)
        return false;
    if (*message->id == '#' && !take_id(client, number, message->id))
        return false;
    return client->damaged ? take_damaged(client, number) : take_number(client, number);
}

static bool on_client_message(struct reader *reader, const struct crier_message *message,
                              uint64_t now)
{
    struct client *client = (struct client *)reader;

    client->cluster->load.progress++;
    if (message->kind == CRIER_RETRY)
        client->due = now + message->retry * 1000000;
    if (message->kind == CRIER_COMMENT && strstr(message->data, "end") != NULL)
        client->complete = true;
    return message->kind != CRIER_EVENT || take_event(client, message);
}

static const struct reader_calls client_calls = {on_client_connected, on_client_opened,
                                                 on_client_message, on_client_ended};

/* ---- all clients -------------------------------------------------------- */

static bool open_client(struct client *client, struct cluster *cluster, uint32_t first,
                        uint32_t count)
{
    client->cluster = cluster;
    client->node = (size_t)rng_range(&cluster->rng, 0, cluster->site.node_count - 1);
    record_begin(&client->record, &cluster->oracle, first, count);
    return reader_init(&client->reader, &cluster->load, &client_calls);
}

bool clients_open(struct clients *clients, struct cluster *cluster, size_t count)
{
    uint32_t topics = cluster->oracle.topics, first, width;

    *clients = (struct clients){.cluster = cluster, .count = count};
    clients->all = calloc(count, sizeof *clients->all);
    if (clients->all == NULL)
        return fault("out of memory");
    for (size_t i = 0; i < count; i++) {
        width = i % 50 == 49 ? topics : i % 10 == 9 ? 3 : 1;
        first = (uint32_t)(i % (topics - width + 1));
        if (!open_client(&clients->all[i], cluster, first, width))
            return false;
    }
    clients->all[count > DAMAGED ? DAMAGED : 0].damaged =
        cluster->damage != DAMAGE_NONE;
    clients->journal.whole = clients->journal.complete = true;
    return open_client(&clients->journal, cluster, 0, topics);
}

static void close_client(struct client *client)
{
    reader_done(&client->reader);
    record_free(&client->record);
}

void clients_close(struct clients *clients)
{
    for (size_t i = 0; clients->all != NULL && i < clients->count; i++)
        close_client(&clients->all[i]);
    close_client(&clients->journal);
    free(clients->all);
    clients->all = NULL;
}

static bool is_due(const struct client *client, uint64_t now)
{
    return client->state == CLIENT_AWAY && client->due <= now;
}

bool clients_tick(struct clients *clients, uint64_t now)
{
    struct client *journal = &clients->journal;

    for (size_t i = 0; i < clients->count; i++)
        if (is_due(&clients->all[i], now) && !join_node(&clients->all[i]))
            return false;
    if (journal->complete || !is_due(journal, now))
        return true;
    if (journal->begun) /* the stream has ended early */
        clients_read_journal(clients, 0);
    return join_node(journal);
}

void clients_begin_fault(struct clients *clients)
{
    struct cluster *cluster = clients->cluster;

    cluster->fault_at = usage_now();
    cluster->works_at = 0;
    cluster->silence = (struct histogram){0};
    for (size_t i = 0; i < clients->count; i++)
        clients->all[i].told = false;
}

/* Returns whether CLIENT has received the mark of each of its topics. */
static bool has_marks(const struct client *client, const uint32_t *marks)
{
    const struct record *record = &client->record;

    for (uint32_t topic = record->first; topic < record->first + record->count; topic++)
        if (marks[topic] > record->since && !record_has(record, marks[topic]))
            return false;
    return client->state == CLIENT_OPEN;
}

size_t clients_lacking(const struct clients *clients, const uint32_t *marks, size_t *who)
{
    size_t lacking = 0;

    for (size_t i = 0; i < clients->count; i++)
        if (!has_marks(&clients->all[i], marks)) {
            *who = i;
            lacking++;
        }
    return lacking;
}

void clients_read_journal(struct clients *clients, uint64_t pause)
{
    struct client *journal = &clients->journal;

    leave_node(journal, pause);
    record_free(&journal->record);
    record_begin(&journal->record, &clients->cluster->oracle, 0,
                 clients->cluster->oracle.topics);
    (void)crier_parser_set_id(journal->reader.parser, "");
    journal->begun = journal->complete = false;
}

bool clients_journal_has(const struct clients *clients, const uint32_t *marks)
{
    const struct client *journal = &clients->journal;

    for (uint32_t topic = 0; topic < clients->cluster->oracle.topics; topic++)
        if (!record_has(&journal->record, marks[topic]))
            return false;
    return true;
}

bool clients_check(struct clients *clients, const uint32_t *marks)
{
    struct oracle *oracle = &clients->cluster->oracle;
    char name[128];

    if (!oracle_check_journal(oracle, &clients->journal.record, marks))
        return false;
    for (size_t i = 0; i < clients->count; i++) {
        struct client *client = &clients->all[i];

        snprintf(name, sizeof name, "client %zu, on node %zu, last id %.60s,", i,
                 client->node + 1, crier_parser_id(client->reader.parser));
        if (!oracle_check_client(oracle, &client->record, name))
            return false;
    }
    oracle_end_check(oracle);
    return true;
}

size_t clients_without_gap(const struct clients *clients, uint64_t time)
{
    size_t count = 0;

    for (size_t i = 0; i < clients->count; i++)
        count += clients->all[i].record.gap_at < time;
    return count;
}
