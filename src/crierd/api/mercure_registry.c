/*
 * The registry: who subscribes to what by the Mercure protocol, while --subscriptions is on.
 *
 * Each change is reported by a private update under a name that crierd alone publishes
 * to: MERCURE_SUBSCRIPTIONS, the selector, and the subscriber's id. Both versions of the
 * protocol have a form of their own for the name and the document. A subscription has the
 * form of the version by which it was made.
 *
 * Changes are listed and handed to the journal under one lock. So the reports of a
 * subscription come in their order, and a client that lists the subscriptions and then
 * subscribes behind the id that stands in the list misses none.
 *
 * Where several crierd share a journal, each shares the documents of its subscriptions with
 * the others (crier_hub_share()), and lists theirs behind its own. A document that is longer
 * than CRIER_SHARED_MAX, because of its payload, is listed by its own crierd alone. When a
 * crierd vanishes, so do its documents, without a report.
 *
 * A subscriber belongs to the handler until mercure_subscriber_enter(), and to its stream
 * after that. When the program stops, the stream can end before the handler is done
 * with it; then the handler frees it.
 *
 * Bounds: all subscribers together take at most MEMORY_MAX bytes of memory, and a list
 * has at most MERCURE_LIST_MAX entries.
 */
#include <config.h>

#include "mercure_registry.h"

#include "base/json_read.h"
#include "mercure_name.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

#define MEMORY_MAX ((size_t)64 * 1024 * 1024)

/* A name with a NUL: the longest that a topic can have. */
#define NAME_SIZE 256

/* "urn:uuid:" and a UUID with its NUL. */
#define SUBSCRIBER_ID_SIZE (9 + 36 + 1)

enum subscriber_state {
    SUBSCRIBER_OPENING,   /* the handler's */
    SUBSCRIBER_LISTED,    /* its stream's */
    SUBSCRIBER_ABANDONED, /* its stream's, but not listed */
    SUBSCRIBER_CLOSED     /* its stream has ended; the handler's */
};

struct mercure_subscriber {
    struct mercure_subscriber *prev, *next; /* while it is listed */
    struct mercure_registry *registry;
    enum subscriber_state state;
    char id[SUBSCRIBER_ID_SIZE];
    struct identity *identity; /* a reference, or NULL */
    size_t size;               /* of all this */
    size_t count;
    struct mercure_matcher matchers[]; /* their texts stand behind them */
};

struct mercure_registry {
    struct crier_hub *hub;
    pthread_mutex_t lock; /* guards what follows, and the states */
    struct mercure_subscriber *subscribers;
    size_t memory;
};

const char *mercure_type_name(enum mercure_type type)
{
    static const char *const names[] = {[MERCURE_EXACT] = "exact",
                                        [MERCURE_URL_PATTERN] = "urlpattern",
                                        [MERCURE_TOPIC] = NULL};

    return names[type];
}

struct mercure_registry *mercure_registry_new(struct crier_hub *hub)
{
    struct mercure_registry *registry = calloc(1, sizeof *registry);

    if (registry == NULL)
        return NULL;
    registry->hub = hub;
    pthread_mutex_init(&registry->lock, NULL);
    return registry;
}

void mercure_registry_free(struct mercure_registry *registry)
{
    if (registry == NULL)
        return;
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

/* ---- documents and reports -------------------------------------------- */

/* Writes the name of the subscription of SUBSCRIBER to MATCHER to NAME. False when it is
 * too long. */
static bool write_name(char name[NAME_SIZE], const struct mercure_matcher *matcher,
                       const char *subscriber)
{
    const char *type = mercure_type_name(matcher->type);
    size_t length = (size_t)snprintf(
        name, NAME_SIZE, MERCURE_SUBSCRIPTIONS "/%s%s",
        type != NULL ? type : "", type != NULL ? "/" : "");

    if (!mercure_escape(name, NAME_SIZE, &length, matcher->text) ||
        length + 1 >= NAME_SIZE)
        return false;
    name[length++] = '/';
    return mercure_escape(name, NAME_SIZE, &length, subscriber);
}

bool mercure_registry_can_report(const struct mercure_matcher *matcher)
{
    static const char any[] = "urn:uuid:00000000-0000-4000-8000-000000000000";
    char name[NAME_SIZE];

    return write_name(name, matcher, any);
}

/* A *new* document of the subscription NAME of SUBSCRIBER to MATCHER; NULL when memory is
 * short. */
static json_t *describe_subscription(const struct mercure_subscriber *subscriber,
                                     const struct mercure_matcher *matcher,
                                     const char *name, bool active)
{
    json_t *payload = NULL;

    if (subscriber->identity != NULL)
        payload = identity_payload_of(subscriber->identity, matcher->text);
    if (matcher->type == MERCURE_TOPIC)
        return json_pack("{s:s, s:s, s:s, s:s, s:b, s:O*}", "id", name, "type",
                         "Subscription", "topic", matcher->text, "subscriber",
                         subscriber->id, "active", active, "payload", payload);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:O*}", "id", name, "type",
                     "subscription", "match_type",
                     mercure_type_name(matcher->type), "match", matcher->text,
                     "subscriber", subscriber->id, "active", active, "payload",
                     payload);
}

/* Publishes that the subscription of SUBSCRIBER to MATCHER is ACTIVE or not. When memory
 * is short or the journal refuses it, nothing is published. */
static void report_subscription(const struct mercure_subscriber *subscriber,
                                const struct mercure_matcher *matcher,
                                bool active)
{
    const struct crier_publish_options options = {.is_private = true};
    struct crier_event *event = crier_event_new();
    char name[NAME_SIZE];
    const char *const names[] = {name};
    json_t *document = NULL;
    int error = -ENOMEM;

    if (event != NULL && write_name(name, matcher, subscriber->id))
        document = describe_subscription(subscriber, matcher, name, active);
    if (document != NULL && matcher->type == MERCURE_TOPIC)
        error = json_object_set_new(document, "@context",
                                    json_string("https://mercure.rocks/"));
    else if (document != NULL)
        error = crier_event_type(event, "mercure");
    if (error == 0)
        error = crier_event_json(event, document);
    if (error == 0)
        (void)crier_hub_publish_to(subscriber->registry->hub, names, 1, event,
                                   &options);
    json_decref(document);
    crier_event_free(event);
}

/* Shares the subscription of SUBSCRIBER to MATCHER, which is ACTIVE, or ends that. */
static void share_subscription(const struct mercure_subscriber *subscriber,
                               const struct mercure_matcher *matcher, bool active)
{
    struct crier_hub *hub = subscriber->registry->hub;
    json_t *document = NULL;
    char name[NAME_SIZE];
    char *text = NULL;

    if (write_name(name, matcher, subscriber->id))
        document = describe_subscription(subscriber, matcher, name, true);
    if (document != NULL)
        text = json_dumps(document, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text != NULL && active)
        (void)crier_hub_share(hub, text);
    else if (text != NULL)
        crier_hub_unshare(hub, text);
    free(text);
    json_decref(document);
}

static void report_subscriber(const struct mercure_subscriber *subscriber,
                              bool active)
{
    size_t i;

    for (i = 0; i < subscriber->count; i++) {
        share_subscription(subscriber, &subscriber->matchers[i], active);
        report_subscription(subscriber, &subscriber->matchers[i], active);
    }
}

/* ---- subscribers ------------------------------------------------------ */

/* Writes a random UUID (RFC 9562 section 5.4) as a URN to ID. -errno. */
static int make_subscriber_id(char id[SUBSCRIBER_ID_SIZE])
{
    unsigned char bytes[16];
    int at = snprintf(id, SUBSCRIBER_ID_SIZE, "urn:uuid:");
    size_t i;

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return errno != 0 ? -errno : -EIO;
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (i = 0; i < sizeof bytes; i++)
        at += snprintf(id + at, SUBSCRIBER_ID_SIZE - (size_t)at, "%s%02x",
                       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                       bytes[i]);
    return 0;
}

/* Takes SIZE bytes of what all subscribers may have. */
static bool reserve_memory(struct mercure_registry *registry, size_t size)
{
    bool fits;

    pthread_mutex_lock(&registry->lock);
    fits = size <= MEMORY_MAX - registry->memory;
    if (fits)
        registry->memory += size;
    pthread_mutex_unlock(&registry->lock);
    return fits;
}

static void release_memory(struct mercure_registry *registry, size_t size)
{
    pthread_mutex_lock(&registry->lock);
    registry->memory -= size;
    pthread_mutex_unlock(&registry->lock);
}

/* Copies the COUNT MATCHERS into SUBSCRIBER, which has room for them. */
static void copy_matchers(struct mercure_subscriber *subscriber,
                          const struct mercure_matcher *matchers, size_t count)
{
    char *text = (char *)&subscriber->matchers[count];
    size_t length, i;

    for (i = 0; i < count; i++, text += length) {
        length = strlen(matchers[i].text) + 1;
        memcpy(text, matchers[i].text, length);
        subscriber->matchers[i].type = matchers[i].type;
        subscriber->matchers[i].text = text;
    }
    subscriber->count = count;
}

int mercure_subscriber_new(struct mercure_registry *registry,
                           const struct mercure_matcher *matchers, size_t count,
                           struct identity *identity,
                           struct mercure_subscriber **subscriber)
{
    size_t size = sizeof **subscriber + count * sizeof matchers[0], i;
    struct mercure_subscriber *made;
    int error;

    for (i = 0; i < count; i++)
        size += strlen(matchers[i].text) + 1;
    if (!reserve_memory(registry, size))
        return CRIER_ERR_MAX_STREAMS;
    made = calloc(1, size);
    error = made != NULL ? make_subscriber_id(made->id) : -ENOMEM;
    if (error != 0) {
        release_memory(registry, size);
        free(made);
        return error;
    }
    made->registry = registry;
    made->size = size;
    made->identity = identity != NULL ? identity_ref(identity) : NULL;
    copy_matchers(made, matchers, count);
    *subscriber = made;
    return 0;
}

void mercure_subscriber_drop(struct mercure_subscriber *subscriber)
{
    release_memory(subscriber->registry, subscriber->size);
    identity_unref(subscriber->identity);
    free(subscriber);
}

void mercure_subscriber_enter(struct mercure_subscriber *subscriber, bool begun)
{
    struct mercure_registry *registry = subscriber->registry;
    bool closed;

    pthread_mutex_lock(&registry->lock);
    closed = subscriber->state == SUBSCRIBER_CLOSED;
    if (!closed && begun) {
        subscriber->state = SUBSCRIBER_LISTED;
        DL_APPEND(registry->subscribers, subscriber);
        report_subscriber(subscriber, true);
    } else if (!closed) {
        subscriber->state = SUBSCRIBER_ABANDONED;
    }
    pthread_mutex_unlock(&registry->lock);
    if (closed)
        mercure_subscriber_drop(subscriber);
}

void mercure_subscriber_leave(struct mercure_subscriber *subscriber)
{
    struct mercure_registry *registry = subscriber->registry;
    bool opening;

    pthread_mutex_lock(&registry->lock);
    opening = subscriber->state == SUBSCRIBER_OPENING;
    if (subscriber->state == SUBSCRIBER_LISTED) {
        DL_DELETE(registry->subscribers, subscriber);
        report_subscriber(subscriber, false);
    }
    subscriber->state = SUBSCRIBER_CLOSED;
    pthread_mutex_unlock(&registry->lock);
    if (!opening)
        mercure_subscriber_drop(subscriber);
}

/* ---- lists ------------------------------------------------------------ */

/* Whether FILTER asks for MATCHER. */
static bool is_asked_for(const struct mercure_filter *filter,
                         const struct mercure_matcher *matcher)
{
    if (filter->matcher == NULL)
        return (matcher->type != MERCURE_TOPIC) == filter->current;
    return filter->matcher->type == matcher->type &&
           strcmp(filter->matcher->text, matcher->text) == 0;
}

/* Adds the subscriptions of SUBSCRIBER that FILTER asks for to LIST. False when memory is
 * short. */
static bool list_subscriber(const struct mercure_subscriber *subscriber,
                            const struct mercure_filter *filter, json_t *list)
{
    const struct mercure_matcher *matcher = subscriber->matchers;
    char name[NAME_SIZE];

    for (; matcher < subscriber->matchers + subscriber->count; matcher++)
        if (is_asked_for(filter, matcher) &&
            json_array_size(list) < MERCURE_LIST_MAX &&
            write_name(name, matcher, subscriber->id) &&
            json_array_append_new(list, describe_subscription(
                                            subscriber, matcher, name, true)) != 0)
            return false;
    return true;
}

/* A list to which those of other crierd are added. */
struct shared_list {
    const struct mercure_filter *filter;
    json_t *list;
    bool good;
};

/* The text of MEMBER of DOCUMENT; "" for none. */
static const char *member_of(const json_t *document, const char *member)
{
    const char *text = json_string_value(json_object_get(document, member));

    return text != NULL ? text : "";
}

/* Reads DOCUMENT, which another crierd shares; *MATCHER borrows its texts. False when it is
 * no subscription. */
static bool read_document(const json_t *document, struct mercure_matcher *matcher)
{
    const char *type = member_of(document, "match_type");

    matcher->text = member_of(document, "match");
    if (strcmp(member_of(document, "type"), "Subscription") == 0) {
        matcher->type = MERCURE_TOPIC;
        matcher->text = member_of(document, "topic");
    } else if (strcmp(type, mercure_type_name(MERCURE_EXACT)) == 0) {
        matcher->type = MERCURE_EXACT;
    } else if (strcmp(type, mercure_type_name(MERCURE_URL_PATTERN)) == 0) {
        matcher->type = MERCURE_URL_PATTERN;
    } else {
        return false;
    }
    return true;
}

/* Adds TEXT, which another crierd shares, if it is a subscription that is asked for. */
static void list_shared(void *closure, const char *text)
{
    struct shared_list *shared = closure;
    const struct mercure_filter *filter = shared->filter;
    struct mercure_matcher matcher;
    json_t *document;

    if (!shared->good || json_array_size(shared->list) >= MERCURE_LIST_MAX)
        return;
    document = json_read(text, strlen(text), 0, NULL);
    if (document != NULL && read_document(document, &matcher) &&
        is_asked_for(filter, &matcher) &&
        (filter->subscriber == NULL ||
         strcmp(filter->subscriber, member_of(document, "subscriber")) == 0))
        shared->good = json_array_append(shared->list, document) == 0;
    json_decref(document);
}

json_t *mercure_registry_list(struct mercure_registry *registry,
                              const struct mercure_filter *filter)
{
    struct mercure_subscriber *subscriber;
    struct shared_list shared = {.filter = filter, .list = json_array()};
    json_t *list = shared.list;
    bool good = list != NULL;

    pthread_mutex_lock(&registry->lock);
    DL_FOREACH (registry->subscribers, subscriber)
        if (filter->subscriber == NULL ||
            strcmp(filter->subscriber, subscriber->id) == 0)
            good = good && list_subscriber(subscriber, filter, list);
    pthread_mutex_unlock(&registry->lock);
    shared.good = good;
    if (crier_hub_shared(registry->hub, list_shared, &shared) == 0 && shared.good)
        return list;
    json_decref(list);
    return NULL;
}
