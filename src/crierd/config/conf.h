#ifndef CRIERD_CONF_H
#define CRIERD_CONF_H

#include "certificate.h"
#include "cidr.h"
#include "keyring.h"
#include "texts.h"
#include "crier.h"
#include "crierd/log/log.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At most so many options, and entries of --retain-topic. */
#define CONF_OPTIONS_MAX 80
#define CONF_TOPICS_MAX 64

/* Where a value comes from; a later one takes precedence over an earlier one. */
enum conf_origin {
    CONF_DEFAULT,
    CONF_FILE,
    CONF_ENVIRONMENT,
    CONF_COMMAND_LINE
};

struct conf_source {
    enum conf_origin origin;
    unsigned line; /* of the file */
};

/* What may be done without a token: a bit for each. */
enum conf_anonymous {
    CONF_ANONYMOUS_NONE,
    CONF_ANONYMOUS_SUBSCRIBE = 1,
    CONF_ANONYMOUS_PUBLISH = 2,
    CONF_ANONYMOUS_ALL = 3
};

/* How much a publisher may publish in a second; 0: no limit. */
struct conf_rate {
    uint64_t updates, bytes;
};

/* A snapshot of the configuration. It does not change once it is published, and owns all
 * that it points to. What each value means, and its default, is in options.c. */
struct conf {
    atomic_uint references;

    /* What each of the listeners is to be (listen_entry.h). */
    struct conf_texts listen, tls_listen, admin_listen;
    const char *tls_cert, *tls_key;  /* files; NULL: none */
    struct certificate *certificate; /* what is in them; NULL without them */
    const char *www;
    const char *data;
    unsigned threads;
    uint32_t ping;      /* ms */
    size_t max_clients; /* 0: what the open-file limit allows */
    enum log_level log_level;
    enum log_format log_format;
    bool demo;
    bool get_publish;

    struct conf_keys jwt_keys; /* those of --jwt-key */
    struct conf_keys keys;     /* those of the file's sections */
    struct conf_tokens tokens;
    const char *jwks;       /* a file, or an URL; or NULL */
    const char *public_url; /* without a '/' at its end; or NULL */
    enum conf_anonymous anonymous;
    const char *auth_cookie;
    bool query_token;
    struct conf_texts publish_origins; /* each as a browser sends it in Origin */
    struct conf_texts cors_origins;    /* the same, or "*" */
    struct cidr_list trusted_proxies;

    size_t max_clients_per_address; /* 0: no limit */
    struct conf_rate publish_rate;
    uint32_t connect_rate; /* connections a second; 0: no limit */
    struct cidr_list limit_exempt;

    const char *journal; /* names a backend, see backend.h */
    struct crier_retention retention;
    struct crier_topic_retention *topics;
    size_t topic_count;
    size_t max_topics;
    size_t max_update;
    const char *presence; /* or NULL */
    bool subscriptions;
    enum crier_slow slow;
    uint32_t stall_timeout; /* ms */

    const char *file; /* the configuration file; NULL: none */
    struct conf_source sources[CONF_OPTIONS_MAX]; /* of each option, as in the table */
};

/* A new snapshot without any value, or NULL. The caller holds the reference. */
struct conf *conf_new(void);

/* Takes one more reference and returns CONF. Any thread. */
struct conf *conf_ref(struct conf *conf);

/* Gives a reference back, the last of which frees CONF; NULL is allowed. Any thread. */
void conf_unref(struct conf *conf);

/* The path of the hub of the Mercure protocol, and room for its URL. */
#define CONF_HUB_PATH "/.well-known/mercure"
#define CONF_HUB_URL_SIZE 1025

/* Writes the URL of the hub to URL, and returns it: that below public_url, or where there is
 * none, one below a host that nobody has. URL patterns and topics may be relative to it. */
const char *conf_hub_url(const struct conf *conf, char url[CONF_HUB_URL_SIZE]);

/* The path of the metadata of the hub as a protected resource (RFC 9728), and whether
 * there is any: nothing but public_url says by which URL clients know the hub, and without
 * keys no token counts. */
#define CONF_METADATA_PATH "/.well-known/oauth-protected-resource" CONF_HUB_PATH
bool conf_has_metadata(const struct conf *conf);

/* Where the value of the option NAME comes from. */
enum conf_origin conf_origin_of(const struct conf *conf, const char *name);

/* Whether CONF names a key or token, so that a request can be authorised by one. */
bool conf_has_keys(const struct conf *conf);

/* Whether CONF names a certificate that is not valid any more. */
bool conf_certificate_has_expired(const struct conf *conf);

/* Makes CONF (of which a reference is taken; NULL at the end of the program) the
 * snapshot that conf_current() returns from now on. Returns false when the system has no
 * key for threads left, which can happen in the first call only. One thread. */
bool conf_publish(struct conf *conf);

/* The snapshot that was published last, borrowed until the next call on this thread.
 * For what a reload can change: look here each time, or take a reference. Costs one
 * atomic load. Any thread. */
const struct conf *conf_current(void);

#endif
