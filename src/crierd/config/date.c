/* Dates of options, in UTC. */
#include <config.h>

#include "date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

bool date_read(const char *text, int64_t *seconds)
{
    const bool day = strlen(text) == strlen("2027-01-31");
    struct tm time = {0};
    const char *end = strptime(text, day ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ", &time);
    char again[DATE_SIZE];

    if (end == NULL || *end != '\0')
        return false;
    *seconds = timegm(&time);
    /* strptime() takes more than RFC 3339, and the 31st of each month. */
    date_print(again, *seconds);
    return *seconds > 0 && strncmp(text, again, strlen(text)) == 0;
}

void date_print(char text[DATE_SIZE], int64_t seconds)
{
    const time_t when = (time_t)seconds;
    struct tm time;

    if (gmtime_r(&when, &time) == NULL ||
        strftime(text, DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &time) == 0)
        text[0] = '\0';
}
