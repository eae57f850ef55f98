/*
 * The faults of the cluster, and how a run goes.
 *
 * A fault is a function that reads like what an operator would see: it signals a process
 * or takes a link down, goes on with the loop until so many updates have been acknowledged
 * or a time is over, and ends the fault. Nothing sleeps: clients and publishers go on
 * meanwhile, in turns of the loop.
 *
 * After each fault the site is whole again, publishers finish, each topic gets one more
 * update (its mark), all clients must receive these, and everything is checked.
 */
#include <config.h>

#include "faults.h"

#include "bench/fault.h"
#include "bench/usage.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define TICK_MS 5
#define POLL_MS 50 /* between two questions to Redis */
#define PATIENCE (60 * UINT64_C(1000000000))
#define REDIS_PATIENCE (150 * UINT64_C(1000000000)) /* sentinels may need several attempts */
#define LONG_PATIENCE 60000 /* of the sentinels, ms: they do nothing by themselves */
#define SHORT_PATIENCE 1500

/* ---- the loop ----------------------------------------------------------- */

/* Checks that no process has ended by itself. */
static bool check_processes(struct play *play, struct process *processes, size_t count)
{
    int status = 0;

    for (size_t i = 0; i < count; i++)
        if (&processes[i] != play->ending && processes[i].pid > 0 &&
            site_has_ended(&processes[i], &status))
            return fault("BROKEN: %s has ended by itself, with the status 0x%x",
                         processes[i].name, (unsigned)status);
    return true;
}

static bool run_turn(struct play *play)
{
    struct cluster *cluster = play->cluster;
    struct site *site = &cluster->site;
    uint64_t now;

    if (!load_step(&cluster->load, TICK_MS, "the cluster"))
        return false;
    now = usage_now();
    for (size_t i = 0; i < site->node_count; i++)
        if (!publisher_tick(&play->publishers[i], play->producing, play->rate, now))
            return false;
    return clients_tick(&play->clients, now) &&
           check_processes(play, site->nodes, site->node_count) &&
           check_processes(play, site->servers, site->server_count) &&
           check_processes(play, site->sentinels, site->sentinel_count);
}

static bool run_for(struct play *play, uint64_t ms)
{
    uint64_t until = usage_now() + ms * 1000000;

    while (usage_now() < until)
        if (!run_turn(play))
            return false;
    return true;
}

/* A condition that a run waits for; ARGUMENT is of its kind. */
typedef bool is_met_fn(struct play *play, uint64_t argument);

/* Runs until IS_MET returns true. */
static bool run_until(struct play *play, is_met_fn *is_met, uint64_t argument,
                      const char *what)
{
    uint64_t until = usage_now() + PATIENCE;
    size_t who = 0, lacking;

    while (!is_met(play, argument)) {
        if (usage_now() > until) {
            lacking = clients_lacking(&play->clients, play->marks, &who);
            return fault("BROKEN: after %s: timeout: %s (%zu clients lack updates, one "
                         "is %zu, on node %zu)",
                         play->doing, what, lacking, who,
                         play->clients.all[who].node + 1);
        }
        if (!run_turn(play))
            return false;
    }
    return true;
}

/* The same with a condition that asks Redis, and so is not asked in each turn. */
static bool poll_until(struct play *play, is_met_fn *is_met, uint64_t argument,
                       const char *what)
{
    uint64_t until = usage_now() + REDIS_PATIENCE;

    while (!is_met(play, argument)) {
        if (usage_now() > until)
            return fault("BROKEN: after %s: timeout: %s", play->doing, what);
        if (!run_for(play, POLL_MS))
            return false;
    }
    return true;
}

static bool has_acked(struct play *play, uint64_t count)
{
    return play->cluster->acked >= count;
}

/* Runs until COUNT more updates have been acknowledged. */
static bool run_acked(struct play *play, uint64_t count)
{
    return run_until(play, has_acked, play->cluster->acked + count,
                     "updates are acknowledged");
}

/* ---- conditions --------------------------------------------------------- */

static bool has_node_ended(struct play *play, uint64_t node)
{
    int status = 0;

    if (!site_has_ended(&play->cluster->site.nodes[node], &status))
        return false;
    if (status != 0 && !(play->signal == SIGKILL && WIFSIGNALED(status)))
        (void)fault("BROKEN: node %u has ended with the status 0x%x", (unsigned)node + 1,
                    (unsigned)status);
    return true;
}

static bool has_server_ended(struct play *play, uint64_t server)
{
    int status;

    return site_has_ended(&play->cluster->site.servers[server], &status);
}

/* Also returns true, with a fault, when the node has ended. */
static bool is_node_listening(struct play *play, uint64_t node)
{
    struct site *site = &play->cluster->site;

    return !site_keep_node(site, (size_t)node) || site_is_listening(&site->nodes[node]);
}

static bool is_master(struct play *play, uint64_t server)
{
    return site_find_master(&play->cluster->site) == (int)server;
}

static bool is_replica(struct play *play, uint64_t server)
{
    return site_is_in_sync(&play->cluster->site, (size_t)server) &&
           site_can_fail_over(&play->cluster->site);
}

static bool are_publishers_done(struct play *play, uint64_t argument)
{
    (void)argument;
    for (size_t i = 0; i < play->cluster->site.node_count; i++)
        if (!publisher_is_idle(&play->publishers[i]))
            return false;
    return true;
}

static bool are_clients_done(struct play *play, uint64_t argument)
{
    size_t who;

    (void)argument;
    return clients_lacking(&play->clients, play->marks, &who) == 0;
}

/* Reads it again at another node where it lacks what all clients have received. */
static bool is_journal_read(struct play *play, uint64_t argument)
{
    (void)argument;
    if (!play->clients.journal.complete)
        return false;
    if (clients_journal_has(&play->clients, play->marks))
        return true;
    play->behind++;
    clients_read_journal(&play->clients, POLL_MS * UINT64_C(1000000));
    return false;
}

/* ---- faults of nodes ---------------------------------------------------- */

static size_t choose_node(struct play *play)
{
    struct cluster *cluster = play->cluster;

    return (size_t)rng_range(&cluster->rng, 0, cluster->site.node_count - 1);
}

/* Ends NODE by SIGNAL, and starts it again after COUNT updates. */
static bool restart_node(struct play *play, size_t node, int signal, uint64_t count)
{
    struct site *site = &play->cluster->site;
    bool ok;

    play->ending = &site->nodes[node];
    play->signal = signal;
    ok = site_signal(&site->nodes[node], signal) &&
         run_until(play, has_node_ended, node, "the node ends") &&
         fault_text()[0] == '\0' && (count == 0 || run_acked(play, count)) &&
         site_start_node(site, node) &&
         run_until(play, is_node_listening, node, "the node listens") &&
         fault_text()[0] == '\0';
    play->ending = NULL;
    return ok;
}

static bool kill_node(struct play *play)
{
    bool alone = play->cluster->site.node_count == 1; /* nobody acknowledges meanwhile */

    return restart_node(play, choose_node(play), SIGKILL, alone ? 0 : 20) &&
           run_acked(play, 20);
}

static bool restart_nodes(struct play *play)
{
    for (size_t i = 0; i < play->cluster->site.node_count; i++)
        if (!restart_node(play, i, SIGTERM, 0) || !run_acked(play, 20))
            return false;
    return true;
}

static bool cut_node(struct play *play)
{
    const struct place *place = &play->cluster->site.nodes[choose_node(play)].place;

    return net_set_link(place, false) &&
           run_for(play, rng_range(&play->cluster->rng, 100, play->stop_ms)) &&
           net_set_link(place, true) && run_acked(play, 20);
}

/* ---- faults of Redis ---------------------------------------------------- */

static bool have_agreed(struct play *play, uint64_t argument)
{
    (void)argument;
    play->master = site_find_master(&play->cluster->site);
    return play->master >= 0;
}

/* Returns which server is the master; -1, with a fault, if none is. */
static int find_master(struct play *play)
{
    return poll_until(play, have_agreed, 0, "the sentinels agree") ? play->master : -1;
}

/* Kills the server, and waits until it has ended. */
static bool kill_server(struct play *play, size_t server)
{
    struct site *site = &play->cluster->site;
    bool ok;

    play->ending = &site->servers[server];
    ok = site_signal(&site->servers[server], SIGKILL) &&
         run_until(play, has_server_ended, server, "Redis ends");
    play->ending = NULL;
    return ok;
}

static bool kill_redis(struct play *play)
{
    int master = find_master(play);

    return master >= 0 && kill_server(play, (size_t)master) &&
           run_for(play, rng_range(&play->cluster->rng, 0, play->stop_ms)) &&
           site_start_server(&play->cluster->site, (size_t)master) &&
           run_acked(play, 50) &&
           poll_until(play, is_replica, 1 - (uint64_t)master, "the replica follows");
}

static bool stop_redis(struct play *play)
{
    struct site *site = &play->cluster->site;
    int master = find_master(play);

    return master >= 0 && site_signal(&site->servers[master], SIGSTOP) &&
           run_for(play, play->stop_ms) &&
           site_signal(&site->servers[master], SIGCONT) && run_acked(play, 50);
}

static bool cut_replica(struct play *play)
{
    struct site *site = &play->cluster->site;
    int master = find_master(play);

    return master >= 0 && net_set_link(&site->servers[1 - master].place, false) &&
           run_for(play, rng_range(&play->cluster->rng, 100, play->stop_ms)) &&
           net_set_link(&site->servers[1 - master].place, true) &&
           run_acked(play, 50) &&
           poll_until(play, is_replica, 1 - (uint64_t)master, "the replica follows");
}

/* ---- failovers ---------------------------------------------------------- */

/* What Redis has acknowledged may be lost now, unless a replica had to have it. */
static void expect_loss(struct play *play)
{
    struct cluster *cluster = play->cluster;

    oracle_expect_loss(&cluster->oracle, cluster->site.settings.wait == 0);
}

static bool may_fail_over(struct play *play, uint64_t argument)
{
    (void)argument;
    return site_can_fail_over(&play->cluster->site);
}

/* Asks for a failover from the server MASTER until the sentinels have made it: one that takes too
 * long is given up. */
static bool has_failed_over(struct play *play, uint64_t master)
{
    site_fail_over(&play->cluster->site, (int)master);
    return is_master(play, 1 - master);
}

static bool is_patience_set(struct play *play, uint64_t ms)
{
    return site_set_patience(&play->cluster->site, (unsigned)ms);
}

static bool set_patience(struct play *play, unsigned ms)
{
    return poll_until(play, is_patience_set, ms, "the sentinels take an option");
}

static bool is_flushed(struct play *play, uint64_t server)
{
    return site_flush(&play->cluster->site, (size_t)server);
}

static bool make_follow(struct play *play, uint64_t server)
{
    return site_follow(&play->cluster->site, (size_t)server);
}

/* Waits until SERVER, which was the master and runs again, is a replica. */
static bool await_replica(struct play *play, int server)
{
    return (!play->hurry ||
            poll_until(play, make_follow, (uint64_t)server, "the old master obeys")) &&
           poll_until(play, is_replica, (uint64_t)server, "the old master follows") &&
           run_acked(play, 50);
}

/* While there is no replica, updates are acknowledged unless they have to wait for it. */
static bool run_without_replica(struct play *play)
{
    return play->cluster->site.settings.wait != 0 || run_acked(play, 50);
}

static bool fail_over(struct play *play)
{
    int master = find_master(play);

    expect_loss(play);
    return master >= 0 &&
           poll_until(play, has_failed_over, (uint64_t)master, "the replica is the master") &&
           run_without_replica(play) && await_replica(play, master);
}

/* Waits for a failover that the sentinels make by themselves from MASTER. */
static bool await_failover(struct play *play, int master)
{
    return poll_until(play, is_master, 1 - (uint64_t)master, "the replica is the master") &&
           set_patience(play, LONG_PATIENCE) &&
           run_without_replica(play);
}

static bool kill_master(struct play *play)
{
    struct site *site = &play->cluster->site;
    int master = find_master(play);

    expect_loss(play);
    return master >= 0 && set_patience(play, SHORT_PATIENCE) &&
           kill_server(play, (size_t)master) && await_failover(play, master) &&
           site_start_server(site, (size_t)master) &&
           await_replica(play, master);
}

static bool cut_master(struct play *play)
{
    struct site *site = &play->cluster->site;
    int master = find_master(play);

    expect_loss(play);
    return master >= 0 && set_patience(play, SHORT_PATIENCE) &&
           net_set_link(&site->servers[master].place, false) &&
           await_failover(play, master) &&
           net_set_link(&site->servers[master].place, true) &&
           await_replica(play, master);
}

/* A replica that lacks acknowledged updates becomes the master. It is started again while it
 * is cut off: otherwise the kernel of the dead master would send it what is missing. */
static bool promote_stale(struct play *play)
{
    struct site *site = &play->cluster->site;
    int master = find_master(play);
    size_t replica = (size_t)(1 - master);

    expect_loss(play);
    return master >= 0 && net_set_link(&site->servers[replica].place, false) &&
           (site->settings.wait != 0 ? run_for(play, 500) : run_acked(play, 50)) &&
           kill_server(play, replica) && kill_server(play, (size_t)master) &&
           site_start_server(site, replica) &&
           net_set_link(&site->servers[replica].place, true) &&
           set_patience(play, SHORT_PATIENCE) && await_failover(play, master) &&
           site_start_server(site, (size_t)master) && await_replica(play, master);
}

static bool flush_redis(struct play *play)
{
    int master = find_master(play);

    oracle_expect_loss(&play->cluster->oracle, true);
    return master >= 0 &&
           poll_until(play, is_flushed, (uint64_t)master, "Redis is emptied") &&
           run_acked(play, 50);
}

/* ---- the table of faults ------------------------------------------------ */

static const struct fault_kind {
    const char *name;
    bool (*inject)(struct play *play);
    bool redis; /* of Redis, which has to be there */
    bool apart; /* needs a network of our own */
    bool renews; /* a new epoch and a gap for all must follow */
} fault_kinds[] = {
    {"kill-node", kill_node, false, false, false},
    {"rolling-restart", restart_nodes, false, false, false},
    {"cut-node", cut_node, true, true, false},
    {"kill-redis", kill_redis, true, false, false},
    {"stop-redis", stop_redis, true, false, false},
    {"cut-replica", cut_replica, true, true, false},
    {"failover", fail_over, true, false, false},
    {"kill-master", kill_master, true, false, false},
    {"cut-master", cut_master, true, true, false},
    {"stale-replica", promote_stale, true, true, false},
    {"flushall", flush_redis, true, false, true},
};
#define FAULT_KINDS (sizeof fault_kinds / sizeof *fault_kinds)

void play_print_faults(void)
{
    for (size_t i = 0; i < FAULT_KINDS; i++)
        printf(" %s", fault_kinds[i].name);
}

/* ---- a run -------------------------------------------------------------- */

/* Lets everything that is published arrive, and checks it. */
static bool settle_and_check(struct play *play)
{
    struct cluster *cluster = play->cluster;
    uint32_t topics = cluster->oracle.topics;
    size_t nodes = cluster->site.node_count;

    play->producing = false;
    if (!run_until(play, are_publishers_done, 0, "publishers finish"))
        return false;
    for (uint32_t topic = 0; topic < topics; topic++) {
        play->marks[topic] = publisher_mark(&play->publishers[topic % nodes], topic);
        if (play->marks[topic] == 0)
            return false;
    }
    if (!run_until(play, are_publishers_done, 0, "publishers finish") ||
        !run_until(play, are_clients_done, 0, "clients receive the last updates"))
        return false;
    clients_read_journal(&play->clients, 0);
    if (!run_until(play, is_journal_read, 0, "the journal is read") ||
        !clients_check(&play->clients, play->marks))
        return false;
    play->producing = true;
    return true;
}

static void print_fault(const struct play *play, const struct fault_kind *kind,
                        uint64_t gaps, uint64_t losses)
{
    const struct cluster *cluster = play->cluster;

    printf("%-16s publishing works after %6.0f ms; clients without updates for %6.0f ms "
           "(median), %6.0f ms (all); %5.1f s; %llu gaps, %llu lost\n",
           kind->name, (double)(cluster->works_at - cluster->fault_at) / 1e6,
           histogram_at(&cluster->silence, 0.5) / 1e6,
           histogram_at(&cluster->silence, 1) / 1e6,
           (double)(usage_now() - cluster->fault_at) / 1e9,
           (unsigned long long)(cluster->oracle.gaps - gaps),
           (unsigned long long)(cluster->oracle.losses - losses));
    fflush(stdout);
}

/* Checks that the journal has another epoch than before the fault, and that all clients
 * have been told a gap. */
static bool check_renewal(const struct play *play, const char *epoch)
{
    const struct cluster *cluster = play->cluster;
    size_t silent = clients_without_gap(&play->clients, cluster->fault_at);

    return (silent == 0 ||
            fault("BROKEN: %zu clients were told no gap after %s", silent, play->doing)) &&
           (strcmp(epoch, cluster->epoch) != 0 ||
            fault("BROKEN: after %s the epoch is still %s", play->doing, epoch));
}

static bool inject_fault(struct play *play, const struct fault_kind *kind)
{
    const struct oracle *oracle = &play->cluster->oracle;
    uint64_t gaps = oracle->gaps, losses = oracle->losses;
    unsigned behind = play->behind;
    char epoch[CLUSTER_EPOCH_SIZE];

    memcpy(epoch, play->cluster->epoch, sizeof epoch);
    play->doing = kind->name;
    if (kind->redis && !poll_until(play, may_fail_over, 0, "the sentinels are ready"))
        return false;
    if (!run_acked(play, rng_range(&play->cluster->rng, 20, 60)))
        return false;
    clients_begin_fault(&play->clients);
    if (!kind->inject(play) || !settle_and_check(play) ||
        (kind->renews && !check_renewal(play, epoch)))
        return false;
    print_fault(play, kind, gaps, losses);
    if (play->behind != behind)
        printf("  the journal was read %u times at a node that was behind\n",
               play->behind - behind);
    return true;
}

static bool is_possible(const struct play *play, const struct fault_kind *kind,
                        const char *only)
{
    const struct site_settings *settings = &play->cluster->site.settings;

    return (!kind->redis || settings->journal == SITE_REDIS) &&
           (!kind->apart || settings->apart) &&
           (only == NULL || strcmp(only, kind->name) == 0);
}

/* Injects each fault once, in random order. */
static bool inject_all(struct play *play, const char *only)
{
    size_t order[FAULT_KINDS], count = 0, other;

    for (size_t i = 0; i < FAULT_KINDS; i++)
        if (is_possible(play, &fault_kinds[i], only))
            order[count++] = i;
    if (count == 0)
        return fault("no such fault is possible here");
    for (size_t i = 0; i < count; i++) {
        other = (size_t)rng_range(&play->cluster->rng, i, count - 1);
        if (!inject_fault(play, &fault_kinds[order[other]]))
            return false;
        order[other] = order[i];
    }
    return true;
}

bool play_run(struct play *play, uint64_t until, const char *only)
{
    do
        if (!inject_all(play, only))
            return false;
    while (usage_now() < until);
    return true;
}

bool play_begin(struct play *play)
{
    play->producing = true;
    play->doing = "the start";
    return run_acked(play, 50) && settle_and_check(play);
}

bool play_quietly(struct play *play)
{
    play->doing = "publishing quietly";
    return run_acked(play, 300) && settle_and_check(play);
}
