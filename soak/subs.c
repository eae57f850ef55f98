/*
 * Clients in processes of their own: `crier sub --json`, whose output is checked like
 * the streams in this process. They are stopped by SIGSTOP for a while, some for longer
 * than the stall timeout, or killed and started again after the last id that they
 * printed. When crierd is restarted they reconnect by themselves.
 */
#include <config.h>

#include "subs.h"

#include "bench/fault.h"
#include "bench/usage.h"
#include "check.h"
#include "tests/support/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

/* For a line with an update as JSON, which escapes some bytes. */
#define OUTPUT_SIZE (8 * ORACLE_SIZE_MAX)

enum sub_state { SUB_AWAY, SUB_RUNNING, SUB_STOPPED };

struct sub {
    struct watch watch; /* first member */
    struct subs *subs;
    struct check check;
    enum sub_state state;
    pid_t pid;
    uint64_t due;
    char last[256]; /* last id that it printed */
    char *output;   /* an incomplete line */
    size_t length;
};

/* ---- output ------------------------------------------------------------- */

static const char *get_text(const json_t *event, const char *name)
{
    const char *text = json_string_value(json_object_get(event, name));

    return text != NULL ? text : "";
}

static bool take_line(struct sub *sub, const char *line, size_t length)
{
    struct soak *soak = sub->subs->soak;
    json_t *event = json_loadb(line, length, 0, NULL);
    const char *type = get_text(event, "event"), *id = get_text(event, "id");
    struct update *update;
    bool ok;

    if (event == NULL)
        return invariant_broken(&soak->invariants, INVARIANT_TRUE,
                                "crier sub printed invalid JSON: %.*s",
                                length < 100 ? (int)length : 100, line);
    if (!sub->check.open)
        check_open(&sub->check, soak);
    ok = check_event(&sub->check, soak, *type != '\0' ? type : "message", id,
                     get_text(event, "data"),
                     json_string_length(json_object_get(event, "data")), &update);
    if (update != NULL)
        snprintf(sub->last, sizeof sub->last, "%s", id);
    json_decref(event);
    soak->load.progress++;
    return ok;
}

/* Reads its output. Sets *END at the end of it. */
static bool read_output(struct sub *sub, bool *end)
{
    char *newline, *from;
    ssize_t got;

    *end = false;
    got = read(sub->watch.fd, sub->output + sub->length, OUTPUT_SIZE - sub->length);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ||
               fault("cannot read from crier sub: %s", strerror(errno));
    *end = got == 0;
    sub->length += (size_t)got;
    from = sub->output;
    while ((newline = memchr(from, '\n', sub->length - (size_t)(from - sub->output))) !=
           NULL) {
        if (!take_line(sub, from, (size_t)(newline - from)))
            return false;
        from = newline + 1;
    }
    sub->length -= (size_t)(from - sub->output);
    memmove(sub->output, from, sub->length);
    return sub->length < OUTPUT_SIZE || fault("a line of crier sub is too long");
}

static bool on_sub_output(struct watch *watch, uint32_t events)
{
    struct sub *sub = (struct sub *)watch;
    bool end;

    (void)events;
    if (!read_output(sub, &end))
        return false;
    return !end || invariant_broken(&sub->subs->soak->invariants, INVARIANT_HARM,
                                    "crier sub exited by itself");
}

/* ---- starting and stopping ---------------------------------------------- */

/* Starts the command with its output going to OUTPUT. */
static bool run_crier(struct sub *sub, int output)
{
    const struct soak *soak = sub->subs->soak;
    bool anew = sub->check.start != START_ID;
    char server[64], names[ORACLE_NAMES_MAX];
    const char *const words[] = {sub->subs->crier,
                                 "sub",
                                 "--server",
                                 server,
                                 "--json",
                                 "--quiet",
                                 "--retry",
                                 "200ms",
                                 anew ? "--since" : "--last-event-id",
                                 anew ? "all" : sub->last,
                                 names,
                                 NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), error;
    const struct spawn spawn = {
        .words = words, .files = {null, output, null}, .death = SIGKILL};

    if (null < 0)
        return fault("/dev/null: %s", strerror(errno));
    snprintf(server, sizeof server, "http://127.0.0.1:%u", soak->server.port);
    oracle_names(sub->check.topics, names, sizeof names);
    error = spawn_program(&spawn, &sub->pid);
    close(null);
    return error == 0 || fault("cannot start crier: %s", strerror(-error));
}

static bool start_sub(struct sub *sub, uint64_t now)
{
    struct soak *soak = sub->subs->soak;
    bool anew = *sub->last == '\0' || check_is_old(&sub->check, soak);
    int ends[2];
    bool ok;

    if (anew)
        *sub->last = '\0';
    check_start(&sub->check, soak,
                anew ? 1u << rng_range(&soak->rng, 0, SERIES_COUNT * SERIES_TOPICS - 1)
                     : sub->check.topics,
                anew ? START_ALL : START_ID);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return fault("pipe: %s", strerror(errno));
    (void)fcntl(ends[1], F_SETFL, 0);
    ok = run_crier(sub, ends[1]);
    close(ends[1]);
    sub->watch.fd = ends[0];
    sub->length = 0;
    sub->state = SUB_RUNNING;
    sub->due = now + rng_ms(&soak->rng, 100, 3000);
    return ok && load_watch(&soak->load, &sub->watch, EPOLLIN);
}

/* Kills it, and reads the rest of its output. */
static bool end_sub(struct sub *sub)
{
    bool end = false, ok = true;

    if (sub->state == SUB_AWAY)
        return true;
    if (sub->pid > 0) {
        (void)kill(sub->pid, SIGKILL);
        (void)waitpid(sub->pid, NULL, 0);
    }
    while (ok && !end)
        ok = read_output(sub, &end);
    close(sub->watch.fd);
    sub->watch.fd = -1;
    sub->pid = 0;
    sub->state = SUB_AWAY;
    return ok;
}

static bool act_sub(struct sub *sub, uint64_t now)
{
    struct soak *soak = sub->subs->soak;
    struct rng *rng = &soak->rng;

    if (sub->state == SUB_AWAY)
        return !soak->up || start_sub(sub, now);
    if (sub->state == SUB_STOPPED) {
        (void)kill(sub->pid, SIGCONT);
        sub->state = SUB_RUNNING;
        sub->due = now + rng_ms(rng, 100, 2000);
        return true;
    }
    if (rng_chance(rng, 30)) {
        soak->invariants.tally[TALLY_KILLS]++;
        sub->due = now + rng_ms(rng, 0, 300);
        return end_sub(sub);
    }
    soak->invariants.tally[TALLY_STOPS]++;
    (void)kill(sub->pid, SIGSTOP);
    sub->state = SUB_STOPPED;
    sub->due = now + (rng_chance(rng, 25) ? rng_ms(rng, SOAK_STALL_TIMEOUT * 1000 + 200,
                                                   SOAK_STALL_TIMEOUT * 2000)
                                          : rng_ms(rng, 20, 1000));
    return true;
}

/* ---- all processes ------------------------------------------------------ */

bool subs_tick(struct subs *subs, bool settling, uint64_t now)
{
    struct sub *sub;

    for (size_t i = 0; i < subs->count; i++) {
        sub = &subs->all[i];
        if (settling ? sub->state == SUB_STOPPED : sub->due <= now)
            if (!act_sub(sub, now))
                return false;
    }
    return true;
}

bool subs_complete(const struct subs *subs, char *reason, size_t size)
{
    const struct sub *sub;
    enum series series;
    uint64_t number;

    for (size_t i = 0; i < subs->count; i++) {
        sub = &subs->all[i];
        number = sub->state != SUB_AWAY && sub->check.open
                     ? check_missing(&sub->check, subs->soak, false, &series)
                     : 0;
        if (number == 0)
            continue;
        snprintf(reason, size, "crier sub waits for %s %llu",
                 oracle_series_name(series), (unsigned long long)number);
        return false;
    }
    return true;
}

bool subs_kill(struct subs *subs)
{
    bool ok = true;

    for (size_t i = 0; i < subs->count; i++)
        ok = end_sub(&subs->all[i]) && ok;
    return ok;
}

bool subs_open(struct subs *subs, struct soak *soak, const char *crier, size_t count)
{
    *subs = (struct subs){.soak = soak, .crier = crier, .count = count};
    subs->all = calloc(count, sizeof *subs->all);
    if (subs->all == NULL)
        return fault("out of memory");
    for (size_t i = 0; i < count; i++) {
        subs->all[i].subs = subs;
        subs->all[i].watch = (struct watch){.fd = -1, .ready = on_sub_output};
        subs->all[i].output = malloc(OUTPUT_SIZE);
        if (subs->all[i].output == NULL)
            return fault("out of memory");
    }
    return true;
}

void subs_close(struct subs *subs)
{
    if (subs->all == NULL)
        return;
    (void)subs_kill(subs);
    for (size_t i = 0; i < subs->count; i++)
        free(subs->all[i].output);
    free(subs->all);
    subs->all = NULL;
}
