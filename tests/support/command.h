#ifndef TESTS_COMMAND_H
#define TESTS_COMMAND_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The command $CRIER in a process of its own, with the words of
 * $CRIERD_WRAPPER in front. What it prints is read all the time and kept. It
 * is in the process group of the test, which check kills when the test ends.
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

/* Which of its files are terminals; none without. */
enum {
    COMMAND_IN_TERMINAL = 1,
    COMMAND_OUT_TERMINAL = 2,
    COMMAND_ERR_TERMINAL = 4,
    COMMAND_OUT_UNREAD = 8, /* nobody reads what it prints, until
                               command_read() */
    COMMAND_OUT_FULL = 16   /* the disk is full where it goes */
};

/* The words of a command line. */
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Starts `crier WORDS...`. */
void command_start(struct command *command, int files,
                   const char *const *words);

/* Gives it TEXT on standard input, and the end of that. */
void command_write(struct command *command, const char *text);
void command_close_input(struct command *command);

/* Begins to read what it prints. */
void command_read(struct command *command);

/* Waits until the pipe that it prints to is full; nobody reads it. */
void command_wait_full(const struct command *command);

/* Waits until it has taken the signals that were sent to it. */
void command_wait_taken(const struct command *command);

/* Takes its standard output away: whatever it writes now has no reader. */
void command_close_output(struct command *command);

/* Waits until OUTPUT contains TEXT, or has LINES lines. */
void output_wait(struct command_output *output, const char *text);
void output_wait_lines(struct command_output *output, size_t lines);

/* Whether OUTPUT contains TEXT now. */
bool output_has(struct command_output *output, const char *text);

/* Waits until it has ended. */
void command_wait_end(struct command *command);

/* Waits for its end. The exit status; less than 0, the signal that killed it.
 * What it printed is all there then. */
int command_wait(struct command *command);

/* Ends it by SIGNAL, and waits. */
int command_stop(struct command *command, int signal);

/* Frees what is kept, after command_wait(). */
void command_done(struct command *command);

/* Runs it with INPUT (or NULL for none) to its end, and returns the status. */
int command_run(struct command *command, const char *input,
                const char *const *words);

/* The same where the status must be STATUS, standard output OUT, and standard
 * error must contain ERR, or be empty where that is "" (NULL for either:
 * whatever). */
void command_expect(int status, const char *out, const char *err,
                    const char *input, const char *const *words);

/* Makes the surroundings clean: HOME is the scratch directory, which must be
 * there, nothing is set that crier looks at, and SERVER_PORT (0 for none) is
 * in CRIER_SERVER. */
void command_environment(int server_port);

#endif
