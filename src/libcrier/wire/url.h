#ifndef CRIER_URL_H
#define CRIER_URL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * URLs as the WHATWG URL Standard parses and writes them, so that two spellings of one URL
 * become the same bytes. Hosts are ASCII: names that IDNA would have to convert are
 * refused. Drive letters of Windows in file: URLs are like other segments.
 */

/* The parts of a URL, in the order of the constructor string of a URL pattern. */
enum crier__url_part {
    CRIER__URL_PROTOCOL, /* without its ':', and so on: no part has its delimiter */
    CRIER__URL_USERNAME,
    CRIER__URL_PASSWORD,
    CRIER__URL_HOSTNAME,
    CRIER__URL_PORT, /* "" if it is the default one */
    CRIER__URL_PATHNAME,
    CRIER__URL_SEARCH,
    CRIER__URL_HASH,
    CRIER__URL_PARTS
};

struct crier__url_text {
    const char *text; /* NULL: there is none */
    size_t length;
};

/* Room for what 1024 bytes, and as many of a base, become with triplets. */
#define CRIER__URL_SIZE 6144

/* Do not copy one: its texts are in its buffer. */
struct crier__url {
    struct crier__url_text parts[CRIER__URL_PARTS];
    bool opaque; /* its path is not a list of segments */
    bool full;   /* the buffer had no room: a failure */
    size_t used;
    char buffer[CRIER__URL_SIZE];
};

/* Parses the LENGTH bytes at TEXT, relative to BASE, which may be NULL. False when it is
 * not a URL; URL is of no use then. Each part of URL has a text. */
bool crier__url_parse(struct crier__url *url, const char *text, size_t length,
                      const struct crier__url *base);

/* Whether the protocol of LENGTH bytes at NAME is a special scheme (http, https, ws, wss,
 * ftp, file). */
bool crier__url_is_special(const char *name, size_t length);

/* The names of the special schemes, NULL at the end. */
extern const char *const crier__url_special[];

/* Whether the LENGTH bytes at PORT are the default port of PROTOCOL. */
bool crier__url_is_default_port(const struct crier__url_text *protocol,
                                const char *port, size_t length);

/* Appends to the buffer of URL what the LENGTH bytes at TEXT are as the PART of a URL
 * with the PROTOCOL ("": of a special one), without writing to parts. False when they
 * cannot be. (The callbacks "canonicalize a ..." of the URL Pattern Standard.) */
bool crier__url_canonicalize(struct crier__url *url, enum crier__url_part part,
                             const char *text, size_t length,
                             const struct crier__url_text *protocol);

/* Likewise of a host name that is, or is a piece of, an IPv6 address. */
bool crier__url_canonicalize_ipv6(struct crier__url *url, const char *text,
                                  size_t length);

#endif
