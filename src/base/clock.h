#ifndef CRIER_CLOCK_H
#define CRIER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* The size of a buffer for crier__clock_text(). */
#define CRIER__CLOCK_TEXT_SIZE 32

/* crier_now(), the monotonic clock in milliseconds, is in crier.h. */

/* The same clock in microseconds. */
uint64_t crier__clock_us(void);

/* CLOCK_REALTIME in milliseconds since 1970. */
int64_t crier__clock_real(void);

/* Writes TIME, in milliseconds since 1970, to TEXT as RFC 3339 has it, in UTC:
 * "2024-02-29T23:59:59.999Z". */
void crier__clock_text(int64_t time, char text[CRIER__CLOCK_TEXT_SIZE]);

/* Reads into *TIME what crier__clock_text() has written. False, and *TIME is undefined, when
 * TEXT is anything else. */
bool crier__clock_read(const char *text, int64_t *time);

#endif
