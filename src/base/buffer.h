#ifndef CRIER_BUFFER_H
#define CRIER_BUFFER_H

#include <stddef.h>

/* A growing run of bytes with a hard maximum. All zero is an empty one. */
struct crier__buffer {
    char *bytes;
    size_t length;
    size_t room;
    size_t max; /* of length; 0 means CRIER_EVENT_MAX */
};

/* Frees the bytes; BUFFER is empty again, its maximum stays. */
void crier__buffer_done(struct crier__buffer *buffer);

/* Forgets the bytes, keeps the memory. */
void crier__buffer_clear(struct crier__buffer *buffer);

/* Appends LENGTH bytes. -ENOMEM; CRIER_ERR_TOO_LARGE past the maximum. The
 * buffer is then as it was. */
int crier__buffer_add(struct crier__buffer *buffer, const char *bytes,
                      size_t length);

#endif
