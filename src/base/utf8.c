/*
 * UTF-8: whether a text is valid and where it is not, by the table of well-formed byte
 * sequences in RFC 3629 section 4. The lead byte gives the length of the sequence and
 * the range of its second byte; that range excludes overlong forms, surrogates and code
 * points above U+10FFFF. ASCII, the usual case, is skipped eight bytes at a time.
 */
#include <config.h>

#include "utf8.h"

#include <stdint.h>
#include <string.h>

/* Returns the length of the sequence that LEAD starts, 0 if it starts none; writes the
 * range of the second byte to *LOW and *HIGH. */
static size_t read_lead(unsigned char lead, unsigned char *low,
                        unsigned char *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef) {
        if (lead == 0xe0)
            *low = 0xa0;
        if (lead == 0xed)
            *high = 0x9f;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if (lead == 0xf0)
            *low = 0x90;
        if (lead == 0xf4)
            *high = 0x8f;
        return 4;
    }
    return 0;
}

/* Returns how many bytes at the start of TEXT are ASCII, in steps of eight. */
static size_t skip_ascii(const unsigned char *text, size_t length)
{
    size_t at = 0;
    uint64_t word;

    while (length - at >= sizeof word) {
        memcpy(&word, text + at, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
        at += sizeof word;
    }
    return at;
}

/* Returns how many of the LENGTH bytes (at least one, not ASCII) begin a sequence; they
 * are complete if that is *NEED; 0 when the first one can begin none. */
static size_t match_sequence(const unsigned char *bytes, size_t length, size_t *need)
{
    unsigned char low, high;
    size_t i = 1;

    *need = read_lead(bytes[0], &low, &high);
    if (*need == 0)
        return 0;
    if (i < length && bytes[i] >= low && bytes[i] <= high)
        for (i = 2; i < *need && i < length; i++)
            if ((bytes[i] & 0xc0) != 0x80)
                break;
    return i;
}

size_t crier__utf8_prefix(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0, need;

    for (;;) {
        at += skip_ascii(bytes + at, length - at);
        if (at == length)
            return at;
        if (bytes[at] < 0x80) {
            at++;
            continue;
        }
        if (match_sequence(bytes + at, length - at, &need) != need || need == 0)
            return at;
        at += need;
    }
}

size_t crier__utf8_broken(const char *text, size_t length)
{
    size_t need,
        got = match_sequence((const unsigned char *)text, length, &need);

    return got != 0 ? got : 1;
}

size_t crier__utf8_unsafe(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;

    if (bytes[0] < 0x20 || bytes[0] == 0x7f)
        return 1;
    if (length < 2)
        return 0;
    if ((bytes[0] == 0xc2 && bytes[1] < 0xa0) ||  /* C1 */
        (bytes[0] == 0xd8 && bytes[1] == 0x9c))   /* U+061C */
        return 2;
    if (length < 3 || bytes[0] != 0xe2)
        return 0;
    if ((bytes[1] == 0x80 && (bytes[2] == 0x8e || bytes[2] == 0x8f ||
                              (bytes[2] >= 0xa8 && bytes[2] <= 0xae))) ||
        (bytes[1] == 0x81 && bytes[2] >= 0xa6 && bytes[2] <= 0xa9))
        return 3; /* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069 */
    return 0;
}

bool crier_utf8_valid(const char *text, size_t length)
{
    return length == 0 ||
           (text != NULL && crier__utf8_prefix(text, length) == length);
}

bool crier__utf8_control(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t i;

    /* U+0080 to U+009F are C2 80 to C2 9F. */
    for (i = 0; i < length; i++)
        if (at[i] < 0x20 || at[i] == 0x7f ||
            (at[i] == 0xc2 && i + 1 < length && at[i + 1] < 0xa0))
            return true;
    return false;
}

void crier_utf8_repair(char *text)
{
    if (text == NULL || crier_utf8_valid(text, strlen(text)))
        return;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            *text = '?';
}

uint32_t crier__utf8_next(const unsigned char **at)
{
    uint32_t lead = *(*at)++, code;
    int more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;

    code = more == 0 ? lead : lead & (0x3fu >> more);
    while (more-- > 0)
        code = code << 6 | (*(*at)++ & 0x3f);
    return code;
}
