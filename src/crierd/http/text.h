#ifndef CRIERD_TEXT_H
#define CRIERD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether TEXT is UTF-8 of MIN to MAX characters without control characters
 * (U+0000 to U+001F, U+007F to U+009F). */
bool text_valid(const char *text, size_t length, size_t min, size_t max);

/* What text_sight() finds. */
enum text_sight {
    TEXT_VISIBLE,
    TEXT_BLANK,     /* nothing that could be seen */
    TEXT_DECEPTIVE, /* among other characters, one that is invisible, or that changes
                       the order in which they are shown */
};

/* Whether a reader sees what the LENGTH bytes of UTF-8 at TEXT are. The joiners U+200C and
 * U+200D do not count as deceptive behind a character beyond ASCII, where emoji and
 * several scripts need them. */
enum text_sight text_sight(const char *text, size_t length);

/* Reads the file NAME in the directory DIR, at most MAX bytes, into a *new* NUL-terminated
 * text, *TEXT. Returns 0 or -errno, with the reason in WHY, of SIZE bytes; -EFBIG when the
 * file is larger. */
int text_from_file(const char *dir, const char *name, size_t max, char **text, char *why,
                   size_t size);

#endif
