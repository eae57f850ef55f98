#ifndef CRIER_SUBSCRIBER_LIST_H
#define CRIER_SUBSCRIBER_LIST_H

#include "subscription.h"

/* The active subscribers of one selector on one shard. */
struct crier__subscriber_list {
    struct crier__index_entry entry;
    struct crier__subscription *subscriptions; /* a DL list */
    struct crier__subscriber_list *next_emptied;
    bool emptied; /* it is among the shard's emptied ones */
    char text[];
};

/* All functions: on the shard's thread. */

/* Puts SUBSCRIBER on the lists of its selectors. False when memory is short: then it is on
 * some. */
bool crier__subscriber_lists_join(struct crier__subscriber *subscriber);

/* Takes SUBSCRIBER off all lists. */
void crier__subscriber_lists_leave(struct crier__subscriber *subscriber);

/* Calls USE for each list of SHARD that UPDATE matches, and each once. USE may take
 * subscribers off lists, but put none on. */
void crier__subscriber_lists_match(
    struct crier__hub_shard *shard, const struct crier__update *update,
    void (*use)(void *closure, struct crier__index_entry *list), void *closure);

#endif
