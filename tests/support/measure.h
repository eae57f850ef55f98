#ifndef TESTS_MEASURE_H
#define TESTS_MEASURE_H

#include <sys/types.h>

/*
 * A program that starts servers itself and measures them: the benchmark, the
 * soak. This process becomes the subreaper of what it starts: a server that
 * was left behind becomes its child, and is found. There is one at a time.
 */

/* Makes the scratch directory, in which its servers' files are, too. */
void measure_set_up(void);

/* Starts the program and the options WORDS and MORE, each ended by NULL. What
 * it says goes to a file. */
pid_t measure_start(const char *const *words, const char *const *more);

/* Waits until it has said TEXT. */
void measure_wait_log(const char *text);

/* Waits for its end with STATUS and with TEXT in what it said; nothing of it
 * may be left. */
void measure_expect(pid_t pid, int status, const char *text);

/* Kills it on the spot; no server may be left. Their files are. */
void measure_kill(pid_t pid);

/* The whole text of a file; to be freed. */
char *measure_contents(const char *path);

/* The file with what it said. */
const char *measure_log(void);

#endif
