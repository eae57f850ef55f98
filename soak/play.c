/*
 * The run: cycles of the same length and the same mix. In each there is a
 * storm of all that clients and publishers do; then publishers finish, all who
 * read must get everything, all leave, and the quiet point is taken.
 *
 * In the first quarter of the cycles crierd is ended in the middle of the
 * storm, by SIGTERM and by SIGKILL in turns, and started again with its
 * journal. After that it lives to the end of the run, where it is told to end
 * while all are with it.
 */
#include <config.h>

#include "play.h"

#include "bench/fault.h"
#include "bench/usage.h"
#include "crowd.h"
#include "press.h"
#include "refuse.h"
#include "subs.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#define SECOND UINT64_C(1000000000)
#define TICK_MS 5
#define CYCLE_MAX 8 /* s */
#define CYCLES_MIN 4
#define STORM_SHARE 80 /* % of a cycle; the rest is for becoming quiet */
/* A crier that lost crierd waits up to 5 s by its goodbye, half of it more by
 * chance, and twice as long when it came too early. */
#define PATIENCE (60 * SECOND)
#define FILES_PATIENCE (35 * SECOND) /* silent connections have 30 s */
#define QUIET_MS 200

struct stage {
    struct soak *soak;
    struct record *record;
    struct crowd crowd;
    struct subs subs;
    struct press presses[LANES];
    struct refuse refuse;
    uint64_t killed; /* when it was told to end, ns */
};

/* ---- crierd's life ---------------------------------------------------- */

static void began(struct stage *stage)
{
    stage->soak->up = true;
    stage->soak->disturbed = usage_now();
}

static bool end_crierd(struct stage *stage, bool crash)
{
    struct soak *soak = stage->soak;

    soak->up = false;
    soak->told = !crash;
    stage->killed = soak->disturbed = usage_now();
    soak->verdict.tally[crash ? TALLY_CRASHES : TALLY_TERMS]++;
    (void)kill(soak->server.pid, crash ? SIGKILL : SIGTERM);
    return record_mark(stage->record, crash);
}

/* Whether crierd has ended; *WELL is false when that went wrong. */
static bool has_ended(struct stage *stage, bool *well)
{
    struct soak *soak = stage->soak;
    int status = 0;

    *well = true;
    if (!server_gone(&soak->server, &status)) {
        if (!soak->up && usage_now() - stage->killed > PATIENCE)
            *well = verdict_broken(&soak->verdict, PROMISE_LIFE,
                                   "crierd does not end");
        return false;
    }
    if (soak->up || (soak->told &&
                     !(WIFEXITED(status) && WEXITSTATUS(status) == 0)))
        *well = verdict_broken(&soak->verdict, PROMISE_LIFE,
                               "crierd ended %s with status 0x%x",
                               soak->up ? "by itself" : "when told to",
                               (unsigned)status);
    return true;
}

static bool start_again(struct stage *stage)
{
    struct soak *soak = stage->soak;

    if (!server_again(&soak->settings, &soak->server))
        return verdict_broken(&soak->verdict, PROMISE_LIFE,
                              "crierd does not start again");
    began(stage);
    return true;
}

/* ---- the loop --------------------------------------------------------- */

/* One turn: everybody does what is due. */
static bool turn(struct stage *stage, bool storm)
{
    struct soak *soak = stage->soak;
    uint64_t now;

    if (!load_step(&soak->load, TICK_MS, "the soak"))
        return false;
    now = usage_now();
    for (int lane = 0; lane < LANES; lane++)
        if (!press_tick(&stage->presses[lane], storm, now))
            return false;
    return refuse_tick(&stage->refuse, storm, now) &&
           crowd_tick(&stage->crowd, !storm, now) &&
           subs_tick(&stage->subs, !storm, now) &&
           record_tick(stage->record, now);
}

/* A storm until END; crierd is ended at RESTART (0: not at all). */
static bool storm(struct stage *stage, uint64_t end, uint64_t restart,
                  bool crash)
{
    bool well = true;

    crowd_invite(&stage->crowd, usage_now());
    while (usage_now() < end || !stage->soak->up) {
        if (restart != 0 && usage_now() >= restart) {
            restart = 0;
            if (!end_crierd(stage, crash))
                return false;
        }
        if (has_ended(stage, &well) && well)
            well = start_again(stage);
        if (!well || !turn(stage, true))
            return false;
    }
    return true;
}

static bool pressed(const struct stage *stage, char *who, size_t room)
{
    for (int lane = 0; lane < LANES; lane++)
        if (!press_idle(&stage->presses[lane])) {
            snprintf(who, room, "the publisher %s waits for answers",
                     ledger_lane((enum lane)lane));
            return false;
        }
    return true;
}

/* Publishers finish, and all get what they must have. */
static bool settle(struct stage *stage)
{
    struct soak *soak = stage->soak;
    uint64_t until = usage_now() + PATIENCE;
    char who[128] = "";
    bool well;

    while (!pressed(stage, who, sizeof who) || stage->refuse.open ||
           !crowd_complete(&stage->crowd, who, sizeof who) ||
           !subs_complete(&stage->subs, who, sizeof who)) {
        if (usage_now() > until)
            return verdict_broken(&soak->verdict, PROMISE_ALL,
                                  "in vain: %s", who);
        if (has_ended(stage, &well) || !turn(stage, false))
            return false;
    }
    return true;
}

/* Waits until crierd has closed what the clients have closed. */
static bool wait_for_files(const struct stage *stage)
{
    struct soak *soak = stage->soak;
    uint64_t until = usage_now() + FILES_PATIENCE;
    size_t files;

    do {
        if (!load_linger(&soak->load, QUIET_MS) ||
            !record_tick(stage->record, usage_now()))
            return false;
        files = usage_files(soak->server.pid);
    } while (files > stage->record->files && usage_now() < until);
    return files != 0;
}

/* All go away, and crierd has time to notice. */
static bool become_quiet(struct stage *stage)
{
    crowd_leave(&stage->crowd);
    for (int lane = 0; lane < LANES; lane++)
        press_close(&stage->presses[lane]);
    refuse_close(&stage->refuse);
    if (!subs_leave(&stage->subs) || !wait_for_files(stage))
        return false;
    return record_tick(stage->record, usage_now()) &&
           record_quiet(stage->record);
}

/* crierd is told to end while all are with it. */
static bool farewell(struct stage *stage)
{
    bool well;

    if (!end_crierd(stage, false))
        return false;
    stage->record->mark_count--; /* it is not started again */
    while (!has_ended(stage, &well))
        if (!well || !turn(stage, false))
            return false;
    /* What it said last may still be in the sockets. */
    return well && load_linger(&stage->soak->load, 100);
}

/* crierd has just been started: what it has open when nobody has been there?
 * */
static bool count_files(struct stage *stage)
{
    struct soak *soak = stage->soak;
    struct publish publish;
    size_t before = 0;
    bool well;

    /* An answer says that all of it has been started; and what reads the
     * journal opens a file when it first does. */
    well = publish_open(&publish, &soak->load, soak->server.port) &&
           publish_ask(&publish, "GET", "/topics", "text/plain", "", 0) &&
           publish_flush(&publish) && publish_wait(&publish, 0);
    publish_close(&publish);
    stage->record->files = usage_files(soak->server.pid);
    while (well && stage->record->files != before) {
        before = stage->record->files;
        well = load_linger(&soak->load, QUIET_MS);
        stage->record->files = usage_files(soak->server.pid);
    }
    return well;
}

static bool play_cycles(struct stage *stage, unsigned seconds)
{
    uint64_t whole = seconds * SECOND, begun = usage_now(), start, end;
    unsigned count = seconds / CYCLE_MAX, restarts;

    if (count < CYCLES_MIN)
        count = CYCLES_MIN;
    restarts = count / 4 < 2 ? 2 : count / 4;
    for (unsigned i = 0; i < count; i++) {
        start = usage_now();
        end = begun + whole * i / count + whole / count * STORM_SHARE / 100;
        if (end < start + SECOND) /* the one before took long */
            end = start + SECOND;
        fprintf(stderr, "\r%5.0f s  cycle %u of %u  ",
                (double)(start - begun) / 1e9, i + 1, count);
        if (!storm(stage, end, i < restarts ? start + (end - start) / 2 : 0,
                   i % 2 != 0) ||
            !settle(stage) || (i != count - 1 && !become_quiet(stage)))
            return false;
    }
    return farewell(stage);
}

bool play(struct soak *soak, struct record *record,
          const struct play_size *size)
{
    static struct stage stage;
    bool well;

    stage = (struct stage){.soak = soak, .record = record};
    for (int lane = 0; lane < LANES; lane++)
        press_init(&stage.presses[lane], soak, (enum lane)lane);
    refuse_init(&stage.refuse, soak);
    well = load_open(&soak->load, (unsigned)(2 * PATIENCE / SECOND)) &&
           ledger_open(&soak->ledger) &&
           crowd_open(&stage.crowd, soak, size->clients) &&
           subs_open(&stage.subs, soak, size->crier, size->subs) &&
           server_start(SERVER_CRIERD_SQLITE, &soak->settings,
                        &soak->server);
    if (well) {
        began(&stage);
        well = count_files(&stage) && play_cycles(&stage, size->seconds);
        well = server_stop(&soak->server) && well;
    }
    fputc('\n', stderr);
    for (int lane = 0; lane < LANES; lane++)
        press_done(&stage.presses[lane]);
    refuse_close(&stage.refuse);
    subs_close(&stage.subs);
    crowd_close(&stage.crowd);
    ledger_close(&soak->ledger);
    load_close(&soak->load);
    return well;
}
