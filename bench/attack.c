/*
 * Attackers: hostile clients that load a server while other clients are measured. All
 * attackers of a kind do the same, in turn, RATE actions a second together. An attacker
 * without a connection opens one and sends its first piece; one with a connection sends
 * another piece. Responses are read and discarded. An attacker that was disconnected
 * connects again at its next turn.
 *
 *   slow       a fifth of the run's clients; each sends a head that never ends, one
 *              byte every 100 ms
 *   half-open  as many as the run's clients; each sends half a head and stops
 *   large      64, with 1000 heads a second of 12 to 64 KiB
 *   garbage    64, with 1000 pieces a second: random bytes, or valid publishes with
 *              random bytes after them
 *   flood      half as many as the run's clients, all from one address that no client has;
 *              each connects once a second, and what it had before is closed. Every other
 *              one sends half a head and stops, the others begin a head that never ends
 *
 * The attackers are a separate process, because the generator needs its descriptors for
 * the measured clients. The process shares the generator's CPU, so the rates are
 * limited: without a limit the generator would measure how long it waits for its CPU.
 */
#include <config.h>

#include "attack.h"

#include "fault.h"
#include "load.h"
#include "usage.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIECE_MAX ((size_t)64 * 1024)
#define SMALLEST_HEAD ((size_t)12 * 1024)
#define FEW 64         /* attackers of the kinds that are about work, not numbers */
#define WORK_RATE 1000 /* actions a second, of those */
#define BYTE_RATE 10   /* actions a second, of each slow one */
#define CONNECTING_MAX 256
#define TICK 2      /* ms */
#define PATIENCE 20 /* s */

struct attack_counts {
    atomic_uint_least64_t done;
};

struct attacker {
    struct watch watch; /* first member */
    struct attackers *attackers;
    bool connecting;
};

struct attackers {
    enum attack_kind kind;
    unsigned port;
    size_t count;
    double rate; /* actions a second */
    struct attacker *all;
    struct load load;
    struct attack_counts *counts;
    size_t begun, connecting, next;
};

/* ---- data --------------------------------------------------------------- */

static char piece[PIECE_MAX];

static unsigned random_below(unsigned below)
{
    static uint32_t state = 1;

    state = state * 1103515245U + 12345U;
    return (state >> 8) % below;
}

static size_t put_text(const char *bytes)
{
    size_t length = strlen(bytes);

    memcpy(piece, bytes, length);
    return length;
}

static size_t make_large_head(void)
{
    size_t length = SMALLEST_HEAD + random_below(PIECE_MAX - SMALLEST_HEAD);

    memset(piece, 'x', length);
    (void)put_text("GET /topics/abuse HTTP/1.1\r\nHost: a\r\nX: ");
    memcpy(piece + length - 4, "\r\n\r\n", 4);
    return length;
}

static size_t make_garbage(void)
{
    static const char sound[] = "POST /topics/abuse HTTP/1.1\r\nHost: a\r\n"
                                "Content-Length: 1\r\n\r\nx";
    size_t length = 0, end;
    unsigned i;

    for (i = random_below(4); i != 0; i--, length += sizeof sound - 1)
        memcpy(piece + length, sound, sizeof sound - 1);
    for (end = length + random_below(200); length < end; length++)
        piece[length] = (char)random_below(256);
    return length;
}

/* Writes the first bytes of a connection to `piece`. Returns their number. */
static size_t make_first_piece(enum attack_kind kind)
{
    switch (kind) {
    case ATTACK_SLOW:
        return put_text("GET /topics/abuse HTTP/1.1\r\nHost: a\r\nX: ");
    case ATTACK_HALF_OPEN:
        return put_text("GET /topics/abuse HTTP/1.1\r\nHo");
    case ATTACK_FLOOD:
        return make_first_piece(random_below(2) != 0 ? ATTACK_SLOW : ATTACK_HALF_OPEN);
    case ATTACK_LARGE:
        return make_large_head();
    default:
        return make_garbage();
    }
}

/* Writes the next bytes of a connection to `piece`. Returns their number, 0 for none. */
static size_t make_next_piece(enum attack_kind kind)
{
    return kind == ATTACK_SLOW      ? put_text("x")
           : kind == ATTACK_GARBAGE ? make_garbage()
                                    : 0;
}

/* ---- one attacker ------------------------------------------------------- */

static void disconnect_attacker(struct attacker *attacker)
{
    attacker->attackers->connecting -= attacker->connecting;
    attacker->connecting = false;
    close(attacker->watch.fd);
    attacker->watch.fd = -1;
}

/* Sends LENGTH bytes of `piece`, as many as the socket takes. */
static void send_piece(struct attacker *attacker, size_t length)
{
    if (send(attacker->watch.fd, piece, length, MSG_NOSIGNAL) >= 0)
        atomic_fetch_add(&attacker->attackers->counts->done, 1);
    else if (errno != EAGAIN)
        disconnect_attacker(attacker);
}

static bool on_attacker_ready(struct watch *watch, uint32_t events)
{
    static char block[64 * 1024];
    struct attacker *attacker = (struct attacker *)watch;
    struct attackers *attackers = attacker->attackers;
    ssize_t got;

    if (attacker->connecting && !(events & (EPOLLERR | EPOLLHUP))) {
        attacker->connecting = false;
        attackers->connecting--;
        attackers->load.progress++;
        send_piece(attacker, make_first_piece(attackers->kind));
        return watch->fd < 0 || load_watch(&attackers->load, watch, EPOLLIN);
    }
    got = recv(watch->fd, block, sizeof block, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        disconnect_attacker(attacker);
    return true;
}

static bool connect_attacker(struct attacker *attacker)
{
    struct attackers *attackers = attacker->attackers;

    attacker->watch.fd =
        attackers->kind == ATTACK_FLOOD
            ? load_connect_apart(attackers->port)
            : load_connect(attackers->port, (size_t)(attacker - attackers->all), 0);
    if (attacker->watch.fd < 0)
        return false;
    attacker->connecting = true;
    attackers->connecting++;
    return load_watch(&attackers->load, &attacker->watch, EPOLLOUT);
}

/* Runs the attacker's turn. */
static bool run_attacker(struct attacker *attacker)
{
    size_t length;

    if (attacker->watch.fd >= 0 && attacker->attackers->kind == ATTACK_FLOOD)
        disconnect_attacker(attacker);
    if (attacker->watch.fd < 0)
        return connect_attacker(attacker);
    length = attacker->connecting ? 0 : make_next_piece(attacker->attackers->kind);
    if (length != 0)
        send_piece(attacker, length);
    return true;
}

/* ---- all attackers ------------------------------------------------------ */

/* Connects all attackers, with no more connections pending than any server's backlog. */
static bool connect_attackers(struct attackers *attackers)
{
    while (attackers->begun < attackers->count || attackers->connecting != 0) {
        while (attackers->begun < attackers->count &&
               attackers->connecting < CONNECTING_MAX)
            if (!connect_attacker(&attackers->all[attackers->begun++]))
                return false;
        if (!load_step(&attackers->load, 100, "attackers cannot connect"))
            return false;
    }
    return true;
}

static bool run_attackers(struct attackers *attackers)
{
    uint64_t begun = usage_now();
    double due, done = 0;

    for (;;) {
        if (!load_linger(&attackers->load, attackers->rate > 0 ? TICK : 1000))
            return false;
        due = attackers->rate * (double)(usage_now() - begun) / 1e9;
        for (; done < due; done++)
            if (!run_attacker(&attackers->all[attackers->next++ % attackers->count]))
                return false;
    }
}

static _Noreturn void run_process(struct attackers *attackers, int control,
                                  pid_t parent)
{
    char byte = 0;
    size_t i;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    attackers->all = calloc(attackers->count, sizeof *attackers->all);
    if (getppid() != parent || attackers->all == NULL ||
        !load_open(&attackers->load, PATIENCE) || read(control, &byte, 1) != 1)
        _exit(1);
    for (i = 0; i < attackers->count; i++) {
        attackers->all[i].attackers = attackers;
        attackers->all[i].watch = (struct watch){.fd = -1, .ready = on_attacker_ready};
    }
    if (connect_attackers(attackers) && write(control, &byte, 1) == 1)
        (void)run_attackers(attackers);
    fprintf(stderr, "attackers: %s\n", fault_text());
    _exit(1);
}

static struct attackers make_attackers(enum attack_kind kind, unsigned port,
                                       size_t clients)
{
    struct attackers attackers = {.kind = kind, .port = port, .count = FEW};

    if (kind == ATTACK_SLOW)
        attackers.count = clients / 5;
    else if (kind == ATTACK_HALF_OPEN)
        attackers.count = clients;
    else if (kind == ATTACK_FLOOD)
        attackers.count = clients / 2;
    attackers.rate = kind == ATTACK_HALF_OPEN ? 0
                     : kind == ATTACK_FLOOD   ? (double)attackers.count
                     : kind == ATTACK_SLOW    ? BYTE_RATE * (double)attackers.count
                                              : WORK_RATE;
    return attackers;
}

/* ---- public functions --------------------------------------------------- */

bool attack_prepare(struct attack *attack, enum attack_kind kind, unsigned port,
                    size_t clients)
{
    struct attackers attackers = make_attackers(kind, port, clients);
    pid_t parent = getpid();
    int ends[2];

    memset(attack, 0, sizeof *attack);
    attack->counts = mmap(NULL, sizeof *attack->counts, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (attack->counts == MAP_FAILED ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fault("cannot start attackers: %s", strerror(errno));
    attackers.counts = attack->counts;
    attack->control = ends[0];
    attack->acts = attackers.rate > 0;
    attack->pid = fork();
    if (attack->pid == 0) {
        close(ends[0]);
        run_process(&attackers, ends[1], parent);
    }
    close(ends[1]);
    return attack->pid > 0 || fault("fork: %s", strerror(errno));
}

bool attack_begin(struct attack *attack)
{
    struct pollfd wanted = {.fd = attack->control, .events = POLLIN};
    char byte = 0;

    return (send(attack->control, &byte, 1, MSG_NOSIGNAL) == 1 &&
            poll(&wanted, 1, 2 * PATIENCE * 1000) == 1 &&
            read(attack->control, &byte, 1) == 1) ||
           fault("the attackers cannot connect");
}

uint64_t attack_count(const struct attack *attack)
{
    return atomic_load(&attack->counts->done);
}

uint64_t attack_cpu(const struct attack *attack)
{
    struct timespec time;
    clockid_t clock;

    if (clock_getcpuclockid(attack->pid, &clock) == 0 &&
        clock_gettime(clock, &time) == 0)
        return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
    (void)fault("the attackers have exited");
    return 0;
}

void attack_end(struct attack *attack)
{
    if (attack->pid > 0) {
        (void)kill(attack->pid, SIGKILL);
        (void)waitpid(attack->pid, NULL, 0);
        close(attack->control);
    }
    if (attack->counts != NULL && attack->counts != MAP_FAILED)
        (void)munmap(attack->counts, sizeof *attack->counts);
    memset(attack, 0, sizeof *attack);
}
