#include <config.h>

#include "site.h"

#include "client.h"
#include "redis_server.h"
#include "scratch.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static enum MHD_Result handle(void *closure, struct MHD_Connection *connection,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *length, void **context)
{
    static int seen;
    struct site *site = closure;

    (void)method;
    (void)version;
    (void)data;
    if (*context == NULL) {
        *context = &seen;
        return MHD_YES;
    }
    *length = 0;
    return site->answer(site, connection, url);
}

void site_start(struct site *site, const struct crier_shards_options *options)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_OptionItem log[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)site->log, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)site->key},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)site->certificate},
        {MHD_OPTION_END, 0, NULL},
    };
    const union MHD_DaemonInfo *info;

    ck_assert_int_eq(crier_shards_new(options, &site->shards), 0);
    site->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
            (site->key != NULL ? MHD_USE_TLS : 0) |
            (site->log != NULL ? MHD_USE_ERROR_LOG : 0),
        0, NULL, NULL, handle, site, MHD_OPTION_ARRAY,
        site->log != NULL ? log : &log[1], MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_CONNECTION_LIMIT, 4000u,
        MHD_OPTION_ARRAY, site->key != NULL ? tls : &tls[2], MHD_OPTION_END);
    ck_assert_ptr_nonnull(site->daemon);
    info = MHD_get_daemon_info(site->daemon, MHD_DAEMON_INFO_BIND_PORT);
    site->port = info->port;
}

void site_stop_drained(struct site *site)
{
    MHD_stop_daemon(site->daemon);
    crier_shards_free(site->shards);
}

static struct redis_server redis; /* of the hub's journal */

int site_journals(void)
{
    return redis_is_wanted() ? SITE_PAST + 1 : SITE_REDIS;
}

const char *site_journal_name(enum site_journal journal)
{
    static const char *const names[] = {"memory", "sqlite", "redis", "redis, past"};

    return names[journal];
}

static struct crier_journal *open_sqlite(const struct crier_journal_options *options)
{
    struct crier_journal *made;
    char path[64];

    scratch_make();
    snprintf(path, sizeof path, "%s/journal", scratch);
    ck_assert_int_eq(crier_journal_sqlite(path, options, &made, NULL, 0), 0);
    return made;
}

static struct crier_journal *open_redis(const struct crier_journal_options *options,
                                        const char *parameters)
{
    struct crier_journal *made;
    char *server, *url, reason[256] = "";

    redis_start(&redis, NULL);
    server = redis_url(&redis);
    ck_assert_int_gt(asprintf(&url, "%s?" REDIS_PATIENCE "%s", server, parameters), 0);
    ck_assert_msg(crier_journal_redis(url, options, &made, reason, sizeof reason) == 0,
                  "%s: %s", url, reason);
    free(url);
    free(server);
    return made;
}

static struct crier_journal *open_journal(const struct crier_journal_options *options,
                                          enum site_journal journal)
{
    struct crier_journal *made;

    if (journal == SITE_SQLITE)
        return open_sqlite(options);
    if (journal != SITE_MEMORY)
        return open_redis(options, journal == SITE_PAST ? "&cache=1M" : "");
    ck_assert_int_eq(crier_journal_memory(options, &made), 0);
    return made;
}

struct crier_hub *site_start_hub(struct site *site,
                                 const struct crier_shards_options *shards,
                                 const struct crier_journal_options *options,
                                 enum site_journal journal)
{
    struct crier_hub *hub;

    site_start(site, shards);
    ck_assert_int_eq(crier_hub_new(site->shards, open_journal(options, journal), NULL,
                                   &hub),
                     0);
    return hub;
}

void site_stop_hub(struct site *site, struct crier_hub *hub, enum site_journal journal)
{
    crier_hub_close(hub);
    site_stop(site);
    crier_hub_free(hub);
    if (journal == SITE_SQLITE)
        scratch_remove();
    if (redis.pid != 0)
        redis_remove(&redis);
}

size_t site_stop(struct site *site)
{
    size_t cut = crier_shards_drain(site->shards, 0, 0, PATIENCE);

    site_stop_drained(site);
    return cut;
}

enum MHD_Result site_queue(struct MHD_Connection *connection,
                           struct MHD_Response *response)
{
    enum MHD_Result result =
        MHD_queue_response(connection, MHD_HTTP_OK, response);

    MHD_destroy_response(response);
    return result;
}

enum MHD_Result site_status(struct MHD_Connection *connection, unsigned status)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, status, response);

    MHD_destroy_response(response);
    return result;
}

void box_init(struct signal_box *box)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&box->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&box->lock, NULL);
    box->count = 0;
    box->value = -1;
}

void box_done(struct signal_box *box)
{
    pthread_cond_destroy(&box->changed);
    pthread_mutex_destroy(&box->lock);
}

void box_put(struct signal_box *box, int value)
{
    pthread_mutex_lock(&box->lock);
    box->count++;
    box->value = value;
    pthread_cond_broadcast(&box->changed);
    pthread_mutex_unlock(&box->lock);
}

int box_count(struct signal_box *box)
{
    int count;

    pthread_mutex_lock(&box->lock);
    count = box->count;
    pthread_mutex_unlock(&box->lock);
    return count;
}

int box_wait(struct signal_box *box, int count)
{
    struct timespec until;
    int value, seen = -1;

    pthread_mutex_lock(&box->lock);
    while (box->count < count && box->count != seen) {
        seen = box->count; /* give up only if there was no progress */
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PATIENCE / 1000;
        while (box->count < count &&
               pthread_cond_timedwait(&box->changed, &box->lock, &until) !=
                   ETIMEDOUT)
            continue;
    }
    value = box->value;
    ck_assert_msg(box->count >= count, "waited in vain for %d, had %d", count,
                  box->count);
    pthread_mutex_unlock(&box->lock);
    return value;
}

void box_closed(void *closure, struct crier_stream *stream,
                enum crier_reason reason)
{
    (void)stream;
    box_put(closure, (int)reason);
}

struct crier_frame *frame_of(const char *text)
{
    struct crier_frame *frame;

    ck_assert_int_eq(crier_frame_text(NULL, text, &frame), 0);
    return frame;
}
