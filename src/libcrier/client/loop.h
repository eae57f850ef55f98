#ifndef CRIER_LOOP_H
#define CRIER_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* No time is set. */
#define CRIER__NEVER UINT64_MAX

/* libcurl's transfers behind one descriptor that can be polled. One thread at a
 * time, but for crier__loop_wake(). */
struct crier__loop {
    CURLM *multi;
    int set;   /* epoll: libcurl's sockets and the two below */
    int timer;
    int wake;
    bool woken;       /* we wrote to wake, and did not read it yet */
    bool stuck;       /* memory was short: a transfer may not go on by itself.
                         The program resets it. */
    uint64_t curl_at; /* when libcurl wants to be called; of crier_now() */
    uint64_t at;      /* when the program does */
    uint64_t armed;   /* what the timer is set to */
};

/* Makes an empty one. -errno, -ENOMEM; then there is nothing to give back. */
int crier__loop_init(struct crier__loop *loop);

/* Gives it back; its transfers must have been taken out. */
void crier__loop_done(struct crier__loop *loop);

/* Ends the loop: its descriptor never polls readable again, whatever is called.
 * The transfers must have been taken out; crier__loop_done() is still due. */
void crier__loop_end(struct crier__loop *loop);

/* Makes the descriptor readable until the next crier__loop_step(). Any thread. */
void crier__loop_wake(struct crier__loop *loop);

/* The same, of the loop's own thread: it writes only once. */
void crier__loop_hold(struct crier__loop *loop);

/* Does what can be done without waiting. Returns whether there was anything. */
bool crier__loop_step(struct crier__loop *loop);

/* Has the descriptor become readable at the time AT of crier_now(). */
void crier__loop_at(struct crier__loop *loop, uint64_t at);

#endif
