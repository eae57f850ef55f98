/*
 * Small things about text that several rooms need. jansson knows UTF-8, but it can
 * only be asked by way of a copy: what is right would be refused as wrong when memory
 * is short, and up to a megabyte copied to look at it.
 */
#include <config.h>

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How many bytes follow LEAD in a sequence; -1 when it begins none. */
static int sequence(unsigned char lead)
{
    if (lead < 0x80)
        return 0;
    if (lead < 0xc0 || lead > 0xf7)
        return -1;
    return lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
}

bool text_utf8(const char *text, size_t length)
{
    static const unsigned long least[] = {0, 0x80, 0x800, 0x10000};
    static const unsigned char bits[] = {0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    unsigned long code;
    int more, i;

    while (at < end) {
        more = sequence(*at);
        if (more < 0 || more > end - at - 1)
            return false;
        code = *at++ & bits[more];
        for (i = 0; i < more; i++) {
            if ((*at & 0xc0) != 0x80)
                return false;
            code = code << 6 | (*at++ & 0x3f);
        }
        if (code < least[more] || code > 0x10ffff ||
            (code >= 0xd800 && code <= 0xdfff))
            return false;
    }
    return true;
}

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
    return characters >= min && characters <= max && text_utf8(text, length);
}

void text_make_valid(char *text)
{
    if (text_utf8(text, strlen(text)))
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
