#ifndef CRIER_NUMBER_H
#define CRIER_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a number may be followed by, and what it is multiplied by then. */
struct crier__unit {
    const char *name; /* "": no unit */
    uint64_t factor;
};

/* The units of time, as milliseconds: ms, s, m, h, d, and at last "", which means
 * seconds. */
#define CRIER__TIME_UNITS 6
extern const struct crier__unit crier__time_units[CRIER__TIME_UNITS];

/* Reads the decimal digits at the beginning of the LENGTH bytes at TEXT: *DIGITS is how
 * many there are, *NUMBER their value, or UINT64_MAX when 64 bits cannot hold it.
 * Returns false then, and when there is no digit. */
bool crier__number_scan(const char *text, size_t length, size_t *digits,
                        uint64_t *number);

/* Reads TEXT, which must be nothing but decimal digits, as a number from MIN to MAX.
 * Returns false, and leaves *NUMBER alone, when it is not. */
bool crier__number_read(const char *text, uint64_t min, uint64_t max,
                        uint64_t *number);

/* Reads TEXT as decimal digits and the name of one of the COUNT units at UNITS; *VALUE
 * is the product. Returns false, and leaves *VALUE alone, when TEXT is anything else or
 * the product is larger than MAX. */
bool crier__number_read_unit(const char *text, const struct crier__unit *units,
                             size_t count, uint64_t max, uint64_t *value);

/* The value of DIGIT, a hexadecimal digit in either case; -1 for all other characters. */
int crier__number_digit(char digit);

#endif
