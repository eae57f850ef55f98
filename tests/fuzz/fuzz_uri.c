/*
 * A fuzz target for request targets. The input, up to a NUL, is one.
 *
 * What must hold:
 *
 *   - refused is what a plain reading of the rules refuses (wrong(), which knows
 *     nothing of the code), and nothing else; and then nothing is held;
 *   - each text has its length, no NUL before its end, and is what a plain decoder
 *     makes of its part of the target;
 *   - what was read, written again with every byte that means something encoded,
 *     or with every byte encoded, is read as the same;
 *   - the form with a host in front means the same.
 */
#include <config.h>

#include "fuzz.h"

#include "crierd/http/uri.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* ---- a plain reading of the rules ------------------------------------- */

/* The path and query in TARGET from its slash on, or from where that would be; NULL
 * when it is neither form. */
static const char *path_of(const char *target)
{
    const char *host = NULL;

    if (strncasecmp(target, "http://", 7) == 0)
        host = target + 7;
    else if (strncasecmp(target, "https://", 8) == 0)
        host = target + 8;
    if (host != NULL)
        return host + strcspn(host, "/?");
    return target[0] == '/' ? target : NULL;
}

static bool is_digit(char c)
{
    return c != '\0' && strchr("0123456789abcdefABCDEF", c) != NULL;
}

static bool has_bad_escape(const char *text)
{
    while ((text = strchr(text, '%')) != NULL) {
        if (!is_digit(text[1]) || !is_digit(text[2]) ||
            strncmp(text, "%00", 3) == 0)
            return true;
        text += 3;
    }
    return false;
}

static bool wrong(const char *target)
{
    const char *path = path_of(target);

    return path == NULL || has_bad_escape(path);
}

/* ---- what was read ---------------------------------------------------- */

static void check_text(const struct uri_text *text)
{
    MUST(text->bytes != NULL && strlen(text->bytes) == text->length);
}

static bool same(const struct uri_text *one, const struct uri_text *other)
{
    return one->length == other->length &&
           memcmp(one->bytes, other->bytes, one->length) == 0;
}

/* `rest` must be the segments but the first one, and slashes. */
static void check_rest(const struct uri *uri)
{
    const char *at = uri->rest.bytes;
    size_t i;

    check_text(&uri->rest);
    for (i = 1; i < uri->segment_count; i++) {
        if (i > 1)
            MUST(*at++ == '/');
        MUST(strncmp(at, uri->segments[i].bytes, uri->segments[i].length) ==
             0);
        at += uri->segments[i].length;
    }
    MUST(*at == '\0');
}

/* That TEXT is what the LENGTH bytes at RAW mean, where PLUS is a space or is not. */
static void check_decoded(const struct uri_text *text, const char *raw,
                          size_t length, char plus)
{
    const char *end = raw + length;
    char digits[3] = "";
    size_t i;

    for (i = 0; raw < end; i++) {
        MUST(i < text->length);
        if (*raw == '%') {
            memcpy(digits, raw + 1, 2);
            MUST((unsigned char)text->bytes[i] == strtoul(digits, NULL, 16));
            raw += 3;
        } else {
            MUST(text->bytes[i] == (*raw == '+' ? plus : *raw));
            raw++;
        }
    }
    MUST(i == text->length);
}

static void check_query(const struct uri *uri, const char *raw)
{
    size_t length, name, i = 0;

    for (; *raw != '\0'; raw += length + (raw[length] != '\0')) {
        length = strcspn(raw, "&");
        if (length == 0)
            continue;
        name = strcspn(raw, "=&");
        MUST(i < uri->parameter_count);
        check_decoded(&uri->parameters[i].name, raw, name, ' ');
        name += name < length;
        check_decoded(&uri->parameters[i++].value, raw + name, length - name,
                      ' ');
    }
    MUST(i == uri->parameter_count);
}

static void check_meaning(const struct uri *uri, const char *target)
{
    const char *raw = path_of(target);
    size_t length, i;

    raw += raw[0] == '/';
    for (i = 0; i < uri->segment_count; i++) {
        length = strcspn(raw, "/?");
        check_decoded(&uri->segments[i], raw, length, '+');
        raw += length;
        if (i + 1 < uri->segment_count)
            MUST(*raw++ == '/');
    }
    MUST(raw[0] == '\0' || raw[0] == '?');
    check_query(uri, raw + (raw[0] == '?'));
}

static void check_uri(const struct uri *uri)
{
    const struct uri_parameter *parameter;
    const struct uri_text *found;
    size_t i;

    MUST(uri->segment_count >= 1);
    for (i = 0; i < uri->segment_count; i++)
        check_text(&uri->segments[i]);
    check_rest(uri);
    for (i = 0; i < uri->parameter_count; i++) {
        parameter = &uri->parameters[i];
        check_text(&parameter->name);
        check_text(&parameter->value);
        found = uri_parameter(uri, parameter->name.bytes);
        MUST(found != NULL && found >= &parameter->value);
    }
}

static void check_same(const struct uri *one, const struct uri *other)
{
    size_t i;

    MUST(one->segment_count == other->segment_count);
    MUST(one->parameter_count == other->parameter_count);
    for (i = 0; i < one->segment_count; i++)
        MUST(same(&one->segments[i], &other->segments[i]));
    for (i = 0; i < one->parameter_count; i++) {
        MUST(same(&one->parameters[i].name, &other->parameters[i].name));
        MUST(same(&one->parameters[i].value, &other->parameters[i].value));
    }
}

/* ---- writing it again ------------------------------------------------- */

/* Writes TEXT to *TO; of its bytes all that mean something here are encoded, or
 * ALL. */
static void encode(char **to, const struct uri_text *text, bool all)
{
    size_t i;

    for (i = 0; i < text->length; i++)
        if (all || strchr("%/?&=+ ", text->bytes[i]) != NULL)
            *to += sprintf(*to, "%%%02x", (unsigned char)text->bytes[i]);
        else
            *(*to)++ = text->bytes[i];
}

/* URI as a new target, behind the text HOST. */
static char *write_uri(const struct uri *uri, const char *host, bool all,
                       size_t room)
{
    char *made = malloc(room), *to = made;
    size_t i;

    MUST(made != NULL);
    to += sprintf(to, "%s", host);
    for (i = 0; i < uri->segment_count; i++) {
        *to++ = '/';
        encode(&to, &uri->segments[i], all);
    }
    for (i = 0; i < uri->parameter_count; i++) {
        *to++ = i == 0 ? '?' : '&';
        encode(&to, &uri->parameters[i].name, all);
        *to++ = '=';
        encode(&to, &uri->parameters[i].value, all);
    }
    *to = '\0';
    MUST((size_t)(to - made) < room);
    return made;
}

static void check_again(const struct uri *uri, const char *host, bool all,
                        size_t length)
{
    char *target = write_uri(uri, host, all, 3 * length + 128);
    struct uri again;

    MUST(uri_parse(&again, target) == NULL);
    check_same(uri, &again);
    uri_done(&again);
    free(target);
}

/* ---- the target ------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    size_t length = strnlen((const char *)input, size);
    char *target = strndup((const char *)input, length);
    struct uri uri;
    const char *says;

    MUST(target != NULL);
    says = uri_parse(&uri, target);
    MUST((says != NULL) == wrong(target));
    if (says != NULL) {
        MUST(says[0] != '\0' && uri.memory == NULL);
        MUST(uri.segment_count == 0 && uri.parameter_count == 0);
    } else {
        check_uri(&uri);
        check_meaning(&uri, target);
        check_again(&uri, "", false, length);
        check_again(&uri, "", true, length);
        check_again(&uri, "hTTp://[::1]:80", false, length);
        check_again(&uri, "https://", true, length);
        uri_done(&uri);
    }
    free(target);
    return 0;
}
