/*
 * Cross-origin resource sharing (the Fetch standard, section 3.2): which pages of other
 * origins may read a response.
 *
 * The carrier asks for the fields of every response: streams, errors and what no route
 * has are alike, or a page could not tell a 401 from a network that is down. Without
 * --cors-origin there are none.
 *
 * An origin that is named may send credentials (cookies), and the response names it. With
 * "*" all others get a response that says "*", with which browsers give no page what they
 * have fetched with credentials. Where a response depends on the origin, Vary says so,
 * whatever the origin is, for the sake of caches.
 *
 * A browser asks by OPTIONS before it sends what a form could not send. The response names
 * the methods of the resource, and of the header fields that the page wants to send those
 * that crierd reads; it grants nothing: the request that follows is judged by policy.c.
 */
#include <config.h>

#include "cors.h"

#include "origin.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Seconds for which a browser remembers the response to OPTIONS: no browser takes
 * more. */
#define MAX_AGE "7200"

#define ASKED_METHOD "Access-Control-Request-Method"
#define ASKED_HEADERS "Access-Control-Request-Headers"

#define BLANKS " \t"

/* What crierd reads of a request, and a page may set. */
static const char *const known_headers[] = {
    "Accept",        "Authorization", "Cache-Control",
    "Content-Type",  "Event-ID",      "Event-Retry",
    "Event-Type",    "If-None-Match", "Last-Event-ID",
};

/* What a page may read of a response, and of a stream. */
static const char exposed[] = "Allow, Last-Event-ID, Link, Location, Retry-After, "
                              "WWW-Authenticate";
static const char exposed_of_stream[] = "Last-Event-ID, Mercure-Last-Event-ID";

static void add_cors_field(struct cors *cors, const char *name,
                           const char *value)
{
    cors->fields[cors->count++] = (struct response_header){name, value};
}

#define KNOWN_HEADERS (sizeof known_headers / sizeof known_headers[0])

/* The place of the name of LENGTH bytes at NAME in known_headers; KNOWN_HEADERS for
 * none. */
static size_t find_known(const char *name, size_t length)
{
    size_t i;

    for (i = 0; i < KNOWN_HEADERS; i++)
        if (strlen(known_headers[i]) == length &&
            strncasecmp(known_headers[i], name, length) == 0)
            break;
    return i;
}

/* Writes to cors->headers those of the header fields ASKED for that are known, each
 * once. */
static void list_headers(struct cors *cors, const char *asked)
{
    bool listed[KNOWN_HEADERS + 1] = {[KNOWN_HEADERS] = true};
    size_t length, known, at = 0;

    cors->headers[0] = '\0';
    for (; *asked != '\0'; asked += length) {
        asked += strspn(asked, "," BLANKS);
        length = strcspn(asked, "," BLANKS);
        known = find_known(asked, length);
        if (listed[known])
            continue;
        listed[known] = true;
        at += (size_t)snprintf(cors->headers + at, sizeof cors->headers - at,
                               "%s%s", at != 0 ? ", " : "", known_headers[known]);
    }
}

/* Adds what answers the OPTIONS of a page. */
static void add_preflight(struct cors *cors, const struct request *request,
                          const char *methods)
{
    const char *asked = request_header(request, ASKED_HEADERS);

    add_cors_field(cors, "Access-Control-Allow-Methods", methods);
    list_headers(cors, asked != NULL ? asked : "");
    if (cors->headers[0] != '\0')
        add_cors_field(cors, "Access-Control-Allow-Headers", cors->headers);
    add_cors_field(cors, "Access-Control-Max-Age", MAX_AGE);
}

/* Whether the response to all origins is the same. */
static bool is_same_for_all(const struct conf_texts *origins)
{
    return origins->count == 1 && strcmp(origins->list[0], "*") == 0;
}

void cors_fill(struct cors *cors, const struct request *request,
               const char *methods, bool stream)
{
    const struct conf_texts *origins = &conf_current()->cors_origins;
    bool asked = methods != NULL && request_header(request, ASKED_METHOD) != NULL;
    enum origin_match match = ORIGIN_OTHER;
    const char *origin;

    cors->count = 0;
    if (origins->count == 0)
        return;
    if (!is_same_for_all(origins))
        add_cors_field(cors, MHD_HTTP_HEADER_VARY, "Origin");
    origin = request_header(request, MHD_HTTP_HEADER_ORIGIN);
    if (origin != NULL)
        match = origins_find(origins, origin);
    if (match == ORIGIN_OTHER)
        return;
    add_cors_field(cors, "Access-Control-Allow-Origin",
                   match == ORIGIN_NAMED ? origin : "*");
    if (match == ORIGIN_NAMED)
        add_cors_field(cors, "Access-Control-Allow-Credentials", "true");
    if (asked)
        add_preflight(cors, request, methods);
    else
        add_cors_field(cors, "Access-Control-Expose-Headers",
                       stream ? exposed_of_stream : exposed);
}
