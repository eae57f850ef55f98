/*
 * A fuzz target for what a client puts into the fields in which proxies report clients. The
 * input is what the client sends, one line of a field for each of its lines.
 *
 * A trusted proxy, 10.0.0.1, adds what it knows: that the client is 203.0.113.5. What must
 * hold, whatever the client has sent:
 *
 *   - to X-Forwarded-For the proxy adds a value or a line: the client is 203.0.113.5;
 *   - to Forwarded it adds a line: the client is 203.0.113.5, and so is what it reports of
 *     the scheme and the host;
 *   - to Forwarded it adds an element: the client is 203.0.113.5, or nobody knows and it
 *     is the proxy;
 *   - it adds to one kind of fields, and the client has sent the other kind: likewise.
 */
#include <config.h>

#include "fuzz.h"

#include "crierd/config/cidr.h"
#include "crierd/http/forwarded.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROXY "10.0.0.1"
#define CLIENT "203.0.113.5"

static struct cidr_list trusted;
static struct peer proxy;

static void start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    if (trusted.count != 0)
        return;
    MUST(cidr_add(&trusted, PROXY) == 0);
    MUST(inet_pton(AF_INET, PROXY, &address.sin_addr) == 1);
    peer_set(&proxy, (struct sockaddr *)&address, sizeof address);
}

/* Splits TEXT into the lines of LINES, with room for one more. */
static void split(struct forwarded_lines *lines, char *text)
{
    char *line;

    *lines = (struct forwarded_lines){.count = 0};
    while (lines->count < FORWARDED_LINES - 1 &&
           (line = strsep(&text, "\n")) != NULL)
        lines->text[lines->count++] = line;
}

/* TEXT with MORE behind it, which is to be freed. */
static char *join(const char *text, const char *more)
{
    char *joined;

    MUST(asprintf(&joined, "%s%s", text, more) >= 0);
    return joined;
}

static void add_line(struct forwarded_lines *lines, const char *text)
{
    lines->text[lines->count++] = text;
}

/* Adds MORE to the last line of LINES; returns what is to be freed. */
static char *extend(struct forwarded_lines *lines, const char *more)
{
    char *joined = join(lines->text[lines->count - 1], more);

    lines->text[lines->count - 1] = joined;
    return joined;
}

/* The client is the one that the proxy has named, or with DOUBT, nobody. */
static void check(const struct forwarded_fields *fields, struct forwarded *found, bool doubt)
{
    char text[PEER_TEXT_SIZE];

    forwarded_read(found, &trusted, &proxy, fields);
    peer_text(&found->client.address.any, text);
    MUST(memchr(found->host, '\0', sizeof found->host) != NULL);
    if (found->vague)
        MUST(doubt && strcmp(text, PROXY) == 0);
    else
        MUST(strcmp(text, CLIENT) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    size_t length = strnlen((const char *)input, size);
    char *sent = strndup((const char *)input, length), *joined;
    struct forwarded_lines lines;
    struct forwarded found;
    struct forwarded_fields fields = {.schemes.count = 0};

    start();
    MUST(sent != NULL);
    split(&lines, sent);

    fields.addresses = lines;
    joined = extend(&fields.addresses, ", " CLIENT);
    check(&fields, &found, false);
    fields.forwarded = lines; /* the client's own, beside what the proxy adds to */
    check(&fields, &found, true);
    free(joined);

    fields = (struct forwarded_fields){.addresses = lines};
    add_line(&fields.addresses, CLIENT);
    check(&fields, &found, false);

    fields = (struct forwarded_fields){.forwarded = lines};
    joined = extend(&fields.forwarded, ", for=" CLIENT);
    check(&fields, &found, true);
    free(joined);

    fields = (struct forwarded_fields){.forwarded = lines};
    add_line(&fields.forwarded, "for=" CLIENT ";proto=https;host=a");
    check(&fields, &found, false);
    MUST(found.scheme == FORWARDED_HTTPS && strcmp(found.host, "a") == 0);
    fields.addresses = lines;
    check(&fields, &found, true);
    free(sent);
    return 0;
}
