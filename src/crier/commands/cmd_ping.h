#ifndef CRIER_PING_H
#define CRIER_PING_H

/* crier ping. Returns the exit status. */
int ping_run(int argc, char **argv);

#endif
