#ifndef CRIER_PUB_H
#define CRIER_PUB_H

/* crier pub. Returns the exit status. */
int pub_run(int argc, char **argv);

#endif
