/*
 * Numbers with units, as options have them: reading and writing. A number never has a
 * sign, a fraction or a space, and one that does not fit is refused, not rounded.
 */
#include <config.h>

#include "value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY ((uint64_t)24 * 60 * 60 * 1000)
#define TIME_MAX (36500 * DAY)
#define SIZE_LIMIT ((uint64_t)1 << 44)

struct unit {
    const char *name;
    uint64_t factor;
};

/* From the largest to the smallest, then what is read but not written. */
static const struct unit times[] = {{"d", DAY},     {"h", 3600000}, {"m", 60000},
                                    {"s", 1000},    {"ms", 1},      {"", 1000}};
static const struct unit sizes[] = {
    {"G", 1024 * 1024 * 1024}, {"M", 1024 * 1024}, {"K", 1024}, {"", 1}};

#define COUNT(units) (sizeof(units) / sizeof(units)[0])

/* Reads a number with one of the COUNT units behind it, up to MAX in all. */
static bool read_with_unit(const char *text, const struct unit *units,
                           size_t count, uint64_t max, uint64_t *value)
{
    uint64_t number;
    char *unit;
    size_t i;

    if (*text < '0' || *text > '9') /* strtoull would take " -1" */
        return false;
    errno = 0;
    number = strtoull(text, &unit, 10);
    if (errno != 0)
        return false;
    for (i = 0; i < count; i++) {
        if (strcmp(unit, units[i].name) != 0)
            continue;
        *value = number * units[i].factor;
        return number <= max / units[i].factor;
    }
    return false;
}

static void print_with_unit(char text[VALUE_SIZE], const struct unit *units,
                            uint64_t value)
{
    while (value % units->factor != 0)
        units++;
    snprintf(text, VALUE_SIZE, "%" PRIu64 "%s", value / units->factor,
             units->name);
}

bool value_number(const char *text, uint64_t min, uint64_t max,
                  uint64_t *number)
{
    static const struct unit none = {"", 1};

    return read_with_unit(text, &none, 1, max, number) && *number >= min;
}

bool value_time(const char *text, uint64_t *milliseconds)
{
    return read_with_unit(text, times, COUNT(times), TIME_MAX, milliseconds);
}

bool value_size(const char *text, size_t *bytes)
{
    uint64_t value;

    if (!read_with_unit(text, sizes, COUNT(sizes), SIZE_LIMIT, &value) ||
        value == 0)
        return false;
    *bytes = (size_t)value;
    return true;
}

void value_print_time(char text[VALUE_SIZE], uint64_t milliseconds)
{
    print_with_unit(text, times, milliseconds);
}

void value_print_size(char text[VALUE_SIZE], uint64_t bytes)
{
    print_with_unit(text, sizes, bytes);
}
