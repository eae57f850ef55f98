#ifndef CRIER_LOOP_H
#define CRIER_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* No time is set. */
#define CRIER__NEVER UINT64_MAX

/* The transfers of libcurl behind one descriptor that can be polled. Only one thread at
 * a time may use it, except for crier__loop_wake(). */
struct crier__loop {
    CURLM *multi;
    int set;   /* epoll: libcurl's sockets and the two below */
    int timer;
    int wake;
    bool woken;       /* wake has been written and not been read */
    bool stuck;       /* memory was short: a transfer may not go on by itself.
                         The program resets it. */
    uint64_t curl_at; /* when libcurl wants to be called; of crier_now() */
    uint64_t at;      /* when the owner does */
    uint64_t armed;   /* the time that the timer is set to */
};

/* Makes an empty loop. -errno, -ENOMEM; the caller gives nothing back then. */
int crier__loop_init(struct crier__loop *loop);

/* Frees the loop; its transfers must have been removed. */
void crier__loop_done(struct crier__loop *loop);

/* Ends the loop: its descriptor never polls readable again. The transfers must have
 * been removed; crier__loop_done() must follow. */
void crier__loop_end(struct crier__loop *loop);

/* Makes the descriptor readable until the next crier__loop_step(). Any thread. */
void crier__loop_wake(struct crier__loop *loop);

/* The same, on the thread of the loop: it writes only once. */
void crier__loop_hold(struct crier__loop *loop);

/* Does everything that needs no waiting. Returns whether there was anything. */
bool crier__loop_step(struct crier__loop *loop);

/* Makes the descriptor readable at the time AT of crier_now(). */
void crier__loop_at(struct crier__loop *loop, uint64_t at);

#endif
