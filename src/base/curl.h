#ifndef CRIER_CURL_H
#define CRIER_CURL_H

#include "crier_client.h"

#include <curl/curl.h>

/* The progress of the response to a request. All zero before it. */
struct crier__head {
    bool whole;   /* the headers are complete, also those of a redirect or a 1xx */
    size_t bytes; /* of all header lines, trailers included */
};

/* Takes LINE from CURLOPT_HEADERFUNCTION. Returns 1 when it completes the headers, -1
 * when there are too many (libcurl does not limit trailers), otherwise 0. */
int crier__head_line(struct crier__head *head, const char *line,
                     size_t length);

/* How to reach a server: crier_http_options, checked and copied. All zero holds
 * nothing. */
struct crier__http {
    struct curl_slist *headers; /* those of the program, with its token */
    char *ca_file, *cert_file, *key_file;
    bool insecure;
    uint32_t connect_timeout;
    void (*on_wire)(void *closure, char direction, const char *bytes,
                    size_t length);
    void *wire_closure;
};

/* Initializes HTTP from OPTIONS. CRIER_ERR_INVALID for a header that HTTP cannot carry;
 * -ENOMEM. Call crier__http_done() in any case. */
int crier__http_init(struct crier__http *http,
                     const struct crier_http_options *options);

/* Frees what HTTP holds, after the handles made with it. */
void crier__http_done(struct crier__http *http);

/* Checks that URL is http:// or https:// with a host. 0, CRIER_ERR_URL, -ENOMEM. */
int crier__http_check_url(const char *url);

/* Returns a new handle for URL with all settings of HTTP but its headers; NULL when
 * memory is short. It follows redirects, decodes the codings that libcurl knows, and
 * uses no signals. libcurl writes error texts to REASON (CURL_ERROR_SIZE bytes,
 * borrowed for the life of the handle). */
CURL *crier__http_handle(const struct crier__http *http, const char *url,
                         char *reason);

/* Returns the value of the program's header NAME, borrowed; NULL when there is none. */
const char *crier__http_header(const struct crier__http *http,
                               const char *name);

/* Writes a new list for CURLOPT_HTTPHEADER to *LIST: the headers OWN (each "Name:
 * value", ended by NULL) that the program does not set itself, and those of the program
 * except Last-Event-ID. Accept-Encoding is sent only if the program sets it.
 * -ENOMEM. */
int crier__http_headers(const struct crier__http *http,
                        const char *const *own, struct curl_slist **list);

/* Checks the content and transfer codings (RFC 9110 8.4, RFC 9112 7) of the response
 * whose headers HANDLE has. Returns 0 for none (chunked does not count), 1 when libcurl
 * decodes them all; CRIER_ERR_ENCODING and a REASON that names the first other one. */
int crier__http_coding(CURL *handle, char *reason, size_t size);

/* Whether STATUS says that trying again may help. */
bool crier__http_temporary(long status);

/* Whether a header field can carry VALUE to recipients unchanged: no control character
 * but TAB, and no white space at its ends (RFC 9110, section 5.5). */
bool crier__http_value_fits(const char *value);

/* Turns REASON into a line that can be shown to people, in place: replaces each control
 * character, each one that changes the direction of writing, and each fault in its UTF-8
 * by a space or '?', and drops a fault at its end. */
void crier__http_tidy(char *reason);

/* Removes the user information (RFC 3986 3.2.1: user and password) from all URLs in
 * TEXT, in place. A URL without a scheme counts when it begins with
 * "user:password@". */
void crier__http_hide_userinfo(char *text);

/* Writes the reason of a refusal with STATUS to REASON, tidied and cut to SIZE: the
 * status, and from BODY the text of an error in JSON or the first line of a text. */
void crier__http_reason(char *reason, size_t size, long status,
                        const char *body, size_t length);

/* Writes why the transfer of HANDLE, which ended with RESULT, has failed to REASON,
 * without user information; TROUBLE is the error text of libcurl (see
 * crier__http_handle()). Returns the error. With CURLE_OK, the response has broken off
 * in its headers, which libcurl takes for its end. */
int crier__http_failure(CURL *handle, CURLcode result, const char *trouble,
                        char *reason, size_t size);

/* Returns how long to wait before the next attempt after FAILURES (from 0) failed ones:
 * RETRY, doubled for each, and up to half of that more, at random. At most MAX, unless
 * RETRY is more. All in ms. */
uint64_t crier__backoff(uint64_t retry, uint64_t max, unsigned failures);

#endif
