/*
 * What is measured, and whether it is flat.
 *
 * What a server uses under load goes up and down with the load. So the quiet
 * points are compared: the end of each cycle, when nobody is connected. crierd
 * then holds its journal and nothing else.
 *
 * Descriptors must then be as many as they were before anybody came.
 *
 * Memory is judged within the longest life of crierd. The first third of its
 * quiet points is the warm-up, in which the journal fills up to what it
 * retains and malloc() finds its size. The median of the last third may then
 * be above that of the second third by 5 % and 1 MiB: that is for
 * fragmentation, which comes and goes. What leaks goes on rising; a median is
 * not moved by a single point, up or down.
 */
#include <config.h>

#include "record.h"

#include "bench/fault.h"
#include "bench/usage.h"

#include <stdlib.h>
#include <string.h>

#define JUDGED_MIN 9 /* quiet points, three in each third */
#define MEMORY_SHARE 1.05
#define MEMORY_MORE (1024.0 * 1024)
#define MIB (1024.0 * 1024)

/* crierd is taken to be built as this is. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

void record_open(struct record *record, struct soak *soak)
{
    *record = (struct record){.soak = soak};
}

void record_close(struct record *record)
{
    free(record->samples);
    free(record->quiets);
    free(record->marks);
}

/* Makes room for one more of COUNT items of SIZE bytes at *ITEMS. */
static bool grow(void *items, size_t size, size_t count, size_t *room)
{
    void **list = items, *grown;

    if (count < *room)
        return true;
    grown = realloc(*list, (*room + 1) * 2 * size);
    if (grown == NULL)
        return fault("memory is short");
    *list = grown;
    *room = (*room + 1) * 2;
    return true;
}

static double at(const struct record *record, uint64_t now)
{
    return (double)(now - record->soak->verdict.begun) / 1e9;
}

bool record_tick(struct record *record, uint64_t now)
{
    struct soak *soak = record->soak;
    struct usage usage;

    if (now < record->due || !soak->up)
        return true;
    record->due = now + 1000000000;
    if (!grow(&record->samples, sizeof *record->samples, record->sample_count,
              &record->sample_room) ||
        !usage_read(soak->server.pid, true, &usage))
        return false;
    record->samples[record->sample_count++] =
        (struct sample){.at = at(record, now),
                        .memory = (double)usage.memory,
                        .here = soak->here,
                        .p50 = histogram_at(&soak->latency, 0.5),
                        .p99 = histogram_at(&soak->latency, 0.99)};
    memset(&soak->latency, 0, sizeof soak->latency);
    return true;
}

bool record_mark(struct record *record, bool crash)
{
    if (!grow(&record->marks, sizeof *record->marks, record->mark_count,
              &record->mark_room))
        return false;
    record->marks[record->mark_count++] =
        (struct mark){at(record, usage_now()), crash};
    return true;
}

bool record_quiet(struct record *record)
{
    pid_t pid = record->soak->server.pid;
    size_t files = usage_files(pid);
    struct usage usage;

    if (files == 0 || !usage_read(pid, true, &usage) ||
        !grow(&record->quiets, sizeof *record->quiets, record->quiet_count,
              &record->quiet_room))
        return false;
    record->quiets[record->quiet_count++] =
        (struct quiet){at(record, usage_now()), (double)usage.memory, files,
                       (unsigned)record->mark_count};
    return true;
}

/* ---- flat ------------------------------------------------------------- */

static void judge_files(const struct record *record)
{
    struct verdict *verdict = &record->soak->verdict;
    const struct quiet *quiet;

    for (size_t i = 0; i < record->quiet_count; i++) {
        quiet = &record->quiets[i];
        if (quiet->files != record->files) {
            (void)verdict_broken(verdict, PROMISE_FILES,
                                 "%zu were open before anybody came, and %zu "
                                 "when it was quiet at %.0f s",
                                 record->files, quiet->files, quiet->at);
            return;
        }
    }
    verdict_remark(verdict, PROMISE_FILES, "%zu at %zu quiet points",
                   record->files, record->quiet_count);
}

static int by_size(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return a < b ? -1 : a > b;
}

/* The median of COUNT (at least one) quiet points' memory. */
static double median(const struct quiet *quiets, size_t count)
{
    double *values = malloc(count * sizeof *values), middle;

    if (values == NULL)
        return 0;
    for (size_t i = 0; i < count; i++)
        values[i] = quiets[i].memory;
    qsort(values, count, sizeof *values, by_size);
    middle = values[count / 2];
    free(values);
    return middle;
}

static void judge_memory(const struct record *record)
{
    struct verdict *verdict = &record->soak->verdict;
    const struct quiet *quiets = record->quiets;
    size_t best = 0, length = 0, end;
    double before, after;

    for (size_t i = 0; i < record->quiet_count; i = end) {
        for (end = i; end < record->quiet_count &&
                      quiets[end].life == quiets[i].life;
             end++)
            ;
        if (end - i > length) {
            best = i;
            length = end - i;
        }
    }
    if (SANITIZED) {
        verdict_open(verdict, PROMISE_MEMORY,
                     "not judged: a sanitizer keeps what is freed");
        return;
    }
    if (length < JUDGED_MIN) {
        verdict_open(verdict, PROMISE_MEMORY,
                     "not judged: %zu quiet points without a restart are "
                     "fewer than %d",
                     length, JUDGED_MIN);
        return;
    }
    before = median(quiets + best + length / 3, length / 3);
    after = median(quiets + best + length - length / 3, length / 3);
    verdict_remark(verdict, PROMISE_MEMORY,
                   "%.2f MiB, later %.2f MiB at %zu quiet points",
                   before / MIB, after / MIB, length);
    if (after > before * MEMORY_SHARE + MEMORY_MORE)
        (void)verdict_broken(verdict, PROMISE_MEMORY,
                             "%.2f MiB in the second third of the quiet "
                             "points, %.2f MiB in the last",
                             before / MIB, after / MIB);
}

void record_judge(const struct record *record)
{
    judge_files(record);
    judge_memory(record);
}
