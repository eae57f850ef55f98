/*
 * Checks of text, and reading text from files.
 */
#include <config.h>

#include "text.h"

#include "base/file.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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

/* ---- what can be seen ------------------------------------------------- */

struct range {
    uint32_t first, last;
};

static const struct range spaces[] = {
    {0x0009, 0x000d}, {0x0020, 0x0020}, {0x0085, 0x0085}, {0x00a0, 0x00a0},
    {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
    {0x205f, 0x205f}, {0x2800, 0x2800}, {0x3000, 0x3000},
};

/* Characters without a shape of their own: fillers, joiners, format controls (Unicode's
 * Default_Ignorable_Code_Point, but for variation selectors, which emoji have). */
static const struct range invisibles[] = {
    {0x00ad, 0x00ad}, {0x034f, 0x034f}, {0x061c, 0x061c}, {0x115f, 0x1160},
    {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f}, {0x202a, 0x202e},
    {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0},
    {0xfff0, 0xfff8}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
    {0xe0000, 0xe001f}, {0xe0080, 0xe0fff},
};

/* Has no shape by itself either, but belongs to the character before it: variation
 * selectors, and the tags that flags of regions are made of. */
static const struct range selectors[] = {
    {0xfe00, 0xfe0f},
    {0xe0020, 0xe007f},
};

#define IS_IN(ranges, code)                                                   \
    is_in(ranges, sizeof(ranges) / sizeof(ranges)[0], code)

static bool is_in(const struct range *ranges, size_t count, uint32_t code)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

enum text_sight text_sight(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    bool visible = false, deceptive = false;
    uint32_t code, before = 0;

    for (; at < end; before = code) {
        code = crier__utf8_next(&at);
        if (IS_IN(invisibles, code))
            deceptive |= before < 0x80 || (code != 0x200c && code != 0x200d);
        else if (!IS_IN(spaces, code) && !IS_IN(selectors, code))
            visible = true;
    }
    if (!visible)
        return TEXT_BLANK;
    return deceptive ? TEXT_DECEPTIVE : TEXT_VISIBLE;
}

int text_from_file(const char *dir, const char *name, size_t max, char **text, char *why,
                   size_t size)
{
    size_t length;
    char *path;
    int error;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        snprintf(why, size, "out of memory");
        return -ENOMEM;
    }
    error = crier__file_load(path, max, text, &length, why, size);
    free(path);
    return error;
}
