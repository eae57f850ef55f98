#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdatomic.h>

/*
 * System calls that fail at random, in a crierd into which LD_PRELOAD loads faults.so.
 * It shares the memory of the file $CRIER_FAULTS with the test, which sets there how
 * often each call fails, and reads there how often it did.
 */
enum fault {
    FAULT_ACCEPT,     /* EINTR, ECONNABORTED, ENOBUFS, EMFILE */
    FAULT_SEND,       /* to a socket: EINTR, ENOBUFS, ECONNRESET */
    FAULT_RECV,       /* from a socket: EINTR, ECONNRESET */
    FAULT_EPOLL_CTL,  /* EPOLL_CTL_ADD: ENOMEM, ENOSPC */
    FAULT_EPOLL_WAIT, /* EINTR */
    FAULT_READ,       /* from a file: EINTR, EIO, a part */
    FAULT_WRITE,      /* to a file: EINTR, ENOSPC, EIO, a part */
    FAULT_SYNC,       /* EIO, ENOSPC */
    FAULTS
};

struct faults {
    atomic_uint one_in[FAULTS]; /* one call in so many fails; 0 for none */
    atomic_uint seed;
    atomic_uint failed[FAULTS]; /* calls that failed so */
};

/* Makes the calls of each crierd that is started from now on fail as the returned
 * structure says, which is all 0 at first. */
struct faults *faults_begin(void);

/* Ends that for each crierd that is started from now on, and frees FAULTS. */
void faults_end(struct faults *faults);

#endif
