#ifndef CRIER_CONTAINER_OF_H
#define CRIER_CONTAINER_OF_H

#include <stddef.h>

/* The struct of TYPE whose MEMBER is at POINTER. */
#define CRIER__CONTAINER_OF(pointer, type, member)                            \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
