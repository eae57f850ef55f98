/*
 * The life of a snapshot of the configuration.
 *
 * Requests read the configuration all the time, and a reload replaces it once in a long
 * while. So each thread keeps a reference to the snapshot it has seen last, and
 * compares one number to see whether there is a newer one. Only then does it take the
 * lock. A thread that sleeps keeps the old snapshot for as long as it sleeps: some
 * kilobytes for each thread at most. When a thread ends, its key gives the reference
 * back.
 *
 * Rejected: a reference for each request, which costs four atomic operations on memory
 * that all threads share; and old snapshots that are never freed.
 */
#include <config.h>

#include "conf.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- a snapshot ------------------------------------------------------- */

struct conf *conf_new(void)
{
    struct conf *conf = calloc(1, sizeof *conf);

    if (conf != NULL)
        atomic_init(&conf->references, 1);
    return conf;
}

struct conf *conf_ref(struct conf *conf)
{
    atomic_fetch_add(&conf->references, 1);
    return conf;
}

void conf_unref(struct conf *conf)
{
    size_t i;

    if (conf == NULL || atomic_fetch_sub(&conf->references, 1) != 1)
        return;
    for (i = 0; i < conf->topic_count; i++)
        free((char *)conf->topics[i].topic);
    free(conf->topics);
    texts_clear(&conf->listen);
    texts_clear(&conf->tls_listen);
    texts_clear(&conf->admin_listen);
    free((char *)conf->tls_cert);
    free((char *)conf->tls_key);
    certificate_unref(conf->certificate);
    free((char *)conf->www);
    free((char *)conf->data);
    free((char *)conf->journal);
    free((char *)conf->presence);
    keyring_clear_keys(&conf->jwt_keys);
    keyring_clear_keys(&conf->keys);
    keyring_clear_tokens(&conf->tokens);
    free((char *)conf->jwks);
    free((char *)conf->public_url);
    free((char *)conf->auth_cookie);
    texts_clear(&conf->publish_origins);
    texts_clear(&conf->cors_origins);
    cidr_clear(&conf->trusted_proxies);
    cidr_clear(&conf->limit_exempt);
    free((char *)conf->file);
    free(conf);
}

bool conf_has_metadata(const struct conf *conf)
{
    return conf->public_url != NULL && conf_has_keys(conf);
}

const char *conf_hub_url(const struct conf *conf, char url[CONF_HUB_URL_SIZE])
{
    const char *base = conf->public_url;

    if (base == NULL || strlen(base) + sizeof CONF_HUB_PATH > CONF_HUB_URL_SIZE)
        base = "http://mercure.invalid";
    snprintf(url, CONF_HUB_URL_SIZE, "%s" CONF_HUB_PATH, base);
    return url;
}

bool conf_has_keys(const struct conf *conf)
{
    return conf->jwt_keys.count != 0 || conf->keys.count != 0 ||
           conf->tokens.count != 0 || conf->jwks != NULL;
}

bool conf_certificate_has_expired(const struct conf *conf)
{
    return conf->certificate != NULL &&
           certificate_expires(conf->certificate) < (int64_t)time(NULL);
}

/* ---- the current one -------------------------------------------------- */

static struct {
    pthread_mutex_t lock; /* guards conf */
    struct conf *conf;
    atomic_uint generation; /* how often conf was replaced */
    bool has_key;
    pthread_key_t key; /* its value is `seen.conf` */
} current = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local struct {
    struct conf *conf;
    unsigned generation;
} seen;

static void release_seen(void *conf)
{
    conf_unref(conf);
}

/* Takes a reference to the current snapshot in the place of the one seen before. */
static void refresh_seen(void)
{
    struct conf *old = seen.conf;

    pthread_mutex_lock(&current.lock);
    seen.conf = current.conf != NULL ? conf_ref(current.conf) : NULL;
    seen.generation = atomic_load(&current.generation);
    pthread_mutex_unlock(&current.lock);
    pthread_setspecific(current.key, seen.conf);
    conf_unref(old);
}

bool conf_publish(struct conf *conf)
{
    struct conf *old;

    if (!current.has_key)
        current.has_key = pthread_key_create(&current.key, release_seen) == 0;
    if (!current.has_key)
        return false;
    pthread_mutex_lock(&current.lock);
    old = current.conf;
    current.conf = conf != NULL ? conf_ref(conf) : NULL;
    atomic_fetch_add(&current.generation, 1);
    pthread_mutex_unlock(&current.lock);
    conf_unref(old);
    refresh_seen();
    return true;
}

const struct conf *conf_current(void)
{
    if (seen.generation !=
        atomic_load_explicit(&current.generation, memory_order_relaxed))
        refresh_seen();
    return seen.conf;
}
