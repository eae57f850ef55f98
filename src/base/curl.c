/*
 * What libcrier's clients and publishers and the crier command share when they speak
 * HTTP: they set libcurl up, merge headers, put refusals into words, and wait before
 * they try again. Only programs that link libcrier-client use it; crierd does not need
 * libcurl.
 */
#include <config.h>

#include "curl.h"

#include "json_read.h"
#include "random.h"
#include "token.h"
#include "utf8.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_CONNECT 30000
#define REDIRECTS_MAX 20L
#define DOUBLINGS_MAX 32

/* The headers of one response, with its redirects and trailers. */
#define HEAD_MAX ((size_t)512 * 1024)

/* ---- headers ---------------------------------------------------------- */

/* "Name: value" or "Name:"; libcurl's "Name;" (an empty value) as well. */
static bool is_header(const char *header)
{
    size_t name = crier__token_length(header);

    if (name == 0 || strpbrk(header, "\r\n") != NULL)
        return false;
    return header[name] == ':' ||
           (header[name] == ';' && header[name + 1] == '\0');
}

bool crier__http_value_fits(const char *value)
{
    size_t length = strlen(value), i;

    for (i = 0; i < length; i++)
        if (((unsigned char)value[i] < ' ' && value[i] != '\t') ||
            value[i] == 0x7f)
            return false;
    return length == 0 ||
           (strchr(" \t", value[0]) == NULL && strchr(" \t", value[length - 1]) == NULL);
}

static bool has_name(const char *header, const char *name, size_t length)
{
    return curl_strnequal(header, name, length) &&
           (header[length] == ':' || header[length] == ';');
}

/* The program's own Last-Event-ID only says where to begin. */
static bool is_last_id(const char *header)
{
    return has_name(header, "Last-Event-ID", strlen("Last-Event-ID"));
}

static int append_header(struct curl_slist **list, const char *header)
{
    struct curl_slist *grown = curl_slist_append(*list, header);

    if (grown == NULL)
        return -ENOMEM;
    *list = grown;
    return 0;
}

static int add_option_headers(struct crier__http *http,
                              const struct crier_http_options *options)
{
    char *header;
    size_t i;
    int error = 0;

    for (i = 0; options->headers != NULL && options->headers[i] != NULL &&
                error == 0;
         i++)
        error = is_header(options->headers[i])
                    ? append_header(&http->headers, options->headers[i])
                    : CRIER_ERR_INVALID;
    if (error != 0 || options->token == NULL ||
        crier__http_header(http, "Authorization") != NULL)
        return error;
    if (asprintf(&header, "Authorization: Bearer %s", options->token) < 0)
        return -ENOMEM;
    error = is_header(header) ? append_header(&http->headers, header)
                              : CRIER_ERR_INVALID;
    free(header);
    return error;
}

const char *crier__http_header(const struct crier__http *http,
                               const char *name)
{
    const struct curl_slist *item;
    const char *value;

    for (item = http->headers; item != NULL; item = item->next) {
        if (!has_name(item->data, name, strlen(name)))
            continue;
        value = item->data + strlen(name) + 1;
        return value + strspn(value, " \t");
    }
    return NULL;
}

int crier__http_headers(const struct crier__http *http,
                        const char *const *own, struct curl_slist **list)
{
    struct curl_slist *made = NULL;
    const struct curl_slist *item;
    char name[64];
    int error = 0;

    /* CURLOPT_ACCEPT_ENCODING decodes responses, but would also ask for them. */
    if (crier__http_header(http, "Accept-Encoding") == NULL)
        error = append_header(&made, "Accept-Encoding:");
    for (; *own != NULL && error == 0; own++) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*own, ":"), *own);
        if (is_last_id(*own) || crier__http_header(http, name) == NULL)
            error = append_header(&made, *own);
    }
    for (item = http->headers; item != NULL && error == 0; item = item->next)
        if (!is_last_id(item->data))
            error = append_header(&made, item->data);
    if (error == 0)
        *list = made;
    else
        curl_slist_free_all(made);
    return error;
}

/* ---- settings --------------------------------------------------------- */

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int copy_setting(char **to, const char *text)
{
    if (text == NULL)
        return 0;
    *to = strdup(text);
    return *to != NULL ? 0 : -ENOMEM;
}

int crier__http_init(struct crier__http *http,
                     const struct crier_http_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int error;

    pthread_once(&once, start_curl);
    http->insecure = options->insecure;
    http->connect_timeout = options->connect_timeout != 0
                                ? options->connect_timeout
                                : DEFAULT_CONNECT;
    http->on_wire = options->on_wire;
    http->wire_closure = options->wire_closure;
    error = copy_setting(&http->ca_file, options->ca_file);
    if (error == 0)
        error = copy_setting(&http->cert_file, options->cert_file);
    if (error == 0)
        error = copy_setting(&http->key_file, options->key_file);
    return error != 0 ? error : add_option_headers(http, options);
}

void crier__http_done(struct crier__http *http)
{
    curl_slist_free_all(http->headers);
    free(http->ca_file);
    free(http->cert_file);
    free(http->key_file);
    memset(http, 0, sizeof *http);
}

int crier__http_check_url(const char *url)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL;
    int error = CRIER_ERR_URL;
    CURLUcode code;

    if (parts == NULL)
        return -ENOMEM;
    code = curl_url_set(parts, CURLUPART_URL, url != NULL ? url : "", 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OUT_OF_MEMORY)
        error = -ENOMEM;
    else if (code == CURLUE_OK &&
             (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0))
        error = 0;
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return error;
}

/* Opens a socket that a program started meanwhile does not inherit. */
static curl_socket_t open_socket(void *closure, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    (void)closure;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static int report_wire(CURL *handle, curl_infotype type, char *bytes,
                       size_t length, void *closure)
{
    static const char directions[] = {
        [CURLINFO_TEXT] = '*',       [CURLINFO_HEADER_IN] = '<',
        [CURLINFO_HEADER_OUT] = '>', [CURLINFO_DATA_IN] = '{',
        [CURLINFO_DATA_OUT] = '}',
    };
    const struct crier__http *http = closure;

    (void)handle;
    if ((size_t)type < sizeof directions)
        http->on_wire(http->wire_closure, directions[type], bytes, length);
    return 0;
}

static void set_tls(const struct crier__http *http, CURL *handle)
{
    if (http->ca_file != NULL)
        curl_easy_setopt(handle, CURLOPT_CAINFO, http->ca_file);
    if (http->cert_file != NULL) {
        curl_easy_setopt(handle, CURLOPT_SSLCERT, http->cert_file);
        curl_easy_setopt(handle, CURLOPT_SSLKEY,
                         http->key_file != NULL ? http->key_file
                                                : http->cert_file);
    }
    if (http->insecure) {
        curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

CURL *crier__http_handle(const struct crier__http *http, const char *url,
                         char *reason)
{
    CURL *handle = curl_easy_init();

    if (handle == NULL)
        return NULL;
    if (curl_easy_setopt(handle, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "") != CURLE_OK) {
        curl_easy_cleanup(handle);
        return NULL;
    }
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(handle, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    /* An end does not wait until a name is resolved. */
    curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPINTVL, 10L);
    curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)http->connect_timeout);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "crier/" PACKAGE_VERSION);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, reason);
    set_tls(http, handle);
    if (http->on_wire != NULL) {
        curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, report_wire);
        curl_easy_setopt(handle, CURLOPT_DEBUGDATA, (void *)http);
        curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
    }
    return handle;
}

/* ---- responses -------------------------------------------------------- */

void crier__http_tidy(char *reason)
{
    const char *from = reason, *end = reason + strlen(reason);
    const char *valid = reason + crier__utf8_prefix(reason, strlen(reason));
    char *to = reason;
    size_t control;

    while (from < end) {
        if (from == valid) { /* a character that is broken; at the end, cut off */
            from += crier__utf8_broken(from, (size_t)(end - from));
            if (from < end)
                *to++ = '?';
            valid = from + crier__utf8_prefix(from, (size_t)(end - from));
            continue;
        }
        control = crier__utf8_unsafe(from, (size_t)(end - from));
        if (control == 0) {
            *to++ = *from++;
            continue;
        }
        *to++ = strchr("\t\n\r", *from) != NULL ? ' ' : '?';
        from += control;
    }
    *to = '\0';
}

int crier__head_line(struct crier__head *head, const char *line, size_t length)
{
    head->bytes += length;
    if (head->bytes > HEAD_MAX)
        return -1;
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
        head->whole = false;
    if (head->whole || length == 0 || (line[0] != '\r' && line[0] != '\n'))
        return 0;
    head->whole = true;
    return 1;
}

/* Returns the beginning of the user information that ends at AT, a '@' in TEXT; NULL
 * when there is none. It begins behind the "//" of a URL or, with a ':' in it, at the
 * beginning of a word. */
static char *find_userinfo(char *text, char *at)
{
    char *begin = at;

    while (begin > text && strchr("/?# \t", begin[-1]) == NULL)
        begin--;
    if (begin - text >= 2 && begin[-1] == '/')
        return begin[-2] == '/' ? begin : NULL;
    begin += strspn(begin, "'\"(");
    return begin < at && memchr(begin, ':', (size_t)(at - begin)) != NULL
               ? begin
               : NULL;
}

void crier__http_hide_userinfo(char *text)
{
    char *at = text, *begin;

    while ((at = strchr(at, '@')) != NULL) {
        begin = find_userinfo(text, at);
        if (begin == NULL) {
            at++;
            continue;
        }
        memmove(begin, at + 1, strlen(at));
        at = begin;
    }
}

/* Whether libcurl decodes the coding of LENGTH bytes at NAME; *NONE is set when there
 * is nothing to decode. */
static bool is_decoded(const char *name, size_t length, bool *none)
{
    static const struct {
        const char *name;
        int feature;
    } codings[] = {{"identity", 0},
                   {"chunked", 0},
                   {"gzip", CURL_VERSION_LIBZ},
                   {"x-gzip", CURL_VERSION_LIBZ},
                   {"deflate", CURL_VERSION_LIBZ},
                   {"br", CURL_VERSION_BROTLI},
                   {"zstd", CURL_VERSION_ZSTD}};
    const int features = curl_version_info(CURLVERSION_NOW)->features;
    size_t i;

    for (i = 0; i < sizeof codings / sizeof *codings; i++) {
        if (strlen(codings[i].name) != length ||
            !curl_strnequal(codings[i].name, name, length))
            continue;
        *none = codings[i].feature == 0;
        return *none || (features & codings[i].feature) != 0;
    }
    return false;
}

/* crier__http_coding() for one header, a list of codings. */
static int read_codings(const char *list, char *reason, size_t size)
{
    bool none = true;
    int found = 0;
    size_t length;

    for (; *list != '\0'; list += length) {
        list += strspn(list, ", \t");
        length = strcspn(list, ", \t");
        if (length == 0)
            continue;
        if (!is_decoded(list, length, &none)) {
            snprintf(reason, size,
                     "the response is encoded as %.*s, which cannot be decoded",
                     length < 100 ? (int)length : 100, list);
            crier__http_tidy(reason);
            return CRIER_ERR_ENCODING;
        }
        found = none ? found : 1;
    }
    return found;
}

int crier__http_coding(CURL *handle, char *reason, size_t size)
{
    static const char *const names[] = {"Content-Encoding",
                                        "Transfer-Encoding"};
    struct curl_header *header;
    int coding, found = 0;
    size_t i, at;

    for (i = 0; i < 2; i++)
        for (at = 0; curl_easy_header(handle, names[i], at, CURLH_HEADER, -1,
                                      &header) == CURLHE_OK;
             at++) {
            coding = read_codings(header->value, reason, size);
            if (coding < 0)
                return coding;
            found |= coding;
        }
    return found;
}

/* ---- refusals, and trying again --------------------------------------- */

bool crier__http_temporary(long status)
{
    return status == 408 || status == 429 || (status >= 500 && status < 600);
}

/* Returns the text of ANSWER, a refusal in JSON, or NULL: of problem details (RFC
 * 9457), errors of OAuth (RFC 6749 5.2), the {"error": {"message": ...}} of language
 * models, and similar ones. Borrowed. */
static const char *find_message(const json_t *answer)
{
    static const char *const names[] = {"detail", "error_description",
                                        "message", "error", "title"};
    const json_t *const places[] = {json_object_get(answer, "error"), answer};
    const char *words;
    size_t i, name;

    for (i = 0; i < 2; i++)
        for (name = 0; name < sizeof names / sizeof *names; name++) {
            words = json_string_value(json_object_get(places[i], names[name]));
            if (words != NULL && words[0] != '\0')
                return words;
        }
    return json_string_value(answer);
}

/* Returns the first line of BODY that is not blank, or NULL when that is markup or JSON,
 * or begins with a control character, as compressed data does; writes its length to
 * *LINE. It need not be UTF-8. */
static const char *find_line(const char *body, size_t length, size_t *line)
{
    const char *end = body + length;
    size_t i = 0;

    while (body < end && strchr(" \t\r\n", *body) != NULL)
        body++;
    if (body == end || (unsigned char)*body < ' ' || strchr("<{[", *body) != NULL)
        return NULL;
    while (body + i < end && strchr("\r\n", body[i]) == NULL) /* NUL ends it, too */
        i++;
    *line = i;
    return body;
}

void crier__http_reason(char *reason, size_t size, long status,
                        const char *body, size_t length)
{
    json_t *answer = NULL;
    const char *words = NULL;
    size_t line = 0;

    if (length != 0) {
        answer = json_read(body, length, JSON_DECODE_ANY, NULL);
        words = find_message(answer);
        line = words != NULL ? strlen(words) : 0;
        if (words == NULL)
            words = find_line(body, length, &line);
    }
    if (words != NULL)
        snprintf(reason, size, "%ld: %.*s", status,
                 line < size ? (int)line : (int)size, words);
    else
        snprintf(reason, size, "the server answered with status %ld", status);
    json_decref(answer);
    crier__http_tidy(reason);
}

int crier__http_failure(CURL *handle, CURLcode result, const char *trouble,
                        char *reason, size_t size)
{
    long number = 0, headers = 0;

    curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &number);
    curl_easy_getinfo(handle, CURLINFO_HEADER_SIZE, &headers);
    if (result == CURLE_OK)
        snprintf(reason, size, "the response broke off in its headers");
    else if (result == CURLE_COULDNT_CONNECT && number != 0)
        snprintf(reason, size, "cannot connect: %s",
                 crier_error_text(-(int)number));
    else
        snprintf(reason, size, "%s",
                 trouble[0] != '\0' ? trouble : curl_easy_strerror(result));
    crier__http_tidy(reason);
    crier__http_hide_userinfo(reason);
    switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return CRIER_ERR_CERTIFICATE;
    case CURLE_URL_MALFORMAT:
        return CRIER_ERR_URL;
    case CURLE_UNSUPPORTED_PROTOCOL: /* of a redirect; or what is not HTTP */
        return strstr(trouble, "HTTP/0.9") == NULL ? CRIER_ERR_URL
                                                   : CRIER_ERR_NETWORK;
    case CURLE_TOO_MANY_REDIRECTS:
        return CRIER_ERR_STATUS;
    case CURLE_BAD_CONTENT_ENCODING: /* an unknown coding, or broken data */
        return crier__http_coding(handle, reason, size) < 0
                   ? CRIER_ERR_ENCODING
                   : CRIER_ERR_NETWORK;
    case CURLE_OUT_OF_MEMORY: /* also for a header that is too large */
        return headers == 0 ? -ENOMEM : CRIER_ERR_NETWORK;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    default:
        return CRIER_ERR_NETWORK;
    }
}

uint64_t crier__backoff(uint64_t retry, uint64_t max, unsigned failures)
{
    uint64_t wait, spread, most = max - max / 3;

    if (failures > DOUBLINGS_MAX)
        failures = DOUBLINGS_MAX;
    if (retry == 0 && failures > 0)
        retry = 1; /* 0 cannot be doubled */
    wait = retry;
    if (retry < most)
        wait = retry > most >> failures ? most : retry << failures;
    spread = wait / 2;
    if (wait <= max && spread > max - wait)
        spread = max - wait;
    return wait + crier__random_below(spread + 1);
}
