#ifndef CRIER_PUB_LINES_H
#define CRIER_PUB_LINES_H

#include "pub_options.h"

/* crier pub --lines: publishes each line of standard input. Returns the exit status. */
int pub_lines_run(const struct options *options, const struct pub_options *pub);

#endif
