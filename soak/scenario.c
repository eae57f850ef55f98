/*
 * The scenario: cycles of the same length and mix. Each has a storm of what clients and
 * publishers do. Then the publishers finish, all reading clients must receive
 * everything, all clients disconnect, and the quiet point is recorded.
 *
 * In the first quarter of the cycles crierd is stopped in the middle of the storm, by
 * SIGTERM and SIGKILL in turns, and started again with its journal. After that it runs
 * until the end, when it gets a SIGTERM with all clients connected.
 */
#include <config.h>

#include "scenario.h"

#include "bench/fault.h"
#include "bench/usage.h"
#include "clients.h"
#include "publisher.h"
#include "bad_requests.h"
#include "subs.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#define SECOND UINT64_C(1000000000)
#define TICK_MS 5
#define CYCLE_MAX 8 /* s */
#define CYCLES_MIN 4
#define STORM_SHARE 80 /* % of a cycle; the rest is for becoming quiet */
/* A crier whose crierd has gone waits up to 5 s after a goodbye, plus a random half,
 * and twice as long after reconnecting too early. */
#define PATIENCE (60 * SECOND)
#define FILES_PATIENCE (35 * SECOND) /* silent connections are closed after 30 s */
#define QUIET_MS 200

struct scenario {
    struct soak *soak;
    struct samples *samples;
    struct clients clients;
    struct subs subs;
    struct publisher publishers[SERIES_COUNT];
    struct bad_requests bad_requests;
    uint64_t killed; /* when it was signalled, ns */
};

/* ---- starting and stopping crierd --------------------------------------- */

static void mark_start(struct scenario *scenario)
{
    scenario->soak->up = true;
    scenario->soak->disturbed = usage_now();
}

static bool end_crierd(struct scenario *scenario, bool crash)
{
    struct soak *soak = scenario->soak;

    soak->up = false;
    soak->terminated = !crash;
    scenario->killed = soak->disturbed = usage_now();
    soak->invariants.tally[crash ? TALLY_CRASHES : TALLY_TERMS]++;
    (void)kill(soak->server.pid, crash ? SIGKILL : SIGTERM);
    return samples_add_restart(scenario->samples, crash);
}

/* Returns whether crierd has exited; sets *WELL to false if it should not have. */
static bool has_ended(struct scenario *scenario, bool *ok)
{
    struct soak *soak = scenario->soak;
    int status = 0;

    *ok = true;
    if (!server_has_exited(&soak->server, &status)) {
        if (!soak->up && usage_now() - scenario->killed > PATIENCE)
            *ok = invariant_broken(&soak->invariants, INVARIANT_LIFE,
                                   "crierd does not exit");
        return false;
    }
    if (soak->up ||
        (soak->terminated && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)))
        *ok = invariant_broken(
            &soak->invariants, INVARIANT_LIFE, "crierd exited %s with status 0x%x",
            soak->up ? "by itself" : "after the signal", (unsigned)status);
    return true;
}

static bool start_again(struct scenario *scenario)
{
    struct soak *soak = scenario->soak;

    if (!server_restart(&soak->settings, &soak->server))
        return invariant_broken(&soak->invariants, INVARIANT_LIFE,
                                "crierd does not start again");
    mark_start(scenario);
    return true;
}

/* ---- the loop ----------------------------------------------------------- */

/* One turn of the loop: runs whatever is due. */
static bool run_turn(struct scenario *scenario, bool storm)
{
    struct soak *soak = scenario->soak;
    uint64_t now;

    if (!load_step(&soak->load, TICK_MS, "the soak"))
        return false;
    now = usage_now();
    for (int series = 0; series < SERIES_COUNT; series++)
        if (!publisher_tick(&scenario->publishers[series], storm, now))
            return false;
    return bad_requests_tick(&scenario->bad_requests, storm, now) &&
           clients_tick(&scenario->clients, !storm, now) &&
           subs_tick(&scenario->subs, !storm, now) &&
           samples_tick(scenario->samples, now);
}

/* Runs a storm until END; stops crierd at RESTART (0: not at all). */
static bool run_storm(struct scenario *scenario, uint64_t end, uint64_t restart,
                      bool crash)
{
    bool ok = true;

    clients_begin_cycle(&scenario->clients, usage_now());
    while (usage_now() < end || !scenario->soak->up) {
        if (restart != 0 && usage_now() >= restart) {
            restart = 0;
            if (!end_crierd(scenario, crash))
                return false;
        }
        if (has_ended(scenario, &ok) && ok)
            ok = start_again(scenario);
        if (!ok || !run_turn(scenario, true))
            return false;
    }
    return true;
}

static bool are_publishers_idle(const struct scenario *scenario, char *reason,
                                size_t size)
{
    for (int series = 0; series < SERIES_COUNT; series++)
        if (!publisher_idle(&scenario->publishers[series])) {
            snprintf(reason, size, "the publisher %s waits for responses",
                     oracle_series_name((enum series)series));
            return false;
        }
    return true;
}

/* Waits until publishers have finished and all clients have received what they must. */
static bool settle_clients(struct scenario *scenario)
{
    struct soak *soak = scenario->soak;
    uint64_t until = usage_now() + PATIENCE;
    char reason[128] = "";
    bool ok;

    while (!are_publishers_idle(scenario, reason, sizeof reason) ||
           scenario->bad_requests.open ||
           !clients_complete(&scenario->clients, reason, sizeof reason) ||
           !subs_complete(&scenario->subs, reason, sizeof reason)) {
        if (usage_now() > until)
            return invariant_broken(&soak->invariants, INVARIANT_ALL, "timeout: %s",
                                    reason);
        if (has_ended(scenario, &ok) || !run_turn(scenario, false))
            return false;
    }
    return true;
}

/* Waits until crierd has closed what the clients have closed. */
static bool wait_for_files(const struct scenario *scenario)
{
    struct soak *soak = scenario->soak;
    uint64_t until = usage_now() + FILES_PATIENCE;
    size_t files;

    do {
        if (!load_linger(&soak->load, QUIET_MS) ||
            !samples_tick(scenario->samples, usage_now()))
            return false;
        files = usage_files(soak->server.pid);
    } while (files > scenario->samples->files && usage_now() < until);
    return files != 0;
}

/* Disconnects all clients and waits until crierd has noticed. */
static bool become_quiet(struct scenario *scenario)
{
    clients_disconnect_all(&scenario->clients);
    for (int series = 0; series < SERIES_COUNT; series++)
        publisher_close(&scenario->publishers[series]);
    bad_requests_close(&scenario->bad_requests);
    if (!subs_kill(&scenario->subs) || !wait_for_files(scenario))
        return false;
    return samples_tick(scenario->samples, usage_now()) &&
           samples_add_quiet_point(scenario->samples);
}

/* Stops crierd while all clients are connected. */
static bool end_with_clients(struct scenario *scenario)
{
    bool ok;

    if (!end_crierd(scenario, false))
        return false;
    scenario->samples->mark_count--; /* it is not started again */
    while (!has_ended(scenario, &ok))
        if (!ok || !run_turn(scenario, false))
            return false;
    /* the last bytes may still be in the sockets */
    return ok && load_linger(&scenario->soak->load, 100);
}

/* Counts the descriptors that crierd, just started, has open without clients. */
static bool count_files(struct scenario *scenario)
{
    struct soak *soak = scenario->soak;
    struct publish publish;
    size_t before = 0;
    bool ok;

    /* A response shows that it has started completely. The journal opens a file at its
     * first read. */
    ok = publish_open(&publish, &soak->load, soak->server.port) &&
         publish_add_request(&publish, "GET", "/topics", "text/plain", "", 0) &&
         publish_flush(&publish) && publish_wait(&publish, 0);
    publish_close(&publish);
    scenario->samples->files = usage_files(soak->server.pid);
    while (ok && scenario->samples->files != before) {
        before = scenario->samples->files;
        ok = load_linger(&soak->load, QUIET_MS);
        scenario->samples->files = usage_files(soak->server.pid);
    }
    return ok;
}

static bool run_cycles(struct scenario *scenario, unsigned seconds)
{
    uint64_t whole = seconds * SECOND, begun = usage_now(), start, end;
    unsigned count = seconds / CYCLE_MAX, restarts;

    if (count < CYCLES_MIN)
        count = CYCLES_MIN;
    restarts = count / 4 < 2 ? 2 : count / 4;
    for (unsigned i = 0; i < count; i++) {
        start = usage_now();
        end = begun + whole * i / count + whole / count * STORM_SHARE / 100;
        if (end < start + SECOND) /* the previous cycle took long */
            end = start + SECOND;
        fprintf(stderr, "\r%5.0f s  cycle %u of %u  ", (double)(start - begun) / 1e9,
                i + 1, count);
        if (!run_storm(scenario, end, i < restarts ? start + (end - start) / 2 : 0,
                       i % 2 != 0) ||
            !settle_clients(scenario) || (i != count - 1 && !become_quiet(scenario)))
            return false;
    }
    return end_with_clients(scenario);
}

bool scenario_run(struct soak *soak, struct samples *samples,
                  const struct scenario_size *size)
{
    static struct scenario scenario;
    bool ok;

    scenario = (struct scenario){.soak = soak, .samples = samples};
    for (int series = 0; series < SERIES_COUNT; series++)
        publisher_init(&scenario.publishers[series], soak, (enum series)series);
    bad_requests_init(&scenario.bad_requests, soak);
    ok = load_open(&soak->load, (unsigned)(2 * PATIENCE / SECOND)) &&
         oracle_open(&soak->oracle) &&
         clients_open(&scenario.clients, soak, size->clients) &&
         subs_open(&scenario.subs, soak, size->crier, size->subs) &&
         server_start(SERVER_CRIERD_SQLITE, &soak->settings, &soak->server);
    if (ok) {
        mark_start(&scenario);
        ok = count_files(&scenario) && run_cycles(&scenario, size->seconds);
        ok = server_stop(&soak->server) && ok;
    }
    fputc('\n', stderr);
    for (int series = 0; series < SERIES_COUNT; series++)
        publisher_done(&scenario.publishers[series]);
    bad_requests_close(&scenario.bad_requests);
    subs_close(&scenario.subs);
    clients_close(&scenario.clients);
    oracle_close(&soak->oracle);
    load_close(&soak->load);
    return ok;
}
