/*
 * What crierd reports to a service manager while it serves: that it is ready, that it runs,
 * and a line on how it is.
 *
 * The watchdog is answered only when every thread of the acceptor and every shard has
 * given a sign of life since the check before. (The main thread asks, so it runs, too.) A
 * thread that hangs therefore ends the pings, and the manager restarts crierd. A journal
 * whose disk hangs does not: streams go on without it.
 *
 * A notification that the manager had no room for is lost, unless it is READY=1: without
 * that, the start would fail.
 */
#include <config.h>

#include "supervise.h"

#include "crierd/log/log.h"
#include "crierd/systemd/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The status is sent at most once in so many ms. */
#define STATUS_TIME 15000

/* Checks the threads at NOW. Where one has not answered in half of the watchdog's time, it
 * is asked for more often, in case that it answers just in time. */
static void check_threads(struct supervisor *supervisor, uint64_t now)
{
    size_t shards = crier_shards_silent(supervisor->server->shards);
    unsigned acceptors = acceptor_silent(supervisor->acceptor);
    uint64_t time = notify_watchdog();

    if (shards == 0 && acceptors == 0) {
        (void)notify_send("WATCHDOG=1");
        supervisor->watchdog = now + time / 2;
        return;
    }
    log_line(LOG_WARNING,
             "threads that do not answer: %u of the acceptor's, %zu shards", acceptors,
             shards);
    supervisor->watchdog = now + time / 8;
}

/* Writes a line on the state of the clients and of the journal to TEXT. */
static void describe_server(const struct server *server, char *text, size_t size)
{
    struct crier_status status;
    char *at;

    crier_hub_status(server->hub, &status);
    snprintf(text, size, "%zu clients; %" PRIu64 " updates published; journal (%s) %s%s",
             crier_shards_count(server->shards), status.published, status.journal,
             status.error == 0 ? "ok" : "failing: ",
             status.error == 0 ? "" : status.reason);
    for (at = text; *at != '\0'; at++)
        if (*at == '\n')
            *at = ' '; /* a new line would begin a new assignment */
}

/* Logs at NOW when a shared journal begins to fail, and when it works again. */
static void watch_journal(struct supervisor *supervisor, uint64_t now)
{
    struct crier_status status;

    crier_hub_status(supervisor->server->hub, &status);
    if (!status.shared || (status.error != 0) == (supervisor->away != 0))
        return;
    if (status.error != 0) {
        supervisor->away = now;
        log_line(LOG_WARNING,
                 "the journal (%s) cannot be written: %s; streams stay open, publishers "
                 "get 503",
                 status.journal, status.reason);
        return;
    }
    log_line(LOG_INFO, "the journal (%s) can be written again after some %" PRIu64 " s",
             status.journal, (now - supervisor->away + 999) / 1000);
    supervisor->away = 0;
}

static void send_status(struct supervisor *supervisor, uint64_t now)
{
    char text[sizeof supervisor->text];

    supervisor->status = now + STATUS_TIME;
    describe_server(supervisor->server, text, sizeof text);
    if (strcmp(text, supervisor->text) == 0)
        return;
    if (notify_send("STATUS=%s", text))
        memcpy(supervisor->text, text, sizeof text);
}

void supervise_begin(struct supervisor *supervisor, const struct server *server,
                     struct acceptor *acceptor)
{
    uint64_t now = crier_now();

    *supervisor = (struct supervisor){.server = server, .acceptor = acceptor};
    supervisor->watchdog = notify_watchdog() != 0 ? now : UINT64_MAX;
    supervise_ready(supervisor);
    supervise(supervisor, now);
}

void supervise_ready(struct supervisor *supervisor)
{
    supervisor->ready = notify_send("READY=1");
}

uint64_t supervise_due(const struct supervisor *supervisor)
{
    return supervisor->watchdog;
}

void supervise(struct supervisor *supervisor, uint64_t now)
{
    if (!supervisor->ready)
        supervise_ready(supervisor);
    watch_journal(supervisor, now);
    if (now >= supervisor->watchdog)
        check_threads(supervisor, now);
    if (now >= supervisor->status)
        send_status(supervisor, now);
}
