#ifndef CRIER_TOKEN_SHOW_H
#define CRIER_TOKEN_SHOW_H

/* crier token show; ARGV begins with "show". Returns the exit status. */
int token_show_run(int argc, char **argv);

#endif
