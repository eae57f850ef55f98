#ifndef CRIER_CMD_TOKEN_H
#define CRIER_CMD_TOKEN_H

/* crier token. Returns the exit status. */
int token_run(int argc, char **argv);

#endif
