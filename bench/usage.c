/*
 * CPU and memory of a server, over all its processes and threads.
 *
 * /proc lists the processes of the server's process group. The CPU of each comes from
 * its CPU clock (clock_getcpuclockid): the kernel's sum over all threads, including
 * those that have exited, of what /proc/PID/task/TID/schedstat counts in nanoseconds. A
 * running thread may be behind by one tick (4 ms at 250 Hz); the clocks are read when
 * the server is idle.
 *
 * Rejected: utime and stime of /proc/PID/stat (steps of 10 ms, on many kernels sampled
 * by the tick), and schedstat itself (a thread that exits takes its share with it).
 *
 * Work that the kernel does for a server outside its threads (interrupts of the disk,
 * kernel threads that write) is not counted. On kernels without IRQ_TIME_ACCOUNTING a
 * send() over loopback is charged to the sender up to the receiver's queue; this is the
 * same for all servers.
 */
#include <config.h>

#include "usage.h"

#include "fault.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t to_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
}

/* Returns the process group of PID, or -1 if it has exited. */
static pid_t read_group(pid_t pid)
{
    char path[64], line[512], *end;
    FILE *file;
    int group;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return -1;
    end = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    fclose(file);
    if (end == NULL || sscanf(end, ") %*c %*d %d", &group) != 1)
        return -1;
    return group;
}

/* Adds the anonymous memory of PID. */
static bool add_memory(pid_t pid, struct usage *usage)
{
    unsigned long kilobytes;
    char path[64], line[256];
    bool found = false;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "Anonymous: %lu", &kilobytes) == 1;
    fclose(file);
    if (found)
        usage->memory += (uint64_t)kilobytes * 1024;
    return found;
}

static bool add_cpu(pid_t pid, struct usage *usage)
{
    struct timespec time;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
        return false;
    usage->cpu += to_ns(&time);
    return true;
}

bool usage_read(pid_t group, bool with_memory, struct usage *usage)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    bool ok = true;
    pid_t pid;

    if (directory == NULL)
        return fault("/proc is missing");
    memset(usage, 0, sizeof *usage);
    while ((entry = readdir(directory)) != NULL) {
        pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || read_group(pid) != group)
            continue;
        usage->processes++;
        ok = add_cpu(pid, usage) && ok;
        if (with_memory)
            ok = add_memory(pid, usage) && ok;
    }
    closedir(directory);
    if (!ok || usage->processes == 0)
        return fault("a process of the server has exited, or cannot be read");
    return true;
}

uint64_t usage_process(pid_t pid)
{
    struct usage usage = {0};

    if (!add_cpu(pid, &usage))
        (void)fault("process %d has exited", (int)pid);
    return usage.cpu;
}

/* Returns the sum of the numbers behind the COUNT NAMES in the file PATH. */
static uint64_t sum_lines(const char *path, const char *const *names, size_t count)
{
    FILE *file = fopen(path, "re");
    char line[256];
    uint64_t sum = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        for (size_t i = 0; i < count; i++)
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                sum += strtoull(line + strlen(names[i]), NULL, 10);
    if (file != NULL)
        fclose(file);
    return sum;
}

uint64_t usage_switches(pid_t pid)
{
    static const char *const names[] = {"voluntary_ctxt_switches:",
                                        "nonvoluntary_ctxt_switches:"};
    uint64_t sum = 0;
    struct dirent *entry;
    DIR *directory;
    char path[320];

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    directory = opendir(path);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, entry->d_name);
        if (entry->d_name[0] != '.')
            sum += sum_lines(path, names, 2);
    }
    if (directory != NULL)
        closedir(directory);
    return sum;
}

uint64_t usage_kernel(void)
{
    static const char *const names[] = {"Slab:", "KernelStack:", "PageTables:"};

    return sum_lines("/proc/meminfo", names, 3) * 1024;
}

size_t usage_files(pid_t pid)
{
    size_t count = 0;
    char path[64];
    struct dirent *entry;
    DIR *directory;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    directory = opendir(path);
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    if (directory != NULL)
        closedir(directory);
    if (count == 0)
        (void)fault("cannot count the descriptors of the server");
    return count;
}

static uint64_t read_rusage(int whose)
{
    struct rusage used = {0};

    (void)getrusage(whose, &used);
    return ((uint64_t)used.ru_utime.tv_sec + (uint64_t)used.ru_stime.tv_sec) *
               1000000000 +
           ((uint64_t)used.ru_utime.tv_usec + (uint64_t)used.ru_stime.tv_usec) * 1000;
}

uint64_t usage_others(void)
{
    unsigned long long user = 0, nice = 0, system = 0, irq = 0, softirq = 0, steal = 0;
    uint64_t busy, ours;
    FILE *file = fopen("/proc/stat", "re");

    if (file == NULL || fscanf(file, "cpu %llu %llu %llu %*u %*u %llu %llu %llu", &user,
                               &nice, &system, &irq, &softirq, &steal) != 6)
        user = 0;
    if (file != NULL)
        fclose(file);
    busy = (user + nice + system + irq + softirq + steal) *
           (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
    ours = read_rusage(RUSAGE_SELF) + read_rusage(RUSAGE_CHILDREN);
    return busy > ours ? busy - ours : 0;
}

uint64_t usage_own(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return to_ns(&time);
}

uint64_t usage_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return to_ns(&time);
}
