#ifndef CRIER_CURL_H
#define CRIER_CURL_H

#include "crier_client.h"

#include <curl/curl.h>

/* How far the answer to a request is. All zero before it. */
struct crier__head {
    bool whole;   /* its headers are complete; a redirect's count, and those of a
                     1xx */
    size_t bytes; /* of all header lines, trailers included */
};

/* Takes LINE, as libcurl hands it to CURLOPT_HEADERFUNCTION. 1 when it completes the
 * headers; -1 when there are too many, which libcurl does not see for trailers;
 * else 0. */
int crier__head_line(struct crier__head *head, const char *line,
                     size_t length);

/* How to reach a server: crier_http_options, checked and copied. All zero is an
 * empty one. */
struct crier__http {
    struct curl_slist *headers; /* the program's, a token's included */
    char *ca_file, *cert_file, *key_file;
    bool insecure;
    uint32_t connect_timeout;
    void (*on_wire)(void *closure, char direction, const char *bytes,
                    size_t length);
    void *wire_closure;
};

/* Fills HTTP. CRIER_ERR_INVALID for a header that HTTP cannot carry; -ENOMEM. Give
 * it back with crier__http_done() in any case. */
int crier__http_init(struct crier__http *http,
                     const struct crier_http_options *options);

/* Frees what HTTP holds; the handles made with it must be gone. */
void crier__http_done(struct crier__http *http);

/* 0, or CRIER_ERR_URL when URL is not http:// or https:// with a host; -ENOMEM. */
int crier__http_check_url(const char *url);

/* A new handle for URL with all that HTTP says but its headers; NULL when memory is
 * short. Redirects are followed, the codings that libcurl knows are decoded, its
 * signals are off. REASON (CURL_ERROR_SIZE
 * bytes, borrowed for its life) gets libcurl's words for what went wrong. */
CURL *crier__http_handle(const struct crier__http *http, const char *url,
                         char *reason);

/* The value of the program's header NAME; NULL when there is none. Borrowed. */
const char *crier__http_header(const struct crier__http *http,
                               const char *name);

/* A new list, written to *LIST, for CURLOPT_HTTPHEADER: those of OWN (each "Name:
 * value", ended by NULL) that the program does not give itself, and the program's,
 * without Last-Event-ID. No Accept-Encoding is sent unless the program gives one.
 * -ENOMEM. */
int crier__http_headers(const struct crier__http *http,
                        const char *const *own, struct curl_slist **list);

/* Looks at the content and transfer codings (RFC 9110 8.4, RFC 9112 7) of the answer
 * whose headers HANDLE has. 0 when it has none (chunked is not counted), 1 when libcurl
 * decodes them all; CRIER_ERR_ENCODING, with a REASON that names the first other one. */
int crier__http_coding(CURL *handle, char *reason, size_t size);

/* Whether trying again may help: after a STATUS of HTTP that says so. */
bool crier__http_temporary(long status);

/* Whether a header field can carry VALUE, and recipients get it as it is: no control
 * character but TAB, and no white space at its ends (RFC 9110, section 5.5). */
bool crier__http_value_fits(const char *value);

/* Makes REASON a line to be shown to people, in place: replaces each control character,
 * each character that changes the direction of writing, and each fault in its UTF-8 by a
 * space or '?', and drops a fault at its end. */
void crier__http_tidy(char *reason);

/* Takes the user information (RFC 3986 3.2.1: user and password) out of all URLs in TEXT,
 * in place. What has no scheme counts when it begins with "user:password@". */
void crier__http_hide_userinfo(char *text);

/* Writes what a refusal with STATUS says to REASON, tidied and cut to SIZE: the status,
 * and from BODY the words of an error in JSON or the first line of a text. */
void crier__http_reason(char *reason, size_t size, long status,
                        const char *body, size_t length);

/* Writes why HANDLE's transfer, which ended with RESULT, failed to REASON; TROUBLE is
 * what libcurl has written to crier__http_handle()'s. No user information is in it. Returns the error for it. With
 * CURLE_OK, the answer broke off in its headers, which libcurl takes for the end. */
int crier__http_failure(CURL *handle, CURLcode result, const char *trouble,
                        char *reason, size_t size);

/* How long to wait before attempt number FAILURES (from 0) more: RETRY doubled for
 * each, and up to half of it more, at random. No longer than MAX, unless RETRY is.
 * All in ms. */
uint64_t crier__backoff(uint64_t retry, uint64_t max, unsigned failures);

#endif
