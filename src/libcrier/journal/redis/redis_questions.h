#ifndef CRIER_REDIS_QUESTIONS_H
#define CRIER_REDIS_QUESTIONS_H

#include "base/timer.h"

#include <stdatomic.h>
#include <stdbool.h>

/* What redis_past.c has in a journal. */
struct crier__redis_question;
struct crier__redis_page;

struct crier__redis_past {
    atomic_size_t reads; /* how often a script has read from Redis for a read; any thread */

    /* The thread alone. */
    struct crier__redis_question *questions; /* a DL list, in order of their arrival */
    unsigned open; /* questions that have a script on its way */
    struct crier__redis_page *pages; /* a DL list of those that are kept, the oldest first */
    size_t kept;                     /* their bytes */
    struct crier__timer expire;      /* of those */
    bool busy;     /* questions are being opened, or answered */
    bool closing;
};

#endif
