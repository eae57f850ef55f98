#ifndef CRIERD_DATE_H
#define CRIERD_DATE_H

#include <stdbool.h>
#include <stdint.h>

#define DATE_SIZE 32

/* Reads a date or a time in UTC, "2027-01-31" or "2027-01-31T23:59:59Z" (RFC 3339), from
 * the year 1970 on, and writes it in seconds since then. */
bool date_read(const char *text, int64_t *seconds);

/* Writes SECONDS as date_read() reads it. */
void date_print(char text[DATE_SIZE], int64_t seconds);

#endif
