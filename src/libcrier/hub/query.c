/*
 * The other questions to a hub: the list of topics, forgetting a topic, and the status.
 *
 * A list has the topics of which the journal holds something, and those that somebody
 * subscribes to by name. Both come in order, and are merged here. The journal leaves out
 * topics with private updates that the grants do not match; they must not come back
 * because somebody subscribes to them. So the journal reports them, and their hashes are
 * kept until both lists are merged: it may be all topics that there are. When two names
 * have the same hash of 64 bits, a topic is missing from the list.
 */
#include <config.h>

#include "directory.h"
#include "gate.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 1000

/* ---- the list --------------------------------------------------------- */

/* A topic with subscribers. */
struct subscribed {
    size_t count;
    char name[CRIER__TOPIC_SIZE];
};

struct listing {
    struct crier__list list;
    struct crier_hub *hub;
    void (*on_done)(void *closure, int error, json_t *topics);
    void *closure;
    struct subscribed *subscribed; /* `limit` of them */
    unsigned subscribed_count;
    struct crier__selectors *selectors;
    char *after; /* a copy */
    struct crier_grants *grants; /* a reference or NULL */

    /* The hashes of the topics that the journal withholds. */
    uint64_t *withheld;
    size_t withheld_count, withheld_room;
    int error; /* -ENOMEM: not all are there */
};

static void free_listing(struct listing *listing)
{
    free(listing->list.infos);
    free(listing->subscribed);
    crier__selectors_free(listing->selectors);
    free(listing->after);
    free(listing->withheld);
    crier_grants_unref(listing->grants);
    free(listing);
}

static void note_withheld(struct crier__list *list, const char *name)
{
    struct listing *listing = (struct listing *)list;
    size_t room = listing->withheld_room;
    uint64_t *grown;

    if (listing->withheld_count == room) {
        room = room != 0 ? room * 2 : 64;
        grown = realloc(listing->withheld, room * sizeof *grown);
        if (grown == NULL) {
            listing->error = -ENOMEM;
            return;
        }
        listing->withheld = grown;
        listing->withheld_room = room;
    }
    listing->withheld[listing->withheld_count++] = crier__topic_hash(name);
}

static int compare_hashes(const void *one, const void *other)
{
    uint64_t first = *(const uint64_t *)one, second = *(const uint64_t *)other;

    return first < second ? -1 : first > second;
}

/* Whether LISTING, whose hashes are sorted, has the topic NAME with subscribers. */
static bool lists_subscribed(const struct listing *listing, const char *name)
{
    uint64_t hash;

    if (!crier__list_wants(&listing->list, name))
        return false;
    if (listing->withheld_count == 0)
        return true;
    hash = crier__topic_hash(name);
    return bsearch(&hash, listing->withheld, listing->withheld_count,
                   sizeof hash, compare_hashes) == NULL;
}

/* Puts ENTRY in its place among the first COUNT entries, of which no more than LIMIT are
 * kept. Returns how many there are then. */
static unsigned insert_entry(const struct crier__directory_entry **first,
                             unsigned count, unsigned limit,
                             const struct crier__directory_entry *entry)
{
    const char *name = entry->entry.selector.text;
    unsigned low = 0, high = count, middle;

    while (low < high) {
        middle = (low + high) / 2;
        if (strcmp(first[middle]->entry.selector.text, name) > 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == limit)
        return count;
    if (count == limit)
        count--;
    memmove(first + low + 1, first + low, (count - low) * sizeof *first);
    first[low] = entry;
    return count + 1;
}

/* Whether ENTRY has subscribers, here or on another node. */
static bool is_subscribed(const struct crier__directory_entry *entry)
{
    return entry->count != 0 || crier__directory_elsewhere(entry) != 0;
}

/* Finds the first topics of LISTING that have subscribers. -ENOMEM. */
static int find_subscribed(struct listing *listing)
{
    const struct crier__list *list = &listing->list;
    const struct crier__directory_entry **first =
        calloc(list->limit, sizeof *first);
    struct crier__index_entry *entry, *next;
    struct crier_hub *hub = listing->hub;
    unsigned count = 0, i;

    if (first == NULL)
        return -ENOMEM;
    if (listing->withheld_count != 0)
        qsort(listing->withheld, listing->withheld_count,
              sizeof *listing->withheld, compare_hashes);
    pthread_mutex_lock(&hub->lock);
    HASH_ITER (hh, hub->directory.index.entries, entry, next)
        if (entry->selector.kind == CRIER__EXACT &&
            is_subscribed((struct crier__directory_entry *)entry) &&
            lists_subscribed(listing, entry->selector.text))
            count = insert_entry(first, count, list->limit,
                                 (struct crier__directory_entry *)entry);
    for (i = 0; i < count; i++) {
        listing->subscribed[i].count =
            first[i]->staying + crier__directory_elsewhere(first[i]);
        snprintf(listing->subscribed[i].name,
                 sizeof listing->subscribed[i].name, "%s",
                 first[i]->entry.selector.text);
    }
    pthread_mutex_unlock(&hub->lock);
    listing->subscribed_count = count;
    free(first);
    return 0;
}

/* How many updates were published to the topic NAME, as far as who asks for LISTING may know
 * of them. */
static uint64_t count_published(const struct listing *listing, const char *name)
{
    struct crier_hub *hub = listing->hub;
    bool private = crier_grants_match(listing->grants, name);
    uint64_t count;

    pthread_mutex_lock(&hub->lock);
    count = crier__published_get(&hub->topics_published, name, private);
    pthread_mutex_unlock(&hub->lock);
    return count;
}

/* TIME as a new text, or null where NONE. */
static json_t *write_time(int64_t time, bool none)
{
    char text[CRIER__CLOCK_TEXT_SIZE];

    if (none)
        return json_null();
    crier__clock_text(time, text);
    return json_string(text);
}

/* A new object that describes the topic NAME, of which INFO (or NULL) is held, with COUNT
 * subscribers. */
static json_t *describe_topic(const struct listing *listing, const char *name,
                              const struct crier__topic_info *info, size_t count)
{
    static const struct crier__topic_info nothing;
    bool none;

    if (info == NULL)
        info = &nothing;
    none = info->count == 0;
    return json_pack("{s:s, s:I, s:I, s:I, s:s?, s:s?, s:o, s:o, s:b, s:I}", "topic", name,
                     "updates", (json_int_t)info->count, "bytes",
                     (json_int_t)info->bytes, "subscribers", (json_int_t)count,
                     "first", none ? NULL : info->first, "last",
                     none ? NULL : info->last, "first_time",
                     write_time(info->first_time, none), "time",
                     write_time(info->time, none), "ended", info->ended, "published",
                     (json_int_t)count_published(listing, name));
}

/* Merges both lists, which are in order. NULL when memory is short. */
static json_t *merge_lists(const struct listing *listing)
{
    const struct crier__topic_info *info = listing->list.infos;
    const struct crier__topic_info *infos_end = info + listing->list.count;
    const struct subscribed *one = listing->subscribed;
    const struct subscribed *ones_end = one + listing->subscribed_count;
    json_t *array = json_array();
    size_t limit = listing->list.limit, count;
    const char *name;
    int order;

    while (array != NULL && json_array_size(array) < limit &&
           (info < infos_end || one < ones_end)) {
        order = info == infos_end ? 1
                : one == ones_end ? -1
                                  : strcmp(info->name, one->name);
        name = order <= 0 ? info->name : one->name;
        /* A topic that is held may have subscribers beyond the end of the other list. */
        count = order >= 0 ? one->count : crier__directory_count(listing->hub, name);
        if (json_array_append_new(array, describe_topic(listing, name,
                                                        order <= 0 ? info : NULL,
                                                        count)) != 0) {
            json_decref(array);
            return NULL;
        }
        info += order <= 0;
        one += order >= 0;
    }
    return array;
}

static void report_list(struct crier__list *list)
{
    struct listing *listing = (struct listing *)list;
    struct crier_hub *hub = listing->hub;
    json_t *array = NULL;
    int error = list->error != 0 ? list->error : listing->error;

    if (error == 0)
        error = find_subscribed(listing);
    if (error == 0) {
        array = merge_lists(listing);
        if (array == NULL)
            error = -ENOMEM;
    }
    if (listing->on_done != NULL)
        listing->on_done(listing->closure, error, array);
    else
        json_decref(array);
    free_listing(listing);
    crier__gate_leave(&hub->gate);
}

/* A list compares the names of all topics with them. */
#define PATTERNS_MAX 4

/* CRIER_ERR_MANY_TOPICS when more of SELECTORS are patterns than a list may have. */
static int check_patterns(const struct crier__selectors *selectors)
{
    unsigned count = 0, i;

    for (i = 0; i < selectors->count; i++)
        count += selectors->items[i].pattern != NULL;
    return count <= PATTERNS_MAX ? 0 : CRIER_ERR_MANY_TOPICS;
}

/* Makes a *new* listing. CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS, -ENOMEM. */
static int new_listing(struct crier_hub *hub,
                       const struct crier_list_options *options,
                       struct listing **listing)
{
    struct listing *made = calloc(1, sizeof *made);
    unsigned limit = options->limit;
    int error;

    if (made == NULL)
        return -ENOMEM;
    error = crier__selectors_parse(options->topics, &made->selectors);
    if (error == 0)
        error = check_patterns(made->selectors);
    made->hub = hub;
    made->after = strdup(options->after != NULL ? options->after : "");
    made->subscribed = calloc(limit, sizeof *made->subscribed);
    made->list.infos = calloc(limit, sizeof *made->list.infos);
    made->list.done = report_list;
    made->list.selectors = made->selectors;
    made->list.after = made->after;
    made->list.limit = limit;
    made->list.withheld = note_withheld;
    made->list.granted_only = options->granted_only;
    made->list.grants = made->grants = crier_grants_ref(options->grants);
    if (error == 0 && (made->after == NULL || made->subscribed == NULL ||
                       made->list.infos == NULL))
        error = -ENOMEM;
    if (error != 0) {
        free_listing(made);
        return error;
    }
    *listing = made;
    return 0;
}

int crier_hub_list(struct crier_hub *hub, const struct crier_list_options *options,
                   void (*on_done)(void *closure, int error, json_t *topics),
                   void *closure)
{
    struct listing *listing;
    int error;

    if (hub == NULL || options == NULL || options->topics == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if (options->limit < 1 || options->limit > LIMIT_MAX)
        return CRIER_ERR_INVALID;
    error = new_listing(hub, options, &listing);
    if (error != 0)
        return error;
    error = crier__gate_enter(&hub->gate);
    if (error != 0) {
        free_listing(listing);
        return error;
    }
    listing->on_done = on_done;
    listing->closure = closure;
    hub->journal->ops->list(hub->journal, &listing->list);
    return 0;
}

/* ---- forgetting ------------------------------------------------------- */

struct forgetting {
    struct crier__forget forget;
    struct crier_hub *hub;
    void (*on_done)(void *closure, int error);
    void *closure;
    char *topic;
};

static void report_forgotten(struct crier__forget *forget)
{
    struct forgetting *forgetting = (struct forgetting *)forget;
    struct crier_hub *hub = forgetting->hub;

    if (forgetting->on_done != NULL)
        forgetting->on_done(forgetting->closure, forget->error);
    free(forgetting->topic);
    free(forgetting);
    crier__gate_leave(&hub->gate);
}

int crier_hub_forget(struct crier_hub *hub, const char *topic,
                     void (*on_done)(void *closure, int error), void *closure)
{
    struct forgetting *forgetting;
    int error;

    if (hub == NULL || topic == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    forgetting = calloc(1, sizeof *forgetting);
    if (forgetting == NULL)
        return -ENOMEM;
    error = CRIER_ERR_TOPIC;
    if (crier__topic_valid(topic, strnlen(topic, CRIER__TOPIC_SIZE))) {
        forgetting->topic = strdup(topic);
        error = forgetting->topic != NULL ? 0 : -ENOMEM;
    }
    if (error == 0)
        error = crier__gate_enter(&hub->gate);
    if (error != 0) {
        free(forgetting->topic);
        free(forgetting);
        return error;
    }
    forgetting->forget.done = report_forgotten;
    forgetting->forget.topic = forgetting->topic;
    forgetting->hub = hub;
    forgetting->on_done = on_done;
    forgetting->closure = closure;
    hub->journal->ops->forget(hub->journal, &forgetting->forget);
    return 0;
}

/* ---- status ----------------------------------------------------------- */

void crier_hub_status(struct crier_hub *hub, struct crier_status *status)
{
    uint64_t newest;

    if (status == NULL)
        return;
    memset(status, 0, sizeof *status);
    if (hub == NULL || crier__forked(hub->born)) {
        status->journal = "";
        status->error = hub == NULL ? CRIER_ERR_NULL : CRIER_ERR_FORKED;
        return;
    }
    status->journal = hub->journal->ops->name;
    status->shared = hub->journal->ops->shared;
    status->gaps = atomic_load(&hub->gaps);
    status->corrected = atomic_load(&hub->journal->corrected);
    status->clock_behind = atomic_load(&hub->journal->clock_behind);
    status->check = (enum crier_check)atomic_load(&hub->journal->check);
    status->damaged = atomic_load(&hub->journal->damaged);
    if (status->damaged != 0)
        memcpy(status->damage, hub->journal->damage, sizeof status->damage);
    if (!crier__gate_is_closed(&hub->gate))
        status->error = hub->journal->ops->status(hub->journal,
                                                  status->reason);
    pthread_mutex_lock(&hub->lock);
    status->published = hub->published;
    newest = hub->last;
    pthread_mutex_unlock(&hub->lock);
    if (newest != 0)
        crier__id_make(status->newest, hub->journal->epoch, newest);
}

void crier_hub_statistics(struct crier_hub *hub,
                          struct crier_hub_counts *statistics)
{
    const struct crier__hub_shard *shard;
    struct crier_journal *journal;

    if (statistics == NULL)
        return;
    memset(statistics, 0, sizeof *statistics);
    if (hub == NULL || crier__forked(hub->born))
        return;
    for (shard = hub->per_shard; shard < hub->per_shard + hub->shard_count; shard++) {
        statistics->lagged += crier__counter_read(&shard->lagged);
        statistics->behind += crier__counter_read(&shard->behind);
        crier__histogram_read(&shard->latency, &crier__histogram_times,
                              &statistics->latency);
        statistics->waiting_at[statistics->shards++] = crier__counter_read(&shard->cost);
    }
    statistics->gaps = atomic_load(&hub->gaps);
    journal = hub->journal;
    crier__histogram_read(&journal->commit_time, &crier__histogram_times,
                          &statistics->commit_time);
    crier__histogram_read(&journal->commit_size, &crier__histogram_sizes,
                          &statistics->commit_size);
    statistics->failures = crier__counter_read(&journal->failures);
    journal->ops->held(journal, statistics);
    statistics->limits = crier__journal_limits(journal);
    pthread_mutex_lock(&hub->lock);
    statistics->published = hub->published;
    pthread_mutex_unlock(&hub->lock);
}

size_t crier_hub_nodes(struct crier_hub *hub, struct crier_node *nodes, size_t max)
{
    struct crier_journal *journal;

    if (hub == NULL || nodes == NULL || crier__forked(hub->born))
        return 0;
    journal = hub->journal;
    return journal->ops->nodes != NULL ? journal->ops->nodes(journal, nodes, max) : 0;
}
