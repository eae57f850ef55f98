#ifndef TESTS_MEASURE_H
#define TESTS_MEASURE_H

#include <sys/types.h>

/*
 * Runs a program that starts servers itself: the benchmark or the soak, one at a time.
 * The test process becomes the subreaper of its descendants, so that it finds a server
 * that the program left running.
 */

/* Makes the scratch directory, which also has the servers' files. */
void measure_set_up(void);

/* Starts the program with the options WORDS and MORE, both ended by NULL. Its output
 * goes to a file. */
pid_t measure_start(const char *const *words, const char *const *more);

/* Waits until it has printed TEXT. */
void measure_wait_log(const char *text);

/* Waits until it ends; fails unless its exit status is STATUS and its output contains
 * TEXT, or if it left a process or a file. */
void measure_expect(pid_t pid, int status, const char *text);

/* Kills it with SIGKILL; fails if a server runs on. Their files may be left. */
void measure_kill(pid_t pid);

/* Returns the contents of a file as a string, new. */
char *measure_contents(const char *path);

/* Returns the name of the file with its output. */
const char *measure_log(void);

#endif
