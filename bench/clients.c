/*
 * Subscribers, and the check of each delivery.
 *
 * The data of an update is "TOPIC SEQUENCE TIME xxx...": the topic, the number within
 * the topic from 1, and the time of publishing in ns. A client accepts number n only
 * after n - 1, for its own topic and with the right length; a lower number is a
 * duplicate or out of order, a higher one a loss. This also holds across reconnections.
 * So every delivery is checked, and the first wrong one ends the run. The loop's
 * patience detects updates that never arrive, and load_linger() at the end detects
 * surplus ones.
 *
 * For each topic a ring counts the clients that each update still has to reach, so it
 * takes O(1) to see that an update has reached all.
 */
#include <config.h>

#include "clients.h"

#include "fault.h"
#include "reader.h"
#include "usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Maximum number of pending connections: not more than any server's backlog. */
#define CONNECTING_MAX 256

#define REQUEST_SIZE 8192

struct client {
    struct reader reader; /* first member */
    struct clients *clients;
    size_t topic;
    uint64_t number; /* of the last update */
};

/* A topic, and what its clients still have to receive. */
struct count_of {
    uint64_t published;
    uint32_t members;
    uint32_t left[CLIENTS_WINDOW]; /* clients that update n has to reach, at n %
                                    * CLIENTS_WINDOW */
};

void clients_topic(const struct clients *clients, size_t topic, char *name, size_t size)
{
    snprintf(name, size, "%s-%zu%s", clients->prefix, topic,
             clients->selector != CLIENTS_BY_NAME ? "/x" : "");
}

/* Writes what the clients of TOPIC subscribe to. */
static void write_selector(const struct clients *clients, size_t topic, char *text,
                           size_t size)
{
    clients_topic(clients, topic, text, size);
    if (clients->selector == CLIENTS_BY_PREFIX)
        text[strlen(text) - 1] = '*';
    if (clients->selector == CLIENTS_BY_TEMPLATE) /* {x} */
        snprintf(text + strlen(text) - 1, size - strlen(text) + 1, "%%7Bx%%7D");
}

/* ---- deliveries --------------------------------------------------------- */

static bool report_wrong_delivery(const struct client *client, const char *what,
                                  const struct crier_message *message)
{
    return fault("WRONG DELIVERY: client %zu of topic %zu, after update %llu: "
                 "%s: event '%s', data '%.40s', id '%s'",
                 (size_t)(client - client->clients->all), client->topic,
                 (unsigned long long)client->number, what, message->type, message->data,
                 message->id);
}

static bool check_delivery(struct client *client, const struct crier_message *message,
                           uint64_t now)
{
    struct clients *clients = client->clients;
    struct count_of *topic = &clients->topic[client->topic];
    uint64_t number, sent;
    size_t of;
    char *end;

    of = strtoul(message->data, &end, 10);
    number = strtoull(end, &end, 10);
    sent = strtoull(end, &end, 10);
    if (message->length != clients->size || of != client->topic || sent > now ||
        strcmp(message->type, "message") != 0)
        return report_wrong_delivery(client, "not as published", message);
    if (number <= client->number)
        return report_wrong_delivery(client, "a duplicate, or out of order", message);
    if (number > client->number + 1)
        return report_wrong_delivery(client, "an earlier one is lost", message);
    if (number > topic->published)
        return report_wrong_delivery(client, "never published", message);
    client->number = number;
    if (--topic->left[number % CLIENTS_WINDOW] == 0)
        clients->complete++;
    clients->deliveries++;
    clients->last = now;
    clients->load->progress++;
    histogram_add(&clients->latency, now - sent);
    return true;
}

static bool on_client_message(struct reader *reader,
                              const struct crier_message *message, uint64_t now)
{
    struct client *client = (struct client *)reader;

    if (message->kind == CRIER_COMMENT)
        client->clients->comments++;
    /* crierd sends a browser's EventSource where its stream begins. */
    return message->kind != CRIER_EVENT || strcmp(message->type, "crier-start") == 0 ||
           check_delivery(client, message, now);
}

static bool connect_more(struct clients *clients);

static bool on_client_open(struct reader *reader)
{
    struct clients *clients = ((struct client *)reader)->clients;

    if (reader_status(reader) != 200)
        return fault("a stream was refused: %s", reader->begin);
    clients->open++;
    clients->load->progress++;
    return connect_more(clients);
}

static bool on_client_connected(struct reader *reader)
{
    const struct client *client = (const struct client *)reader;
    const struct clients *clients = client->clients;
    char name[64], head[REQUEST_SIZE], padding[REQUEST_SIZE / 2] = "";
    const char *id = crier_parser_id(reader->parser), *token = NULL;
    int length;

    write_selector(clients, client->topic, name, sizeof name);
    memset(padding, 'x', clients->padding);
    if (clients->tokens.count != 0)
        token = clients->tokens
                    .list[(size_t)(client - clients->all) % clients->tokens.count];
    length = snprintf(
        head, sizeof head, "GET /topics/%s HTTP/1.1\r\n%s%s%s%s%s%s%s%s%s%s\r\n", name,
        clients->fields, *id != '\0' ? "Last-Event-ID: " : "", id,
        *id != '\0' ? "\r\n" : "", *padding != '\0' ? "X-Padding: " : "", padding,
        *padding != '\0' ? "\r\n" : "", token != NULL ? "Authorization: Bearer " : "",
        token != NULL ? token : "", token != NULL ? "\r\n" : "");
    return reader_send_request(reader, head, (size_t)length);
}

static bool on_client_end(struct reader *reader, int error)
{
    (void)reader;
    return fault("the server ended a stream%s%s", error != 0 ? ": " : "",
                 error != 0 ? strerror(error) : "");
}

static const struct reader_calls calls = {on_client_connected, on_client_open,
                                          on_client_message, on_client_end};

/* ---- connections -------------------------------------------------------- */

/* Starts as many connections as are allowed now. */
static bool connect_more(struct clients *clients)
{
    unsigned port;

    while (clients->begun < clients->count &&
           clients->begun - clients->open < CONNECTING_MAX) {
        port = clients->other_port != 0 && clients->begun % 2 != 0 ? clients->other_port
                                                                   : clients->port;
        if (!reader_connect(&clients->all[clients->begun].reader, port, clients->begun,
                            0))
            return false;
        clients->begun++;
    }
    return true;
}

bool clients_open(struct clients *clients, struct load *load)
{
    struct client *client;

    clients->load = load;
    clients->all = calloc(clients->count + 1, sizeof *clients->all);
    clients->topic = calloc(clients->topics, sizeof *clients->topic);
    if (clients->all == NULL || clients->topic == NULL)
        return fault("out of memory");
    for (size_t i = 0; i < clients->count; i++) {
        client = &clients->all[i];
        client->clients = clients;
        client->topic = i % clients->topics;
        clients->topic[client->topic].members++;
        if (!reader_init(&client->reader, load, &calls))
            return false;
        client->reader.tls = clients->tls;
    }
    return true;
}

bool clients_connect(struct clients *clients)
{
    char what[64];

    if (!connect_more(clients))
        return false;
    while (clients->open < clients->count) {
        snprintf(what, sizeof what, "%zu of %zu streams are open", clients->open,
                 clients->count);
        if (!load_step(clients->load, 100, what))
            return false;
    }
    return true;
}

void clients_disconnect(struct clients *clients, bool gently)
{
    for (size_t i = 0; i < clients->begun; i++)
        reader_close(&clients->all[i].reader, gently);
    clients->begun = clients->open = 0;
}

void clients_close(struct clients *clients)
{
    if (clients->all != NULL)
        for (size_t i = 0; i < clients->count; i++)
            reader_done(&clients->all[i].reader);
    free(clients->all);
    free(clients->topic);
    clients->all = NULL;
    clients->topic = NULL;
}

/* ---- updates ------------------------------------------------------------ */

bool clients_expect(struct clients *clients, size_t topic)
{
    struct count_of *of = &clients->topic[topic];
    uint32_t *left = &of->left[++of->published % CLIENTS_WINDOW];

    if (*left != 0)
        return fault("too many updates in flight");
    *left = of->members;
    clients->published++;
    return true;
}

bool clients_compose(struct clients *clients, size_t topic, char *data)
{
    char head[64];
    int length;

    if (!clients_expect(clients, topic))
        return false;
    length = snprintf(head, sizeof head, "%zu %llu %llu ", topic,
                      (unsigned long long)clients->topic[topic].published,
                      (unsigned long long)usage_now());
    if ((size_t)length > clients->size)
        return fault("%zu bytes are too few for an update", clients->size);
    memset(data, 'x', clients->size);
    memcpy(data, head, (size_t)length);
    return true;
}

void clients_reset(struct clients *clients)
{
    memset(&clients->latency, 0, sizeof clients->latency);
    clients->deliveries = clients->comments = clients->load->bytes = 0;
}

bool clients_wait(struct clients *clients, uint64_t left)
{
    char what[96];

    while (clients->published - clients->complete > left) {
        snprintf(what, sizeof what, "%llu updates of %llu are not at every client",
                 (unsigned long long)(clients->published - clients->complete),
                 (unsigned long long)clients->published);
        if (!load_step(clients->load, 100, what))
            return false;
    }
    return true;
}
