#ifndef CRIER_TOPICS_H
#define CRIER_TOPICS_H

/* crier topics. Returns the exit status. */
int topics_run(int argc, char **argv);

#endif
