#ifndef CRIER_CMD_EXPORT_H
#define CRIER_CMD_EXPORT_H

/* `crier export`. Returns the exit status. */
int export_run(int argc, char **argv);

#endif
