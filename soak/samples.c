/*
 * Samples of memory and descriptors, and the check that they do not grow.
 *
 * Usage under load varies with the load. So the quiet points are compared: the end of
 * each cycle, when no client is connected and crierd holds only its journal.
 *
 * The number of descriptors must then be the same as before the first client. Only the
 * check of the journal's file after a crash may add some: while it runs, and one for the
 * file afterwards, which SQLite keeps to be opened next.
 *
 * Memory is checked within the longest life of crierd. The first third of its quiet
 * points is the warm-up, in which the journal fills up to its retention and malloc()
 * reaches its size. The median of the last third may exceed that of the second third by
 * 5 % and 1 MiB, for fragmentation, which varies. A leak keeps growing; a median is not
 * moved by a single point.
 */
#include <config.h>

#include "samples.h"

#include "bench/fault.h"
#include "bench/usage.h"

#include <stdlib.h>
#include <string.h>

#define CHECKED_MIN 9 /* quiet points, three in each third */
#define MEMORY_SHARE 1.05
#define MEMORY_MORE (1024.0 * 1024)
#define MIB (1024.0 * 1024)

/* crierd is assumed to be built with the same options. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

void samples_init(struct samples *samples, struct soak *soak)
{
    *samples = (struct samples){.soak = soak};
}

void samples_done(struct samples *samples)
{
    free(samples->list);
    free(samples->quiets);
    free(samples->marks);
}

/* Makes space for one more of COUNT items of SIZE bytes at *ITEMS. */
static bool grow_list(void *items, size_t size, size_t count, size_t *capacity)
{
    void **list = items, *grown;

    if (count < *capacity)
        return true;
    grown = realloc(*list, (*capacity + 1) * 2 * size);
    if (grown == NULL)
        return fault("out of memory");
    *list = grown;
    *capacity = (*capacity + 1) * 2;
    return true;
}

static double get_seconds(const struct samples *samples, uint64_t now)
{
    return (double)(now - samples->soak->invariants.begun) / 1e9;
}

bool samples_tick(struct samples *samples, uint64_t now)
{
    struct soak *soak = samples->soak;
    struct usage usage;

    if (now < samples->due || !soak->up)
        return true;
    samples->due = now + 1000000000;
    if (!grow_list(&samples->list, sizeof *samples->list, samples->sample_count,
                   &samples->sample_capacity) ||
        !usage_read(soak->server.pid, true, &usage))
        return false;
    samples->list[samples->sample_count++] =
        (struct sample){.at = get_seconds(samples, now),
                        .memory = (double)usage.memory,
                        .open_streams = soak->open_streams,
                        .p50 = histogram_at(&soak->latency, 0.5),
                        .p99 = histogram_at(&soak->latency, 0.99)};
    memset(&soak->latency, 0, sizeof soak->latency);
    return true;
}

bool samples_add_restart(struct samples *samples, bool crash)
{
    if (!grow_list(&samples->marks, sizeof *samples->marks, samples->mark_count,
                   &samples->mark_capacity))
        return false;
    samples->marks[samples->mark_count++] =
        (struct mark){get_seconds(samples, usage_now()), crash};
    return true;
}

bool samples_add_quiet_point(struct samples *samples)
{
    pid_t pid = samples->soak->server.pid;
    size_t files = usage_files(pid);
    struct usage usage;

    if (files == 0 || !usage_read(pid, true, &usage) ||
        !grow_list(&samples->quiets, sizeof *samples->quiets, samples->quiet_count,
                   &samples->quiet_capacity))
        return false;
    samples->quiets[samples->quiet_count++] =
        (struct quiet){get_seconds(samples, usage_now()), (double)usage.memory, files,
                       (unsigned)samples->mark_count};
    return true;
}

/* ---- growth ------------------------------------------------------------- */

/* The descriptors of the check of the journal: for the file and its log. */
#define CHECK_FILES 2

static void check_files(const struct samples *samples)
{
    struct invariants *invariants = &samples->soak->invariants;
    const struct quiet *quiet;

    for (size_t i = 0; i < samples->quiet_count; i++) {
        quiet = &samples->quiets[i];
        if (quiet->files < samples->files ||
            quiet->files > samples->files + CHECK_FILES) {
            (void)invariant_broken(invariants, INVARIANT_FILES,
                                   "%zu were open before the first client, and %zu "
                                   "at the quiet point at %.0f s",
                                   samples->files, quiet->files, quiet->at);
            return;
        }
    }
    invariant_note(invariants, INVARIANT_FILES, "%zu, and %d more at most, at %zu quiet points",
                   samples->files, CHECK_FILES, samples->quiet_count);
}

static int compare_doubles(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return a < b ? -1 : a > b;
}

/* Returns the median memory of COUNT (at least one) quiet points. */
static double find_median_memory(const struct quiet *quiets, size_t count)
{
    double *values = malloc(count * sizeof *values), middle;

    if (values == NULL)
        return 0;
    for (size_t i = 0; i < count; i++)
        values[i] = quiets[i].memory;
    qsort(values, count, sizeof *values, compare_doubles);
    middle = values[count / 2];
    free(values);
    return middle;
}

static void check_memory_growth(const struct samples *samples)
{
    struct invariants *invariants = &samples->soak->invariants;
    const struct quiet *quiets = samples->quiets;
    size_t best = 0, length = 0, end;
    double before, after;

    for (size_t i = 0; i < samples->quiet_count; i = end) {
        for (end = i; end < samples->quiet_count && quiets[end].life == quiets[i].life;
             end++)
            ;
        if (end - i > length) {
            best = i;
            length = end - i;
        }
    }
    if (SANITIZED) {
        invariant_skip(invariants, INVARIANT_MEMORY,
                       "not checked: sanitizers keep freed memory");
        return;
    }
    if (length < CHECKED_MIN) {
        invariant_skip(invariants, INVARIANT_MEMORY,
                       "not checked: %zu quiet points without a restart are "
                       "fewer than %d",
                       length, CHECKED_MIN);
        return;
    }
    before = find_median_memory(quiets + best + length / 3, length / 3);
    after = find_median_memory(quiets + best + length - length / 3, length / 3);
    invariant_note(invariants, INVARIANT_MEMORY,
                   "%.2f MiB, later %.2f MiB at %zu quiet points", before / MIB,
                   after / MIB, length);
    if (after > before * MEMORY_SHARE + MEMORY_MORE)
        (void)invariant_broken(invariants, INVARIANT_MEMORY,
                               "%.2f MiB in the second third of the quiet "
                               "points, %.2f MiB in the last",
                               before / MIB, after / MIB);
}

void samples_check(const struct samples *samples)
{
    check_files(samples);
    check_memory_growth(samples);
}
