/*
 * GET /healthz, for load balancers and for people: that the server answers, what
 * it is, since when, and how many streams it serves.
 */
#include <config.h>

#include "health.h"

#include "reply.h"

enum MHD_Result health(struct request *request)
{
    const struct server *server = request->server;
    double uptime = (double)(crier_now() - server->started) / 1000.0;

    return reply_json(
        request, MHD_HTTP_OK,
        json_pack("{s:s, s:s, s:f, s:I}", "status", "ok", "version",
                  crier_version(), "uptime", uptime, "clients",
                  (json_int_t)crier_shards_count(server->shards)));
}
