#ifndef CRIERD_WARDEN_H
#define CRIERD_WARDEN_H

#include <pthread.h>
#include <stdint.h>

/* A connection that is watched. */
struct ward;

struct warden {
    pthread_mutex_t lock; /* guards the list */
    struct ward *wards;
};

void warden_init(struct warden *warden);

/* No ward may be left. */
void warden_done(struct warden *warden);

/* Watches over the socket FD, which must stay open until warden_release(); for the time
 * being nothing is waited for. NULL when memory is short: then nobody watches. Any
 * thread. */
struct ward *warden_admit(struct warden *warden, int fd);

/* Ends that; WARD may be NULL. Any thread. */
void warden_release(struct warden *warden, struct ward *ward);

/* What WARD's client is to send must be there at DEADLINE, by crier_now(); 0: nothing
 * is waited for. WARD may be NULL. Any thread, but one at a time. */
void ward_wait(struct ward *ward, uint64_t deadline);

/* The same for a client that is between two requests since NOW: where descriptors are
 * short, its connection may be ended before DEADLINE. */
void ward_idle(struct ward *ward, uint64_t now, uint64_t deadline);

/* Ends the receiving side of at most MOST clients that have been between two requests
 * since SINCE (crier_now()) or longer. Any thread. */
void warden_make_room(struct warden *warden, uint64_t since, unsigned most);

/* Ends the receiving side of those that are overdue. To be called every few seconds.
 * Any thread. */
void warden_look(struct warden *warden);

#endif
