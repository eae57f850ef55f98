/*
 * Bad requests: each must be refused with its own status, and nothing of it
 * may come to anybody. (Whatever does come fails the check of the client that
 * gets it, for it is in no ledger.)
 */
#include <config.h>

#include "refuse.h"

#include <stdio.h>
#include <string.h>

#define TOO_LARGE (SOAK_MAX_MESSAGE + 10000)

static const struct {
    const char *method, *target, *type, *body;
    int status;
} bad[] = {
    {"POST", "/topics/plain/0", "application/json", "{refused", 400},
    {"POST", "/topics/plain/0?id=%23refused-1", "text/plain", "refused", 400},
    {"POST", "/topics/plain/0,*", "text/plain", "refused", 400},
    {"POST", "/topics/plain/0?retry=soon", "text/plain", "refused", 400},
    {"POST", "/topics/plain/0", "text/plain", "refused \xff\xfe", 400},
    {"POST", "/topics/plain/0", "text/event-stream",
     "data: refused\n\ndata: not ended", 400},
    {"POST", "/topics/$chat", "text/plain", "refused", 403},
    {"GET", "/refused", "text/plain", "", 404},
    {"DELETE", "/topics/refused", "text/plain", "", 404},
    {"PUT", "/topics/plain/0", "text/plain", "refused", 405},
    {"POST", "/topics/plain/0", "text/plain", NULL, 413},
};

void refuse_init(struct refuse *refuse, struct soak *soak)
{
    memset(refuse, 0, sizeof *refuse);
    refuse->soak = soak;
    refuse->publish.watch.fd = -1;
}

void refuse_close(struct refuse *refuse)
{
    if (refuse->open)
        publish_close(&refuse->publish);
    refuse->open = refuse->over = false;
}

static bool answered(struct publish *publish, int status, const char *answer,
                     size_t length)
{
    struct refuse *refuse = (struct refuse *)publish;
    struct soak *soak = refuse->soak;

    refuse->over = true;
    if (status == bad[refuse->which].status) {
        soak->verdict.tally[TALLY_REFUSED]++;
        return true;
    }
    return (status == 503 && soak_excused(soak, refuse->since)) ||
           verdict_broken(&soak->verdict, PROMISE_PUBLISH,
                          "%s %s was to be refused with %d: %d: %.*s",
                          bad[refuse->which].method, bad[refuse->which].target,
                          bad[refuse->which].status, status, (int)length,
                          answer);
}

static bool ended(struct publish *publish, int error)
{
    struct refuse *refuse = (struct refuse *)publish;
    struct soak *soak = refuse->soak;
    bool fair = refuse->over || soak_excused(soak, refuse->since);

    refuse_close(refuse);
    return fair ||
           verdict_broken(&soak->verdict, PROMISE_PUBLISH,
                          "crierd ended the connection instead of refusing "
                          "%s %s: %s",
                          bad[refuse->which].method,
                          bad[refuse->which].target,
                          error != 0 ? strerror(error) : "end");
}

static const struct publish_calls calls = {answered, ended};

bool refuse_tick(struct refuse *refuse, bool active, uint64_t now)
{
    static char large[TOO_LARGE];
    struct soak *soak = refuse->soak;
    const char *body;

    if (refuse->over)
        refuse_close(refuse);
    if (refuse->open || !active || !soak->up || now < refuse->due)
        return true;
    refuse->due = now + dice_ms(&soak->dice, 20, 200);
    refuse->which = dice_range(&soak->dice, 0, sizeof bad / sizeof *bad - 1);
    if (!publish_open(&refuse->publish, &soak->load, soak->server.port))
        return false;
    refuse->publish.calls = &calls;
    refuse->open = true;
    refuse->since = now;
    body = bad[refuse->which].body;
    if (body == NULL)
        body = memset(large, 'x', sizeof large);
    return publish_ask(&refuse->publish, bad[refuse->which].method,
                       bad[refuse->which].target, bad[refuse->which].type,
                       body,
                       body == large ? sizeof large : strlen(body)) &&
           publish_flush(&refuse->publish);
}
