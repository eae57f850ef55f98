#ifndef CRIER_LINES_H
#define CRIER_LINES_H

#include "pub.h"

/* crier pub --lines: publishes every line of standard input. Returns the exit
 * status. */
int lines_run(const struct conf *conf, const struct pub *pub);

#endif
