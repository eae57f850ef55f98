#ifndef CRIER_BUFFER_H
#define CRIER_BUFFER_H

#include <stddef.h>

/* A growing run of bytes with a hard maximum. All zero is an empty one. */
struct crier__buffer {
    char *bytes;     /* NULL while there is no memory; else a NUL is behind the last */
    size_t length;
    size_t capacity; /* bytes allocated */
    size_t max;      /* of length; 0 means CRIER_EVENT_MAX */
};

/* Frees the bytes; BUFFER is empty again and keeps its maximum. */
void crier__buffer_done(struct crier__buffer *buffer);

/* Empties BUFFER and keeps its memory. */
void crier__buffer_clear(struct crier__buffer *buffer);

/* Appends LENGTH bytes. Returns -ENOMEM, or CRIER_ERR_FRAME_SIZE when BUFFER would
 * become longer than its maximum; BUFFER is unchanged then. */
int crier__buffer_add(struct crier__buffer *buffer, const char *bytes,
                      size_t length);

#endif
