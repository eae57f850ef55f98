/*
 * Secrets are removed from everything that crier writes to standard error (note.c), so
 * that no message needs to know where its text comes from: a URL of the command line, a
 * message of libcurl, or a server that echoes a token.
 *
 * A secret is replaced by stars, never more than it had characters, so a line never
 * grows. User information in URLs is removed altogether.
 */
#include <config.h>

#include "secret.h"

#include "base/curl.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SECRETS_MAX 8
#define SECRET_MIN 4

/* Characters that end a value in a URL. */
#define VALUE_END "&# \t'\""

static char *secrets[SECRETS_MAX];
static size_t secret_count;

void secret_add(const char *secret)
{
    if (strlen(secret) < SECRET_MIN || secret_count == SECRETS_MAX)
        return;
    secrets[secret_count] = strdup(secret);
    if (secrets[secret_count] != NULL)
        secret_count++;
}

/* Replaces LENGTH characters at TEXT by stars. Returns the text after them. */
static char *put_stars(char *text, size_t length)
{
    size_t stars = length < 3 ? length : 3;

    memset(text, '*', stars);
    memmove(text + stars, text + length, strlen(text + length) + 1);
    return text + stars;
}

static void hide_remembered(char *line)
{
    size_t i;
    char *at;

    for (i = 0; i < secret_count; i++)
        for (at = line; (at = strstr(at, secrets[i])) != NULL;)
            at = put_stars(at, strlen(secrets[i]));
}

/* Returns whether the name of LENGTH characters, of a header or a parameter, says that
 * its value is secret. */
static bool is_secret(const char *name, size_t length)
{
    static const char *const words[] = {"authorization", "cookie",  "token",
                                        "secret",        "passw",   "key",
                                        "signature",     "session", "credential"};
    static const char *const whole[] = {"auth", "jwt", "pwd", "sig"};
    size_t i, at, word;

    for (i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (strlen(whole[i]) == length && curl_strnequal(name, whole[i], length))
            return true;
    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        word = strlen(words[i]);
        for (at = 0; at + word <= length; at++)
            if (curl_strnequal(name + at, words[i], word))
                return true;
    }
    return false;
}

static void hide_parameters(char *line)
{
    char *at = line;
    size_t name;

    while ((at = strpbrk(at, "?&")) != NULL) {
        name = strcspn(++at, "=" VALUE_END);
        if (at[name] == '=' && is_secret(at, name))
            at = put_stars(at + name + 1, strcspn(at + name + 1, VALUE_END));
    }
}

void secret_hide(char *line)
{
    crier__http_hide_userinfo(line);
    hide_parameters(line);
    hide_remembered(line);
}

/* Hides the value in "name: value", or in libcurl's "[name: value]". */
static void hide_header(char *line)
{
    char *at = line, *name;

    while ((at = strchr(at, ':')) != NULL) {
        name = at++;
        while (name > line && strchr(" [/", name[-1]) == NULL)
            name--;
        if (is_secret(name, (size_t)(at - 1 - name))) {
            at += strspn(at, " ");
            put_stars(at, strcspn(at, "]"));
            return;
        }
    }
}

void secret_hide_wire(char *line)
{
    static const char user[] = " with user '"; /* libcurl has decoded it */
    char *at = strstr(line, user);

    if (at != NULL)
        *at = '\0';
    hide_header(line);
    secret_hide(line);
}

/* Returns the host in URL: the part after the last '@' if libcurl cannot parse URL. */
static const char *find_host(const char *url)
{
    const char *begin = strstr(url, "://"), *end;
    CURLU *parts = curl_url();
    bool ok = parts != NULL && begin != NULL &&
              curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK;

    curl_url_cleanup(parts);
    begin = begin != NULL ? begin + 3 : url;
    end = begin + (ok ? strcspn(begin, "/?#") : strlen(begin));
    while (end > begin && end[-1] != '@')
        end--;
    return end;
}

void secret_url(struct text *text, const char *url)
{
    const char *scheme = strstr(url, "://"), *host = find_host(url);

    if (scheme != NULL)
        text_add(text, url, (size_t)(scheme + 3 - url));
    text_add(text, host, strcspn(host, "?#"));
}
