#ifndef CRIER_CMD_IMPORT_H
#define CRIER_CMD_IMPORT_H

/* `crier import`. Returns the exit status. */
int import_run(int argc, char **argv);

#endif
