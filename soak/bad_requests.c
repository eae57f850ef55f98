/*
 * Bad requests: each must be refused with its own status, and nothing of it may be
 * delivered. (Any delivery fails the check of its client, because the oracle does not
 * know the update.)
 */
#include <config.h>

#include "bad_requests.h"

#include <stdio.h>
#include <string.h>

#define TOO_LARGE (SOAK_MAX_UPDATE + 10000)

static const struct {
    const char *method, *target, *type, *body;
    int status;
} cases[] = {
    {"POST", "/topics/plain/0", "application/json", "{refused", 400},
    {"POST", "/topics/plain/0?id=%23refused-1", "text/plain", "refused", 400},
    {"POST", "/topics/plain/0,*", "text/plain", "refused", 400},
    {"POST", "/topics/plain/0?retry=soon", "text/plain", "refused", 400},
    {"POST", "/topics/plain/0", "text/plain", "refused \xff\xfe", 400},
    {"POST", "/topics/plain/0", "text/event-stream", "data: refused\n\ndata: not ended",
     400},
    {"POST", "/topics/$chat", "text/plain", "refused", 403},
    {"GET", "/refused", "text/plain", "", 404},
    {"DELETE", "/topics/refused", "text/plain", "", 404},
    {"PUT", "/topics/plain/0", "text/plain", "refused", 405},
    {"POST", "/topics/plain/0", "text/plain", NULL, 413},
};

void bad_requests_init(struct bad_requests *bad_requests, struct soak *soak)
{
    memset(bad_requests, 0, sizeof *bad_requests);
    bad_requests->soak = soak;
    bad_requests->publish.watch.fd = -1;
}

void bad_requests_close(struct bad_requests *bad_requests)
{
    if (bad_requests->open)
        publish_close(&bad_requests->publish);
    bad_requests->open = bad_requests->over = false;
}

static bool on_bad_request_response(struct publish *publish, int status,
                                    const char *response, size_t length)
{
    struct bad_requests *bad_requests = (struct bad_requests *)publish;
    struct soak *soak = bad_requests->soak;

    bad_requests->over = true;
    if (status == cases[bad_requests->which].status) {
        soak->invariants.tally[TALLY_REFUSED]++;
        return true;
    }
    return (status == 503 && soak_excused(soak, bad_requests->since)) ||
           invariant_broken(
               &soak->invariants, INVARIANT_PUBLISH,
               "%s %s should be refused with %d, but got %d: %.*s",
               cases[bad_requests->which].method, cases[bad_requests->which].target,
               cases[bad_requests->which].status, status, (int)length, response);
}

static bool on_bad_request_end(struct publish *publish, int error)
{
    struct bad_requests *bad_requests = (struct bad_requests *)publish;
    struct soak *soak = bad_requests->soak;
    bool fair = bad_requests->over || soak_excused(soak, bad_requests->since);

    bad_requests_close(bad_requests);
    return fair || invariant_broken(&soak->invariants, INVARIANT_PUBLISH,
                                    "crierd ended the connection instead of refusing "
                                    "%s %s: %s",
                                    cases[bad_requests->which].method,
                                    cases[bad_requests->which].target,
                                    error != 0 ? strerror(error) : "end");
}

static const struct publish_calls calls = {on_bad_request_response, on_bad_request_end};

bool bad_requests_tick(struct bad_requests *bad_requests, bool active, uint64_t now)
{
    static char large[TOO_LARGE];
    struct soak *soak = bad_requests->soak;
    const char *body;

    if (bad_requests->over)
        bad_requests_close(bad_requests);
    if (bad_requests->open || !active || !soak->up || now < bad_requests->due)
        return true;
    bad_requests->due = now + rng_ms(&soak->rng, 20, 200);
    bad_requests->which = rng_range(&soak->rng, 0, sizeof cases / sizeof *cases - 1);
    if (!publish_open(&bad_requests->publish, &soak->load, soak->server.port))
        return false;
    bad_requests->publish.calls = &calls;
    bad_requests->open = true;
    bad_requests->since = now;
    body = cases[bad_requests->which].body;
    if (body == NULL)
        body = memset(large, 'x', sizeof large);
    return publish_add_request(
               &bad_requests->publish, cases[bad_requests->which].method,
               cases[bad_requests->which].target, cases[bad_requests->which].type, body,
               body == large ? sizeof large : strlen(body)) &&
           publish_flush(&bad_requests->publish);
}
