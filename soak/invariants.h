#ifndef SOAK_INVARIANTS_H
#define SOAK_INVARIANTS_H

#include <stdbool.h>
#include <stdint.h>

/* The invariants: X(name, text). */
#define SOAK_INVARIANTS(X)                                                             \
    X(INVARIANT_ALL, "every acknowledged update arrives, or a gap is reported")        \
    X(INVARIANT_ONCE, "updates arrive once, in order, with rising positions")          \
    X(INVARIANT_TRUE, "nothing else arrives, and data are intact")                     \
    X(INVARIANT_GAP, "gaps are reported only where updates have expired")              \
    X(INVARIANT_GOODBYE, "each client gets a goodbye, only at SIGTERM")                \
    X(INVARIANT_HARM, "clients that read are accepted and stay connected")             \
    X(INVARIANT_PUBLISH, "valid updates are accepted, bad requests refused")           \
    X(INVARIANT_LIFE, "crierd exits only when signalled, and starts again")            \
    X(INVARIANT_FILES, "descriptors do not leak")                                      \
    X(INVARIANT_MEMORY, "memory does not grow")

enum invariant {
#define SOAK_PROMISE_ENUM(name, text) name,
    SOAK_INVARIANTS(SOAK_PROMISE_ENUM)
#undef SOAK_PROMISE_ENUM
        INVARIANTS
};

/* The counts: X(name, text). */
#define SOAK_TALLIES(X)                                                                \
    X(TALLY_STREAMS, "streams opened")                                                 \
    X(TALLY_RETURNS, "of these, with a last id")                                       \
    X(TALLY_POLLS, "polls that ended")                                                 \
    X(TALLY_CLOSES, "left by closing")                                                 \
    X(TALLY_RESETS, "left by a reset")                                                 \
    X(TALLY_HALVES, "left by closing one half")                                        \
    X(TALLY_BREAKS, "left in the middle of the headers")                               \
    X(TALLY_RELOADS, "pages reloaded")                                                 \
    X(TALLY_STALLS, "stalls")                                                          \
    X(TALLY_STALLED, "streams ended for a stall")                                      \
    X(TALLY_STOPS, "crier sub: SIGSTOP")                                               \
    X(TALLY_KILLS, "crier sub: SIGKILL")                                               \
    X(TALLY_TERMS, "crierd: SIGTERM")                                                  \
    X(TALLY_CRASHES, "crierd: SIGKILL")                                                \
    X(TALLY_GOODBYES, "goodbyes")                                                      \
    X(TALLY_UPDATES, "updates acknowledged")                                           \
    X(TALLY_DUPLICATES, "of these, sent again as duplicates")                          \
    X(TALLY_UNSURE, "updates without a response")                                      \
    X(TALLY_BURSTS, "bursts")                                                          \
    X(TALLY_CUTS, "publishers cut off")                                                \
    X(TALLY_REFUSED, "bad requests refused")                                           \
    X(TALLY_DELIVERIES, "deliveries")                                                  \
    X(TALLY_GAPS, "gaps")                                                              \
    X(TALLY_PINGS, "pings")

enum tally {
#define SOAK_TALLY_ENUM(name, text) name,
    SOAK_TALLIES(SOAK_TALLY_ENUM)
#undef SOAK_TALLY_ENUM
        TALLIES
};

struct invariants {
    uint64_t begun; /* ns */
    uint64_t tally[TALLIES];
    char broken[INVARIANTS][512];  /* why it is broken; "" if it holds */
    char remarks[INVARIANTS][128]; /* for the report */
    bool open[INVARIANTS];         /* not checked */
};

/* Records that INVARIANT is broken, and how. Returns false, with a fault that says
 * when, so that the run ends. */
bool invariant_broken(struct invariants *invariants, enum invariant invariant,
                      const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds a note to INVARIANT in the report. */
void invariant_note(struct invariants *invariants, enum invariant invariant,
                    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Records that INVARIANT was not checked, and why. */
void invariant_skip(struct invariants *invariants, enum invariant invariant,
                    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Returns whether an invariant is broken. */
bool invariants_any_broken(const struct invariants *invariants);

/* Prints the counts, and a line for each invariant. */
void invariants_print(const struct invariants *invariants);

#endif
