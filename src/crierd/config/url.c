/*
 * The URLs and origins of options. They are compared with what clients send, byte by byte;
 * so one that could never be equal to anything is refused here.
 */
#include <config.h>

#include "url.h"

#include "base/number.h"

#include <string.h>

#define HOST_MAX 255

/* Whether the LENGTH bytes at TEXT are a host name or an IPv4 address, in either case, or an
 * IPv6 address in brackets. */
static bool is_url_host(const char *text, size_t length)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    static const char address[] = "0123456789abcdefABCDEF:.";
    const char *letters = name;

    if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
        letters = address;
        text++;
        length -= 2;
    }
    return length > 0 && length <= HOST_MAX && strspn(text, letters) >= length;
}

/* Splits "scheme://host:port" off *TEXT, which points behind it then. Writes the port as it
 * is written there ("" without one), and the one that the scheme has without. */
static bool split_origin(const char **text, char port[8], const char **own_port)
{
    const char *at = *text, *end, *colon;
    uint64_t number;

    if (strncmp(at, "https://", 8) == 0)
        *own_port = "443";
    else if (strncmp(at, "http://", 7) == 0)
        *own_port = "80";
    else
        return false;
    at += 5 + strlen("//") + (at[4] == 's');
    end = at + strcspn(at, "/?#");
    colon = memrchr(at, ':', (size_t)(end - at));
    port[0] = '\0';
    if (colon != NULL && memchr(colon, ']', (size_t)(end - colon)) == NULL) {
        if (end - colon < 2 || end - colon > 6)
            return false;
        memcpy(port, colon + 1, (size_t)(end - colon - 1));
        port[end - colon - 1] = '\0';
        if (!crier__number_read(port, 1, 65535, &number))
            return false;
    } else {
        colon = end;
    }
    *text = end;
    return is_url_host(at, (size_t)(colon - at));
}

bool url_is_base(const char *text)
{
    const char *path = text, *own_port;
    size_t length = strlen(text), i;
    char port[8];

    if (!split_origin(&path, port, &own_port) || text[length - 1] == '/')
        return false;
    for (i = 0; path[i] != '\0'; i++)
        if (path[i] <= ' ' || path[i] > '~' || strchr("?#\"<>\\^`{|}", path[i]) != NULL)
            return false;
    return true;
}

bool url_is_origin(const char *text)
{
    const char *rest = text, *own_port;
    char port[8];

    return split_origin(&rest, port, &own_port) && *rest == '\0' &&
           strcmp(port, own_port) != 0 && port[0] != '0' &&
           strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL;
}
