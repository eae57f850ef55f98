/*
 * Small things about text that several rooms need.
 */
#include <config.h>

#include "text.h"

#include "crier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool text_valid(const char *text, size_t length, size_t min, size_t max)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t characters = 0, i;

    for (i = 0; i < length; i++) {
        if (bytes[i] < 0x20 || bytes[i] == 0x7f)
            return false;
        if (bytes[i] == 0xc2 && i + 1 < length && bytes[i + 1] < 0xa0)
            return false;
        if ((bytes[i] & 0xc0) != 0x80)
            characters++;
    }
    return characters >= min && characters <= max &&
           crier_utf8_valid(text, length);
}

void text_make_valid(char *text)
{
    if (crier_utf8_valid(text, strlen(text)))
        return;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            *text = '?';
}

void time_text(char text[TIME_TEXT_SIZE])
{
    struct timespec now;
    struct tm utc;
    size_t at;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    at = strftime(text, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + at, TIME_TEXT_SIZE - at, ".%03ldZ",
             now.tv_nsec / 1000000);
}

bool number_text(const char *text, uint64_t min, uint64_t max,
                 uint64_t *number)
{
    unsigned long long value;
    char *end;

    if (*text < '0' || *text > '9') /* strtoull would take " -1" */
        return false;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < min || value > max)
        return false;
    *number = value;
    return true;
}

static int read_all(int file, char *text, size_t max, size_t *length)
{
    ssize_t got;

    *length = 0;
    do {
        got = read(file, text + *length, max + 1 - *length);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got > 0)
            *length += (size_t)got;
        if (*length > max)
            return -EFBIG;
    } while (got != 0);
    return 0;
}

int text_from_file(const char *dir, const char *name, size_t max, char **text)
{
    size_t length;
    char *path, *read;
    int file, error;

    if (asprintf(&path, "%s/%s", dir, name) < 0)
        return -ENOMEM;
    file = open(path, O_RDONLY | O_CLOEXEC);
    error = file < 0 ? -errno : 0;
    free(path);
    if (error != 0)
        return error;
    read = malloc(max + 1);
    error = read != NULL ? read_all(file, read, max, &length) : -ENOMEM;
    close(file);
    if (error != 0) {
        free(read);
        return error;
    }
    read[length] = '\0';
    *text = read;
    return 0;
}
