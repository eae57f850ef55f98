/*
 * GET /healthz, for load balancers and operators: version, uptime, number of streams and
 * state of the journal. While the journal cannot be written the status is "degraded", but
 * the response is still 200: streams go on, and a load balancer that took the server out
 * would end them for nothing.
 */
#include <config.h>

#include "health.h"

#include "crierd/http/respond.h"

bool health_get(struct request *request)
{
    const struct server *server = request->server;
    double uptime = (double)(crier_now() - server->started) / 1000.0;
    struct crier_status status;
    json_t *journal;

    crier_hub_status(server->hub, &status);
    journal = json_pack("{s:s, s:s, s:I, s:I}", "type", status.journal,
                        "status", status.error == 0 ? "ok" : "failing",
                        "published", (json_int_t)status.published, "gaps",
                        (json_int_t)status.gaps);
    if (status.error != 0)
        json_object_set_new(journal, "reason", json_string(status.reason));
    if (status.corrected != 0)
        json_object_set_new(journal, "corrected",
                            json_integer((json_int_t)status.corrected));
    if (status.clock_behind)
        json_object_set_new(journal, "clock", json_string("behind"));
    return respond_json(
        request, MHD_HTTP_OK,
        json_pack("{s:s, s:s, s:f, s:I, s:o}", "status",
                  status.error == 0 ? "ok" : "degraded", "version",
                  crier_version(), "uptime", uptime, "clients",
                  (json_int_t)crier_shards_count(server->shards), "journal",
                  journal));
}
