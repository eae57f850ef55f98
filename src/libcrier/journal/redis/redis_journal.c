/*
 * The journal in Redis: its start and its end.
 */
#include <config.h>

#include "redis.h"

#include <errno.h>

int crier_journal_redis(const char *url,
                        const struct crier_journal_options *options,
                        struct crier_journal **journal, char *reason,
                        size_t size)
{
    (void)options;
    if (reason != NULL && size != 0)
        reason[0] = '\0';
    return url == NULL || journal == NULL ? CRIER_ERR_NULL : -ENOSYS;
}
