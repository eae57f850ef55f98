#ifndef CRIERD_PROCESS_H
#define CRIERD_PROCESS_H

#include <stdint.h>

/* Memory of this process, in bytes. */
struct process_sizes {
    uint64_t virtual, resident;
};

/* The memory that this process has now; zeros where the system does not say. Any thread. */
struct process_sizes process_sizes(void);

/* The CPU time of this process so far, in user space and in the kernel, in seconds. Any
 * thread. */
double process_cpu(void);

#endif
