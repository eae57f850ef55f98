/*
 * The descriptors: how many streams the open-file limit allows.
 *
 * This is the one place that knows what needs how many of them. A promise rests on the
 * sum: as many streams as the log announces can be open, one more is refused with 503,
 * and other requests are answered all the time. tests/test_descriptors.c compares
 * descriptors_own() with what a running crierd has open, and checks the promise.
 *
 * The kernel always assigns the lowest free number. So a new descriptor with the number N
 * or a higher one means that at least N are open, and nobody needs to count them
 * (acceptor_thread.c).
 */
#include <config.h>

#include "descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- as long as crierd runs --------------------------------------------- */

/* The directory of the pages. */
#define FOR_ALL 1

/* For each thread a shard and a thread of the acceptor, with an epoll set and an eventfd
 * each. */
#define FOR_THREAD 4

/* A journal in a file: its two locks; the database and its log, opened by the thread that
 * writes and by the one that reads; the index of the log, which both share. */
#define FOR_JOURNAL_FILE 7

/* A journal in Redis: the epoll set and the eventfd of its thread, and three connections. */
#define FOR_JOURNAL_SERVER 5

/* ---- for a moment ------------------------------------------------------- */

/* What each thread of the acceptor opens beyond the limit of connections: the connection
 * by which it notices that, the duplicate by which it sees whether that is over, and a
 * directory on the way to a page, or a file of /proc for metrics. */
#define MOMENT_THREAD 3

/* Pages that are being sent. Without one left, a page is refused with 503. */
#define MOMENT_PAGES 8

/* The journal's directory, which is synced; a temporary file; the database once more, when
 * it is opened again after a failure; and the database and its log once more, while all of
 * the file is checked (SQLite keeps the former open afterwards). */
#define MOMENT_JOURNAL_FILE 5

/* A connection to a sentinel or a look-up of the server's name, and the file of the
 * password. */
#define MOMENT_JOURNAL_SERVER 3

/* A JWK set that is fetched: libcurl's two to wake it up, its connection, and at times those
 * of another attempt and of a look-up of the name. Kept also without such a set, since a
 * reload may bring one; and a file with a key needs one. */
#define MOMENT_KEYS 8

/* ---- connections -------------------------------------------------------- */

/* A tenth of the connections, and at least so many, is kept for requests that are no
 * streams. */
#define REQUESTS_MIN 8
#define REQUESTS_PART 10

/* With fewer streams than this there is no point in starting. */
#define CLIENTS_MIN 8

/* No larger limit makes a difference. */
#define LIMIT_MAX ((size_t)100000000)

/* A program is never started with so many descriptors. */
#define FOUND_MAX ((size_t)4096)

size_t descriptors_open(size_t limit)
{
    size_t count = 0, fd;

    for (fd = 0; fd < limit && fd < FOUND_MAX; fd++)
        count += fcntl((int)fd, F_GETFD) >= 0;
    return count;
}

size_t descriptors_count(size_t limit)
{
    struct dirent *entry;
    struct stat list;
    size_t count = 0;
    DIR *directory;

    if (stat("/proc/self/fd", &list) == 0 && list.st_size > 0) /* since Linux 6.2 */
        return (size_t)list.st_size;
    directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return limit;
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count - 1; /* without the directory's */
}

size_t descriptors_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > LIMIT_MAX)
        return LIMIT_MAX;
    return (size_t)limit.rlim_cur;
}

size_t descriptors_own(const struct descriptors_needs *needs)
{
    return needs->found + FOR_ALL + needs->threads * FOR_THREAD + needs->http +
           (needs->journal_file ? FOR_JOURNAL_FILE : 0) +
           (needs->journal_server ? FOR_JOURNAL_SERVER : 0);
}

size_t descriptors_divide(struct descriptors *descriptors,
                          const struct descriptors_needs *needs, size_t limit)
{
    size_t own = descriptors_own(needs), connections, requests;
    size_t rest = needs->threads * MOMENT_THREAD + MOMENT_PAGES + MOMENT_KEYS +
                  (needs->journal_file ? MOMENT_JOURNAL_FILE : 0) +
                  (needs->journal_server ? MOMENT_JOURNAL_SERVER : 0);
    size_t needed = own + CLIENTS_MIN + REQUESTS_MIN + rest;

    if (limit < needed)
        return needed;
    connections = limit - own - rest;
    requests = connections / REQUESTS_PART;
    if (requests < REQUESTS_MIN)
        requests = REQUESTS_MIN;
    *descriptors = (struct descriptors){
        .limit = limit,
        .most = connections - requests,
        .crowded = limit - rest,
    };
    descriptors_limit_clients(descriptors, needs->max_clients);
    return 0;
}

void descriptors_limit_clients(struct descriptors *descriptors,
                               size_t max_clients)
{
    atomic_store(&descriptors->clients,
                 max_clients != 0 && max_clients < descriptors->most ? max_clients
                                                                     : descriptors->most);
}
