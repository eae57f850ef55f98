/* Numbers, times and sizes, as options have them: reading and writing. */
#include <config.h>

#include "value.h"

#include "base/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY ((uint64_t)24 * 60 * 60 * 1000)
#define TIME_MAX (36500 * DAY)
#define SIZE_LIMIT ((uint64_t)1 << 44)

/* What is written: from the largest to the smallest. */
static const struct crier__unit times[] = {
    {"d", DAY}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct crier__unit sizes[] = {
    {"G", 1024 * 1024 * 1024}, {"M", 1024 * 1024}, {"K", 1024}, {"", 1}};

#define SIZES (sizeof sizes / sizeof sizes[0])

bool value_time(const char *text, uint64_t *milliseconds)
{
    return crier__number_read_unit(text, crier__time_units, CRIER__TIME_UNITS,
                                   TIME_MAX, milliseconds);
}

bool value_size(const char *text, size_t *bytes)
{
    uint64_t value;

    if (!crier__number_read_unit(text, sizes, SIZES, SIZE_LIMIT, &value) ||
        value == 0)
        return false;
    *bytes = (size_t)value;
    return true;
}

bool value_rate(const char *text, uint64_t *updates, uint64_t *bytes)
{
    const char *comma = strchr(text, ',');
    size_t length = comma != NULL ? (size_t)(comma - text) : strlen(text);
    char number[VALUE_SIZE];
    size_t size = 0;

    if (length >= sizeof number)
        return false;
    memcpy(number, text, length);
    number[length] = '\0';
    if (!crier__number_read(number, 1, VALUE_RATE_MAX, updates) ||
        (comma != NULL && !value_size(comma + 1, &size)))
        return false;
    *bytes = size;
    return true;
}

/* Writes VALUE with the first of UNITS, the last of which is 1, that divides it. */
static void print_with_unit(char text[VALUE_SIZE],
                            const struct crier__unit *units, uint64_t value)
{
    while (value % units->factor != 0)
        units++;
    snprintf(text, VALUE_SIZE, "%" PRIu64 "%s", value / units->factor,
             units->name);
}

void value_print_time(char text[VALUE_SIZE], uint64_t milliseconds)
{
    print_with_unit(text, times, milliseconds);
}

void value_print_size(char text[VALUE_SIZE], uint64_t bytes)
{
    print_with_unit(text, sizes, bytes);
}
