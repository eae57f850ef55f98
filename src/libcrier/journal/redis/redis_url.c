/*
 * The URL of a journal in Redis. Each part is split off the text first and percent-decoded
 * then, so that a decoded '@' or '/' never separates parts; control characters are refused
 * in each part. A reason names the parameter that is wrong but not its value, which may be a
 * secret. `shown` is made of the server, the database and the journal's name alone.
 */

#include <config.h>

#include "redis_url.h"

#include "base/file.h"
#include "base/number.h"

#include <crier.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define PORT_REDIS 6379
#define PORT_SENTINEL 26379
#define SECRET_FILE_MAX 4096
#define DB_MAX 65535
#define WAIT_MAX 64
#define CACHE_MAX ((uint64_t)1 << 40)

/* hiredis cuts a longer path off, and would connect to another socket. */
#define PATH_MAX_LENGTH (sizeof((struct sockaddr_un *)0)->sun_path - 1)

static const struct crier__unit cache_units[] = {
    {"k", 1024}, {"K", 1024}, {"M", 1024 * 1024}, {"G", 1024 * 1024 * 1024}, {"", 1},
};

/* What is being read. */
struct url_reader {
    struct crier__redis_url *url;
    char *reason;
    unsigned seen; /* a bit for each parameter */
};

static int __attribute__((format(printf, 2, 3)))
refuse_url(struct url_reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reader->reason, 256, format, args);
    va_end(args);
    return CRIER_ERR_INVALID;
}

/* Decodes LENGTH bytes at TEXT to a *new* *VALUE; WHAT is their name for the reason. */
static int decode_part(struct url_reader *reader, const char *what, const char *text,
                       size_t length, char **value)
{
    char *to = malloc(length + 1);
    size_t used = 0;

    if (!to)
        return -ENOMEM;
    for (size_t i = 0; i < length; i++) {
        int c = (unsigned char)text[i];

        if (c == '%') {
            int high = i + 2 < length ? crier__number_digit(text[i + 1]) : -1;
            int low = i + 2 < length ? crier__number_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0) {
                free(to);
                return refuse_url(reader, "%s: a '%%' without two hexadecimal digits", what);
            }
            c = high * 16 + low;
            i += 2;
        }
        if (c < 0x20 || c == 0x7f) {
            free(to);
            return refuse_url(reader, "%s contains a control character", what);
        }
        to[used++] = (char)c;
    }
    to[used] = '\0';
    free(*value);
    *value = to;
    return 0;
}

/* Reads HOST[:PORT]; an IPv6 address stands in brackets. */
static int read_host_port(struct url_reader *reader, const char *what, const char *text,
                          size_t length, unsigned port,
                          struct crier__redis_address *address)
{
    const char *end = text + length, *host = text, *host_end, *rest;
    char digits[6];
    uint64_t number;

    if (length && *text == '[') {
        host++;
        host_end = memchr(host, ']', (size_t)(end - host));
        if (!host_end)
            return refuse_url(reader, "%s: ']' is missing", what);
        rest = host_end + 1;
    } else {
        host_end = length ? memchr(text, ':', length) : NULL;
        if (!host_end)
            host_end = end;
        rest = host_end;
    }
    if (host == host_end)
        return refuse_url(reader, "%s: the name of a host is missing", what);
    address->port = port;
    if (rest < end) {
        size_t count = (size_t)(end - rest - 1);

        if (*rest != ':' || !count || count >= sizeof digits)
            return refuse_url(reader, "%s: the port must be from 1 to 65535", what);
        memcpy(digits, rest + 1, count);
        digits[count] = '\0';
        if (!crier__number_read(digits, 1, 65535, &number))
            return refuse_url(reader, "%s: the port must be from 1 to 65535", what);
        address->port = (unsigned)number;
    }
    return decode_part(reader, what, host, (size_t)(host_end - host), &address->host);
}

static int read_sentinels(struct url_reader *reader, const char *text)
{
    struct crier__redis_url *url = reader->url;

    for (;;) {
        size_t length = strcspn(text, ",");
        int rc;

        if (url->sentinel_count == CRIER__REDIS_SENTINELS)
            return refuse_url(reader, "sentinel: at most %d can be named",
                              CRIER__REDIS_SENTINELS);
        rc = read_host_port(reader, "sentinel", text, length, PORT_SENTINEL,
                          &url->sentinels[url->sentinel_count]);
        if (rc)
            return rc;
        url->sentinel_count++;
        if (!text[length])
            return 0;
        text += length + 1;
    }
}

/* Reads the first line of the file at PATH as the password. */
static int read_password_file(struct url_reader *reader, const char *path)
{
    char *text, why[80];
    size_t length;
    int rc = crier__file_load(path, SECRET_FILE_MAX, &text, &length, why, sizeof why);

    if (rc) {
        snprintf(reader->reason, 256, "password-file cannot be read: %s", why);
        return rc;
    }
    text[strcspn(text, "\r\n")] = '\0';
    free(reader->url->password);
    reader->url->password = strdup(text);
    if (!reader->url->password)
        rc = -ENOMEM;
    else if (!*text)
        rc = refuse_url(reader, "password-file has no password in its first line");
    explicit_bzero(text, length);
    free(text);
    return rc;
}

static int read_number(struct url_reader *reader, const char *what, const char *text,
                       unsigned max, unsigned *number)
{
    uint64_t value;

    if (!crier__number_read(text, 0, max, &value))
        return refuse_url(reader, "%s must be a number from 0 to %u", what, max);
    *number = (unsigned)value;
    return 0;
}

static int read_name(struct url_reader *reader, const char *text)
{
    size_t length = strlen(text);

    if (!length || length >= sizeof reader->url->name ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
            length)
        return refuse_url(reader, "name must be 1 to 64 letters, digits, '.', '_' and '-'");
    memcpy(reader->url->name, text, length + 1);
    return 0;
}

static int read_timeout(struct url_reader *reader, const char *text)
{
    uint64_t value;

    if (!crier__number_read_unit(text, crier__time_units, CRIER__TIME_UNITS, 60000, &value) ||
        value < 100)
        return refuse_url(reader, "timeout must be from 100ms to 60s");
    reader->url->timeout = (unsigned)value;
    return 0;
}

static int read_cache(struct url_reader *reader, const char *text)
{
    uint64_t value;

    if (!crier__number_read_unit(text, cache_units, sizeof cache_units / sizeof *cache_units,
                                 CACHE_MAX, &value) ||
        value < 1024 || value > SIZE_MAX)
        return refuse_url(reader, "cache must be a size from 1k on, such as 64M");
    reader->url->cache = (size_t)value;
    return 0;
}

enum parameter { NAME, DB, USER, PASSWORD, PASSWORD_FILE, SENTINEL, SENTINEL_PASSWORD, WAIT,
                 TIMEOUT, CACHE, PARAMETERS };

static const char *const parameter_names[PARAMETERS] = {
    "name", "db", "user", "password", "password-file", "sentinel", "sentinel-password",
    "wait", "timeout", "cache",
};

/* Notes that PARAMETER is there; it may be given once, in whatever part of the URL. */
static int note_parameter(struct url_reader *reader, enum parameter parameter)
{
    if (reader->seen & 1U << parameter)
        return refuse_url(reader, "%s is given twice", parameter_names[parameter]);
    reader->seen |= 1U << parameter;
    return 0;
}

static int keep_text(char **to, char **value)
{
    free(*to);
    *to = *value;
    *value = NULL;
    return 0;
}

static int read_value(struct url_reader *reader, enum parameter parameter, char **value)
{
    struct crier__redis_url *url = reader->url;

    switch (parameter) {
    case NAME: return read_name(reader, *value);
    case DB: return read_number(reader, "db", *value, DB_MAX, &url->db);
    case USER: return keep_text(&url->user, value);
    case PASSWORD: return keep_text(&url->password, value);
    case PASSWORD_FILE: return read_password_file(reader, *value);
    case SENTINEL: return read_sentinels(reader, *value);
    case SENTINEL_PASSWORD: return keep_text(&url->sentinel_password, value);
    case WAIT: return read_number(reader, "wait", *value, WAIT_MAX, &url->wait);
    case TIMEOUT: return read_timeout(reader, *value);
    default: return read_cache(reader, *value);
    }
}

/* Reads the LENGTH bytes at TEXT as the value of PARAMETER. */
static int read_url_part(struct url_reader *reader, enum parameter parameter,
                         const char *text, size_t length)
{
    char *value = NULL;
    int rc = note_parameter(reader, parameter);

    if (!rc)
        rc = decode_part(reader, parameter_names[parameter], text, length, &value);
    if (!rc)
        rc = read_value(reader, parameter, &value);
    free(value);
    return rc;
}

static int read_parameters(struct url_reader *reader, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "&"), name = strcspn(text, "=&");
        unsigned i = 0;
        int rc;

        while (i < PARAMETERS && (strlen(parameter_names[i]) != name ||
                                  memcmp(parameter_names[i], text, name)))
            i++;
        if (i == PARAMETERS)
            return refuse_url(reader, "there is an unknown parameter: name, db, user, "
                                      "password, password-file, sentinel, "
                                      "sentinel-password, wait, timeout and cache exist");
        if (name == length)
            return refuse_url(reader, "%s has no value", parameter_names[i]);
        rc = read_url_part(reader, i, text + name + 1, length - name - 1);
        if (rc)
            return rc;
        text += length + (text[length] != '\0');
    }
    return 0;
}

/* Reads USER[:PASSWORD]. */
static int read_login(struct url_reader *reader, const char *text, size_t length)
{
    const char *colon = length ? memchr(text, ':', length) : NULL;
    size_t user = colon ? (size_t)(colon - text) : length;
    int rc = user ? read_url_part(reader, USER, text, user) : 0;

    if (!rc && colon)
        rc = read_url_part(reader, PASSWORD, colon + 1, length - user - 1);
    return rc;
}

/* Reads what stands between "//" and '?'. */
static int read_server(struct url_reader *reader, const char *text, size_t length)
{
    const char *end = text + length, *slash = length ? memchr(text, '/', length) : NULL;
    size_t host = slash ? (size_t)(slash - text) : length;
    const char *at = host ? memchr(text, '@', host) : NULL;
    int rc = 0;

    /* The rest of the password would be taken for a part of the host, and shown. */
    if (at && memchr(at + 1, '@', host - (size_t)(at + 1 - text)))
        return refuse_url(reader, "an '@' in a user or a password is written %%40");
    if (at) {
        rc = read_login(reader, text, (size_t)(at - text));
        host -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    if (!rc)
        rc = read_host_port(reader, "server", text, host, 0, &reader->url->server);
    if (!rc && slash && end - slash > 1)
        rc = read_url_part(reader, DB, slash + 1, (size_t)(end - slash - 1));
    return rc;
}

/* What must hold between the parts, once all have been read. */
static int check_parts(struct url_reader *reader)
{
    struct crier__redis_url *url = reader->url;

    if (url->password && reader->seen & 1U << PASSWORD && reader->seen & 1U << PASSWORD_FILE)
        return refuse_url(reader, "password and password-file cannot both be given");
    if (url->user && !url->password)
        return refuse_url(reader, "user needs a password");
    if (url->sentinel_password && !url->sentinel_count)
        return refuse_url(reader, "sentinel-password needs sentinel");
    if (*url->server.host == '/' && strlen(url->server.host) > PATH_MAX_LENGTH)
        return refuse_url(reader, "path: at most %zu bytes", PATH_MAX_LENGTH);
    if (url->sentinel_count && *url->server.host == '/')
        return refuse_url(reader, "sentinel cannot be combined with a unix socket");
    if (url->sentinel_count && url->server.port)
        return refuse_url(reader, "the name of a master that sentinels know has no port");
    if (!url->server.port && !url->sentinel_count && *url->server.host != '/')
        url->server.port = PORT_REDIS;
    return 0;
}

/* Makes `shown`. */
static int show_url(struct crier__redis_url *url)
{
    const char *host = url->server.host;
    const char *left = strchr(host, ':') ? "[" : "", *right = *left ? "]" : "";
    int n;

    if (*host == '/')
        n = asprintf(&url->shown, "redis+unix:%s?db=%u&name=%s", host, url->db, url->name);
    else if (url->sentinel_count)
        n = asprintf(&url->shown, "redis://%s/%u?name=%s", host, url->db, url->name);
    else
        n = asprintf(&url->shown, "redis://%s%s%s:%u/%u?name=%s", left, host, right,
                     url->server.port, url->db, url->name);
    if (n < 0)
        url->shown = NULL;
    return n < 0 ? -ENOMEM : 0;
}

/* Reads the server behind the scheme of TEXT. */
static int read_scheme(struct url_reader *reader, const char *text)
{
    static const char *const schemes[] = {"redis", "valkey"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t length = strlen(schemes[i]);
        const char *rest = text + length;

        if (strncmp(text, schemes[i], length))
            continue;
        if (!strncmp(rest, "://", 3))
            return read_server(reader, rest + 3, strcspn(rest + 3, "?"));
        if (!strncmp(rest, "+unix://", 8)) /* a login may follow, which no path has */
            return refuse_url(reader, "a path begins with one '/'; a user and a password are "
                                      "parameters");
        if (!strncmp(rest, "+unix:/", 7))
            return decode_part(reader, "path", rest + 6, strcspn(rest + 6, "?"),
                               &reader->url->server.host);
    }
    return refuse_url(reader, "it must begin with redis://, valkey://, redis+unix:/ or "
                              "valkey+unix:/");
}

static int read_url(struct url_reader *reader, const char *text)
{
    const char *parameters = strchr(text, '?');
    int rc = read_scheme(reader, text);

    if (!rc && parameters)
        rc = read_parameters(reader, parameters + 1);
    if (!rc)
        rc = check_parts(reader);
    return rc ? rc : show_url(reader->url);
}

int crier__redis_url_parse(const char *text, struct crier__redis_url **url, char reason[256])
{
    struct url_reader reader = {.url = calloc(1, sizeof **url), .reason = reason};
    int rc = -ENOMEM;

    snprintf(reason, 256, "memory is short");
    if (reader.url) {
        memcpy(reader.url->name, "crier", sizeof "crier");
        reader.url->timeout = 5000;
        reader.url->cache = (size_t)64 * 1024 * 1024;
        rc = read_url(&reader, text);
    }
    if (rc) {
        crier__redis_url_free(reader.url);
        return rc;
    }
    *url = reader.url;
    return 0;
}

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void crier__redis_url_free(struct crier__redis_url *url)
{
    if (!url)
        return;
    for (unsigned i = 0; i < url->sentinel_count; i++)
        free(url->sentinels[i].host);
    free(url->server.host);
    free(url->user);
    free_secret(url->password);
    free_secret(url->sentinel_password);
    free(url->shown);
    free(url);
}
