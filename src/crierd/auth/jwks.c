/*
 * The thread that reads a JWK set.
 *
 *     wait until it is due, or a token with an unknown key has come  <--+
 *         |                                                             |
 *     read the file, or fetch the URL                                   |
 *         |                                                             |
 *     hand the keys over; if that failed, log it and keep the old ones -+
 *
 * What comes from the server is bounded in time and size, must be status 200, and redirects
 * are not followed: the operator named the place that is trusted. A URL is https, or of
 * this machine, which the configuration has checked; libcurl takes no other scheme.
 *
 * libcurl is driven as a multi handle, because another thread can wake that up: crierd
 * does not wait for a slow server when it stops.
 */
#include <config.h>

#include "jwks.h"

#include "base/cond.h"
#include "base/file.h"
#include "base/thread.h"
#include "crierd/log/log.h"

#include "crier.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MINUTE ((uint64_t)60 * 1000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* How long a fetch may take, in ms. */
#define FETCH_TIME 20000L
#define CONNECT_TIME 10000L

struct jwks {
    char *source;
    jwks_keys_fn *on_keys;
    void *closure;
    unsigned char hash[JOSE_SHA256_SIZE]; /* of the set that was handed over last; only
                                             for the thread */
    CURLM *multi; /* NULL: a file */
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool stopping;
    bool wanted;
    uint64_t next; /* when it may be read again, as crier_now() */
};

/* The body of a response. */
struct body {
    char *bytes;
    size_t length;
};

/* ---- a fetch ---------------------------------------------------------- */

uint64_t jwks_lifetime(const char *value)
{
    const char directive[] = "max-age=";
    uint64_t age = 0;

    if (value == NULL)
        return HOUR;
    for (; *value != '\0'; value += strcspn(value, ","), value += *value == ',') {
        value += strspn(value, " \t");
        if (strncasecmp(value, "no-cache", 8) == 0 ||
            strncasecmp(value, "no-store", 8) == 0)
            return MINUTE;
        if (strncasecmp(value, directive, strlen(directive)) != 0)
            continue;
        value += strlen(directive);
        for (; *value >= '0' && *value <= '9' && age < DAY; value++)
            age = age * 10 + (uint64_t)(*value - '0') * 1000;
        return age < MINUTE ? MINUTE : age > DAY ? DAY : age;
    }
    return HOUR;
}

static size_t take_body(char *bytes, size_t one, size_t count, void *closure)
{
    struct body *body = closure;
    char *more;

    (void)one;
    if (body->length + count > JOSE_TEXT_MAX)
        return 0; /* libcurl ends the transfer */
    more = realloc(body->bytes, body->length + count + 1);
    if (more == NULL)
        return 0;
    body->bytes = more;
    memcpy(more + body->length, bytes, count);
    body->length += count;
    return count;
}

static bool is_stopping(struct jwks *jwks)
{
    bool stopping;

    pthread_mutex_lock(&jwks->lock);
    stopping = jwks->stopping;
    pthread_mutex_unlock(&jwks->lock);
    return stopping;
}

/* Runs the transfer of EASY until it ends or JWKS stops. */
static CURLcode run_fetch(struct jwks *jwks, CURL *easy)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    CURLMsg *message;
    int running = 1, left;

    if (curl_multi_add_handle(jwks->multi, easy) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    while (running != 0 && !is_stopping(jwks))
        if (curl_multi_perform(jwks->multi, &running) != CURLM_OK ||
            (running != 0 &&
             curl_multi_poll(jwks->multi, NULL, 0, 1000, NULL) != CURLM_OK))
            break;
    message = curl_multi_info_read(jwks->multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE)
        result = message->data.result;
    curl_multi_remove_handle(jwks->multi, easy);
    return result;
}

/* A new handle for SOURCE that writes to BODY and REASON, or NULL. */
static CURL *make_handle(const char *source, struct body *body, char *reason)
{
    CURL *easy = curl_easy_init();
    const char *schemes = source[4] == 's' ? "https" : "http";

    if (easy == NULL)
        return NULL;
    if (curl_easy_setopt(easy, CURLOPT_URL, source) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, schemes) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, FETCH_TIME) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIME) ==
            CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "crierd") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, body) == CURLE_OK)
        return easy;
    curl_easy_cleanup(easy);
    return NULL;
}

/* Checks the response of EASY and writes how long to use it, in ms, to *LIFETIME. False,
 * with the reason in WHY, when it is not the set. */
static bool check_response(CURL *easy, uint64_t *lifetime, char *why)
{
    struct curl_header *field;
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        snprintf(why, JOSE_WHY_SIZE, "its server responded with status %ld", status);
        return false;
    }
    *lifetime = jwks_lifetime(NULL);
    if (curl_easy_header(easy, "Cache-Control", 0, CURLH_HEADER, -1, &field) ==
        CURLHE_OK)
        *lifetime = jwks_lifetime(field->value);
    return true;
}

/* Fetches the set to BODY. As check_response(). */
static bool fetch_set(struct jwks *jwks, struct body *body, uint64_t *lifetime,
                      char *why)
{
    char reason[CURL_ERROR_SIZE] = "";
    CURL *easy = make_handle(jwks->source, body, reason);
    CURLcode result;
    bool well = false;

    if (easy == NULL)
        return false;
    result = run_fetch(jwks, easy);
    if (result == CURLE_OK)
        well = check_response(easy, lifetime, why);
    else if (result == CURLE_WRITE_ERROR)
        snprintf(why, JOSE_WHY_SIZE, "it is larger than %zu bytes", JOSE_TEXT_MAX);
    else
        snprintf(why, JOSE_WHY_SIZE, "%.140s",
                 reason[0] != '\0' ? reason : curl_easy_strerror(result));
    curl_easy_cleanup(easy);
    return well;
}

/* ---- the thread ------------------------------------------------------- */

/* Hands the keys in BODY over, unless they are what was handed over last. False, with the
 * reason in WHY, when there are none, or nobody has taken them. */
static bool hand_keys_over(struct jwks *jwks, const struct body *body, char *why)
{
    unsigned char hash[JOSE_SHA256_SIZE];
    struct jose_keys keys = {0};
    size_t count;

    if (body->bytes == NULL) {
        snprintf(why, JOSE_WHY_SIZE, "it is empty");
        return false;
    }
    if (!jose_sha256(body->bytes, body->length, hash))
        return false;
    if (memcmp(hash, jwks->hash, sizeof hash) == 0)
        return true;
    if (jose_read_keys(&keys, NULL, body->bytes, body->length, why) != 0) {
        jose_keys_done(&keys);
        return false;
    }
    count = keys.count;
    if (!jwks->on_keys(jwks->closure, jwks, &keys)) {
        snprintf(why, JOSE_WHY_SIZE, "out of memory");
        return false;
    }
    memcpy(jwks->hash, hash, sizeof hash);
    log_line(LOG_INFO, "%zu key%s from %s", count, count == 1 ? "" : "s", jwks->source);
    return true;
}

/* Reads the set once. Returns how long to use it, in ms. */
static uint64_t read_set(struct jwks *jwks)
{
    char why[JOSE_WHY_SIZE] = "too many keys, or out of memory";
    struct body body = {0};
    uint64_t lifetime = MINUTE;
    bool well;

    if (jwks->multi != NULL)
        well = fetch_set(jwks, &body, &lifetime, why);
    else
        well = crier__file_load(jwks->source, JOSE_TEXT_MAX, &body.bytes, &body.length,
                                why, sizeof why) == 0;
    if (well)
        well = hand_keys_over(jwks, &body, why);
    free(body.bytes);
    if (well)
        return lifetime;
    if (!is_stopping(jwks))
        log_line(LOG_ERROR, "cannot read the keys of %s: %s", jwks->source, why);
    return MINUTE;
}

/* Waits until the set is due at DUE, or is wanted and NEXT has come. False when JWKS
 * stops. */
static bool wait_for_turn(struct jwks *jwks, uint64_t next, uint64_t due)
{
    uint64_t until = due;
    bool stopping;

    pthread_mutex_lock(&jwks->lock);
    jwks->next = next;
    for (;;) {
        until = jwks->wanted && next < due ? next : due;
        if (jwks->stopping || crier_now() >= until)
            break;
        crier__cond_wait(&jwks->changed, &jwks->lock, until);
    }
    jwks->wanted = false;
    stopping = jwks->stopping;
    pthread_mutex_unlock(&jwks->lock);
    return !stopping;
}

static void *run_jwks(void *closure)
{
    struct jwks *jwks = closure;
    uint64_t begun, due;

    do {
        begun = crier_now();
        due = begun + read_set(jwks);
    } while (wait_for_turn(jwks, begun + MINUTE, due));
    return NULL;
}

/* ---- life ------------------------------------------------------------- */

static void free_jwks(struct jwks *jwks)
{
    if (jwks->multi != NULL)
        curl_multi_cleanup(jwks->multi);
    pthread_cond_destroy(&jwks->changed);
    pthread_mutex_destroy(&jwks->lock);
    free(jwks->source);
    free(jwks);
}

const char *jwks_source(const struct jwks *jwks)
{
    return jwks->source;
}

struct jwks *jwks_open(const char *source, jwks_keys_fn *on_keys, void *closure)
{
    struct jwks *jwks = calloc(1, sizeof *jwks);

    if (jwks == NULL)
        return NULL;
    if (crier__cond_init(&jwks->changed) != 0) {
        free(jwks);
        return NULL;
    }
    pthread_mutex_init(&jwks->lock, NULL);
    jwks->source = strdup(source);
    jwks->on_keys = on_keys;
    jwks->closure = closure;
    if (strstr(source, "://") != NULL &&
        curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        jwks->multi = curl_multi_init();
    if (jwks->source != NULL &&
        (jwks->multi != NULL || strstr(source, "://") == NULL) &&
        crier__thread_start(&jwks->thread, run_jwks, jwks) == 0)
        return jwks;
    free_jwks(jwks);
    return NULL;
}

void jwks_close(struct jwks *jwks)
{
    if (jwks == NULL)
        return;
    pthread_mutex_lock(&jwks->lock);
    jwks->stopping = true;
    pthread_cond_signal(&jwks->changed);
    pthread_mutex_unlock(&jwks->lock);
    if (jwks->multi != NULL)
        curl_multi_wakeup(jwks->multi);
    pthread_join(jwks->thread, NULL);
    free_jwks(jwks);
}

void jwks_want(struct jwks *jwks)
{
    pthread_mutex_lock(&jwks->lock);
    if (!jwks->wanted || crier_now() >= jwks->next)
        pthread_cond_signal(&jwks->changed);
    jwks->wanted = true;
    pthread_mutex_unlock(&jwks->lock);
}
