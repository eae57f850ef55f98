/*
 * A reload of the configuration. What handlers read for each request changes when the new
 * snapshot is published; what was handed to libcrier at the start is handed over again
 * here. Nothing that is open ends.
 */
#include <config.h>

#include "reload.h"

#include "crierd/config/load.h"
#include "crierd/http/tls.h"
#include "crierd/log/log.h"
#include "crierd/metrics/metrics.h"
#include "crierd/topics.h"

#include <time.h>

static void log_mistake(const char *text)
{
    log_line(LOG_ERROR, "%s", text);
}

static void log_change(const char *name, bool restart)
{
    if (restart)
        log_line(LOG_WARNING, "%s differs, which takes effect after a restart",
                 name);
    else
        log_line(LOG_INFO, "%s has changed", name);
}

/* Hands CONF over. What can fail, for want of memory, comes first. */
static bool apply_conf(struct server *server, const struct conf *conf)
{
    if (!listeners_check(&server->listeners, conf) ||
        !auth_reload(server->auth, conf))
        return false;
    if (!topics_change(server, conf)) {
        auth_reload(server->auth, conf_current());
        return false;
    }
    crier_shards_set_times(server->shards, conf->ping, conf->stall_timeout);
    descriptors_limit_clients(&server->descriptors, conf->max_clients);
    crier_shards_set_max_streams(server->shards, server->descriptors.clients);
    log_set_level(conf->log_level);
    log_set_format(conf->log_format);
    tls_log_certificate(conf);
    return true;
}

void reload_conf(struct server *server, int argc, char **argv)
{
    struct conf *conf;

    if (conf_current()->file != NULL)
        log_line(LOG_INFO, "reading %s again", conf_current()->file);
    if (load_again(argc, argv, log_mistake, log_change, conf_current(), &conf) !=
        LOAD_RUN) {
        log_line(LOG_ERROR, "the configuration stays as it was");
        metrics_count(METRIC_RELOADS_FAILED);
        atomic_store(&server->reload_failed, true);
        return;
    }
    if (apply_conf(server, conf)) {
        conf_publish(conf);
        metrics_count(METRIC_RELOADS_SUCCEEDED);
        atomic_store(&server->reload_failed, false);
        atomic_store(&server->configured, time(NULL));
        log_line(LOG_INFO, "the configuration was reloaded");
    } else {
        log_line(LOG_ERROR, "the configuration was not reloaded: try again");
        metrics_count(METRIC_RELOADS_FAILED);
        atomic_store(&server->reload_failed, true);
    }
    conf_unref(conf);
}
