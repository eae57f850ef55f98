#ifndef CRIER_REDIS_TEXTS_H
#define CRIER_REDIS_TEXTS_H

#include "redis_script.h"

/* Which make writes to redis_texts.c. */
struct crier__redis_text {
    const char *name;
    const char *text;
};

extern const struct crier__redis_text crier__redis_texts[CRIER__REDIS_SCRIPTS];

#endif
