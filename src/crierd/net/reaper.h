#ifndef CRIERD_REAPER_H
#define CRIERD_REAPER_H

#include <pthread.h>
#include <stdint.h>

/* A connection that is watched. */
struct reaped;

struct reaper {
    pthread_mutex_t lock; /* guards the list */
    struct reaped *wards;
};

void reaper_init(struct reaper *reaper);

/* No ward may be left. */
void reaper_done(struct reaper *reaper);

/* Watches over the socket FD, which must stay open until reaper_release(); for the time
 * being nothing is waited for. NULL when memory is short: then nobody watches. Any
 * thread. */
struct reaped *reaper_admit(struct reaper *reaper, int fd);

/* Ends that; WARD may be NULL. Any thread. */
void reaper_release(struct reaper *reaper, struct reaped *reaped);

/* What WARD's client is to send must be there at DEADLINE, by crier_now(); 0: nothing
 * is waited for. WARD may be NULL. Any thread, but one at a time. */
void reaped_wait(struct reaped *reaped, uint64_t deadline);

/* The same for a client that is between two requests since NOW: where descriptors are
 * short, its connection may be ended before DEADLINE. */
void reaped_idle(struct reaped *reaped, uint64_t now, uint64_t deadline);

/* Ends the receiving side of at most MOST clients that have been between two requests
 * since SINCE (crier_now()) or longer. Any thread. */
void reaper_end_idle(struct reaper *reaper, uint64_t since, unsigned most);

/* Ends the receiving side of those that are overdue. To be called every few seconds.
 * Any thread. */
void reaper_end_overdue(struct reaper *reaper);

#endif
