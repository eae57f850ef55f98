/*
 * GET /healthz and GET /readyz, for load balancers, containers and operators.
 *
 *               /healthz        /readyz
 *   200  ok     all is well     ready
 *   200         degraded        ready       damage was met in the journal's file, or the
 *                                           server that nodes share is away
 *   503         failing         failing     the journal cannot be written or read
 *   503         as above        stopping    after the signal to end
 *
 * Where a part of the file is damaged, its updates are lost as gaps, but crierd goes on to
 * publish and to deliver, and no restart would change that; so the status is 200 and the
 * operator is to look (and the metrics have it). A journal that cannot be written makes
 * each publication fail, which is what crierd is for: 503.
 *
 * A journal that nodes share fails for all of them at once, as a rule. If each then said 503,
 * a load balancer would have nobody left, and would end the streams, which stay open until
 * the journal is back and then miss nothing. So the status is 200.
 *
 * Anybody may have the status and one word. Whoever operates crierd (policy.c) gets the
 * state of the server as JSON from /healthz.
 */
#include <config.h>

#include "health.h"

#include "crierd/http/policy.h"
#include "crierd/http/respond.h"

#include <string.h>

/* Whether this server is of no use now, and another one may be. */
static bool is_failing(const struct crier_status *status)
{
    return status->error != 0 && !status->shared;
}

/* The state of the server in a word. */
static const char *find_word(const struct crier_status *status)
{
    if (is_failing(status))
        return "failing";
    return status->error != 0 || status->damaged != 0 ? "degraded" : "ok";
}

/* The status of the response that says so. */
static unsigned find_http_status(const struct crier_status *status)
{
    return is_failing(status) ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
}

static void add_text(json_t *object, const char *name, const char *text)
{
    if (text[0] != '\0')
        json_object_set_new(object, name, json_string(text));
}

static void add_count(json_t *object, const char *name, uint64_t count)
{
    if (count != 0)
        json_object_set_new(object, name, json_integer((json_int_t)count));
}

/* The last whole check of the journal's file in a word; "" where there was none. */
static const char *find_check(const struct crier_status *status)
{
    static const char *const words[] = {
        [CRIER_CHECK_NONE] = "",
        [CRIER_CHECK_RUNNING] = "running",
        [CRIER_CHECK_SOUND] = "sound",
        [CRIER_CHECK_DAMAGED] = "damaged",
    };

    return words[status->check];
}

static json_t *describe_journal(const struct crier_status *status)
{
    json_t *journal = json_pack("{s:s, s:s, s:I, s:I}", "type", status->journal,
                                "status", status->error == 0 ? "ok" : "failing",
                                "published", (json_int_t)status->published, "gaps",
                                (json_int_t)status->gaps);

    add_text(journal, "reason", status->error != 0 ? status->reason : "");
    add_count(journal, "corrected", status->corrected);
    add_text(journal, "clock", status->clock_behind ? "behind" : "");
    add_text(journal, "check", find_check(status));
    add_count(journal, "damaged", status->damaged);
    add_text(journal, "damage", status->damage);
    return journal;
}

/* Responds with WORD alone: as text or, to a client that asks for JSON, as an object. */
static bool respond_word(struct request *request, unsigned status, const char *word)
{
    const char *accept = request_header(request, MHD_HTTP_HEADER_ACCEPT);

    if (accept != NULL && strstr(accept, "application/json") != NULL)
        return respond_json(request, status, json_pack("{s:s}", "status", word));
    return respond_text(request, status, word);
}

bool health_get(struct request *request)
{
    const struct server *server = request->server;
    double uptime = (double)(crier_now() - server->started) / 1000.0;
    struct crier_status status;

    crier_hub_status(server->hub, &status);
    if (!policy_may_operate(request))
        return respond_word(request, find_http_status(&status),
                            find_word(&status));
    return respond_json(
        request, find_http_status(&status),
        json_pack("{s:s, s:s, s:f, s:I, s:o}", "status", find_word(&status),
                  "version", crier_version(), "uptime", uptime, "clients",
                  (json_int_t)crier_shards_count(server->shards), "journal",
                  describe_journal(&status)));
}

bool health_get_ready(struct request *request)
{
    const struct server *server = request->server;
    struct crier_status status;

    crier_hub_status(server->hub, &status);
    if (atomic_load(&server->stopping))
        return respond_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping");
    return respond_text(request, find_http_status(&status),
                        is_failing(&status) ? "failing" : "ready");
}
