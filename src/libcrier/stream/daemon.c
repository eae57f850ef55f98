/*
 * What a libmicrohttpd daemon needs so that its connections can be suspended, by a
 * stream or by a request that waits for the journal. MHD_suspend_connection() aborts
 * the program when the daemon does not allow it, so this is checked before.
 */
#include <config.h>

#include "daemon.h"

#include "crier_server.h"

/* MHD_ALLOW_SUSPEND_RESUME without MHD_USE_ITC, which libmicrohttpd clears when a
 * daemon has no threads. */
#define SUSPEND_RESUME                                                        \
    ((int)MHD_ALLOW_SUSPEND_RESUME & ~(int)MHD_USE_ITC)

/* Returns what is wrong with a daemon with FLAGS, or NULL. RUNS: the program itself
 * runs its loop. */
static const char *find_fault(int flags, bool runs)
{
    bool suspends = (flags & SUSPEND_RESUME) != 0;
    /* Without threads of its own, no thread would notice a resume in time, unless the
     * program is called for it. */
    bool polls = runs || (flags & (int)MHD_USE_INTERNAL_POLLING_THREAD) != 0;

    /* With a thread for each connection, resumes get lost. */
    if ((flags & (int)MHD_USE_THREAD_PER_CONNECTION) != 0)
        return "the daemon has MHD_USE_THREAD_PER_CONNECTION, with which no "
               "connection can be suspended";
    if (!suspends && !polls)
        return "the daemon lacks MHD_ALLOW_SUSPEND_RESUME and "
               "MHD_USE_INTERNAL_POLLING_THREAD";
    if (!suspends)
        return "the daemon lacks MHD_ALLOW_SUSPEND_RESUME";
    return polls ? NULL : "the daemon lacks MHD_USE_INTERNAL_POLLING_THREAD";
}

static int check_daemon(struct MHD_Daemon *daemon, bool runs,
                        const char **reason)
{
    const union MHD_DaemonInfo *info;
    const char *fault = "the daemon was not started";

    if (daemon != NULL) {
        info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_FLAGS);
        fault = info != NULL ? find_fault((int)info->flags, runs)
                             : "libmicrohttpd does not report the daemon's flags";
    }
    if (fault == NULL)
        return 0;
    if (reason != NULL)
        *reason = fault;
    return CRIER_ERR_DAEMON;
}

int crier_daemon_check(struct MHD_Daemon *daemon, const char **reason)
{
    return check_daemon(daemon, false, reason);
}

int crier__daemon_check_of(struct MHD_Connection *connection, bool runs,
                           const char **reason)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON);

    return info != NULL ? check_daemon(info->daemon, runs, reason)
                        : CRIER_ERR_MHD;
}
