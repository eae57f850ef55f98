#ifndef CRIER_PUB_INPUT_H
#define CRIER_PUB_INPUT_H

#include "crier/cli/printable.h"

#include <stdbool.h>
#include <stddef.h>

/* Standard input, as a whole or by lines. All zero is one that is not begun.
 * */
struct pub_input {
    struct text text; /* what was read and not taken */
    size_t at;        /* up to here it is taken */
    size_t searched;  /* up to here there is no line end */
    bool ended;

    /* Where it is set: asked, whenever nothing more is there, for how many ms
     * to wait until it is asked again: -1 for ever, 0 to read no further. */
    int (*patience)(void *closure);
    void *closure;
};

/* Reads all there is, of at most MAX bytes, into input->text. 0, -errno;
 * -EFBIG when it is more; -ECANCELED when patience
 * was at its end. */
int pub_input_read_all(struct pub_input *input, size_t max);

/* Takes the next line, without its LF or CRLF; the last one may end with a CR,
 * or without anything.
 * Returns 1 with *LINE (borrowed until the next call) and *LENGTH, or 0 at the
 * end. -errno; -EFBIG when it is longer than MAX bytes; -ECANCELED when
 * patience was at its end. */
int pub_input_read_line(struct pub_input *input, size_t max, const char **line,
                        size_t *length);

void pub_input_done(struct pub_input *input);

#endif
