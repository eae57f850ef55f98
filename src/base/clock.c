/*
 * The two clocks. Everything that waits or measures uses the monotonic one; only the
 * times that people and other programs read come from CLOCK_REALTIME, which may be set
 * back and forth.
 */
#include <config.h>

#include "clock.h"

#include "crier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t crier_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

uint64_t crier__clock_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

int64_t crier__clock_real(void)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void crier__clock_text(int64_t time, char text[CRIER__CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)(time / 1000);
    struct tm parts;
    size_t length;

    gmtime_r(&seconds, &parts);
    length = strftime(text, CRIER__CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S",
                      &parts);
    snprintf(text + length, CRIER__CLOCK_TEXT_SIZE - length, ".%03dZ",
             (int)(time % 1000));
}

bool crier__clock_read(const char *text, int64_t *time)
{
    char again[CRIER__CLOCK_TEXT_SIZE];
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);

    /* What strptime() reads otherwise, such as a missing digit, or the 31st of February,
     * is not written like that. */
    if (rest == NULL || strlen(rest) != strlen(".000Z"))
        return false;
    *time = (int64_t)timegm(&parts) * 1000 + strtol(rest + 1, NULL, 10);
    if (*time < 0)
        return false;
    crier__clock_text(*time, again);
    return strcmp(text, again) == 0;
}
