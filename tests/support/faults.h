#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdatomic.h>

/*
 * A kernel that fails at random: faults.so, loaded by LD_PRELOAD into a crierd,
 * which has the file that $CRIER_FAULTS names mapped. The test has it mapped, too:
 * so it says when and how often calls fail, and sees which ones did.
 */
enum fault {
    FAULT_ACCEPT,     /* EINTR, ECONNABORTED, ENOBUFS, EMFILE */
    FAULT_SEND,       /* to a socket: EINTR, ENOBUFS, ECONNRESET */
    FAULT_RECV,       /* from a socket: EINTR, ECONNRESET */
    FAULT_EPOLL_CTL,  /* to add: ENOMEM, ENOSPC */
    FAULT_EPOLL_WAIT, /* EINTR */
    FAULT_READ,       /* from a file: EINTR, EIO, a part */
    FAULT_WRITE,      /* to a file: EINTR, ENOSPC, EIO, a part */
    FAULT_SYNC,       /* EIO, ENOSPC */
    FAULTS
};

struct faults {
    atomic_uint one_in[FAULTS]; /* one call in so many fails; 0 for none */
    atomic_uint seed;
    atomic_uint failed[FAULTS]; /* how often that was */
};

/* Makes those of the crierds that are started from now on fail as *FAULTS says,
 * which is all 0 at first. */
struct faults *faults_begin(void);

/* No crierd that is started from now on fails; *FAULTS goes. */
void faults_end(struct faults *faults);

#endif
