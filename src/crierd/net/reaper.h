#ifndef CRIERD_REAPER_H
#define CRIERD_REAPER_H

#include <pthread.h>
#include <stdint.h>

/* A connection with a deadline. */
struct reaper_entry;

struct reaper {
    pthread_mutex_t lock; /* guards the list */
    struct reaper_entry *entries;
};

/* Prepares REAPER. */
void reaper_init(struct reaper *reaper);

/* Ends REAPER, which must have no entries. */
void reaper_done(struct reaper *reaper);

/* Adds the socket FD, which must stay open until reaper_remove(), without a deadline.
 * Returns a new entry; NULL when memory is short, and the connection has no deadlines.
 * Any thread. */
struct reaper_entry *reaper_add(struct reaper *reaper, int fd);

/* Removes and frees ENTRY; NULL is allowed. Any thread. */
void reaper_remove(struct reaper *reaper, struct reaper_entry *entry);

/* What the client of ENTRY is to send must be there at DEADLINE, by crier_now(); 0: there
 * is no deadline. ENTRY may be NULL. Any thread, but one at a time. */
void reaper_set_deadline(struct reaper_entry *entry, uint64_t deadline);

/* The same for a client that is between two requests since NOW: where descriptors are
 * short, its connection may be ended before DEADLINE. */
void reaper_set_idle(struct reaper_entry *entry, uint64_t now,
                     uint64_t deadline);

/* Shuts down, for receiving, at most MOST sockets whose clients have been between two
 * requests since SINCE (crier_now()) or longer. Any thread. */
void reaper_end_idle(struct reaper *reaper, uint64_t since, unsigned most);

/* Shuts down, for receiving, the sockets that are overdue. To be called every few
 * seconds. Any thread. */
void reaper_end_overdue(struct reaper *reaper);

#endif
