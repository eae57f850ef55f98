#ifndef CRIER_TOKEN_HASH_H
#define CRIER_TOKEN_HASH_H

/* crier token hash; ARGV begins with "hash". Returns the exit status. */
int token_hash_run(int argc, char **argv);

#endif
