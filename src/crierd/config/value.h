#ifndef CRIERD_VALUE_H
#define CRIERD_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for a value as the functions below write it. */
#define VALUE_SIZE 32

/* Reads a time of up to 100 years: a number followed by "ms", "s", "m", "h" or "d", or
 * by nothing, which means seconds. Writes milliseconds. */
bool value_time(const char *text, uint64_t *milliseconds);

/* Reads a size of at least 1 byte and less than 16 TiB: a number followed by "K", "M"
 * or "G" (powers of 1024), or by nothing. Writes bytes. */
bool value_size(const char *text, size_t *bytes);

/* Reads a rate: a number of updates from 1 to RATE_MAX, or that, a comma and a size. *BYTES
 * is 0 without a size. */
#define VALUE_RATE_MAX 1000000
bool value_rate(const char *text, uint64_t *updates, uint64_t *bytes);

/* Write a time or a size with the largest unit that divides it, so that value_time()
 * and value_size() read the same value again. */
void value_print_time(char text[VALUE_SIZE], uint64_t milliseconds);
void value_print_size(char text[VALUE_SIZE], uint64_t bytes);

#endif
