/*
 * A growing run of bytes. Its capacity doubles, so that appending is cheap, and it
 * never grows past its maximum, so that nothing built on it can either.
 */
#include <config.h>

#include "buffer.h"

#include "crier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void crier__buffer_done(struct crier__buffer *buffer)
{
    free(buffer->bytes);
    buffer->bytes = NULL;
    buffer->length = buffer->capacity = 0;
}

void crier__buffer_clear(struct crier__buffer *buffer)
{
    buffer->length = 0;
    if (buffer->bytes != NULL)
        buffer->bytes[0] = '\0';
}

int crier__buffer_add(struct crier__buffer *buffer, const char *bytes,
                      size_t length)
{
    size_t max = buffer->max != 0 ? buffer->max : CRIER_EVENT_MAX;
    size_t capacity = buffer->capacity != 0 ? buffer->capacity : 64;
    char *grown;

    if (length > max - buffer->length)
        return CRIER_ERR_FRAME_SIZE;
    while (capacity <= buffer->length + length)
        capacity *= 2;
    if (capacity != buffer->capacity) {
        grown = realloc(buffer->bytes, capacity);
        if (grown == NULL)
            return -ENOMEM;
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    if (length != 0)
        memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    buffer->bytes[buffer->length] = '\0';
    return 0;
}
