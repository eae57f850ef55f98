#ifndef TESTS_COMMAND_H
#define TESTS_COMMAND_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The command $CRIER in a process of its own, with the words of
 * $CRIERD_WRAPPER in front. Threads read and keep all that it prints. It is in the
 * process group of the test, which check kills when the test ends.
 */
struct command_output {
    int fd; /* our end */
    pthread_t reader;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    char *text; /* NUL-terminated */
    size_t length;
    bool ended;
};

struct command {
    pid_t pid;
    int input; /* our end of its standard input; -1 when that is closed */
    struct command_output out, err;
};

/* What its standard files are; without any of these, pipes. */
enum {
    COMMAND_IN_TERMINAL = 1,
    COMMAND_OUT_TERMINAL = 2,
    COMMAND_ERR_TERMINAL = 4,
    COMMAND_OUT_UNREAD = 8, /* its output is not read until command_read() */
    COMMAND_OUT_FULL = 16   /* its output goes to a file on a full disk */
};

/* The words of a command line. */
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Starts `crier WORDS...`. */
void command_start(struct command *command, int files,
                   const char *const *words);

/* Writes TEXT to its standard input; closes that. */
void command_write(struct command *command, const char *text);
void command_close_input(struct command *command);

/* Starts to read its output. */
void command_read(struct command *command);

/* Waits until the pipe that it prints to is full. Its output must be unread. Returns false
 * if it ended before. */
bool command_wait_full(const struct command *command);

/* Waits until no signal that was sent to it is pending. */
void command_wait_taken(const struct command *command);

/* Closes the reading end of its standard output. */
void command_close_output(struct command *command);

/* Waits until OUTPUT contains TEXT, or has LINES lines. */
void output_wait(struct command_output *output, const char *text);
void output_wait_lines(struct command_output *output, size_t lines);

/* Whether OUTPUT contains TEXT now. */
bool output_has(struct command_output *output, const char *text);

/* Waits until it has ended; command_wait() must follow. */
void command_wait_end(struct command *command);

/* Waits until it has ended and all its output is read. Returns its exit status, or
 * minus the signal that killed it. */
int command_wait(struct command *command);

/* Sends it SIGNAL and does the same. */
int command_stop(struct command *command, int signal);

/* Frees its output, after command_wait(). */
void command_done(struct command *command);

/* Runs it with INPUT (or NULL for none) to its end, and returns the status. */
int command_run(struct command *command, const char *input,
                const char *const *words);

/* The same; fails unless the status is STATUS, standard output is OUT and standard
 * error contains ERR, or is empty if ERR is "". NULL allows any output. */
void command_expect(int status, const char *out, const char *err,
                    const char *input, const char *const *words);

/* Makes a clean environment: HOME is the scratch directory, which must exist, and no
 * variable is set that crier reads, except that CRIER_SERVER has SERVER_PORT unless
 * that is 0. */
void command_environment(int server_port);

#endif
