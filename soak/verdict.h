#ifndef SOAK_VERDICT_H
#define SOAK_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

/* What is promised: X(name, text). */
#define SOAK_PROMISES(X)                                                      \
    X(PROMISE_ALL, "all that was acknowledged comes, or a gap says so")       \
    X(PROMISE_ONCE, "once, in order, and ids rise")                           \
    X(PROMISE_TRUE, "nothing else comes, and it is whole")                    \
    X(PROMISE_GAP, "a gap only where retention let something go")             \
    X(PROMISE_GOODBYE, "a goodbye to each client, at SIGTERM alone")          \
    X(PROMISE_HARM, "who reads is let in and stays, whatever others do")      \
    X(PROMISE_PUBLISH, "good updates are taken, bad ones refused")            \
    X(PROMISE_LIFE, "crierd ends when told to, and starts again")             \
    X(PROMISE_FILES, "descriptors are flat")                                  \
    X(PROMISE_MEMORY, "memory is flat")

enum promise {
#define SOAK_PROMISE_ENUM(name, text) name,
    SOAK_PROMISES(SOAK_PROMISE_ENUM)
#undef SOAK_PROMISE_ENUM
    PROMISES
};

/* What is counted: X(name, text). */
#define SOAK_TALLIES(X)                                                       \
    X(TALLY_STREAMS, "streams opened")                                        \
    X(TALLY_RETURNS, "of these, with a last id")                              \
    X(TALLY_POLLS, "polls that ended")                                        \
    X(TALLY_CLOSES, "left by closing")                                        \
    X(TALLY_RESETS, "left by a reset")                                        \
    X(TALLY_HALVES, "left by closing one half")                               \
    X(TALLY_BREAKS, "left in the middle of the headers")                      \
    X(TALLY_RELOADS, "pages reloaded")                                        \
    X(TALLY_STALLS, "stalls")                                                 \
    X(TALLY_STALLED, "streams ended for a stall")                             \
    X(TALLY_STOPS, "crier sub: SIGSTOP")                                      \
    X(TALLY_KILLS, "crier sub: SIGKILL")                                      \
    X(TALLY_TERMS, "crierd: SIGTERM")                                         \
    X(TALLY_CRASHES, "crierd: SIGKILL")                                       \
    X(TALLY_GOODBYES, "goodbyes")                                             \
    X(TALLY_UPDATES, "updates acknowledged")                                  \
    X(TALLY_DUPLICATES, "of these, sent again and there already")             \
    X(TALLY_UNSURE, "updates without an answer")                              \
    X(TALLY_BURSTS, "bursts")                                                 \
    X(TALLY_CUTS, "publishers cut off")                                       \
    X(TALLY_REFUSED, "bad requests refused")                                  \
    X(TALLY_DELIVERIES, "deliveries")                                         \
    X(TALLY_GAPS, "gaps")                                                     \
    X(TALLY_PINGS, "pings")

enum tally {
#define SOAK_TALLY_ENUM(name, text) name,
    SOAK_TALLIES(SOAK_TALLY_ENUM)
#undef SOAK_TALLY_ENUM
    TALLIES
};

struct verdict {
    uint64_t begun; /* ns */
    uint64_t tally[TALLIES];
    char broken[PROMISES][512];    /* why; "" when kept */
    char remarks[PROMISES][128];  /* for the report */
    bool open[PROMISES];          /* it was not judged */
};

/* PROMISE is broken, as FORMAT tells. Returns false, with a fault that says
 * when, so that the run ends. */
bool verdict_broken(struct verdict *verdict, enum promise promise,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What the report says beside PROMISE. */
void verdict_remark(struct verdict *verdict, enum promise promise,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* PROMISE was not judged, and why. */
void verdict_open(struct verdict *verdict, enum promise promise,
                  const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether a promise is broken. */
bool verdict_any(const struct verdict *verdict);

/* Prints the table of what was done, and a line for each promise. */
void verdict_print(const struct verdict *verdict);

#endif
