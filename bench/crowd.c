/*
 * Subscribers in processes of their own, one for each node: a process may open only so
 * many files. They check deliveries as all clients do (clients.c).
 *
 * A process has its loop and its clients in memory that it shares with the generator, which
 * reads them there: whether there is progress, and, when nothing is in flight, counts and
 * latencies. Through a socket the generator sends commands of one byte, and the process
 * answers each with that byte; it sends another byte for each update that all of its
 * clients have. A process that meets a fault leaves its text in the shared memory and ends.
 *
 * A process expects one update at a time: the generator publishes the next one when all
 * processes have the last.
 *
 * All processes run on the generator's CPU.
 */
#include <config.h>

#include "crowd.h"

#include "base/container_of.h"
#include "fault.h"
#include "usage.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECT 'c'
#define RESET 'r'
#define UPDATE 'u'

/* The generator notices a lack of progress; the processes wait for it without end. */
#define PATIENCE 1000000 /* s */

struct crowd_share {
    struct load load;
    struct clients clients;
    struct watch control;
    uint64_t reported; /* updates */
    char fault[256];
};

/* ---- the process -------------------------------------------------------- */

static bool send_byte(struct crowd_share *share, char byte)
{
    return send(share->control.fd, &byte, 1, MSG_NOSIGNAL) == 1 ||
           fault("the generator has ended");
}

static bool on_command(struct watch *watch, uint32_t events)
{
    struct crowd_share *share = CRIER__CONTAINER_OF(watch, struct crowd_share, control);
    char byte;

    (void)events;
    if (recv(watch->fd, &byte, 1, 0) != 1)
        return fault("the generator has ended");
    if (byte == RESET)
        clients_reset(&share->clients);
    else if (!clients_connect(&share->clients))
        return false;
    return send_byte(share, byte);
}

/* Reports the updates that all clients have, and expects the next one. */
static bool report_updates(struct crowd_share *share)
{
    while (share->reported < share->clients.complete) {
        share->reported++;
        if (!clients_expect(&share->clients, 0) || !send_byte(share, UPDATE))
            return false;
    }
    return true;
}

static bool run_clients(struct crowd_share *share)
{
    if (!load_open(&share->load, PATIENCE) ||
        !clients_open(&share->clients, &share->load) ||
        !clients_expect(&share->clients, 0) ||
        !load_watch(&share->load, &share->control, EPOLLIN))
        return false;
    while (load_step(&share->load, 1000, "clients of the crowd"))
        if (!report_updates(share))
            return false;
    return false;
}

static _Noreturn void run_crowd_process(struct crowd_share *share, int control, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    share->control = (struct watch){.fd = control, .ready = on_command};
    if (getppid() == parent)
        (void)run_clients(share);
    snprintf(share->fault, sizeof share->fault, "%s", fault_text());
    _exit(1);
}

/* ---- the generator ------------------------------------------------------ */

static bool on_process_ready(struct watch *watch, uint32_t events)
{
    struct crowd_process *process = (struct crowd_process *)watch;
    char bytes[64];
    ssize_t got = recv(watch->fd, bytes, sizeof bytes, 0);

    (void)events;
    if (got <= 0)
        return fault("clients have ended: %s", process->share->fault);
    for (ssize_t i = 0; i < got; i++)
        if (bytes[i] == UPDATE)
            process->updates++;
        else
            process->answers++;
    return true;
}

bool crowd_add(struct crowd *crowd, struct load *load, const struct clients *clients)
{
    struct crowd_process *process = &crowd->processes[crowd->count];
    pid_t parent = getpid();
    int ends[2];

    crowd->load = load;
    process->share = mmap(NULL, sizeof *process->share, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (process->share == MAP_FAILED ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        process->share = NULL;
        return fault("cannot start clients: %s", strerror(errno));
    }
    crowd->count++;
    process->share->clients = *clients;
    process->watch = (struct watch){.fd = ends[0], .ready = on_process_ready};
    process->pid = fork();
    if (process->pid == 0)
        run_crowd_process(process->share, ends[1], parent);
    close(ends[1]);
    return (process->pid > 0 || fault("fork: %s", strerror(errno))) &&
           load_watch(load, &process->watch, EPOLLIN);
}

/* Handles what is ready. The processes' progress is that of the run. */
static bool step_crowd(struct crowd *crowd, const char *what)
{
    uint64_t progress = 0;

    for (unsigned i = 0; i < crowd->count; i++)
        progress += crowd->processes[i].share->load.progress;
    crowd->load->progress = progress;
    return load_step(crowd->load, 100, what);
}

/* Has all processes obey a command. */
static bool run_command(struct crowd *crowd, char byte)
{
    crowd->commands++;
    for (unsigned i = 0; i < crowd->count; i++)
        if (send(crowd->processes[i].watch.fd, &byte, 1, MSG_NOSIGNAL) != 1)
            return fault("clients have ended: %s", crowd->processes[i].share->fault);
    for (unsigned i = 0; i < crowd->count; i++)
        while (crowd->processes[i].answers < crowd->commands)
            if (!step_crowd(crowd, "clients of the crowd connect"))
                return false;
    return true;
}

bool crowd_connect(struct crowd *crowd) { return run_command(crowd, CONNECT); }

bool crowd_reset(struct crowd *crowd) { return run_command(crowd, RESET); }

bool crowd_wait(struct crowd *crowd, uint64_t count)
{
    for (unsigned i = 0; i < crowd->count; i++)
        while (crowd->processes[i].updates < count)
            if (!step_crowd(crowd, "an update is not at every client of the crowd"))
                return false;
    return true;
}

uint64_t crowd_deliveries(const struct crowd *crowd, struct histogram *latency)
{
    uint64_t deliveries = 0;

    for (unsigned i = 0; i < crowd->count; i++) {
        deliveries += crowd->processes[i].share->clients.deliveries;
        histogram_merge(latency, &crowd->processes[i].share->clients.latency);
    }
    return deliveries;
}

uint64_t crowd_cpu(const struct crowd *crowd)
{
    uint64_t sum = 0, one;

    for (unsigned i = 0; i < crowd->count; i++) {
        one = usage_process(crowd->processes[i].pid);
        if (one == 0)
            return 0;
        sum += one;
    }
    return sum;
}

void crowd_end(struct crowd *crowd)
{
    struct crowd_process *process;

    for (unsigned i = 0; i < crowd->count; i++) {
        process = &crowd->processes[i];
        if (process->pid > 0) {
            (void)kill(process->pid, SIGKILL);
            (void)waitpid(process->pid, NULL, 0);
        }
        close(process->watch.fd);
        (void)munmap(process->share, sizeof *process->share);
    }
    memset(crowd, 0, sizeof *crowd);
}
