#ifndef CRIER_SUB_H
#define CRIER_SUB_H

/* crier sub. Returns the exit status. */
int sub_run(int argc, char **argv);

#endif
