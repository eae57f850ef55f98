#ifndef SOAK_INVARIANTS_H
#define SOAK_INVARIANTS_H

#include <stdbool.h>
#include <stdint.h>

/* What is promised: X(name, text). */
#define SOAK_INVARIANTS(X)                                                             \
    X(INVARIANT_ALL, "all that was acknowledged comes, or a gap says so")              \
    X(INVARIANT_ONCE, "once, in order, and ids rise")                                  \
    X(INVARIANT_TRUE, "nothing else comes, and it is whole")                           \
    X(INVARIANT_GAP, "a gap only where retention let something go")                    \
    X(INVARIANT_GOODBYE, "a goodbye to each client, at SIGTERM alone")                 \
    X(INVARIANT_HARM, "who reads is let in and stays, whatever others do")             \
    X(INVARIANT_PUBLISH, "good updates are taken, bad ones refused")                   \
    X(INVARIANT_LIFE, "crierd ends when told to, and starts again")                    \
    X(INVARIANT_FILES, "descriptors are flat")                                         \
    X(INVARIANT_MEMORY, "memory is flat")

enum invariant {
#define SOAK_PROMISE_ENUM(name, text) name,
    SOAK_INVARIANTS(SOAK_PROMISE_ENUM)
#undef SOAK_PROMISE_ENUM
        INVARIANTS
};

/* What is counted: X(name, text). */
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
    X(TALLY_DUPLICATES, "of these, sent again and there already")                      \
    X(TALLY_UNSURE, "updates without an answer")                                       \
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
    char broken[INVARIANTS][512];  /* why; "" when kept */
    char remarks[INVARIANTS][128]; /* for the report */
    bool open[INVARIANTS];         /* it was not judged */
};

/* PROMISE is broken, as FORMAT tells. Returns false, with a fault that says
 * when, so that the run ends. */
bool invariant_broken(struct invariants *invariants, enum invariant invariant,
                      const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What the report says beside PROMISE. */
void invariant_note(struct invariants *invariants, enum invariant invariant,
                    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* PROMISE was not judged, and why. */
void invariant_skip(struct invariants *invariants, enum invariant invariant,
                    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Whether a invariant is broken. */
bool invariants_any_broken(const struct invariants *invariants);

/* Prints the table of what was done, and a line for each invariant. */
void invariants_print(const struct invariants *invariants);

#endif
