/*
 * Numbers in text that somebody else has written. Digits alone count: strtoull() would
 * also take white space, a sign (and wrap "-1" around), and depends on the locale.
 */
#include <config.h>

#include "number.h"

#include <string.h>

const struct crier__unit crier__time_units[CRIER__TIME_UNITS] = {
    {"ms", 1},      {"s", 1000},     {"m", 60000},
    {"h", 3600000}, {"d", 86400000}, {"", 1000},
};

bool crier__number_scan(const char *text, size_t length, size_t *digits,
                        uint64_t *number)
{
    uint64_t value = 0, digit;
    bool fits = true;
    size_t i;

    for (i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        digit = (uint64_t)(text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            fits = false;
        value = fits ? value * 10 + digit : UINT64_MAX;
    }
    *digits = i;
    *number = value;
    return fits && i != 0;
}

bool crier__number_read(const char *text, uint64_t min, uint64_t max,
                        uint64_t *number)
{
    size_t digits;
    uint64_t value;

    if (!crier__number_scan(text, SIZE_MAX, &digits, &value) ||
        text[digits] != '\0' || value < min || value > max)
        return false;
    *number = value;
    return true;
}

bool crier__number_read_unit(const char *text, const struct crier__unit *units,
                             size_t count, uint64_t max, uint64_t *value)
{
    size_t digits, i;
    uint64_t number;

    if (!crier__number_scan(text, SIZE_MAX, &digits, &number))
        return false;
    for (i = 0; i < count; i++) {
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        if (number > max / units[i].factor)
            return false;
        *value = number * units[i].factor;
        return true;
    }
    return false;
}

int crier__number_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}
