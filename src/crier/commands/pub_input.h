#ifndef CRIER_PUB_INPUT_H
#define CRIER_PUB_INPUT_H

#include "crier/cli/printable.h"

#include <stdbool.h>
#include <stddef.h>

/* Standard input, or another file, in whole or by lines. All zero is standard input,
 * unread. */
struct pub_input {
    int fd;           /* what is read; 0 is standard input */
    struct text text; /* read and not returned yet */
    size_t at;        /* offset of the first byte that was not returned */
    size_t searched;  /* there is no LF before this offset */
    bool ended;

    /* Optional. Called whenever no input is available; returns how many ms to wait
     * before the next call: -1 for ever, 0 to stop reading. */
    int (*patience)(void *closure);
    void *closure;
};

/* Reads all input, at most MAX bytes, into input->text. Returns 0, -errno, -EFBIG if
 * there is more, or -ECANCELED if patience() returned 0. */
int pub_input_read_all(struct pub_input *input, size_t max);

/* Returns 1 with the next line in *LINE and *LENGTH, without LF or CRLF (a last line
 * without LF may end with a CR, which is removed), borrowed until the next call; 0 at
 * the end; -errno; -EFBIG if the line is longer than MAX bytes; -ECANCELED if
 * patience() returned 0. */
int pub_input_read_line(struct pub_input *input, size_t max, const char **line,
                        size_t *length);

void pub_input_done(struct pub_input *input);

#endif
