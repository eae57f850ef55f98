#ifndef CRIER_ENDED_H
#define CRIER_ENDED_H

#include "journal.h"

/*
 * The topics that have ended, for a backend that cannot ask its storage whenever a stream
 * asks: see ended.c. One thread changes the set; any thread may look a topic up.
 */
struct crier__ended_topic;

struct crier__ended_set {
    pthread_mutex_t lock; /* guards topics, but not for the thread that changes it */
    struct crier__ended_topic *topics;  /* a uthash by name */
    struct crier__ended_topic *changes; /* a DL list: since the last commit */
};

/* Makes SET empty. -errno. */
int crier__ended_init(struct crier__ended_set *set);

/* Frees what SET holds, which no other thread uses any more. */
void crier__ended_done(struct crier__ended_set *set);

/* Notes that the topic NAME of LENGTH bytes, which had not, has ended with the update
 * ENDED of the time TIME. -ENOMEM. */
int crier__ended_add(struct crier__ended_set *set, const char *name,
                     size_t length, const struct crier__ended *ended,
                     int64_t time);

/* Notes that the topic NAME of LENGTH bytes has not ended any more, or never has. */
void crier__ended_remove(struct crier__ended_set *set, const char *name,
                         size_t length);

/* Makes crier__ended_find() report all that was noted since the last commit. */
void crier__ended_commit(struct crier__ended_set *set);

/* Forgets all that was noted since the last commit. */
void crier__ended_undo(struct crier__ended_set *set);

/* Notes that the topic NAME of LENGTH bytes does not hold an update up to UPTO that has ended it any
 * more, and commits. It may have ended anew behind that. Nothing waits for a commit. */
void crier__ended_forget(struct crier__ended_set *set, const char *name, size_t length,
                         uint64_t upto);

/* Makes SET hold what WITH holds, and the other way round, for the thread that changes both. Other
 * threads look topics up in SET alone. In neither anything waits for a commit. */
void crier__ended_exchange(struct crier__ended_set *set, struct crier__ended_set *with);

/* Looks the topic NAME of LENGTH bytes up: writes its last update to *ENDED, and the time
 * of that to *TIME. False when it has not ended. */
bool crier__ended_find(struct crier__ended_set *set, const char *name,
                       size_t length, struct crier__ended *ended, int64_t *time);

#endif
