#ifndef CRIERD_REGULAR_H
#define CRIERD_REGULAR_H

/* NULL when the file PATH may be opened, or else why it is refused: only a regular file, or
 * /dev/null, can be read again on each reload. A pipe is empty by then, or blocks its reader
 * for ever. NULL, too, for what does not exist: opening it says why not. */
const char *regular_check(const char *path);

#endif
