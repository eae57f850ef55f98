/* What the system has counted of this process. Nothing here depends on what crierd does. */
#include <config.h>

#include "process.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

struct process_sizes process_sizes(void)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    unsigned long virtual, resident;
    char line[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC); /* in pages */
    ssize_t length = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;

    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return (struct process_sizes){0, 0};
    line[length] = '\0';
    if (sscanf(line, "%lu %lu", &virtual, &resident) != 2)
        return (struct process_sizes){0, 0};
    return (struct process_sizes){virtual * page, resident * page};
}

static double read_seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

double process_cpu(void)
{
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage);
    return read_seconds(&usage.ru_utime) + read_seconds(&usage.ru_stime);
}
